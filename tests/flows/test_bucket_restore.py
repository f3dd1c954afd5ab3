"""Buckets brought back as of a time: into a new bucket or an empty one, verified, resumed, or not at all."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudRejected, CloudUnavailable
from cloudctl.models import Operation, PolicyMember, Restore, Site
from dr.rebuild import rebuild
from tests.conftest import make_core
from tests.flows.bucket_scene import CITY, FILES, SOURCE, Kept, keep_bucket

FIRST, SECOND, CONFIG = "报表/一月.pdf", "报表/二月.pdf", "config.json"
TARGET = "budget-files-again"
ADMIN = Actor("dave", "dave", None, frozenset({Grant(Role.PROVINCE_ADMIN, INSTALLATION)}))


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Kept:
    return keep_bucket(core, clock)


def restored(world: Kept, restore: Restore, site: str = CITY) -> dict[str, bytes]:
    """What the bucket of a restore that is done has."""
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    assert restore.is_verified
    assert restore.bytes_done == restore.bytes_total
    return world.now_in(world.stores.native_bucket(site, restore.plan["bucket"]))


def story(world: Kept) -> tuple[list[tuple[datetime, dict[str, bytes]]], str]:
    """What the bucket had at some moments, over three points, and the last of these."""
    seen: list[tuple[datetime, dict[str, bytes]]] = []

    def look() -> None:
        world.clock.advance(1)
        seen.append((world.clock.now(), world.now_in(world.files)))
        world.clock.advance(1)

    look()
    world.back_up()
    world.write(FIRST, b"january, corrected")
    look()
    world.remove(SECOND)
    look()
    world.back_up()
    world.write(SECOND, b"february, once more")
    world.remove(CONFIG)
    look()
    return seen, world.back_up().id


def test_the_bucket_as_it_was_at_every_moment_comes_out_of_its_newest_point(world: Kept) -> None:
    seen, point_id = story(world)
    for number, (moment, contents) in enumerate(seen):
        restore = world.bring_back(point_id, as_of=moment, bucket=f"again-{number}")
        assert restored(world, restore) == contents
    restore = world.bring_back(point_id)
    assert restored(world, restore) == world.now_in(world.files)


def test_what_was_deleted_for_good_still_comes_back_as_of_before(world: Kept) -> None:
    world.clock.advance(1)
    before = world.clock.now()
    world.back_up()
    world.purge(SECOND, 0)
    point = world.back_up()
    assert SECOND not in restored(world, world.bring_back(point.id))
    assert restored(world, world.bring_back(point.id, as_of=before))[SECOND] == b"february" * 100


def test_what_stands_beside_the_bytes_comes_back_too(world: Kept) -> None:
    restore = world.bring_back(world.back_up().id, bucket=TARGET)
    made = world.stores.native_bucket(CITY, TARGET).find(FIRST)
    assert dict(made.headers) == {"content-type": "application/pdf", "x-amz-meta-author": "a"}
    assert restored(world, restore)


def test_it_comes_back_beside_what_is_there_at_its_own_site(world: Kept) -> None:
    before = {key: list(rows) for key, rows in world.files.versions.items()}
    restore = world.bring_back(world.back_up().id, to=SOURCE)
    assert restore.plan["bucket"] == f"{FILES}-restored-{restore.id}"
    assert restored(world, restore, SOURCE) == world.now_in(world.files)
    assert world.files.versions == before


def test_a_bucket_with_anything_in_it_is_never_written_into(world: Kept) -> None:
    point = world.back_up()
    theirs = world.stores.native_bucket(CITY, TARGET)
    theirs.write("mine", b"theirs", None)
    restore = world.bring_back(point.id, bucket=TARGET)
    assert restore.state == "failed"
    assert "not empty" in str(world.operation(restore.operation_id).error_message)
    assert world.now_in(theirs) == {"mine": b"theirs"}
    assert theirs.count("put") == 0


def test_an_empty_bucket_that_was_given_stays_when_the_restore_fails(world: Kept) -> None:
    point = world.back_up()
    given = world.stores.native_bucket(CITY, TARGET)
    given.fail("put", nth=3, error=CloudRejected("no"), times=99)
    restore = world.bring_back(point.id, bucket=TARGET)
    assert restore.state == "failed"
    assert not given.versions
    assert not given.is_gone


def test_a_restore_that_cannot_be_finished_leaves_no_bucket(world: Kept) -> None:
    point = world.back_up()
    row = world.begin_bucket_restore(point.id)
    name = row.plan["bucket"]
    made = world.stores.made_later(CITY, name)
    made.fail("put", nth=3, error=CloudRejected("no", cloud_request_id="tx-9"), times=99)
    world.work(row.operation_id)
    operation = world.operation(row.operation_id)
    assert (operation.state, operation.error_code, operation.cloud_request_id) == (
        "failed", "cloud_rejected", "tx-9",
    )  # fmt: skip
    world.assert_clean()


def test_an_object_that_arrives_with_other_bytes_is_named(world: Kept) -> None:
    point = world.back_up()
    row = world.begin_bucket_restore(point.id, bucket=TARGET)
    made = world.stores.made_later(CITY, TARGET)

    def rot(call: object) -> None:
        if getattr(call, "name", "") == "put" and made.is_there(SECOND):
            made.after = lambda _call: None
            made.flip_bit(SECOND)

    made.after = rot
    world.work(row.operation_id)
    operation: Operation = world.operation(row.operation_id)
    assert operation.error_code == "not_proved"
    world.assert_clean()


def test_a_store_that_stumbles_is_asked_again_and_nothing_is_put_twice(world: Kept) -> None:
    point = world.back_up()
    row = world.begin_bucket_restore(point.id, bucket=TARGET)
    made = world.stores.made_later(CITY, TARGET)
    made.fail("put", nth=2, error=CloudUnavailable("503"))
    made.fail("stream", nth=1, error=CloudUnavailable("503"))
    world.work(row.operation_id)
    assert all(len(rows) == 1 for rows in made.versions.values())
    assert world.now_in(made) == world.now_in(world.files)


def test_an_increment_whose_parent_is_damaged_in_the_vault_is_not_restored(world: Kept) -> None:
    full = world.back_up()
    world.write(FIRST, b"corrected")
    point = world.back_up()
    vault = world.stores.vault_bucket(CITY)
    vault.drop(f"data/test-installation/{full.id}/00001")
    restore = world.bring_back(point.id)
    assert restore.state == "failed"
    assert full.id in str(world.operation(restore.operation_id).error_message)
    world.assert_clean()


def test_out_of_the_vault_alone_the_bucket_comes_back_under_its_name(world: Kept, tmp_path: Path) -> None:
    seen, point_id = story(world)
    moment, contents = seen[2]
    now = world.now_in(world.files)
    (tmp_path / "other").mkdir()
    core = make_core(tmp_path / "other", clock=world.clock)
    with core.store.write() as uow:
        uow.add(Site(id=CITY, title=CITY, role="city", cloud=CITY, division_code="450100"))
    world.stores.destroy(SOURCE)
    other = replace(world, core=core)
    found = rebuild(core, ADMIN, world.stores, world.keyring, CITY)
    assert (found.points, found.new, found.faults) == (3, 3, ())
    rebuild(core, ADMIN, world.stores, world.keyring, CITY)
    with core.store.read() as uow:
        [member] = uow.all(PolicyMember)
    assert (member.kind, member.name, member.site_id) == ("bucket", FILES, SOURCE)
    assert restored(other, other.bring_back(point_id)) == now
    assert restored(other, other.bring_back(point_id, as_of=moment)) == contents
    assert other.prove(point_id, "L2").state == "passed"
    core.store.close()
