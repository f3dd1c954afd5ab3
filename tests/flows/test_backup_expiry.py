"""What retention gives up, and what the clock brings: chains, locks, windows, proofs."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import Refused
from cloudctl.models import PointProof, PolicyMember, RecoveryPoint
from dr.starting import FULL
from dr.tick import Begun, begin_due
from tests.flows.protecting import CITY, DAY_S, SOURCE, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    return protect(core, clock, [CITY], sizes_gib=[1])


def _keys(world: Protected, point_id: str) -> list[str]:
    return world.stores.vault_bucket(CITY).keys(f"data/test-installation/{point_id}/")


def test_nothing_goes_before_its_lock_and_the_last_never(world: Protected) -> None:
    first = world.back_up()
    with pytest.raises(Refused, match="locked until"):
        world.expire(first.id)
    world.clock.advance(2 * DAY_S)
    with pytest.raises(Refused, match="the last that is protected"):
        world.expire(first.id)
    world.back_up(FULL)
    assert world.expire(first.id).state == "done"
    assert world.point(first.id).state == "expired"
    assert not _keys(world, first.id)
    heads = world.stores.vault_bucket(CITY).keys("heads/")
    assert len(heads) == 2, "a head that is missing is always a fault"
    world.assert_nothing_over()


def test_a_parent_goes_after_what_rests_on_it(world: Protected) -> None:
    parent, child = world.back_up(), world.back_up()
    world.back_up(FULL)
    world.clock.advance(2 * DAY_S)
    with pytest.raises(Refused, match="rest on"):
        world.expire(parent.id)
    world.expire(child.id)
    world.expire(parent.id)
    assert {world.point(one.id).state for one in (parent, child)} == {"expired"}
    assert not _keys(world, parent.id)
    assert not _keys(world, child.id)
    world.assert_nothing_over()


def test_the_clock_begins_points_and_counts_those_it_could_not(world: Protected) -> None:
    world.clock.advance(60)
    begun = begin_due(world.core)
    assert len(begun.points) == 1
    assert begin_due(world.core).points == (), "it is begun once"
    world.clock.advance(3 * DAY_S)
    assert begin_due(world.core).points == (), "the one before is still being made"
    with world.core.store.read() as uow:
        [member] = uow.all(PolicyMember)
    assert member.missed >= 1
    assert member.next_at > world.clock.now()


def test_the_clock_gives_up_what_retention_no_longer_keeps(world: Protected) -> None:
    points = [world.back_up(FULL) for _ in range(4)]
    assert begin_due(world.core).expiries == ()
    world.clock.advance(2 * DAY_S)
    begun = begin_due(world.core)
    assert len(begun.expiries) == 2
    for operation_id in begun.expiries:
        world.work(operation_id)
    assert [world.point(one.id).state for one in points] == ["expired", "expired", "protected", "protected"]


def test_the_clock_begins_the_proof_that_the_policy_demands(core: Core, clock: FrozenClock) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1], level="L2")
    point = world.back_up()
    [operation_id] = begin_due(core).proofs
    assert begin_due(core).proofs == (), "one at a time"
    world.work(operation_id)
    assert world.point(point.id).level == "L2"
    assert begin_due(core).proofs == ()
    world.clock.advance(8 * DAY_S)
    assert len(begin_due(core).proofs) == 1, "proofs grow old"
    with core.store.read() as uow:
        assert {row.by for row in uow.all(PointProof)} == {"system"}
        assert uow.count(RecoveryPoint) == 2, "and the next point was due as well"


def test_a_proof_from_the_vault_beside_the_data_is_no_proof_of_the_offsite_copy(
    core: Core, clock: FrozenClock
) -> None:
    world = protect(core, clock, [SOURCE, CITY], sizes_gib=[1], level="L2")
    point = world.back_up()
    assert world.prove(point.id, "L2", SOURCE).state == "passed"
    assert world.point(point.id).level == "L2"
    [operation_id] = begin_due(core).proofs
    world.work(operation_id)
    with core.store.read() as uow:
        proofs = uow.all(PointProof, order_by=[PointProof.id])
    assert [(row.site_id, row.reached) for row in proofs] == [(SOURCE, "L2"), (CITY, "L2")]
    assert begin_due(core).proofs == ()


def test_a_local_policy_takes_whatever_vault_there_is(core: Core, clock: FrozenClock) -> None:
    world = protect(core, clock, [SOURCE], sizes_gib=[1], level="L2", tier="T1")
    point = world.back_up()
    assert world.prove(point.id, "L2", SOURCE).state == "passed"
    assert begin_due(core).proofs == ()


def test_points_tell_when_they_will_go(world: Protected) -> None:
    points = [world.back_up(FULL) for _ in range(3)]
    begin_due(world.core)
    rows = [world.point(one.id) for one in points]
    assert rows[0].expires_at == rows[0].locked_until, "nothing but its lock holds it"
    newest = rows[2].taken_at
    assert newest is not None
    days = [one.expires_at - newest for one in rows[1:] if one.expires_at is not None]
    assert [one.days for one in days] == [1, 2], "two are kept, and one comes each day"
    assert begin_due(world.core).expiries == ()


@pytest.mark.parametrize("members", [1, 12])
def test_looking_for_what_is_due_asks_as_often_for_many_members_as_for_one(
    core: Core, clock: FrozenClock, members: int
) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1], level="L2")
    point = world.back_up()
    world.prove(point.id, "L2")
    with core.store.write() as uow:
        [first] = uow.all(PolicyMember)
        first.next_at = clock.now() + timedelta(days=1)
        for number in range(1, members):
            uow.add(
                PolicyMember(
                    policy_id=first.policy_id, kind="volume", system_id=first.system_id,
                    site_id=first.site_id, name=f"v{number}", next_at=first.next_at,
                )
            )  # fmt: skip
    begin_due(core)
    asked: list[str] = []
    event.listen(core.store.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert begin_due(core) == Begun()
    assert len([one for one in asked if one.startswith("SELECT")]) == 4
