"""The topology on PostgreSQL: applied whole, and by one of many at a time."""

import threading
from pathlib import Path

import pytest

from cloudctl.errors import Conflict
from cloudctl.models import AuditEvent, QuotaRow, TopologyVersion
from tenants.topology import apply, load, plan
from tests.conftest import make_core
from tests.topology_files import GUANGXI, PLAIN, edited
from tests.topology_people import province_admin

pytestmark = pytest.mark.postgres


def test_a_whole_province_is_applied_and_then_nothing_is_left_to_do(postgres_url: str, home: Path) -> None:
    core = make_core(home, postgres_url)
    topology = load.read(GUANGXI)
    apply.apply(core, province_admin(), plan.plan(core, topology))
    assert plan.plan(core, topology).is_empty
    core.store.close()


def test_of_many_that_apply_at_once_one_does_and_the_others_are_told(postgres_url: str, home: Path) -> None:
    core = make_core(home, postgres_url)
    apply.apply(core, province_admin(), plan.plan(core, load.read(PLAIN)))
    plans = [
        plan.plan(core, load.read(edited(("vcpus: 40,", f"vcpus: {40 + number},")))) for number in range(1, 9)
    ]
    told: list[str] = []

    def apply_one(made: plan.Plan) -> None:
        try:
            apply.apply(core, province_admin(), made)
            told.append("done")
        except Conflict as error:
            told.append(error.code)

    threads = [threading.Thread(target=apply_one, args=(made,)) for made in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done", *["stale_plan"] * 7]
    with core.store.read() as uow:
        assert uow.count(TopologyVersion) == 2
        assert uow.count(AuditEvent, AuditEvent.action == "topology.apply") == 2
        limits = uow.column(QuotaRow.limit, QuotaRow.scope_id == "gx-finance", QuotaRow.kind == "vcpus")
        assert limits[0] in range(41, 49)
    core.store.close()


def test_of_many_first_applies_one_does(postgres_url: str, home: Path) -> None:
    core = make_core(home, postgres_url)
    made = plan.plan(core, load.read(PLAIN))
    told: list[str] = []

    def apply_it() -> None:
        try:
            apply.apply(core, province_admin(), made)
            told.append("done")
        except Conflict:
            told.append("conflict")

    threads = [threading.Thread(target=apply_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["conflict", "conflict", "conflict", "done"]
    assert plan.plan(core, load.read(PLAIN)).is_empty
    core.store.close()
