"""Points of buckets: what is in them, increments, what happens while they are made, proofs, expiry."""

from datetime import timedelta

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudUnavailable
from cloudctl.models import PointListing
from cloudctl.ports import Purpose
from dr.points.head import HEADS
from dr.points.manifest import Manifest
from dr.points.reading import open_manifest, read_heads, unlocked
from provisioning.drivers.fake_state import Call
from tests.flows.bucket_scene import CITY, FILES, SITES, SOURCE, Kept, keep_bucket

FIRST, SECOND, CONFIG = "报表/一月.pdf", "报表/二月.pdf", "config.json"


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Kept:
    return keep_bucket(core, clock)


def manifest_of(world: Kept, point_id: str, site: str = CITY) -> Manifest:
    """As whoever has the escrow key reads it from the vault."""
    vault = world.stores.vault(site, Purpose.READ)
    head = read_heads(vault, world.keyring.trusted()).point(point_id).head
    return open_manifest(vault, head, unlocked(head, world.keyring.escrow()[site]))


def names(manifest: Manifest) -> list[str]:
    return [piece.name for piece in manifest.pieces]


def test_a_full_point_has_every_version_with_what_stands_beside_it(world: Kept) -> None:
    point = world.back_up()
    assert (point.state, point.level, point.kind, point.consistency) == ("protected", "L1", "full", "single")
    manifest = manifest_of(world, point.id)
    assert names(manifest) == [CONFIG, CONFIG, FIRST, SECOND]
    about = {piece.name: dict(piece.headers) for piece in manifest.pieces}
    assert about[FIRST] == {"content-type": "application/pdf", "x-amz-meta-author": "a"}
    assert point.bytes == sum(len(one.body) for rows in world.files.versions.values() for one in rows)
    assert manifest.topology["bucket"] == {"name": FILES, "versions": 4, "bytes": point.bytes}
    world.assert_clean()


def test_an_increment_has_what_is_new_and_says_what_is_gone(world: Kept) -> None:
    full = world.back_up()
    world.write(FIRST, b"january, corrected")
    world.remove(SECOND)
    world.purge(CONFIG, 0)
    point = world.back_up()
    assert (point.kind, point.parent_id, point.state) == ("incremental", full.id, "protected")
    manifest = manifest_of(world, point.id)
    [part] = manifest.parts
    assert names(manifest) == [FIRST]
    assert [one.name for one in part.gone] == [CONFIG]
    assert [one.name for one in part.removals] == [SECOND]
    world.assert_clean()


def test_a_point_of_which_nothing_is_new_is_a_point(world: Kept) -> None:
    world.back_up()
    point = world.back_up()
    assert (point.kind, point.state, names(manifest_of(world, point.id))) == ("incremental", "protected", [])
    proof = world.prove(point.id, "L2")
    assert (proof.state, proof.reached) == ("passed", "L2"), proof.details


def test_without_the_listing_of_the_point_before_the_next_is_a_full_one(world: Kept) -> None:
    world.back_up()
    with world.core.store.write() as uow:
        uow.delete(PointListing)
    point = world.back_up()
    assert (point.kind, point.parent_id, point.state) == ("full", None, "protected")


def test_what_comes_while_the_point_is_made_belongs_to_the_next(world: Kept) -> None:
    def meanwhile(call: Call) -> None:
        if call.name == "list_versions":
            world.files.after = lambda _call: None
            world.write(FIRST, b"later")
            world.remove(CONFIG)

    world.files.after = meanwhile
    first = world.back_up()
    assert names(manifest_of(world, first.id)) == [CONFIG, CONFIG, FIRST, SECOND]
    second = world.back_up()
    manifest = manifest_of(world, second.id)
    assert names(manifest) == [FIRST]
    assert [one.name for one in manifest.parts[0].removals] == [CONFIG]


def test_a_version_that_goes_for_good_while_it_is_copied_stops_nothing(world: Kept) -> None:
    def meanwhile(call: Call) -> None:
        if call.name == "list_versions":
            world.files.after = lambda _call: None
            world.purge(CONFIG, 0)

    world.files.after = meanwhile
    point = world.back_up()
    assert point.state == "protected", point.error_message
    assert names(manifest_of(world, point.id)) == [CONFIG, FIRST, SECOND]


def test_a_vault_that_was_cut_off_gets_what_is_gone_at_the_source_from_the_other(
    core: Core, clock: FrozenClock
) -> None:
    world = keep_bucket(core, clock, SITES)
    away = world.stores.vault_bucket(SITES[0])

    def purge(call: Call) -> None:
        if call.name == "put" and call.subject.startswith(HEADS):  # the first copy is whole
            world.purge(CONFIG, 0)
            away.is_cut_off = False

    away.is_cut_off = True
    world.stores.vault_bucket(CITY).after = purge
    point = world.back_up()
    assert point.state == "protected", point.error_message
    assert {row.state for row in world.copies(point.id).values()} == {"sealed"}
    one, other = (manifest_of(world, point.id, site) for site in SITES)
    assert one == other


def test_a_bucket_that_keeps_no_versions_is_refused(world: Kept) -> None:
    world.files.is_versioned = False
    point = world.back_up()
    assert point.state == "failed"
    assert "keeps no versions" in str(point.error_message)
    assert not world.stores.vault_bucket(CITY).keys()
    world.assert_clean()


def test_what_was_there_before_the_bucket_kept_versions_is_kept_as_well(world: Kept) -> None:
    world.files.is_versioned = False
    world.write("old", b"first")
    world.files.is_versioned = True
    world.write("old", b"second, longer")
    point = world.back_up()
    assert point.state == "protected", point.error_message
    pieces = [one for one in manifest_of(world, point.id).pieces if one.name == "old"]
    assert [(one.version == "null", one.plain.size_bytes) for one in pieces] == [(False, 14), (True, 5)]
    assert world.back_up().kind == "incremental"
    assert names(manifest_of(world, world.back_up().id)) == []


def test_a_bucket_that_is_gone_fails_its_point_and_the_next_heals(world: Kept) -> None:
    world.files.is_gone = True
    assert world.back_up().state == "failed"
    world.files.is_gone = False
    assert world.back_up().state == "protected"


def test_a_vault_without_room_is_told_before_anything_is_copied(world: Kept) -> None:
    from cloudctl.models import Vault

    with world.core.store.write() as uow:
        uow.need(Vault, CITY).limit_bytes = 100
    point = world.back_up()
    assert (point.state, point.error_code) == ("failed", "vault_full")
    assert not world.stores.vault_bucket(CITY).count("put")


def test_an_answer_that_got_lost_changes_nothing(world: Kept) -> None:
    vault = world.stores.vault_bucket(CITY)
    vault.fail("put", nth=2, error=CloudUnavailable("502"), is_after=True)
    point = world.back_up()
    assert point.state == "protected"
    assert all(len(rows) == 1 for rows in vault.versions.values())


def test_two_levels_are_proved_from_the_vault_alone_and_nothing_is_left(world: Kept) -> None:
    world.back_up()
    world.write(FIRST, b"corrected")
    world.remove(SECOND)
    point = world.back_up()
    world.files.is_cut_off = True
    proof = world.prove(point.id, "L2")
    assert (proof.state, proof.reached) == ("passed", "L2"), proof.details
    assert proof.signature
    assert (world.point(point.id).state, world.point(point.id).level) == ("protected", "L2")
    world.assert_clean()


def test_more_than_two_levels_there_are_not(world: Kept) -> None:
    point = world.back_up()
    proof = world.prove(point.id, "L4")
    assert (proof.state, proof.reached) == ("inconclusive", "L2")
    assert "does not boot" in proof.details["L4"]
    world.assert_clean()


def test_a_flipped_bit_is_named_and_healed_from_the_bucket_while_it_has_the_version(world: Kept) -> None:
    point = world.back_up()
    vault = world.stores.vault_bucket(CITY)
    key = next(one for one in vault.keys("data/") if one.endswith("00003"))
    vault.flip_bit(key, at=40)
    proof = world.prove(point.id, "L1")
    assert (proof.state, proof.details["healed"]) == ("passed", [key]), proof.details
    world.purge(FIRST, 0)
    for version in list(vault.versions[key]):
        vault.flip_bit(key, at=41, version_id=version.version_id)
    proof = world.prove(point.id, "L1")
    assert proof.state == "failed"
    assert {(one["place"], one["code"]) for one in proof.details["read"]["faults"]} == {(key, "flipped")}


def test_a_proof_without_a_credential_that_restores_proves_nothing(world: Kept) -> None:
    from cloudctl.errors import Misconfigured

    def refuse(*_: object) -> None:
        raise Misconfigured("stores.yaml has no {what} for site '{site}'", what="buckets.restore", site=CITY)

    point = world.back_up()
    world.stores.restored = refuse  # type: ignore[method-assign, assignment]
    proof = world.prove(point.id, "L2")
    assert (proof.state, proof.reached) == ("inconclusive", "L1")
    assert "buckets.restore" in proof.details["error"]
    assert world.point(point.id).state == "protected"


def test_expiry_takes_increments_and_leaves_the_next_its_listing(world: Kept) -> None:
    world.back_up()
    child = world.back_up()
    world.back_up("full")
    world.clock.advance(timedelta(days=2).total_seconds())
    assert world.expire(child.id).state == "done"
    assert world.point(child.id).state == "expired"
    assert not world.stores.vault_bucket(CITY).keys(f"data/test-installation/{child.id}/")
    world.write(FIRST, b"more")
    assert world.back_up().kind == "incremental"
    assert world.files.count("delete") == 0
    assert world.stores.buckets(SOURCE)
