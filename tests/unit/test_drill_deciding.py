"""What a drill decides without asking anybody: what starts now, what has failed, the point, the verdict."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.ports import Room
from dr.drills import choosing, parts, scene, stopwatch, verdict
from dr.drills.calendar import Entry, next_moment
from dr.drills.choosing import Candidate
from dr.drills.parts import Asking, Look, Progress, Stand
from dr.isolated.checks import Check
from dr.isolated.probe import Question, Report, Target
from dr.plans.document import Document, Part
from dr.sentinels.record import Moment

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
ASKED = Question(Check("tcp", 5432), Target("vm1", "db", "10.0.0.1"))
DB = Asking(Part("db", ("vm1",), patience_s=100), ("vm1",), (ASKED,))
APP = Asking(Part("app", ("vm2", "vm3"), ("db",), patience_s=100), ("vm2", "vm3"))
OTHER = Asking(Part("other", ("vm4",)), ("vm4",))


def _report(*servers: str, passed: bool = False) -> Report:
    return Report(1, dict.fromkeys(servers, "echo"), {ASKED.id: (passed, "open")})


def _document(*asked: Asking, **changes: object) -> Document:
    own = tuple(one.part for one in asked)
    return replace(Document("p", "s", "a", "b", 3600, 600, own), **changes)  # type: ignore[arg-type]


def test_only_what_needs_nothing_starts_at_first_and_only_as_many_as_there_are_slots() -> None:
    move = parts.step([DB, APP, OTHER], {}, Look({}, None, 0.0), slots=8)
    assert move.start == ("vm1", "vm4")
    assert move.stands["app"].progress is Progress.WAITING
    assert parts.step([DB, APP, OTHER], {}, Look({}, None, 0.0), slots=1).start == ("vm1",)


def test_a_server_that_is_there_and_says_nothing_holds_no_slot() -> None:
    begun = {"db": Stand(Progress.STARTING, begun_s=0.0)}
    building = Look({"vm1": "BUILD"}, None, 1.0)
    assert parts.step([DB, OTHER], begun, building, slots=1).start == ()
    there = Look({"vm1": "ACTIVE"}, None, 2.0)
    assert parts.step([DB, OTHER], begun, there, slots=1).start == ("vm4",)


def test_a_part_answers_when_its_checks_pass_and_what_needs_it_starts_then() -> None:
    begun = {"db": Stand(Progress.STARTING, begun_s=0.0)}
    up = Look({"vm1": "ACTIVE"}, _report("vm1"), 5.0)
    move = parts.step([DB, APP], begun, up, slots=8)
    assert (move.stands["db"].progress, move.stands["db"].active_s) == (Progress.ASKED, 5.0)
    answered = Look({"vm1": "ACTIVE"}, _report("vm1", passed=True), 9.0)
    move = parts.step([DB, APP], move.stands, answered, slots=8)
    assert (move.stands["db"].progress, move.stands["db"].answered_s) == (Progress.ANSWERED, 9.0)
    assert move.start == ("vm2", "vm3")


def test_a_part_without_checks_answers_when_each_of_its_servers_shows_itself() -> None:
    stands = {"db": Stand(Progress.ANSWERED), "app": Stand(Progress.STARTING, begun_s=0.0)}
    servers = {"vm1": "ACTIVE", "vm2": "ACTIVE", "vm3": "ACTIVE"}
    one = parts.step([DB, APP], stands, Look(servers, _report("vm2"), 1.0), slots=8)
    assert one.stands["app"].progress is Progress.ASKED
    both = parts.step([DB, APP], one.stands, Look(servers, _report("vm2", "vm3"), 2.0), slots=8)
    assert both.is_over


def test_a_part_that_a_crash_left_half_begun_gets_the_servers_it_lacks() -> None:
    stands = {"db": Stand(Progress.ANSWERED), "app": Stand(Progress.STARTING, begun_s=0.0)}
    move = parts.step([DB, APP], stands, Look({"vm1": "ACTIVE", "vm2": "BUILD"}, None, 1.0), slots=8)
    assert move.start == ("vm3",)


def test_patience_and_error_end_a_part_and_block_what_needs_it() -> None:
    begun = {"db": Stand(Progress.STARTING, begun_s=0.0)}
    late = parts.step([DB, APP], begun, Look({"vm1": "ACTIVE"}, _report("vm1"), 101.0), slots=8)
    assert late.stands["db"].why == f"no answer within 100 s: {ASKED.id}"
    assert late.stands["app"].progress is Progress.BLOCKED
    assert late.is_over
    error = Look({"vm1": "ERROR"}, None, 3.0, {"vm1": "No valid host"})
    broken = parts.step([DB, APP], begun, error, slots=8)
    assert broken.stands["db"].why == "vm1 could not be started: No valid host"


def test_a_stand_reads_back_as_it_was_kept() -> None:
    stand = Stand(Progress.FAILED, 1.0, 2.0, None, 3.0, "why")
    assert parts.of_json(stand.as_json()) == stand


@pytest.mark.parametrize(
    ("progress", "wrong", "lost", "rto_s", "word", "why"),
    [
        (Progress.ANSWERED, [], [], 500.0, "passed", ""),
        (Progress.FAILED, [], [], None, "failed", "did not come up: db"),
        (Progress.ANSWERED, ["x"], [], None, "failed", "the check did not pass: x"),
        (Progress.LEFT_OUT, [], [], None, "inconclusive", "could not be rehearsed: db"),
        (Progress.ANSWERED, [], ["tcp://gone:1"], 1.0, "inconclusive", "there is no server for tcp://gone:1"),
        (Progress.ANSWERED, [], [], 601.0, "failed", "RTO 601 s instead of 600 s"),
    ],
)
def test_the_verdict(
    progress: Progress, wrong: list[str], lost: list[str], rto_s: float | None, word: str, why: str
) -> None:
    said = verdict.conclude(_document(DB), {"db": Stand(progress)}, wrong, lost, 10.0, rto_s)
    assert (said.word, said.why) == (word, why)


def _point(name: str, age_s: float, level: str | None = "L1", every_s: int = 3600) -> Candidate:
    taken = NOW - timedelta(seconds=age_s)
    return Candidate(name, "s", taken, taken + timedelta(seconds=60), level, every_s)


def test_the_newest_point_that_was_in_a_vault_at_the_fault_is_taken() -> None:
    points = [_point("new", 600), _point("old", 4200), _point("unread", 100, None)]
    assert choosing.choose(points, NOW, NOW)[0] == points[0]
    before = NOW - timedelta(seconds=550)  # the new one was on its way to the vault
    assert choosing.choose(points, before, NOW)[0] == points[1]
    assert choosing.fault_of(0.5, points, NOW) == NOW - timedelta(seconds=1800)


def test_points_that_show_nothing_about_today_are_refused() -> None:
    assert choosing.choose([], NOW, NOW)[1][0].code == "no_point"
    assert choosing.choose([_point("unread", 100, "L0")], NOW, NOW)[1][0].code == "no_point"
    assert choosing.choose([_point("at the edge", 3 * 3600)], NOW, NOW)[1] == []
    assert choosing.choose([_point("stale", 3 * 3600 + 1)], NOW, NOW)[1][0].code == "stale"


def test_what_the_plan_maps_is_what_is_started() -> None:
    topology = {
        "servers": [{"name": "vm1", "label": "db", "flavor": "big"}, {"name": "vm9", "flavor": "big"}],
        "volumes": [{"position": 0, "type": "ssd"}, {"position": 1, "type": "hdd"}],
    }
    document = _document(DB, mapping={"flavors": {"big": "gov.large"}, "types": {"ssd": "standard"}})
    there, home = document.recovery, document.home
    assert scene.mapped(topology, document, there)["servers"] == [
        {"name": "vm1", "label": "db", "flavor": "gov.large"}
    ]
    assert scene.volume_types(topology, document, there) == [
        {"position": 0, "type": "standard"},
        {"position": 1},
    ]
    assert scene.volume_types(topology, _document(DB), there) == []
    moved = {
        "servers": [{"name": "vm1-r4-r9", "label": "db-r4", "flavor": "gov.large"}],
        "volumes": [{"position": 0, "type": "standard"}],
    }
    assert scene.mapped(moved, document, home)["servers"] == [
        {"name": "vm1-r4-r9", "label": "db-r4", "flavor": "big"}
    ]
    assert scene.volume_types(moved, document, home) == [{"position": 0, "type": "ssd"}]


def test_a_kind_that_a_site_tells_nothing_of_is_no_shortage() -> None:
    needed = Amounts({Kind.VCPUS: 4, Kind.PORTS: 5})
    [fault] = scene.short_of(needed, {Kind.VCPUS: Room(10, 7)})
    assert fault.text() == (
        "the site has 3 left, and the drill needs 4 (drill when less runs there, or make room)"
    )


def test_spans_are_of_one_clock_or_marked() -> None:
    begin = Moment(NOW, 100.0, "boot-1")
    assert stopwatch.of_json(stopwatch.as_json(begin)) == begin
    moved = Moment(NOW - timedelta(hours=1), 107.5, "boot-1")
    assert stopwatch.since(begin, moved) == (7.5, True), "the wall's clock was set back"
    assert stopwatch.since(begin, Moment(NOW + timedelta(seconds=9), 3.0, "boot-2")) == (9.0, False)
    assert stopwatch.since(begin, Moment(NOW - timedelta(seconds=9), 3.0, "boot-2")) == (0.0, False)


def test_the_calendar_keeps_to_its_window_and_tells_nobody_a_random_moment() -> None:
    week = 7 * 86400
    night = {"from": "22:00", "until": "06:00"}  # Beijing
    assert next_moment(Entry(week, {}), NOW, lambda: 0.3) == NOW + timedelta(days=7)
    at = next_moment(Entry(week, night), NOW, lambda: 0.3)
    assert at == NOW + timedelta(days=7, hours=6)
    early = next_moment(Entry(week, {}, is_random=True), NOW, lambda: 0.0)
    late = next_moment(Entry(week, {}, is_random=True), NOW, lambda: 0.999)
    assert NOW + timedelta(days=3) < early < late < NOW + timedelta(days=11)
