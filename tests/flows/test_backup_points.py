"""Points of a system: captured, sealed into two vaults, read back; full ones and increments."""

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import Conflict
from tests.flows.protecting import CITY, SOURCE, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    return protect(core, clock)


def test_a_full_point_is_protected_in_both_vaults(world: Protected) -> None:
    point = world.back_up()
    operation = world.operation(point.operation_id)
    assert operation.state == "done", operation.error_message
    assert (point.state, point.level, point.kind) == ("protected", "L1", "full")
    assert point.consistency == "crash-per-volume"
    assert point.taken_at < point.stored_at == point.verified_at
    assert {row.state for row in world.copies(point.id).values()} == {"sealed"}
    heads = {row.head_sha256 for row in world.copies(point.id).values()}
    assert len(heads) == 1, "the head is the same bytes in every vault"
    assert [row.name for row in world.parts(point.id)] == ["budget-boot", "budget-data1"]
    assert all(row.root_sha256 for row in world.parts(point.id))
    world.assert_nothing_over()


def test_the_next_point_is_an_increment_that_takes_little(world: Protected) -> None:
    full = world.back_up()
    world.scribble(0)
    point = world.back_up()
    assert (point.state, point.level, point.kind, point.parent_id) == (
        "protected",
        "L1",
        "incremental",
        full.id,
    )
    assert [row.is_incremental for row in world.parts(point.id)] == [True, True]
    assert point.stored_bytes < full.stored_bytes / 4
    world.assert_nothing_over()


def test_two_points_of_one_member_at_once_are_one(world: Protected) -> None:
    world.begin()
    with pytest.raises(Conflict):
        world.begin()


def test_what_is_in_the_vaults_is_sealed(world: Protected) -> None:
    world.scribble(0)
    world.back_up()
    block = world.contents()[0][:4096]
    for site in (SOURCE, CITY):
        bucket = world.stores.vault_bucket(site)
        assert not any(block in bucket.find(key).body for key in bucket.keys("data/"))
