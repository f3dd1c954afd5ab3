"""A worker dies before or after every call to a cloud or store and every commit of a drill; another finishes.

What must hold at the end is the same every time: the verdict, nothing twice, nothing left, the province
untouched.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudRejected
from cloudctl.models import Drill, Restore, Site
from tests.conftest import make_core
from tests.flows import rehearsing
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.protecting import CITY, SOURCE, Protected, protect
from tests.flows.rehearsing import SMALL
from tests.flows.test_backup_crash import _watch as watch


@dataclass(frozen=True)
class Story:
    """A drill, and its verdict."""

    begin: Callable[[Protected], Drill]
    verdict: str


def _passing(world: Protected) -> Drill:
    rehearsing.set_up(world)
    world.back_up()
    return rehearsing.begin(world, hold_s=10)


def _refused(world: Protected) -> Drill:
    rehearsing.set_up(world)
    world.back_up()
    world.clouds[CITY].fail("create_server", nth=2, error=CloudRejected("no"), times=99)
    return rehearsing.begin(world)


STORIES = {"passing": Story(_passing, "passed"), "refused": Story(_refused, "inconclusive")}
SAMPLE = 1  # of the points of a story in an ordinary run; the soak takes all


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    home.mkdir()
    clock = FrozenClock()
    world = protect(make_core(home, clock=clock), clock, (CITY,), (1,), layout=SMALL)
    world = rehearsing.patient(world)
    with world.core.store.write() as uow:
        uow.need(Site, CITY).slots = 1
    row = story.begin(world)
    before = len(rehearsing.changes_of(world, SOURCE))
    executioner = Executioner(at)
    store = MortalStore(world.core.settings.database_url, executioner)
    watch(world, executioner)
    mortal = replace(world, core=replace(world.core, store=store))
    try:
        rehearsing.work(mortal, row)
    except Killed:
        pass
    finally:
        store.close()
    watch(world, None)
    if executioner.is_dead:
        clock.advance(world.core.settings.lease_s + 1)
        rehearsing.work(world, row)
    row = rehearsing.drill(world, row.id)
    assert (row.state, row.verdict, row.left_behind) == ("done", story.verdict, []), row.why
    rehearsing.assert_gone(world)
    assert len(rehearsing.changes_of(world, SOURCE)) == before
    made = [one.subject for one in world.clouds[CITY].state.calls if one.name == "create_project"]
    assert len(made) - made.count("gx-finance-budget-prod") <= 2
    with world.core.store.read() as uow:
        assert uow.count(Restore, Restore.purpose == "drill") == 1
    world.core.store.close()
    return executioner


@pytest.fixture(autouse=True)
def tiny_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_point_of_a_drill_leaves_nothing_twice_and_nothing_over(
    name: str, tmp_path: Path
) -> None:
    total = _points(name)
    assert total > 100
    for at in random.Random(name).sample(range(1, total + 1), SAMPLE):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_every_point_of_a_drill_leaves_nothing_twice_and_nothing_over(
    name: str, tmp_path: Path
) -> None:
    total = _points(name)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", STORIES[name], at)
        except AssertionError as error:
            raise AssertionError(f"{name}, point {at} of {total}") from error
    print(f"{name}: {total} deaths")
