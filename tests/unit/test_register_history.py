"""The history of every system: versions that say what the row said, and the register as of any past day."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudctl.clock import FrozenClock, end_of_day, local_day
from cloudctl.core import Core
from cloudctl.errors import NotFound
from cloudctl.models import FOREVER, InformationSystem, SystemVersion
from cloudctl.queries import register as reads
from cloudctl.queries.register import Filter
from cloudctl.queries.register_history import COUNTED
from tenants.register import looking
from tenants.register.changing import set_fields
from tenants.register.fields import CLASSIFIED_NAME
from tenants.register.history import change_record, history, record_at, records_at
from tenants.register.offices import read_offices
from tenants.register.records import COLUMNS, has_decision, record_of
from tests.builders import a_province, an_actor
from tests.registering import BUDGET, DECISION, a_row, a_sheet, send, system, versions

DAY_S = 86400


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def must_agree(core: Core) -> None:
    """The open version of every system says what its row says; versions join without gap or overlap."""
    with core.store.read() as uow:
        offices = read_offices(uow)
        for row in uow.all(InformationSystem):
            chain = list(reversed(history(uow, row.id)))
            last = chain[-1]
            assert last.valid_to == FOREVER
            assert [one.valid_to for one in chain[:-1]] == [one.valid_from for one in chain[1:]]
            assert {name: getattr(last, name) for name in COUNTED} == {
                name: getattr(row, name) for name in COUNTED
            }
            assert last.department_id == row.department_id
            assert last.division_code == offices.division_of(row.department_id, row.division_code)
            assert last.level == offices.level_of(row.department_id, row.division_code, row.level)
            assert row.has_decision == has_decision(record_of(row))


def test_a_version_resolves_division_and_level(core: Core) -> None:
    send(core, a_sheet(a_row(), a_row("gx-f-b", division="450103"), a_row("gx-f-c", level="国家级")))
    assert [(v.division_code, v.level) for code in ("gx-finance-tax", "gx-f-b", "gx-f-c")
            for v in versions(core, code)] == [
        ("450000", "province"), ("450103", "county"), ("450000", "national"),
    ]  # fmt: skip
    must_agree(core)


def test_every_change_closes_a_version_and_opens_the_next(core: Core, clock: FrozenClock) -> None:
    begun = clock.now()
    clock.advance(DAY_S)
    set_fields(core, an_actor(core, "bob"), BUDGET, {"hosting": "托管"}, "机房到期")
    first, second = versions(core, BUDGET)
    assert (first.valid_from, first.valid_to, first.hosting) == (begun, clock.now(), "own_room")
    assert (second.valid_from, second.valid_to, second.hosting) == (clock.now(), FOREVER, "colocation")
    assert (second.changed_by, second.reason) == ("bob", "set: 机房到期")
    must_agree(core)


def test_changes_of_one_moment_follow_each_other(core: Core) -> None:
    for person in ("张三", "李四"):
        set_fields(core, an_actor(core, "bob"), BUDGET, {"person": person})
    must_agree(core)
    with core.store.read() as uow:
        past = record_at(uow, BUDGET, end_of_day(local_day(core.clock.now())))
    assert past is not None and past["person"] == "李四"


def test_the_record_of_a_past_day_is_what_it_was(core: Core, clock: FrozenClock) -> None:
    today = local_day(clock.now())
    clock.advance(2 * DAY_S)
    send(
        core,
        a_sheet({"code": BUDGET, "person": "张三", "commissioned_on": date(2020, 1, 1), "hosting": "托管"}),
    )
    clock.advance(2 * DAY_S)
    send(core, a_sheet({"code": BUDGET, "person": None, "hosting": "其他云"}))
    with core.store.read() as uow:
        found = [record_at(uow, BUDGET, end_of_day(today + timedelta(days=days))) for days in (0, 1, 2, 3, 4)]
        before = record_at(uow, BUDGET, end_of_day(today - timedelta(days=1)))
    assert before is None
    told = [(one["person"], one["hosting"], one["commissioned_on"]) for one in found if one is not None]
    assert told == [
        (None, "own_room", None), (None, "own_room", None),
        ("张三", "colocation", date(2020, 1, 1)), ("张三", "colocation", date(2020, 1, 1)),
        (None, "other_cloud", date(2020, 1, 1)),
    ]  # fmt: skip


def test_a_system_is_not_in_the_register_before_its_day(core: Core, clock: FrozenClock) -> None:
    yesterday = local_day(clock.now())
    clock.advance(DAY_S)
    send(core, a_sheet(a_row()))
    actor = an_actor(core, "dave")
    with core.store.read() as uow:
        assert "gx-finance-tax" not in records_at(uow, end_of_day(yesterday))
        ids = {row["id"] for row in reads.list_systems(uow, actor, Filter(as_of=yesterday))}
        assert BUDGET in ids and "gx-finance-tax" not in ids
        with pytest.raises(NotFound):
            looking.show(uow, actor, "gx-finance-tax", yesterday)


def test_a_list_of_a_past_day_is_filtered_by_what_held_then(core: Core, clock: FrozenClock) -> None:
    then = local_day(clock.now())
    clock.advance(DAY_S)
    send(
        core,
        a_sheet({"code": BUDGET, "hosting": "托管", "name": "预算一体化系统", "department": "青秀区教育局"}),
    )
    actor = an_actor(core, "dave")
    with core.store.read() as uow:
        assert [one["id"] for one in reads.list_systems(uow, actor, Filter(hosting="colocation"))] == [BUDGET]
        assert reads.list_systems(uow, actor, Filter(hosting="colocation", as_of=then)) == []
        county = Filter(division="450103")
        assert BUDGET in {one["id"] for one in reads.list_systems(uow, actor, county)}
        assert BUDGET not in {
            one["id"] for one in reads.list_systems(uow, actor, Filter(division="450103", as_of=then))
        }
        past = looking.show(uow, actor, BUDGET, then)
        now = looking.show(uow, actor, BUDGET)
    assert (past["name"], past["department"], past["division"]) == (
        "预算管理一体化系统",
        "gx-finance",
        "450000",
    )
    assert (now["name"], now["division"], now["level"]) == ("预算一体化系统", "450103", "county")


def test_the_first_version_says_what_the_system_was_registered_with(core: Core) -> None:
    send(core, a_sheet(a_row(person="张三")))
    set_fields(core, an_actor(core, "dave"), "gx-finance-tax", {"person": "李四"})
    with core.store.read() as uow:
        last, first = looking.show_history(uow, an_actor(core, "dave"), "gx-finance-tax")
    assert first["changes"]["person"] == [None, "张三"]
    assert first["changes"]["name"] == [None, "税费征管系统"]
    assert "hosting" not in first["changes"]
    assert last["changes"] == {"person": ["张三", "李四"]}


def test_a_system_without_any_version_can_still_be_read(core: Core) -> None:
    with core.store.write() as uow:
        uow.delete(SystemVersion)
    actor, today = an_actor(core, "dave"), local_day(core.clock.now())
    with core.store.read() as uow:
        assert looking.show(uow, actor, BUDGET, today)["name"] == "预算管理一体化系统"
        assert looking.show_history(uow, actor, BUDGET) == []
        assert record_at(uow, BUDGET, end_of_day(today)) is not None
    set_fields(core, actor, BUDGET, {"person": "张三"})
    assert len(versions(core, BUDGET)) == 1


def test_what_is_classified_now_shows_no_content_of_any_day(core: Core, clock: FrozenClock) -> None:
    then = local_day(clock.now())
    set_fields(core, an_actor(core, "dave"), BUDGET, {"notes": "说明"})
    clock.advance(DAY_S)
    set_fields(core, an_actor(core, "dave"), BUDGET, {"is_classified": True, **DECISION})
    with core.store.read() as uow:
        past = looking.show(uow, an_actor(core, "dave"), BUDGET, then)
        record = record_at(uow, BUDGET, end_of_day(then))
    assert past["name"] == CLASSIFIED_NAME and past["notes"] is None and past["mlps_level"] is None
    assert record is not None and record["name"] == CLASSIFIED_NAME and record["notes"] is None
    assert versions(core, BUDGET)[0].mlps_level == 3, "what was counted stays counted"


def test_a_stage_can_be_changed_with_its_version_by_others(core: Core, clock: FrozenClock) -> None:
    clock.advance(60)
    with core.store.write() as uow:
        row = uow.need(InformationSystem, BUDGET)
        changes = change_record(
            uow, clock, row, {"stage": "classified", "decision_on": date(2026, 3, 1)}, "bob", "classify"
        )
        again = change_record(uow, clock, row, {"stage": "classified"}, "bob", "classify")
    assert changes == {"stage": ["registered", "classified"], "decision_on": [None, "2026-03-01"]}
    assert again == {}
    assert len(versions(core, BUDGET)) == 2
    assert system(core, BUDGET).origin == "topology", "whose system it is from now on, the caller says"


def test_the_queries_know_the_fields_as_the_register_calls_them() -> None:
    assert {reads.FIELD_OF.get(column, column): column for column in COLUMNS.values()} == dict(COLUMNS)
    assert reads.CLASSIFIED_NAME == CLASSIFIED_NAME


VALUES = {
    "person": st.sampled_from([None, "张三", "李四"]),
    "hosting": st.sampled_from(["own_room", "colocation", "other_cloud"]),
    "mlps_level": st.integers(1, 3),
    "division": st.sampled_from([None, "450100", "450103"]),
    "level": st.sampled_from([None, "city", "national"]),
    "is_domestic": st.booleans(),
    "commissioned_on": st.sampled_from([None, date(2020, 1, 1), date(2021, 5, 5)]),
}
CHANGES = st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=5)


# The register is the same for all examples: each goes on where the one before it ended.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_any_past_is_told_as_it_was_whatever_happened_since(
    core: Core, clock: FrozenClock, changes: list[dict[str, object]]
) -> None:
    seen = []
    for given_now in changes:
        clock.advance(DAY_S)
        set_fields(core, an_actor(core, "dave"), BUDGET, given_now)
        seen.append((local_day(clock.now()), record_of(system(core, BUDGET))))
    must_agree(core)
    with core.store.read() as uow:
        for day, record in seen:
            assert record_at(uow, BUDGET, end_of_day(day)) == record
