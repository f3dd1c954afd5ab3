"""A worker dies before or after every call to the name service and every commit; a second one finishes."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from dr.traffic import acting
from tests.conftest import make_core
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.steering import AT_CITY, AT_HOME, NAME, PLAN, WATCHED, Steered, steer

QUICK = {**WATCHED, "ramp": [25, 100]}
SAMPLE = 2  # of the points of a story in an ordinary run; the soak takes all


@dataclass(frozen=True)
class Story:
    """Something that is worked on, the shares of the city that are put one after the other, and the end."""

    begin: Callable[[Steered], int | None]
    put: tuple[int, ...]
    weights: dict[str, int]
    state: str


def _create(world: Steered) -> int | None:
    acting.apply(world.core, world.who("dave"), world.dns, PLAN, QUICK)
    return world.last_shift().operation_id


def _move(world: Steered) -> int | None:
    world.put(QUICK)
    return int(world.begin(to="city-1")["operation_id"])


def _go_wrong(world: Steered) -> int | None:
    world.outside.failing["10.2.0.1"] = "HTTP 500"
    return _move(world)


def _take_back(world: Steered) -> int | None:
    world.put(QUICK)
    row = world.begin(to="city-1")
    while world.at_master() != {"city-1": 25, "province": 75}:
        world.work_a_little(row["operation_id"])
    return int(acting.roll_back(world.core, world.who(), row["id"])["operation_id"])


STORIES = {
    "create": Story(_create, (0,), AT_HOME, "done"),
    "move": Story(_move, (0, 25, 100), AT_CITY, "done"),
    "go wrong": Story(_go_wrong, (0, 25, 0), AT_HOME, "rolled_back"),
    "take back": Story(_take_back, (0, 25, 0), AT_HOME, "rolled_back"),
}


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    home.mkdir()
    clock = FrozenClock()
    world = steer(make_core(home, clock=clock), clock)
    operation_id = story.begin(world)
    assert operation_id is not None
    executioner = Executioner(at)
    store = MortalStore(world.core.settings.database_url, executioner)
    world.dns.before, world.dns.after = executioner.before, executioner.after
    try:
        world.work(operation_id, store)
    except Killed:
        clock.advance(world.core.settings.lease_s + 1)
    finally:
        store.close()
    world.dns.before = world.dns.after = lambda _call: None
    if world.operation(operation_id).ended_at is None:
        world.work(operation_id)
    _check(world, story)
    world.core.store.close()
    return executioner


def _check(world: Steered, story: Story) -> None:
    """Every share was put once, in order; the name service, the rows and the story agree."""
    texts = [sets[0].values[0] for sets in world.dns.updates if sets and sets[0].name == f"_shares.{NAME}"]
    put = [int(text.split("city-1=")[1].split(":")[0]) for text in texts]
    once = [share for place, share in enumerate(put) if not place or share != put[place - 1]]
    assert tuple(once) == story.put
    assert world.at_master() == story.weights == world.traffic().weights
    assert (world.last_shift().state, world.traffic().state) == (story.state, "single_site")
    assert world.last_shift().ended_at is not None


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_points_moves_nobody_twice(name: str, tmp_path: Path) -> None:
    total = _points(name)
    assert total > 8
    for at in sorted(random.Random(name).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_every_point_moves_nobody_twice(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", STORIES[name], at)
        except AssertionError as error:
            raise AssertionError(f"{name}, point {at} of {total}") from error
    print(f"{name}: {total} deaths")
