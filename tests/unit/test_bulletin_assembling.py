"""A bulletin is about frozen figures: what it reads, what it leaves alone, and when it cannot be made."""

from datetime import date, timedelta

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotFound
from cloudctl.models import InformationSystem, RateSnapshot, Target
from tenants.bulletin.assembling import assemble, find_division, find_snapshot
from tenants.bulletin.content import Bulletin, Line
from tenants.bulletin.values import Kind, points_text, shown
from tenants.migration import rules, snapshots
from tenants.migration.rule import read
from tests.builders import an_actor
from tests.counted_register import MOVED, a_target, runs, then
from tests.frozen_months import IN_NOVEMBER, NOVEMBER, OCTOBER, two_months


@pytest.fixture
def frozen(core: Core, clock: FrozenClock) -> Core:
    two_months(core, clock)
    return core


def made(core: Core, code: str = "450000", month: str | None = None) -> Bulletin:
    with core.store.read() as uow:
        return assemble(uow, find_snapshot(uow, month).id, code, core.clock.now())


def read_line(line: Line) -> tuple[int, str, str, str]:
    change = "—" if line.change is None else points_text(line.change)
    figures = shown(Kind.SYSTEMS, line.count.numerator_hundredths), shown(Kind.RATE, line.rate)
    return (line.count.denominator, *figures, change)


def test_the_figures_are_those_of_the_snapshot_beside_the_month_before(frozen: Core) -> None:
    one = made(frozen)
    assert read_line(one.total) == (8, "4", "50.00%", "+12.50")
    assert read_line(one.own) == (4, "3", "75.00%", "+35.00")
    assert [(line.name, line.rank, *read_line(line)) for line in one.areas] == [
        ("柳州市", 1, 3, "1", "33.33%", "−16.66"),
        ("南宁市", 2, 1, "0", "0.00%", "0.00"),
    ]
    assert [(line.name, line.rank) for line in one.units] == [("财政厅", 1)]
    assert read_line(one.new) == (1, "0", "0.00%", "—")


def test_what_became_of_the_denominator_is_told_by_name(frozen: Core) -> None:
    assert [(one.reason, one.count, one.names) for one in made(frozen).shifts] == [
        ("added", 1, ("系统lz-2",)),
        ("retired", 1, ("系统fin-old",)),
    ]


def test_the_live_register_changes_nothing(frozen: Core) -> None:
    before = made(frozen)
    then(frozen, "fin-3", frozen.clock.now(), **MOVED)
    assert made(frozen) == before


def test_a_correction_is_what_the_next_bulletin_is_about(frozen: Core) -> None:
    then(frozen, "fin-3", frozen.clock.now() - timedelta(days=3), **MOVED)
    snapshots.take(frozen, an_actor(frozen, "dave"), NOVEMBER, reason="漏报")
    one = made(frozen)
    assert (one.method.revision, one.method.reason) == (2, "漏报")
    assert read_line(one.own) == (4, "4", "100.00%", "+60.00")


def test_a_city_has_its_own_bulletin_with_its_counties(frozen: Core) -> None:
    one = made(frozen, "450100")
    assert (one.division, one.level, one.total.count.denominator) == ("南宁市", "city", 1)
    assert [(line.name, line.count.denominator) for line in one.areas] == [("青秀区", 1)]
    assert one.units == ()
    assert one.shifts == ()


def test_a_target_of_ones_own_comes_before_that_of_the_whole(frozen: Core) -> None:
    goals = {line.name: line.goal.value for line in made(frozen).areas if line.goal is not None}
    assert goals == {"柳州市": 3000, "南宁市": 9500}
    assert [line.name for line in made(frozen).areas_behind] == ["南宁市"]


def test_a_target_that_was_closed_since_the_cut_off_still_holds_for_that_month(frozen: Core) -> None:
    with frozen.store.write() as uow:
        uow.update(Target, Target.scope == "division:450000", closed_at=frozen.clock.now())
    a_target(frozen, "division:450200", 9900, date(2027, 12, 31))
    goals = {line.name: line.goal.value for line in made(frozen).areas if line.goal is not None}
    assert goals["南宁市"] == 9500


def test_a_target_set_since_counts_where_there_was_none(frozen: Core) -> None:
    with frozen.store.write() as uow:
        uow.add(
            Target(
                name="x", scope="own:450000", measure="migration_rate", value=9900, due_on=date(2027, 1, 1),
                source="x", created_by="dave", created_at=frozen.clock.now(),
            )
        )  # fmt: skip
    own = made(frozen).own
    assert own.goal is not None
    assert own.goal.value == 9900


def test_idle_systems_are_named_and_classified_ones_never(core: Core, clock: FrozenClock) -> None:
    two_months(core, clock)
    for key in ("lz-1", "nn-0"):  # somebody has looked since long before
        runs(core, key, IN_NOVEMBER - timedelta(days=300), last_seen_at=clock.now())
    snapshots.take(core, an_actor(core, "dave"), NOVEMBER, reason="x")
    assert [one.name for one in made(core).idle] == ["系统fin-0", "系统fin-1", "系统fin-2", "系统lz-0"]
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == "fin-1", is_classified=True)
    assert [one.name for one in made(core).idle] == ["系统fin-0", "系统fin-2", "系统lz-0"]


def test_without_a_frozen_month_before_nothing_is_compared(frozen: Core) -> None:
    one = made(frozen, month=OCTOBER)
    assert one.is_first
    assert one.total.change is None
    assert one.shifts == ()
    assert one.flags == ()


def test_a_month_that_has_not_ended_says_so(frozen: Core) -> None:
    snapshots.take(frozen, an_actor(frozen, "dave"), "2026-12")
    assert not made(frozen).method.is_whole
    assert made(frozen, month=NOVEMBER).method.is_whole


# -- when it cannot be made


def test_a_month_that_is_not_frozen_is_refused_with_the_command_that_freezes_it(frozen: Core) -> None:
    with frozen.store.read() as uow, pytest.raises(NotFound, match="2026-09 is not frozen") as caught:
        find_snapshot(uow, "2026-09")
    assert "cloudctl migration snapshot take 2026-09" in str(caught.value)


def test_without_any_frozen_month_the_way_there_is_told(core: Core) -> None:
    with core.store.read() as uow, pytest.raises(NotFound, match="snapshot take MONTH"):
        find_snapshot(uow, None)


def test_a_month_frozen_by_another_rule_only_is_refused_and_that_rule_is_named(frozen: Core) -> None:
    document = {**rules.show_rule(frozen, an_actor(frozen, "dave"))["document"], "name": "demo-0d"}
    rules.apply(frozen, an_actor(frozen, "dave"), read(document), use=True)
    with frozen.store.read() as uow:
        with pytest.raises(NotFound, match="other rules: default"):
            find_snapshot(uow, NOVEMBER)
        assert find_snapshot(uow, NOVEMBER, "default").month == NOVEMBER


@pytest.mark.parametrize("scope", ["division:450103", "department:gx-finance", "own:450000", "nonsense"])
def test_only_the_province_and_cities_have_bulletins(frozen: Core, scope: str) -> None:
    with frozen.store.read() as uow, pytest.raises(BadInput):
        find_division(uow, scope)


def test_a_division_that_does_not_exist_is_not_found(frozen: Core) -> None:
    with frozen.store.read() as uow, pytest.raises(NotFound, match="division '999999'"):
        find_division(uow, "division:999999")


def test_the_newest_frozen_month_is_taken_where_none_is_named(frozen: Core) -> None:
    with frozen.store.read() as uow:
        assert find_snapshot(uow, None).month == NOVEMBER
        assert find_division(uow, None).code == "450000"
        assert uow.count(RateSnapshot) == 2
