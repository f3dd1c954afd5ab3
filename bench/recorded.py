"""How long the lab's clouds and buckets take: the figures by which the fake of bench.many_volumes is as slow.

python -m bench.recorded        # measures them again, on the lab (CLOUDCTL_HOME/lab), and prints them
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.backup_ground import CITY, SOURCE, Ground
from cloudctl.ports import NewBackup, NewSnapshot, Purpose
from dr.points.parallel import each

OBJECT_BYTES, THREADS, TIMES = 8 << 20, 8, 10

# Seconds, 2 cores, 26 November 2026: calls to the cloud. `create_backup` is not timed alone: as a snapshot's.
CALL_S: Mapping[str, float] = {
    "list_snapshots": 0.014,
    "list_backups": 0.015,
    "list_volumes": 0.024,
    "create_snapshot": 0.172,
    "create_backup": 0.172,
    "export_backup": 0.040,
    "delete_snapshot": 0.036,
}
# until a snapshot is there, or gone; until a backup is there, and for each GiB of its volume
SNAPSHOT_S, GONE_S, BACKUP_S, BACKUP_S_PER_GIB = 0.24, 0.23, 2.34, 10.84
# an object of 8 MiB, eight at a time
READ_S, PUT_S = 0.125, 0.442


def measure(ground: Ground) -> dict[str, float]:
    """All of them, with volumes of 1 and 2 GiB that nobody has written to."""
    inside, cloud = ground.inside(SOURCE), ground.clouds.at(SOURCE)
    small, great = (ground.volume(f"v{gib}", gib) for gib in (1, 2))
    found: dict[str, float] = {}

    def timed(name: str, call: Callable[[], object], times: int = 1) -> object:
        took, answer = [], None
        for _ in range(times):
            begun = time.perf_counter()
            answer = call()
            took.append(time.perf_counter() - begun)
        found[name] = statistics.median(took)
        return answer

    def until(name: str, ask: Callable[[], bool]) -> None:
        begun = time.perf_counter()
        while not ask():
            time.sleep(0.2)
        found[name] = time.perf_counter() - begun

    for name in ("list_snapshots", "list_backups", "list_volumes"):
        timed(name, getattr(inside, name), TIMES)
    taken = inside.create_snapshot(NewSnapshot("first", small, {}))  # the quota grows with the first
    until("snapshot", lambda: inside.list_snapshots()[0].status == "available")
    timed("create_snapshot", lambda: inside.create_snapshot(NewSnapshot("second", small, {})))
    for name, volume, snapshot in (("backup 1 GiB", small, taken.id), ("backup 2 GiB", great, None)):
        new = NewBackup(name, volume, {}, snapshot)
        made = inside.create_backup(new)
        until(
            name,
            lambda one=made.id: any(  # type: ignore[misc]
                (row.id, row.status) == (one, "available") for row in inside.list_backups()
            ),
        )
        timed("export_backup", lambda one=made.id: cloud.export_backup(one), TIMES)  # type: ignore[misc]
    timed("delete_snapshot", lambda: inside.delete_snapshot(taken.id))
    until("snapshot gone", lambda: taken.id not in {row.id for row in inside.list_snapshots()})
    return {**found, **_objects(ground)}


def _objects(ground: Ground) -> dict[str, float]:
    """Eight at a time, in the vault of the other site."""
    write, read = (ground.stores.vault(CITY, purpose) for purpose in (Purpose.WRITE, Purpose.READ))
    keys = [f"data/{ground.installation}/{number:05d}" for number in range(4 * THREADS)]
    body = os.urandom(OBJECT_BYTES)

    def took(call: Callable[[str], object]) -> float:
        def one(key: str) -> float:
            begun = time.perf_counter()
            call(key)
            return time.perf_counter() - begun

        return statistics.median(each(keys, one, THREADS))

    return {"put": took(lambda key: write.put(key, body)), "read": took(read.read)}


def main() -> int:
    ground = Ground(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    try:
        for name, seconds in measure(ground).items():
            print(f"{name:16} {seconds:8.3f}", flush=True)
    finally:
        ground.clean()
    return 0


if __name__ == "__main__":
    sys.exit(main())
