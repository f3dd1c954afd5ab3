"""Many volumes of one policy at once: how long, beside what no order of the work could beat.

    python -m bench.many_volumes [--volumes 16] [--slots 4] [--speed 4]

Needs no lab: the fake cloud and its buckets are as slow as the lab was when it was measured
(bench.recorded), on a clock that runs `speed` times as fast; what cloudctl computes costs `speed` times as
much. Volumes have 1 to 4 GiB. First each is a system of its own, worked on by eight threads as in `serve`;
then all are those of one system, whose objects are signed together and copied, eight at a time, when the last
volume has been read. The least that it can take is max(the longest, the sum of all / slots). The bar is 1.2
times that.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.recorded import BACKUP_S, BACKUP_S_PER_GIB, CALL_S, GONE_S, PUT_S, READ_S, SNAPSHOT_S
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.models import InformationSystem, Operation, PolicyMember, Project, RecoveryPoint, Resource, Site
from cloudctl.ports import LockMode
from cloudctl.worker import Crew
from dr import drafting, starting
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_state import Passage
from tests.conftest import make_core
from tests.flows.protecting import CITY, SOURCE, SYSTEM, Protected, protect

BAR = 1.2
THREADS = 8  # of serve, and of each copy
OBJECTS_PER_GIB = 128
LAYOUT = Layout(gib_bytes=OBJECTS_PER_GIB << 10, object_bytes=1 << 10, block_bytes=512)


class HurriedClock:
    """The machine's clock, so many times as fast."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._begun, self._at = time.monotonic(), datetime.now(UTC)

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.ticks())

    def ticks(self) -> float:
        return self.speed * (time.monotonic() - self._begun)

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        return woken(seconds / self.speed)

    def sleep(self, seconds: float) -> None:
        """Seconds of this clock pass."""
        time.sleep(seconds / self.speed)


class SlowCinder:
    """Makes a fake cloud take its time: cinder-backup works on so many backups at once, the others wait."""

    def __init__(self, cloud: FakeCloud, clock: HurriedClock, slots: int) -> None:
        self._state, self._clock = cloud.state, clock
        self._free_at = [clock.now()] * slots
        self._due: dict[str, datetime] = {}
        cloud.state.latency_s, cloud.state.sleep = CALL_S, clock.sleep
        cloud.state.begin = self.begin  # type: ignore[method-assign]

    def begin(self, thing_id: str, then: Callable[[], None]) -> None:
        """In place of the state's own: each thing in its own time."""
        making = [one for one in self._state.cinder.backups.values() if one.status == "creating"]
        of = next((one for one in making if thing_id in (one.id, one.snapshot_id)), None)
        if of is not None:
            if of.id not in self._due:
                self._due[of.id] = self._in_line(of.size_gib)
            due_at = self._due[of.id]
        else:
            is_going = not any(one.seen.status == "creating" for one in self._state.cinder.snapshots.values())
            due_at = self._clock.now() + timedelta(seconds=GONE_S if is_going else SNAPSHOT_S)
        self._state.passages[thing_id] = Passage(0, due_at, then)

    def _in_line(self, size_gib: int) -> datetime:
        first = min(range(len(self._free_at)), key=self._free_at.__getitem__)
        begun = max(self._clock.now(), self._free_at[first])
        self._free_at[first] = begun + timedelta(seconds=backup_s(size_gib))
        return self._free_at[first]


def backup_s(size_gib: int) -> float:
    """What cinder-backup takes for a full backup."""
    return BACKUP_S + BACKUP_S_PER_GIB * size_gib


def alone_s(size_gib: int) -> float:
    """What a volume takes when nothing else goes on and nobody has to decide anything."""
    objects_s = OBJECTS_PER_GIB * size_gib * (READ_S + PUT_S + READ_S) / THREADS
    return SNAPSHOT_S + backup_s(size_gib) + objects_s + GONE_S


def least_s(sizes: Sequence[int], slots: int, one: Callable[[int], float]) -> float:
    """No order of the work is quicker."""
    took = [one(size) for size in sizes]
    return max(*took, sum(took) / slots)


def run(sizes: Sequence[int], slots: int, speed: float, is_one_system: bool) -> tuple[float, float]:
    """Back all of them up; the seconds of the clock until Cinder had done, and until all was read back."""
    with tempfile.TemporaryDirectory(prefix="bench-many") as directory:
        clock = HurriedClock(speed)
        core = make_core(Path(directory), clock=clock)  # type: ignore[arg-type]
        core = replace(core, settings=_settings(core.settings, speed))
        world = protect(core, clock, (CITY,), sizes, LockMode.NONE, layout=LAYOUT)  # type: ignore[arg-type]
        if not is_one_system:
            _part(core)
        with core.store.write() as uow:
            uow.need(Site, SOURCE).slots = slots
        _slow_down(world, clock, slots)
        begun = clock.now()
        with core.store.write() as uow:
            for member in uow.all(PolicyMember):
                starting.begin_point(uow, clock, member, begun)
        _work(world, clock)
        with core.store.read() as uow:
            points, operations = uow.all(RecoveryPoint), uow.all(Operation)
            if {one.state for one in points} != {"protected"}:
                raise RuntimeError("; ".join(one.error_message or "" for one in operations))
            ended = max(one.ended_at for one in operations if one.ended_at is not None)
            captured = max(one.locked_until for one in points if one.locked_until is not None)
        captured -= timedelta(days=1)  # it is settled, and locked for a day, right when Cinder has done
        core.store.close()
        return (captured - begun).total_seconds(), (ended - begun).total_seconds()


def _settings(settings: Settings, speed: float) -> Settings:
    """The lease is kept by a thread that goes by the machine's clock."""
    return replace(settings, lease_s=int(30 * speed))


def _slow_down(world: Protected, clock: HurriedClock, slots: int) -> None:
    SlowCinder(world.source, clock, slots)
    native, vault = world.stores.native_bucket(SOURCE), world.stores.vault_bucket(CITY)
    native.latency_s, native.sleep = (
        {"read": READ_S, "list": READ_S},
        clock.sleep,
    )  # Cinder's puts are in its time
    vault.latency_s, vault.sleep = {"read": READ_S, "list_versions": READ_S, "put": PUT_S}, clock.sleep


def _part(core: Core) -> None:
    """Each volume becomes a system of its own and a member of the policy."""
    with core.store.write() as uow:
        [whole] = uow.all(PolicyMember)
        for server in uow.all(Resource, Resource.kind == "server"):
            uow.session.delete(server)
        for number, row in enumerate(uow.all(Resource, Resource.kind == "volume")):
            if number == 0:
                continue
            system = f"{SYSTEM}-{number}"
            uow.add(InformationSystem(id=system, name=system, department_id="gx-finance", mlps_level=2))
            project = uow.need(Project, f"{SOURCE}-budget")
            row.system_id = system
            member = {"kind": "system", "system_id": system, "site_id": SOURCE, "next_at": whole.next_at}
            uow.add(PolicyMember(policy_id=whole.policy_id, **member))
            assert project.external_id


def _work(world: Protected, clock: HurriedClock) -> None:
    """As a worker does: what is due is taken up each second, eight at a time."""
    engine = world.engine()
    engine._clock = clock
    crew, pause = Crew(engine, THREADS), threading.Event()
    while True:
        with world.core.store.read() as uow:
            if not uow.count(Operation, Operation.ended_at.is_(None)):
                break
        room = crew.room()
        for operation_id in engine.due(room) if room else ():
            crew.take(operation_id)
        pause.wait(1 / clock.speed)
    crew.stop(60)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--volumes", type=int, default=16)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--speed", type=float, default=4)
    given = parser.parse_args()
    drafting.GIB = LAYOUT.gib_bytes  # type: ignore[attr-defined]  # a GiB of the fake is smaller
    drawn = random.Random(20261126)
    sizes = [drawn.randint(1, 4) for _ in range(given.volumes)]
    least_read, least = (least_s(sizes, given.slots, one) for one in (backup_s, alone_s))
    rows = []
    for name, is_one in ((f"{given.volumes} systems", False), ("one system", True)):
        read, whole = run(sizes, given.slots, given.speed, is_one)
        rows.append(
            f"| {name} | {least_read:.0f} | {read:.0f} | {read / least_read:.2f} "
            f"| {least:.0f} | {whole:.0f} | {whole / least:.2f} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    print(f"""### Many volumes of one policy

`python -m bench.many_volumes`: {given.volumes} volumes, {sum(sizes)} GiB, {given.slots} slots, on a fake as
slow as the lab. The least is max(longest, sum / slots); the bar is {BAR} times that.

| volumes of | Cinder: least, s | taken, s | times | with copy and L1: least, s | taken, s | times |
|---|---:|---:|---:|---:|---:|---:|
{chr(10).join(rows)}
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
