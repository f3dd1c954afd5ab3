"""The register on PostgreSQL: the same statements, the same history, and two who import at once."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cloudctl.clock import end_of_day, local_day
from cloudctl.core import Core
from cloudctl.models import FOREVER, SystemVersion
from cloudctl.queries.register import Filter
from tenants.register.exporting import export
from tenants.register.history import record_at
from tests.builders import a_province, an_actor
from tests.conftest import make_core
from tests.registering import BUDGET, a_row, a_sheet, look, send, versions

pytestmark = pytest.mark.postgres


@pytest.fixture
def core(tmp_path: Path, postgres_url: str) -> Iterator[Core]:
    made = make_core(tmp_path, postgres_url)
    a_province(made)
    yield made
    made.store.close()


def test_a_sheet_goes_in_and_comes_out_and_the_past_is_told(core: Core) -> None:
    rows = [
        a_row(f"gx-finance-{n}", name=f"系统{n}", notes="'引号'；%s", mlps_level=1 + n % 3) for n in range(50)
    ]
    assert send(core, a_sheet(*rows)).created == 50
    then = local_day(core.clock.now())
    core.clock.advance(2 * 86400)  # type: ignore[attr-defined]
    changed = [{**row, "person": "张三", "mlps_level": 2} for row in rows[:20]]
    assert send(core, a_sheet(*changed)).updated == 20
    with core.store.read() as uow:
        past, now = (
            record_at(uow, "gx-finance-0", end_of_day(then + timedelta(days=days))) for days in (0, 2)
        )
        assert uow.count(SystemVersion, SystemVersion.valid_to == FOREVER) == 54
    assert past is not None and now is not None
    assert (past["mlps_level"], past["person"], now["mlps_level"], now["person"]) == (1, None, 2, "张三")
    made = export(core, an_actor(core, "dave"), "xlsx", Filter())
    again = look(core, made.content)
    assert (again.created, again.updated, again.faulty, again.unchanged) == (0, 0, 0, 54)


def test_two_who_import_the_same_system_leave_one_chain_of_versions(core: Core) -> None:
    sheets = [a_sheet({"code": BUDGET, "person": f"第{n}人"}) for n in range(8)]
    threads = [threading.Thread(target=send, args=(core, sheet)) for sheet in sheets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain = versions(core, BUDGET)
    assert len(chain) == 9
    assert [one.valid_to for one in chain].count(FOREVER) == 1
    told = [one.changes["person"] for one in chain[1:]]
    assert [before for before, _ in told] == [None, *(after for _, after in told[:-1])]
