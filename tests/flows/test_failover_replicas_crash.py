"""The worker of a move of replicated volumes dies before or after every act and commit; another one goes on.

However it dies, one site's images can be written, each is adopted once, and what a planned move brings is
what was written last.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import StorageRefused
from cloudctl.models import Failover, Resource, Restore
from dr.failover.job import PLANNED, UNPLANNED
from provisioning.drivers.fake_storage import image_of
from tests.conftest import make_core
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.protecting import CITY, SOURCE
from tests.flows.restoring import servers_of
from tests.flows.test_failover_crash import Watched
from tests.flows.test_failover_points import PLAN, a_moving, tiny_gib
from tests.flows.test_failover_replicas import Replicated

__all__ = ["tiny_gib"]  # a fixture from elsewhere

SAMPLE = 2  # of the points of a story in an ordinary run; the soak takes all
Hook = Callable[[str, str, str], None]


class Mortal(Replicated):
    """The same world in the hands of the worker that dies; the agents and all other workers live on."""

    def __init__(self, alive: Replicated, executioner: Executioner) -> None:
        self.alive, self.replication, self.storage = alive, alive.replication, alive.storage
        self.store = MortalStore(alive.world.core.settings.database_url, executioner)
        self.world = replace(alive.world, core=replace(alive.world.core, store=self.store))
        self.witness = Watched(alive.witness, executioner)

    def live(self) -> None:
        self.alive.live()


@dataclass(frozen=True)
class Story:
    """A move, what it meets, and what must be true when it has ended."""

    kind: str
    check: Callable[[Replicated, Failover], None]
    spoil: Callable[[Replicated], None] = lambda _scene: None


def _has_moved(scene: Replicated, row: Failover, brought: bytes = b"last") -> None:
    assert row.state == "shifted", row.error_message
    world, storage = scene.world, scene.storage
    assert scene.adopted() == [brought, brought]
    [(_name, volumes)] = servers_of(world, CITY)
    assert set(world.clouds[CITY].state.volumes) == set(volumes), "adopted once each"
    assert all(storage.images[CITY][image_of(one)].is_primary for one in volumes)
    with world.core.store.read() as uow:
        assert {one.state for one in uow.all(Resource, Resource.site_id == CITY)} == {"active"}
        assert uow.count(Restore) == 1
    entry = scene.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.holder, entry.is_open) == (2, CITY, True)
    assert len(world.clouds[CITY].state.servers) == len(world.clouds[CITY].state.ports) == 1


def _has_moved_in_peace(scene: Replicated, row: Failover) -> None:
    _has_moved(scene, row)
    assert scene.old_servers() == {"SHUTOFF"}
    assert not any(one.is_primary for one in scene.storage.images[SOURCE].values())


def _has_moved_by_force(scene: Replicated, row: Failover) -> None:
    _has_moved(scene, row, b"first")  # what was written later had not arrived


def _is_back(scene: Replicated, row: Failover) -> None:
    assert row.state == "aborted"
    assert scene.old_servers() == {"ACTIVE"}
    for one in scene.world.volumes:
        scene.storage.write(SOURCE, one, b"goes on")
    assert not servers_of(scene.world, CITY)
    assert not scene.world.clouds[CITY].state.volumes
    entry = scene.witness.read(PLAN)
    assert entry is not None
    assert (entry.holder, entry.is_open) == (SOURCE, True)
    with scene.world.core.store.read() as uow:
        assert {one.state for one in uow.all(Resource, Resource.site_id == CITY)} <= {"released"}


def _cut_off(scene: Replicated) -> None:
    scene.storage.cut.add(SOURCE)
    scene.world.clouds[SOURCE].state.is_cut_off = True


def _held_for_ever(scene: Replicated) -> None:
    _cut_off(scene)
    scene.storage.grip = 10**6


def _stuck(scene: Replicated) -> None:
    first = image_of(scene.world.volumes[0])

    def refuse(name: str, _site: str, _subject: str) -> None:
        if name == "marked" and not scene.storage.images[SOURCE][first].is_primary:
            raise StorageRefused("broken for good")

    scene.replication.before = refuse


STORIES = {
    "planned": Story(PLANNED, _has_moved_in_peace),
    "unplanned": Story(UNPLANNED, _has_moved_by_force, _cut_off),
    "held": Story(UNPLANNED, _has_moved_by_force, _held_for_ever),
    "given back": Story(PLANNED, _is_back, _stuck),
}


def _watch(scene: Replicated, executioner: Executioner) -> Callable[[], None]:
    """Every call to a storage or a cloud is a point; what ends that."""
    storage, clouds = scene.replication, scene.world.clouds.values()
    before, after = storage.before, storage.after

    def at(when: str, hook: Hook) -> Hook:
        def pass_point(name: str, site: str, subject: str) -> None:
            executioner.pass_point(f"{when} {name}")
            hook(name, site, subject)

        return pass_point

    storage.before, storage.after = at("before", before), at("after", after)
    for cloud in clouds:
        cloud.state.before, cloud.state.after = executioner.before, executioner.after

    def end() -> None:
        storage.before, storage.after = before, after
        for cloud in clouds:
            cloud.state.before = cloud.state.after = lambda _call: None

    return end


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    home.mkdir()
    clock = FrozenClock()
    scene = Replicated(a_moving(make_core(home, clock=clock), clock))
    if story.kind == UNPLANNED:
        scene.lose()
    failover_id = scene.begin(story.kind)
    story.spoil(scene)
    for one in scene.world.volumes if story.kind == PLANNED else ():
        scene.storage.write(SOURCE, one, b"last")
    executioner = Executioner(at)
    mortal = Mortal(scene, executioner)
    end = _watch(scene, executioner)
    try:
        mortal.run(failover_id)
    except Killed:
        pass
    finally:
        mortal.store.close()
        end()
    if executioner.is_dead:
        clock.advance(scene.world.core.settings.lease_s + 1)
    story.check(scene, scene.run(failover_id))
    scene.world.core.store.close()
    return executioner


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_points_leaves_one_primary_and_one_volume_of_each(name: str, tmp_path: Path) -> None:
    total = _points(name)
    assert total > 50
    for at in sorted(random.Random(name).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_every_point_leaves_one_primary_and_one_volume_of_each(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", STORIES[name], at)
        except AssertionError as error:
            raise AssertionError(f"{name}, point {at} of {total}") from error
    print(f"{name}: {total} deaths")
