"""A worker dies before or after every call to cloud or storage and every commit of a drill from replicas.

What must hold at the end is the same every time: it passed, nothing is left at either site, the replicas go
on, and the province's cloud was not touched.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.models import Site
from cloudctl.ports.replication import ReplicaState
from tests.conftest import make_core
from tests.flows import rehearsing
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.protecting import CITY, SOURCE, protect
from tests.flows.rehearsing import SMALL
from tests.flows.replicating import Replicating, replicate
from tests.flows.test_backup_crash import _watch as watch_clouds

SAMPLE = 2  # of the points in an ordinary run; the soak takes all


def _watch(scene: Replicating, executioner: Executioner | None) -> None:
    """Each call to a cloud or to the storage is a point; None ends that."""
    watch_clouds(scene.world, executioner)

    def hook(when: str) -> Callable[[str, str, str], None]:
        def pass_point(name: str, _site: str, _subject: str) -> None:
            if executioner is not None:
                executioner.pass_point(f"{when} {name}")

        return pass_point

    scene.replication.before, scene.replication.after = hook("before"), hook("after")


def _tell(home: Path, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    home.mkdir()
    clock = FrozenClock()
    world = protect(make_core(home, clock=clock), clock, (CITY,), (1,), layout=SMALL)
    with world.core.store.write() as uow:
        uow.need(Site, CITY).slots = 1
    scene = replicate(rehearsing.patient(world))
    world = scene.world
    row = scene.begin(hold_s=10)
    before = len(rehearsing.changes_of(world, SOURCE))
    executioner = Executioner(at)
    store = MortalStore(world.core.settings.database_url, executioner)
    _watch(scene, executioner)
    try:
        scene.work(row, world=replace(world, core=replace(world.core, store=store)))
    except Killed:
        pass
    finally:
        store.close()
    _watch(scene, None)
    if executioner.is_dead:
        clock.advance(world.core.settings.lease_s + 1)
        scene.work(row)
    row = rehearsing.drill(world, row.id)
    assert (row.state, row.verdict, row.left_behind) == ("done", "passed", []), row.why
    scene.settle()
    scene.assert_gone()
    assert len(rehearsing.changes_of(world, SOURCE)) == before
    states = {one.state for one in scene.replication.replicas(CITY, tuple(scene.volumes))}
    assert states == {ReplicaState.REPLICA}
    world.core.store.close()
    return executioner


@cache
def _points() -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", 0).points)


def test_a_death_at_some_point_leaves_nothing_twice_and_nothing_over(tmp_path: Path) -> None:
    total = _points()
    assert total > 100
    for at in random.Random("replicas").sample(range(1, total + 1), SAMPLE):
        _tell(tmp_path / f"home-{at}", at)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_death_at_every_point_leaves_nothing_twice_and_nothing_over(tmp_path: Path) -> None:
    total = _points()
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", at)
        except AssertionError as error:
            raise AssertionError(f"point {at} of {total}") from error
    print(f"{total} deaths")
