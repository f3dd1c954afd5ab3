"""A plan of waves: order, dates, circles, and who cannot be in one. Without a database."""

from datetime import date

import pytest

from cloudctl.errors import Fault, WrongState
from cloudctl.lifecycle import MigrationStage, move
from tenants.migration.wave_plan import (
    WAVE,
    Member,
    WavePlan,
    WaveState,
    circle,
    earlier,
    in_order,
    member_faults,
    wave_faults,
)


def wave(number: int, start: str, end: str, *after: int, state: str = "draft") -> WavePlan:
    return WavePlan(number, f"第{number}批", state, date.fromisoformat(start), date.fromisoformat(end), after)


def member(system: str, *after: str, stage: str = "planned", **more: object) -> Member:
    return Member(system, system.upper(), MigrationStage(stage), after, **more)  # type: ignore[arg-type]


def codes(*waves: WavePlan, of: int = 1) -> list[tuple[str, str]]:
    known = {one.id: one for one in waves}
    return [(fault.place, fault.code) for fault in wave_faults(known[of], known)]


def members(*found: Member, moved: set[str] = frozenset(), before: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    return [fault.code for fault in member_faults(found, moved, before)]


def test_a_wave_ends_on_the_day_it_starts_or_later() -> None:
    assert codes(wave(1, "2026-12-01", "2026-12-01")) == []
    assert codes(wave(1, "2026-12-01", "2026-11-30")) == [("ends_on", "date_order")]


def test_a_wave_starts_after_the_last_day_of_those_it_comes_after() -> None:
    first = wave(1, "2026-12-01", "2026-12-31")
    assert codes(first, wave(2, "2027-01-01", "2027-01-31", 1), of=2) == []
    assert codes(first, wave(2, "2026-12-31", "2027-01-31", 1), of=2) == [("starts_on", "overlap")]


def test_a_wave_comes_after_waves_that_there_are() -> None:
    gone = wave(1, "2026-12-01", "2026-12-31", state="cancelled")
    assert codes(gone, wave(2, "2027-01-01", "2027-01-31", 1), of=2) == [("after", "unknown_wave")]
    assert codes(wave(2, "2027-01-01", "2027-01-31", 9), of=2) == [("after", "unknown_wave")]


def test_waves_that_wait_for_each_other_are_named() -> None:
    first, second = wave(1, "2026-12-01", "2026-12-31", 2), wave(2, "2027-01-01", "2027-01-31", 1)
    third = wave(3, "2027-02-01", "2027-02-28", 2)
    assert ("after", "circle") in codes(first, second, third, of=1)
    assert ("after", "circle") in codes(first, second, third, of=2)
    assert codes(first, second, third, of=3) == []
    known = {1: first, 2: second}
    [fault] = [one for one in wave_faults(first, known) if one.code == "circle"]
    assert "第1批" in fault.text()
    assert "第2批" in fault.text()


def test_a_wave_that_waits_for_itself_is_a_circle() -> None:
    assert codes(wave(1, "2026-12-01", "2026-12-31", 1)) == [("after", "circle")]


def test_waves_before_are_found_through_others() -> None:
    waves = {
        1: wave(1, "2026-12-01", "2026-12-31"),
        2: wave(2, "2027-01-01", "2027-01-31", 1),
        3: wave(3, "2027-02-01", "2027-02-28", 2, 7),
    }
    assert earlier(waves[3], waves) == {1, 2}
    assert earlier(waves[1], waves) == set()


def test_a_circle_is_some_of_its_nodes_with_the_first_again_at_the_end() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": []}) == ()
    found = circle({"a": ["b"], "b": ["c"], "c": ["b"]})
    assert set(found) == {"b", "c"}
    assert found[0] == found[-1]


def test_who_cannot_be_in_a_wave() -> None:
    assert members(member("a")) == []
    assert members(member("a", is_classified=True)) == ["classified"]
    for stage in ("trial", "accepted", "done"):
        assert members(member("a", stage=stage)) == ["moved"]
    for stage in ("exempt", "retired", "merged"):
        assert members(member("a", stage=stage)) == ["stays"]
    assert members(member("a", is_in_scope=False)) == ["outside"]
    assert members(member("a", other_wave="第1批")) == ["other_wave"]


def test_a_system_waits_for_one_of_its_wave_of_one_before_or_for_one_that_has_moved() -> None:
    assert members(member("a", "b")) == ["waits"]
    assert members(member("a", "b"), member("b")) == []
    assert members(member("a", "b"), before={"b"}) == []
    assert members(member("a", "b"), moved={"b"}) == []


def test_systems_that_wait_for_each_other_are_a_circle() -> None:
    assert members(member("a", "b"), member("b", "a")) == ["circle"]


def test_systems_move_in_their_order_but_each_after_what_it_waits_for() -> None:
    found = in_order([member("a", "c"), member("b"), member("c", "d"), member("d"), member("e", "x")])
    assert [one.system for one in found] == ["b", "d", "c", "a", "e"]
    assert [one.system for one in in_order([member("a", "b"), member("b", "a")])] == ["a", "b"]


def words(*faults: Fault) -> list[tuple[str, str]]:
    return [(fault.place, fault.text()) for fault in faults]


def test_faults_of_a_wave_name_days_and_waves() -> None:
    first = wave(1, "2026-12-31", "2026-12-30", 9)
    second = wave(2, "2026-12-30", "2027-01-31", 1)
    waves = {1: first, 2: second}
    assert words(*wave_faults(first, waves)) == [
        ("ends_on", "the wave cannot end before it starts on 2026-12-31"),
        ("after", "there is no wave 9 to come after"),
    ]
    assert words(*wave_faults(second, waves)) == [
        ("starts_on", "the wave starts before 第1批 ends on 2026-12-30, which it comes after")
    ]
    circled = wave(1, "2026-12-01", "2026-12-31", 1)
    assert words(*wave_faults(circled, {1: circled})) == [
        ("after", "these waves wait for each other: 第1批 → 第1批")
    ]


def test_faults_of_systems_name_them_and_why() -> None:
    found = [
        member("a", is_classified=True, is_in_scope=False),
        member("b", stage="accepted"),
        member("c", stage="exempt", other_wave="旧批"),
        member("d", "x"),
        member("e", "e"),
    ]
    assert words(*member_faults(found, frozenset(), frozenset())) == [
        ("systems[a]", "a classified system never moves onto the cloud"),
        ("systems[a]", "A lies outside the scope of the wave"),
        ("systems[b]", "B has moved already: 已验收"),
        ("systems[c]", "C does not move: 不宜上云"),
        ("systems[c]", "C is in the wave 旧批 already"),
        ("systems[d]", "D waits for x, which has not moved and is in no wave before"),
        ("systems", "these systems wait for each other: e → e"),
    ]


@pytest.mark.parametrize(
    ("state", "event", "target"),
    [("draft", "start", "running"), ("running", "finish", "done"), ("draft", "cancel", "cancelled"),
     ("running", "cancel", "cancelled"), ("draft", "finish", None), ("done", "cancel", None),
     ("cancelled", "start", None), ("running", "start", None)],
)  # fmt: skip
def test_a_wave_is_begun_then_finished_or_given_up(state: str, event: str, target: str | None) -> None:
    if target is None:
        with pytest.raises(WrongState):
            move(WAVE, WaveState(state), event)
    else:
        assert move(WAVE, WaveState(state), event) == target
    assert {who for row in WAVE for who in row.who} == {"planner"}
