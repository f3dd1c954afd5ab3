"""The fake cloud's backups: Cinder's format to the letter, and Cinder's blindness."""

import hashlib
import json
import zlib
from dataclasses import dataclass

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudBusy, CloudUnavailable
from cloudctl.ports import Backup, CloudInProject, NewBackup, NewSnapshot, NewVolume, ObjectStore, Volume
from provisioning.drivers.fake_chunks import REAL, Layout, read_backup, write_backup
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_objects import FakeStores

BLOCK = Layout().block_bytes
OBJECT = Layout().object_bytes


@dataclass
class World:
    """A volume of two GiB (two MiB in the fake) in a project of its own."""

    clock: FrozenClock
    stores: FakeStores
    cloud: FakeCloud
    inside: CloudInProject
    volume: Volume

    @property
    def native(self) -> ObjectStore:
        return self.stores.native("province")

    def volume_now(self, volume_id: str = "") -> Volume:
        wanted = volume_id or self.volume.id
        return next(volume for volume in self.inside.list_volumes() if volume.id == wanted)

    def backup(self, name: str, **how: object) -> Backup:
        """Made and brought to its end."""
        self.clock.advance(60)
        made = self.inside.create_backup(NewBackup(name, self.volume.id, {"cloudctl:x": name}, **how))  # type: ignore[arg-type]
        return self.settled(made.id)

    def settled(self, backup_id: str) -> Backup:
        for _ in range(3):
            found = next(one for one in self.inside.list_backups() if one.id == backup_id)
        return found

    def metadata(self, backup: Backup) -> dict[str, object]:
        key = next(
            k for k in self.stores.native_bucket("province").keys() if k.endswith(f"{backup.id}_metadata")
        )
        found: dict[str, object] = json.loads(self.native.read(key))
        return found


@pytest.fixture
def world() -> World:
    clock = FrozenClock()
    stores = FakeStores(clock)
    cloud = FakeCloud("province", clock, native=stores.native("province"))
    domain = cloud.find_domain("Default")
    assert domain is not None
    project = cloud.create_project(domain.id, "p", "", [])
    cloud.set_quota(project.id, Amounts({Kind.VOLUMES: 5, Kind.VOLUME_GIB: 20}))
    cloud.ensure_own_access(project.id)
    inside = cloud.in_project(project.id)
    volume = inside.create_volume(NewVolume("data", 2, "standard", {"cloudctl:resource": "r1"}))
    for _ in range(2):
        inside.list_volumes()
    return World(clock, stores, cloud, inside, volume)


def test_a_full_backup_has_every_byte_in_objects_of_one_size_and_the_hash_of_every_block(
    world: World,
) -> None:
    world.cloud.write(world.volume.id, 5, b"\x07" * 1000)
    backup = world.backup("full")
    content = world.cloud.content(world.volume.id)
    told = world.metadata(backup)
    assert backup.object_count == len(content) // OBJECT
    assert backup.container == "volumebackups"
    offset = 0
    for row in told["objects"]:  # type: ignore[attr-defined]
        [(name, about)] = row.items()
        plain = zlib.decompress(world.native.read(name))
        assert (about["offset"], about["length"], about["compression"]) == (offset, OBJECT, "zlib")
        assert plain == content[offset : offset + OBJECT]
        assert about["md5"] == hashlib.md5(plain, usedforsecurity=False).hexdigest()
        offset += len(plain)
    assert offset == len(content)
    prefix = name.rpartition("-")[0]
    assert prefix.startswith(f"volume_{world.volume.id}/20261121080100/az_nova_backup_{backup.id}")
    hashes = json.loads(world.native.read(f"{prefix}_sha256file"))
    assert hashes["chunk_size"] == BLOCK
    assert hashes["sha256s"] == [
        hashlib.sha256(content[at : at + BLOCK]).hexdigest() for at in range(0, len(content), BLOCK)
    ]


def test_an_increment_has_one_object_for_each_run_of_changed_blocks_and_names_its_parent(
    world: World,
) -> None:
    full = world.backup("full")
    world.cloud.write(world.volume.id, 0, b"a" * (2 * BLOCK))
    world.cloud.write(world.volume.id, 4 * BLOCK + 1, b"b")
    increment = world.backup("more", is_incremental=True)
    told = world.metadata(increment)
    extents = [(one["offset"], one["length"]) for row in told["objects"] for one in row.values()]  # type: ignore[attr-defined]
    assert extents == [(0, 2 * BLOCK), (4 * BLOCK, BLOCK)]
    assert told["parent_id"] == full.id
    assert increment.is_incremental
    assert world.settled(full.id).has_dependents


def test_data_that_does_not_shrink_is_stored_as_it_is(world: World) -> None:
    noise = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(256)) * (OBJECT // 8192)
    world.cloud.write(world.volume.id, 0, noise)
    layout = Layout(object_bytes=8192, block_bytes=4096)
    about = dict.fromkeys(
        (
            "backup_id",
            "volume_id",
            "backup_name",
            "backup_description",
            "created_at",
            "parent_id",
            "volume_meta",
        )
    )
    assert write_backup(world.native, "x", about, noise[:8192], layout) == 1
    assert world.native.read("x-00001") == noise[:8192]
    assert list(read_backup(world.native, "x")) == [(0, noise[:8192])]


def test_the_real_sizes_are_those_of_cinders_s3_driver() -> None:
    assert (REAL.gib_bytes, REAL.object_bytes, REAL.block_bytes) == (1 << 30, 52_428_800, 32_768)


def test_a_snapshot_keeps_the_bytes_of_its_moment(world: World) -> None:
    world.cloud.write(world.volume.id, 0, b"before")
    snapshot = world.inside.create_snapshot(NewSnapshot("s", world.volume.id, {}))
    world.inside.list_snapshots(), world.inside.list_snapshots()
    world.cloud.write(world.volume.id, 0, b"after!")
    backup = world.backup("of-snapshot", snapshot_id=snapshot.id)
    [(name, _)] = world.metadata(backup)["objects"][0].items()  # type: ignore[index]
    assert zlib.decompress(world.native.read(name)).startswith(b"before")
    assert backup.snapshot_id == snapshot.id


def restored(world: World, backup: Backup) -> Volume:
    """The backup exported, made unknown here, imported again and written onto a new volume."""
    bucket = world.stores.native_bucket("province")
    record = world.cloud.export_backup(backup.id)
    kept = {key: bucket.find(key).body for key in bucket.keys()}
    world.inside.delete_backup(backup.id)
    world.inside.list_backups(), world.inside.list_backups()
    for key, body in kept.items():
        world.native.put(key, body)
    world.cloud.import_backup(record)
    target = world.inside.create_volume(NewVolume("target", 2, "standard", {"cloudctl:resource": "r2"}))
    for _ in range(2):
        world.cloud.list_imported(), world.inside.list_volumes()
    world.cloud.restore_backup(backup.id, target.id)
    world.cloud.list_imported(), world.cloud.list_imported()
    return world.volume_now(target.id)


def test_a_restore_gives_the_same_bytes_and_the_tags_of_the_other_volume(world: World) -> None:
    world.cloud.write(world.volume.id, 100, b"x" * 70000)
    target = restored(world, world.backup("full"))
    assert world.cloud.content(target.id) == world.cloud.content(world.volume.id)
    assert dict(target.tags) == {"cloudctl:resource": "r1"}  # Cinder's doing: the target had r2
    world.inside.tag_volume(target.id, {"cloudctl:resource": "r2"})
    assert dict(world.volume_now(target.id).tags) == {"cloudctl:resource": "r2"}


def test_a_flipped_bit_comes_back_as_a_successful_restore(world: World) -> None:
    world.cloud.write(world.volume.id, 0, hashlib.sha256(b"").digest() * (OBJECT // 32))
    backup = world.backup("full")
    bucket = world.stores.native_bucket("province")
    [(name, _about)] = world.metadata(backup)["objects"][0].items()  # type: ignore[index]
    wrong = bytearray(zlib.decompress(bucket.find(name).body))
    wrong[12345] ^= 1
    bucket.write(name, zlib.compress(bytes(wrong)), None)
    target = restored(world, backup)
    assert target.status == "available"
    assert world.cloud.content(target.id)[12345] == world.cloud.content(world.volume.id)[12345] ^ 1


def test_a_missing_object_ends_in_error_restoring(world: World) -> None:
    backup = world.backup("full")
    bucket = world.stores.native_bucket("province")
    [(name, _)] = world.metadata(backup)["objects"][3].items()  # type: ignore[index]
    bucket.drop(name)
    target = restored(world, backup)
    assert target.status == "error_restoring"
    assert "does not match" in str(target.error)
    world.inside.delete_volume(target.id)


def test_an_increment_of_a_volume_that_grew_ends_in_error(world: World) -> None:
    world.backup("full")
    world.cloud.grow(world.volume.id, 3)
    backup = world.backup("more", is_incremental=True)
    assert backup.status == "error"
    assert "size increased" in str(backup.error)
    assert world.backup("again").status == "available"


def test_a_backup_that_hangs_is_set_free_and_can_be_deleted(world: World) -> None:
    world.cloud.cinder.stuck.add("slow")
    backup = world.backup("slow")
    assert (backup.status, world.volume_now().status) == ("creating", "backing-up")
    with pytest.raises(CloudBusy):
        world.inside.delete_backup(backup.id)
    world.cloud.reset_stuck(backup.id)
    assert (world.settled(backup.id).status, world.volume_now().status) == ("error", "available")
    world.inside.delete_backup(backup.id)
    world.inside.list_backups(), world.inside.list_backups()
    assert world.inside.list_backups() == []


def test_a_scheduler_that_knows_no_service_leaves_the_snapshot_as_it_is(world: World) -> None:
    snapshot = world.inside.create_snapshot(NewSnapshot("s", world.volume.id, {}))
    world.inside.list_snapshots(), world.inside.list_snapshots()
    world.cloud.cinder.is_service_known = False
    backup = world.backup("early", snapshot_id=snapshot.id)
    assert (backup.status, backup.error) == ("error", "Service not found for creating backup.")
    assert world.inside.list_snapshots()[0].status == "backing-up"
    world.cloud.reset_stuck(backup.id)
    assert world.inside.list_snapshots()[0].status == "available"


def test_a_store_that_is_cut_off_ends_the_backup_in_error_and_the_volume_is_free(world: World) -> None:
    world.stores.native_bucket("province").fail("put", nth=3, error=CloudUnavailable("503"))
    backup = world.backup("cut")
    assert (backup.status, backup.error) == ("error", "503")
    assert world.volume_now().status == "available"


def test_two_backups_of_one_volume_at_once_are_refused(world: World) -> None:
    world.inside.create_backup(NewBackup("one", world.volume.id, {}))
    with pytest.raises(CloudBusy):
        world.inside.create_backup(NewBackup("two", world.volume.id, {}))
