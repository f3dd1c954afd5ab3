"""Points proved by reading and by restoring, brought back as new volumes, and the vaults left clean."""

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.escrow import is_signed
from cloudctl.lifecycle import PointState
from cloudctl.models import Resource
from dr.points.fields import canonical
from tests.flows.protecting import CITY, SOURCE, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    return protect(core, clock, vault_sites=[CITY])


def test_an_increment_restored_at_the_other_site_has_the_same_bytes(world: Protected) -> None:
    world.back_up()
    world.scribble(0)
    world.scribble(1, seed=2)
    point = world.back_up()
    captured = world.contents()
    world.scribble(0, seed=3)
    restore = world.restore(point.id)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    assert restore.is_verified
    assert restore.bytes_done == restore.bytes_total > 0
    world.assert_restored(restore, captured)
    world.assert_nothing_over()
    with world.core.store.read() as uow:
        rows = uow.all(Resource, Resource.site_id == CITY)
    assert {row.state for row in rows} == {"active"}
    assert {row.external_id for row in rows} == {one["volume"] for one in restore.made.values()}


def test_a_point_restored_where_its_backups_still_are_touches_none_of_them(world: Protected) -> None:
    point = world.back_up()
    before = {key: world.stores.native_bucket(SOURCE).find(key).body for key in world.native_keys()}
    restore = world.restore(point.id, to=SOURCE)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    world.assert_restored(restore, world.contents(), to=SOURCE)
    world.assert_nothing_over()
    after = {key: world.stores.native_bucket(SOURCE).find(key).body for key in world.native_keys()}
    assert after == before


def test_a_single_volume_under_another_name(world: Protected) -> None:
    point = world.back_up()
    restore = world.restore(point.id, volumes=[{"position": 1, "name": "budget-again", "type": "ssd"}])
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    [made] = world.clouds[CITY].state.volumes.values()
    assert (made.name, made.type, made.size_gib) == ("budget-again", "ssd", 1)
    world.assert_restored(restore, world.contents()[1:])


def test_level_two_is_proved_from_the_vault_alone_and_signed(world: Protected) -> None:
    world.back_up()
    world.scribble(1)
    point = world.back_up()
    world.source.state.is_cut_off = True
    world.stores.native_bucket(SOURCE).is_cut_off = True
    proof = world.prove(point.id, "L2")
    assert (proof.state, proof.reached) == ("passed", "L2"), proof.details
    point = world.point(point.id)
    assert (point.state, point.level) == ("protected", "L2")
    assert point.verified_at is not None
    words = {
        "point": proof.point_id,
        "site": proof.site_id,
        "level": proof.level,
        "reached": proof.reached,
        "state": proof.state,
        "ended_at": proof.ended_at.isoformat() if proof.ended_at else "",
        "details": proof.details,
    }
    assert is_signed(canonical(words), proof.signature, world.keyring.signer.public)
    assert not world.native_keys(CITY)
    assert not world.clouds[CITY].cinder.backups
    assert not world.clouds[CITY].state.volumes
    assert len(world.clouds[CITY].state.projects) == 1


def test_levels_that_need_guests_are_said_to_be_out_of_reach(world: Protected) -> None:
    point = world.back_up()
    proof = world.prove(point.id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L2")
    assert "L4" in proof.details
    assert world.point(point.id).level == "L2"


def test_a_bit_flipped_in_the_vault_is_found_and_healed_from_the_source(world: Protected) -> None:
    point = world.back_up()
    bucket = world.stores.vault_bucket(CITY)
    key = next(one for one in bucket.keys("data/") if one.endswith("00002"))
    bucket.flip_bit(key, at=5000)
    proof = world.prove(point.id, "L1")
    assert (proof.state, proof.reached) == ("passed", "L1"), proof.details
    assert proof.details["healed"] == [key]
    assert world.point(point.id).state == PointState.PROTECTED
    again = world.prove(point.id, "L1")
    assert again.details["healed"] == []


def test_what_nobody_has_any_more_makes_the_point_lost_and_its_level_fall(world: Protected) -> None:
    point = world.back_up()
    bucket = world.stores.vault_bucket(CITY)
    key = next(one for one in bucket.keys("data/") if one.endswith("00002"))
    bucket.flip_bit(key, at=5000)
    for native in world.native_keys():
        world.stores.native_bucket(SOURCE).drop(native)
    proof = world.prove(point.id, "L1")
    assert proof.state == "failed"
    assert any(fault["place"] == key for fault in proof.details["read"]["faults"])
    point = world.point(point.id)
    assert (point.state, point.level) == (PointState.LOST, None)
    assert world.copies(point.id)[CITY].state == "lost"


def test_a_source_that_does_not_answer_makes_nothing_lost(world: Protected) -> None:
    point = world.back_up()
    bucket = world.stores.vault_bucket(CITY)
    bucket.flip_bit(next(one for one in bucket.keys("data/") if one.endswith("00002")), at=5000)
    world.stores.native_bucket(SOURCE).is_cut_off = True
    assert world.prove(point.id, "L1").state == "failed"
    assert world.point(point.id).state == PointState.SUSPECT
    world.stores.native_bucket(SOURCE).is_cut_off = False
    assert world.prove(point.id, "L1").state == "passed"
    assert world.point(point.id).state == PointState.PROTECTED
