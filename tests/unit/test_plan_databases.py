"""Databases in plans: read, written back, judged, and how far behind what follows is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dr.plans import copies, databases
from dr.plans.copies import Copy
from dr.plans.document import Database, of_json
from dr.plans.read import read
from dr.plans.writing import written
from dr.ways import streaming
from dr.ways.streaming import Told
from tests.planning import HOME, RECOVERY, a_plan_file

NOW = datetime(2026, 11, 26, 11, 0, tzinfo=UTC)
SERVERS = {HOME: "vm-db", RECOVERY: "vm-db2"}


def a_file(part: dict[str, Any] | None = None, **database: Any) -> dict[str, Any]:
    db = {"name": "db", "servers": ["vm-db"], "way": "application", "serving": "read_anywhere",
          "database": {"servers": SERVERS, **database}, **(part or {})}  # fmt: skip
    web = {"name": "web", "servers": ["vm-web"], "needs": ["db"], "serving": "stateless"}
    return a_plan_file(parts=[db, web])


def places(given: dict[str, Any]) -> list[tuple[str, str]]:
    _document, faults = read(given)
    return [(one.place, one.code) for one in faults]


def test_a_database_reads_writes_back_and_is_kept_equal() -> None:
    document, faults = read(a_file(port=5433, directory="/srv/data/postgresql"))
    assert (faults, document is not None) == ([], True)
    assert document is not None
    assert document.parts[0].database == Database(SERVERS, 5433, "/srv/data/postgresql")
    assert of_json(document.as_json()) == document
    assert read(written(document)) == (document, [])
    assert document.parts[0].names_at(RECOVERY) == ("vm-db2",)
    assert document.parts[0].names == {"vm-db", "vm-db2"}
    assert document.parts[1].names_at(RECOVERY) == ("vm-web",)


def test_every_fault_of_a_database_is_named_with_its_place() -> None:
    bad = a_file(
        {"servers": ["vm-db", "vm-other"], "writers": ["postgresql.service"]},
        servers={HOME: "vm-db", "moon": "x"},
        port=0,
        directory="/srv/../etc",
        kind="mysql",
    )
    assert places(bad) == [
        ("parts[0].database.kind", "unknown_word"),
        ("parts[0].database.port", "out_of_range"),
        ("parts[0].database.directory", "bad_path"),
        ("parts[0].writers", "contradiction"),
        ("parts[0].database.servers.moon", "unknown_word"),
        (f"parts[0].database.servers.{RECOVERY}", "missing"),
        ("parts[0].servers", "contradiction"),
    ]
    assert places(a_file({"way": "points", "serving": "one_site"})) == [
        ("parts[0].database", "contradiction")
    ]
    assert places(a_file({"serving": "multi_writer"})) == [("parts[0].serving", "contradiction")]


def test_a_part_that_copies_itself_and_names_no_database_stops_a_move() -> None:
    document, _ = read(a_file({"database": None}))
    assert document is not None
    assert [one.place for one in databases.unmovable(document)] == ["parts[0].database"]
    document, _ = read(a_file({"database": None, "serving": "multi_writer"}))
    assert document is not None
    assert list(databases.unmovable(document)) == []


def test_what_follows_is_as_late_as_was_told_and_without_a_stream_later_each_second() -> None:
    seen = copies.after(None, Copy(NOW, True, 2.0, 100))
    assert copies.of_json(seen.as_json()) == seen
    assert copies.behind_s(seen, NOW + timedelta(seconds=50)) == 2.0
    assert copies.behind_s(seen, NOW + timedelta(hours=1)) == 3602.0, "nobody has looked for an hour"
    lost = copies.after(seen, Copy(NOW + timedelta(seconds=60), False, problem="no stream"))
    assert copies.behind_s(lost, NOW + timedelta(seconds=100)) == 102.0
    assert copies.behind_s(copies.after(None, Copy(NOW, False)), NOW) is None


def told(role: str, **more: Any) -> Told:
    return Told(**{"role": role, "position": 100, "timeline": 1, "system": "7", **more})


FOLLOWER = ({"state": "streaming", "behind": 5, "late_s": 0.5},)


def test_a_planned_move_needs_a_stream_that_both_know_of_and_an_unplanned_one_a_follower() -> None:
    here, there = told("primary", standbys=FOLLOWER), told("standby", is_streaming=True)

    def codes(seen: dict[str, Told | str], is_planned: bool = True) -> list[str]:
        return [one.code for one in streaming.in_the_way("db", seen, HOME, RECOVERY, is_planned)]

    assert codes({HOME: here, RECOVERY: there}) == []
    assert codes({RECOVERY: there}, is_planned=False) == []
    assert codes({HOME: "not reached", RECOVERY: there}) == ["no_answer"]
    assert codes({HOME: here, RECOVERY: "not reached"}) == ["no_answer"]
    assert codes({HOME: told("primary"), RECOVERY: there}) == ["not_streaming"]
    assert codes({HOME: told("primary", system="8"), RECOVERY: there}) == ["other_database"]
    assert codes({HOME: here, RECOVERY: told("primary")}) == ["no_standby"]
    assert codes({HOME: told("stopped"), RECOVERY: there}) == ["no_primary"]


def test_a_play_that_tells_nothing_of_a_database_is_no_answer() -> None:
    assert streaming.of_play({"paths": []}) is None
    found = streaming.of_play(
        {"role": "stopped", "position": None, "timeline": 3, "system": 7, "is_primary": True}
    )
    assert found == Told("stopped", None, 3, "7", is_primary=True)
    assert found is not None
    assert not streaming.has_all(0, found)
