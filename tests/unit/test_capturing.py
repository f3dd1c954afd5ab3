"""Which volumes of a point are read next."""

from datetime import UTC, datetime, timedelta

from cloudctl.ports import Backup
from dr import marks
from dr.capturing import Next, Part, decide

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def part(position: int, size_gib: int) -> Part:
    return Part(position, f"data{position}", f"v-{position}", "snapshotted", size_gib)


def backup(position: int, status: str) -> Backup:
    tags = marks.of_point("gx", "budget", "p", position)
    return Backup(f"b-{position}", "n", status, f"v-{position}", 1, "project", False, False, tags)


def read(parts: list[Part], seen: list[Backup], slots: int) -> Next:
    return decide("backup", parts, seen, "p", NOW, slots, timedelta(minutes=30))


def test_the_greatest_volumes_are_read_first_so_that_none_is_left_to_run_on_alone() -> None:
    parts = [part(0, 1), part(1, 8), part(2, 2), part(3, 8)]
    assert read(parts, [], slots=3).start == (1, 3, 2)


def test_no_more_are_begun_than_the_site_has_slots_left() -> None:
    parts = [part(0, 1), part(1, 8), part(2, 2)]
    going = [backup(1, "creating")]
    assert read(parts, going, slots=2).start == (2,)
    assert read(parts, going, slots=1).start == ()


def test_all_is_read_when_every_backup_is_there() -> None:
    step = read([part(0, 1)], [backup(0, "available")], slots=1)
    assert step.is_complete
    assert step.changes == {0: {"state": "made", "backup_id": "b-0"}}
