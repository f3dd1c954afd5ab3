"""The worker of a move dies before or after every act and every commit; another one goes on.

However it dies, one site writes at a time, nothing is promoted twice or without a proof, and the move ends
where it would have ended.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from cloudctl.errors import StorageRefused
from cloudctl.models import Failover
from cloudctl.operations import Run
from cloudctl.ports import Register, Stopped
from cloudctl.store import UnitOfWork
from dr.failover.job import ABORT, PLANNED, UNPLANNED, MoveJob, enter
from provisioning.drivers.fake_witness import FakeWitness
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.moving import CITY, PLAN, PROVINCE, World, a_world

T = TypeVar("T")
SAMPLE = 2  # of the points of a story in an ordinary run; the soak takes all
RESUMES_S = 10.0  # after a dead worker's lease


@dataclass
class Watched(FakeWitness):
    """The witness of the worker that dies: right before and right after each question."""

    inner: FakeWitness
    executioner: Executioner

    def read(self, group: str) -> Register | None:
        return self._at("read", lambda: self.inner.read(group))

    def swap(self, before: Register | None, after: Register) -> Register:
        return self._at("swap", lambda: self.inner.swap(before, after))

    def read_stopped(self, group: str, site: str) -> Stopped | None:
        return self._at("read_stopped", lambda: self.inner.read_stopped(group, site))

    def servers(self, group: str, site: str) -> list[str]:
        return self._at("servers", lambda: self.inner.servers(group, site))

    def lease_s(self, group: str, site: str) -> float:
        return self._at("lease_s", lambda: self.inner.lease_s(group, site))

    def settle(self, group: str, machine: str, site: str, server: str) -> None:
        self._at("settle", lambda: self.inner.settle(group, machine, site, server))

    def at(self, place: str) -> FakeWitness:
        return replace(self, inner=self.inner.at(place))

    def _at(self, name: str, ask: Callable[[], T]) -> T:
        self.executioner.pass_point(f"before {name}")
        found = ask()
        self.executioner.pass_point(f"after {name}")
        return found


@dataclass(frozen=True)
class Story:
    """A move, and what must be true when it has ended."""

    kind: str
    check: Callable[[World, Failover], None]
    spoil: Callable[[World], None] = lambda _world: None


def _has_moved(world: World, row: Failover) -> None:
    assert row.state == "shifted", row.error_message
    assert world.ways[CITY].promoted == [(CITY, 2)]
    entry = world.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.holder, entry.is_open, entry.last) == (2, CITY, True, CITY)
    assert (world.plan().active_site_id, world.plan().epoch) == (CITY, 2)
    assert world.agents[CITY].writes


def _is_back(world: World, row: Failover) -> None:
    assert row.state == "aborted"
    assert world.ways[CITY].promoted == []
    assert world.ways[CITY].made == set()
    entry = world.witness.read(PLAN)
    assert entry is not None
    assert (entry.holder, entry.is_open) == (PROVINCE, True)
    world.pass_time(2)
    assert world.agents[PROVINCE].writes


def _cut_off(world: World) -> None:
    world.witness.cut(PROVINCE)
    world.agents[PROVINCE].is_hung = True


def _no_copy(world: World) -> None:
    def refuse(name: str) -> None:
        if name == "restore":
            raise StorageRefused("no copy")

    world.ways[CITY].hook = refuse


def test_a_death_between_the_turn_and_the_record_of_it_does_not_send_the_move_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_world(tmp_path)
    refused: list[str] = []
    died: list[str] = []
    failover_id = world.begin(PLANNED)

    def refuse_once(name: str) -> None:
        if name == "restore" and not refused:
            refused.append(name)
            raise StorageRefused("no copy this time")

    def die_once(uow: UnitOfWork, run: Run, job: MoveJob, event: str, note: str = "") -> Failover | None:
        if event == ABORT and not died:
            died.append(job.state)
            raise Killed("before the record")
        return enter(uow, run, job, event, note)

    world.ways[CITY].hook = refuse_once
    monkeypatch.setattr("dr.failover.flow.enter", die_once)
    with pytest.raises(Killed):
        world.work(CITY, failover_id)
    world.pass_time(world.cores[CITY].settings.lease_s + 1)
    row = world.work(CITY, failover_id)
    _is_back(world, row)
    assert (died, row.error_code) == (["synced"], StorageRefused.code)
    assert not world.overlaps
    world.close()


STORIES = {
    "planned": Story(PLANNED, _has_moved),
    "unplanned": Story(UNPLANNED, _has_moved, _cut_off),
    "given back": Story(PLANNED, _is_back, _no_copy),
}


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    world = a_world(home)
    failover_id = world.begin(story.kind)
    story.spoil(world)
    executioner = Executioner(at)
    store = MortalStore(world.cores[CITY].settings.database_url, executioner)
    hook, alive = world.ways[CITY].hook, world.witness

    def at_the_way(name: str) -> None:
        hook(name)
        executioner.pass_point(f"in {name}")

    world.ways[CITY].hook = at_the_way
    try:
        mortal = replace(world, witness=Watched(alive, executioner))
        mortal.engine(CITY, store).run(world.failover(CITY, failover_id).operation_id or 0)
    except Killed:
        pass
    finally:
        store.close()
    world.ways[CITY].hook = hook
    if executioner.is_dead:
        world.pass_time(world.cores[CITY].settings.lease_s + 1)
        died = world.failover(CITY, failover_id).state
        if world.operation(CITY, world.failover(CITY, failover_id).operation_id).ended_at is None:
            assert world.engine(CITY).due(), f"{died}: nobody goes on within {RESUMES_S} s"
    row = world.work(CITY, failover_id)
    assert not world.overlaps
    story.check(world, row)
    world.close()
    return executioner


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_points_leaves_one_writer_and_one_promotion(name: str, tmp_path: Path) -> None:
    total = _points(name)
    assert total > 20
    for at in sorted(random.Random(name).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_every_point_leaves_one_writer_and_one_promotion(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", STORIES[name], at)
        except AssertionError as error:
            raise AssertionError(f"{name}, point {at} of {total}") from error
    print(f"{name}: {total} deaths")
