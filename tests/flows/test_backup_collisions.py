"""Two jobs for one volume at the same time: each has a whole point, and none rests on what is not its own."""

from collections.abc import Iterable

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import BackupPolicy, PolicyMember
from dr import starting
from tests.flows.protecting import CITY, SOURCE, SYSTEM, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    """The system as a whole is backed up, and its data volume alone once more."""
    made = protect(core, clock, [CITY])
    with core.store.write() as uow:
        [policy] = uow.all(BackupPolicy)
        uow.add(
            PolicyMember(
                policy_id=policy.id, kind="volume", system_id=SYSTEM, site_id=SOURCE, name="budget-data1",
                next_at=clock.now(),
            )
        )  # fmt: skip
    return made


def begin(world: Protected) -> list[str]:
    """A point of each member, none worked on yet."""
    world.clock.advance(60)
    with world.core.store.write() as uow:
        members = uow.all(PolicyMember, order_by=[PolicyMember.id])
        return [starting.begin_point(uow, world.clock, one, world.clock.now()).id for one in members]


def work_in_turns(world: Protected, point_ids: Iterable[str]) -> None:
    """One pass for each, again and again, by workers of their own."""
    jobs = {world.point(one).operation_id: world.engine() for one in point_ids}
    for _ in range(300):
        if all(world.operation(one).ended_at is not None for one in jobs):
            return
        for operation_id, engine in jobs.items():
            assert operation_id is not None
            engine.run(operation_id)
        world.clock.advance(5)
    raise AssertionError([world.operation(one).why for one in jobs])


def test_both_points_are_whole_and_nothing_is_left_over(world: Protected) -> None:
    points = [world.point(one) for one in _points(world)]
    assert [(one.state, one.level) for one in points] == [("protected", "L1")] * 2
    assert [len(world.parts(one.id)) for one in points] == [2, 1]
    world.assert_nothing_over()


def test_increments_that_were_made_at_once_bring_back_their_own_bytes(world: Protected) -> None:
    _points(world)
    world.scribble(1)
    whole, alone = _points(world)
    before = world.contents()
    world.scribble(1, seed=2)
    assert {world.point(one).state for one in (whole, alone)} == {"protected"}
    world.assert_restored(world.restore(whole), before)
    world.assert_restored(world.restore(alone), before[1:])


def test_the_next_ones_in_turn_rest_on_what_is_their_own(world: Protected) -> None:
    for seed in range(3):
        world.scribble(1, seed=seed)
        points = _points(world)
        assert {world.point(one).state for one in points} == {"protected"}
    world.assert_restored(world.restore(points[1]), world.contents()[1:])
    world.assert_nothing_over()


def _points(world: Protected) -> list[str]:
    """A point of each member, made side by side."""
    made = begin(world)
    work_in_turns(world, made)
    return made
