"""The same figures on PostgreSQL: every kind of system, past days, frozen months, and takers side by side."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict
from cloudctl.queries.migration import each
from tenants.migration import archive, figures, outlook, rules, snapshots
from tenants.migration.counting import GROUPS, count, day_of, facts, moment
from tenants.migration.rates import Tally, judge, total
from tenants.migration.rule import DEFAULT
from tests.builders import an_actor
from tests.conftest import make_core
from tests.counted_register import MOVED, a_province_without_systems, a_system, a_target, then
from tests.random_register import draw, verdicts

pytestmark = pytest.mark.postgres


@pytest.fixture
def core(postgres_url: str, home: Path) -> Iterator[Core]:
    made = make_core(home, postgres_url)
    a_province_without_systems(made)
    yield made
    made.store.close()


@pytest.mark.parametrize("on", [None, date(2026, 9, 1), date(2026, 4, 1)], ids=str)
def test_kinds_counted_on_postgresql_are_systems_judged_one_by_one(core: Core, on: date | None) -> None:
    draw(core, 300, seed=23)
    rule = replace(DEFAULT, hosted_on=("gov_cloud", "industry_cloud"), fresh_hours=100)
    when = day_of(core.clock.now(), on)
    expected = verdicts(core, rule, when)
    with core.store.read() as uow:
        alone = {one.system: judge(facts(kind, rule), rule) for one, kind in each(uow, moment(rule, when))}
        counted = count(uow, rule, when, ("division_code", "department_id"), GROUPS)
    assert alone == expected
    assert total(counted["all"].values()) == total(Tally.of(one) for one in expected.values())


def test_a_year_of_figures_goes_its_way_on_postgresql(core: Core) -> None:
    dave = an_actor(core, "dave")
    rules.apply(core, dave, replace(DEFAULT, name="gx"))
    a_target(core, "division:450000", 9500, date(2026, 12, 31))
    for n in range(10):
        a_system(core, f"s{n}", **(MOVED if n < 4 else {}))
    for n, month in enumerate(range(6, 11)):
        then(core, f"s{4 + n}", datetime(2026, month, 3, tzinfo=UTC), **MOVED)
        snapshots.take(core, dave, f"2026-{month:02d}")
    assert [row["rate"] for row in figures.rate(core, dave)] == ["90.00", "90.00", None]
    assert figures.rate(core, dave, on=date(2026, 7, 31))[0]["rate"] == "60.00"
    assert figures.ranking(core, dave, "departments")[0]["rank"] == 1
    ahead = outlook.predict(core, dave)
    assert (ahead["months"], ahead["pace_so_far"], ahead["state"]) == (5, "1.00", "at_risk")
    assert snapshots.verify(core, dave) == []
    assert [row["id"] for row in archive.differences(core, dave, "2026-06", "2026-08")] == ["s5", "s6"]


def test_takers_side_by_side_make_one_chain(core: Core) -> None:
    dave = an_actor(core, "dave")
    a_system(core, "it", **MOVED)
    refused: list[Exception] = []

    def take(month: str) -> None:
        try:
            snapshots.take(core, dave, month)
        except (Conflict, BadInput) as error:
            refused.append(error)

    months = [f"2026-{month:02d}" for month in (5, 6, 7, 8)] * 2
    threads = [threading.Thread(target=take, args=(month,)) for month in months]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = archive.list_snapshots(core, dave)
    assert len(rows) + len(refused) == len(months)
    assert len({row["previous_sha256"] for row in rows}) == len(rows)
    assert len({row["month"] for row in rows}) == len(rows) >= 1
    assert snapshots.verify(core, dave) == []
