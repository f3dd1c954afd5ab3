"""An installation of real processes that are killed: PostgreSQL, RabbitMQ, and two workers on fake clouds.

The clouds, the stores and the witness stand in the process of the test. Whatever is killed is started again
at once: a worker by a fresh one, PostgreSQL and RabbitMQ by themselves.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from multiprocessing.process import BaseProcess
from pathlib import Path

from cloudctl.clock import FrozenClock
from cloudctl.config import Settings
from cloudctl.errors import StoreUnavailable
from cloudctl.models import Operation
from cloudctl.store import Store
from cloudctl.worker import QueueBell, open_queue
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_witness import FakeWitness
from tests.flows import mortals
from tests.flows.far import GoOn, Held, Point
from tests.flows.protecting import Protected
from tests.flows.rehearsing import SMALL
from tests.rabbitmq import RabbitNode
from tests.services import PostgresCluster

WORKERS = 2
ENDS_WITHIN_S = 400.0
_LOOK_S = 0.05


class Victim(StrEnum):
    """What is killed."""

    WORKER = "worker"
    DATABASE = "database"
    ANSWER = "database with its answer"  # the commit has happened, and nobody hears so
    BROKER = "broker"


class Thawing(FrozenClock):
    """Frozen while a test builds its world; from `thaw` on time passes as it does for everybody."""

    def __init__(self) -> None:
        super().__init__()
        self._thawed_at: float | None = None

    def thaw(self) -> timedelta:
        """From now on; how far this clock is ahead of the machine's."""
        self._thawed_at = time.monotonic()
        return self.now() - datetime.now(UTC)

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._since())

    def ticks(self) -> float:
        return super().ticks() + self._since()

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        return super().wait(seconds, woken) if self._thawed_at is None else woken(seconds)

    def _since(self) -> float:
        return 0.0 if self._thawed_at is None else time.monotonic() - self._thawed_at


@dataclass
class Death:
    """What was killed where, and how long it took until somebody went on."""

    victim: Victim
    point: Point
    at: float
    fence: int
    resumed_s: float | None = None


@dataclass
class Stage:
    """The processes. `plan`: whom to kill at the first passing of a point, by the point's words."""

    settings: Settings
    database: PostgresCluster
    broker: RabbitNode
    plan: dict[str, Victim]
    ahead: timedelta = timedelta()
    points: list[str] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    _workers: dict[int, BaseProcess] = field(default_factory=dict)
    _starting: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._store = Store(self.settings.database_url)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.flows.mortals"])

    @contextmanager
    def running(self, roots: Mapping[str, object]) -> Iterator["Stage"]:
        """Two workers, until the end."""
        folder = Path(tempfile.mkdtemp(prefix="kill-"))
        self._held = Held(folder, roots, self._pass)
        try:
            for _ in range(WORKERS):
                self._start_worker()
            yield self
        finally:
            self._wait_for_starts()
            for process in self._workers.values():
                process.kill()
                process.join()
            self._held.close()
            self._store.close()
            shutil.rmtree(folder)

    def ring(self, operation_id: int) -> None:
        """Ring the bell for it, as `serve` does."""
        QueueBell(open_queue(self.settings)).ring(operation_id)

    def work(self, operation_id: int) -> Operation:
        """Wait until the operation has ended."""
        end = time.monotonic() + ENDS_WITHIN_S
        while (row := self._read(operation_id)) is None or row.ended_at is None:
            assert time.monotonic() < end, f"{row and row.why}: {self._told()}"
            for one in self.deaths:
                self._see(one)
            threading.Event().wait(_LOOK_S)
        for one in self.deaths:
            self._see(one)
        return row

    # -- at a point

    def _pass(self, point: Point) -> GoOn:
        with self._lock:
            if point.pid in self._workers and not self._workers[point.pid].is_alive():
                return GoOn.DEAD
            self.points.append(str(point))
            for one in self.deaths:  # a broker that is gone keeps nobody waiting
                if one.resumed_s is None and one.victim is Victim.BROKER:
                    one.resumed_s = time.monotonic() - one.at
            victim = self.plan.pop(str(point), None)
            if victim is None:
                return GoOn.YES
            self._wait_for_starts()  # what was killed before is there again
            return self._kill(victim, point)

    def _wait_for_starts(self) -> None:
        while self._starting:
            self._starting.pop().join()

    def _kill(self, victim: Victim, point: Point) -> GoOn:
        row = self._read(point.operation) if point.operation else None
        self.deaths.append(Death(victim, point, time.monotonic(), row.fence if row else 0))
        if victim is Victim.WORKER:
            os.kill(point.pid, signal.SIGKILL)
            self._workers.pop(point.pid).join()
            self._later(self._start_worker)
            return GoOn.DEAD
        if victim is Victim.BROKER:
            self.broker.kill()
            self._later(self.broker.start)
            return GoOn.YES
        self.database.kill()
        self._later(self.database.start)
        return GoOn.UNHEARD if victim is Victim.ANSWER else GoOn.YES

    def _later(self, start: Callable[[], None]) -> None:
        thread = threading.Thread(target=start, daemon=True)
        self._starting.append(thread)
        thread.start()

    def _start_worker(self) -> None:
        given = (self._held.address, self.settings, self.ahead, SMALL.gib_bytes)
        process = self._context.Process(target=mortals.main, args=given, daemon=True)
        process.start()
        assert process.pid is not None
        self._workers[process.pid] = process

    # -- reading

    def _read(self, operation_id: int) -> Operation | None:
        try:
            with self._store.read() as uow:
                return uow.need(Operation, operation_id)
        except StoreUnavailable:
            return None

    def _see(self, death: Death) -> None:
        """Somebody has claimed the operation anew, or it has ended."""
        if death.resumed_s is not None or not death.point.operation:
            return
        row = self._read(death.point.operation)
        if row is not None and (row.fence > death.fence or row.ended_at is not None):
            death.resumed_s = time.monotonic() - death.at

    def _told(self) -> str:
        return f"last points {self.points[-8:]}, deaths {self.deaths}"


def a_stage(
    world: Protected, database: PostgresCluster, broker: RabbitNode, plan: Mapping[str, Victim]
) -> Stage:
    """The processes for this world, whose clock runs from now on."""
    assert isinstance(world.clock, Thawing)
    quick = replace(
        world.core.settings, lease_s=3, cloud_timeout_s=2.0, poll_s=0.1, worker_threads=4, broker=broker.url
    )
    return Stage(quick, database, broker, dict(plan), world.clock.thaw())


def roots(world: Protected, witness: FakeWitness | None = None) -> dict[str, object]:
    """What the workers reach."""
    return {"clouds": FakeClouds(world.clouds), "stores": world.stores, "witness": witness}


def made(world: Protected, site: str) -> Counter[str]:
    """How often each thing was made at a site, by the call and its subject."""
    calls = world.clouds[site].state.calls
    return Counter(f"{one.name} {one.subject}" for one in calls if one.name.startswith("create_"))
