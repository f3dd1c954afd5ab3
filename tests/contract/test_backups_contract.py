"""What every cloud's snapshots and backups do, run on the one in memory and on the lab's Cinder."""

import uuid
from dataclasses import dataclass

import pytest

from cloudctl.errors import CloudBusy, CloudConflict, CloudNotFound, CloudRejected
from cloudctl.ports import Backup, BackupRecord, NewBackup, NewSnapshot, Snapshot, Volume
from tests.contract.workbench import Bench


@dataclass
class Made:
    """A volume with a full backup of a snapshot, and an increment of a later one."""

    volume: Volume
    full: Backup
    increment: Backup


def a_volume(bench: Bench, name: str) -> Volume:
    made = bench.inside.create_volume(bench.new_volume(name))
    return bench.volume(made.id, "available")


def snapshot_of(bench: Bench, volume: Volume, name: str) -> Snapshot:
    new = NewSnapshot(f"{name}-{bench.run}", volume.id, bench.tags())
    made = bench.inside.create_snapshot(new)
    ready = bench.until(lambda: snapshot_now(bench, made.id, "available", "error"), "snapshot available")
    assert (ready.name, ready.status, ready.volume_id) == (new.name, "available", volume.id)
    assert dict(ready.tags) == dict(new.tags)
    return ready


def snapshot_now(bench: Bench, one_id: str, *states: str) -> Snapshot | None:
    return next((s for s in bench.inside.list_snapshots() if s.id == one_id and s.status in states), None)


def backup_now(bench: Bench, one_id: str, *states: str) -> Backup | None:
    return next((b for b in bench.inside.list_backups() if b.id == one_id and b.status in states), None)


def imported(bench: Bench, one_id: str, *states: str) -> Backup | None:
    return next((b for b in bench.cloud.list_imported() if b.id == one_id and b.status in states), None)


def backed_up(bench: Bench, volume: Volume, name: str, **how: object) -> Backup:
    new = NewBackup(f"{name}-{bench.run}", volume.id, bench.tags(), **how)  # type: ignore[arg-type]
    made = bench.inside.create_backup(new)
    assert (made.name, made.status, made.volume_id) == (new.name, "creating", volume.id)
    ready = bench.until(lambda: backup_now(bench, made.id, "available", "error"), "backup made")
    assert (ready.status, ready.error) == ("available", None)
    assert dict(ready.tags) == dict(new.tags)
    return ready


@pytest.fixture(scope="module")
def made(bench: Bench) -> Made:
    volume = a_volume(bench, "source")
    first = snapshot_of(bench, volume, "first")
    full = backed_up(bench, volume, "full", snapshot_id=first.id)
    second = snapshot_of(bench, volume, "second")
    increment = backed_up(bench, volume, "more", snapshot_id=second.id, is_incremental=True)
    return Made(volume, full, increment)


def test_a_backup_tells_where_its_objects_are_and_of_what_moment_the_bytes_are(
    bench: Bench, made: Made
) -> None:
    full = backup_now(bench, made.full.id, "available")
    assert full is not None
    assert (full.size_gib, full.project_id, full.container) == (1, bench.project_id, bench.native.bucket)
    assert full.object_count > 0
    assert full.data_at is not None
    assert made.increment.data_at is not None
    assert full.data_at < made.increment.data_at
    assert (full.is_incremental, full.has_dependents) == (False, True)
    assert (made.increment.is_incremental, made.increment.has_dependents) == (True, False)
    keys = [one.key for one in bench.native.list(f"volume_{made.volume.id}/") if full.id in one.key]
    assert len(keys) == full.object_count + 2
    assert {key.rpartition("_")[2] for key in keys} >= {"metadata", "sha256file"}


def test_an_increment_of_what_did_not_change_has_no_data_of_its_own(made: Made) -> None:
    assert made.increment.object_count == 0


def test_the_volume_is_as_it_was_and_is_not_deleted_under_its_snapshots(bench: Bench, made: Made) -> None:
    assert bench.volume(made.volume.id, "available").tags == made.volume.tags
    with pytest.raises(CloudBusy):
        bench.inside.delete_volume(made.volume.id)


def test_a_backup_that_others_rest_on_cannot_be_deleted(bench: Bench, made: Made) -> None:
    with pytest.raises(CloudBusy) as refused:
        bench.inside.delete_backup(made.full.id)
    assert refused.value.retry
    assert refused.value.cloud_request_id


def test_an_increment_with_nothing_to_rest_on_is_refused_for_good(bench: Bench) -> None:
    volume = a_volume(bench, "bare")
    with pytest.raises(CloudRejected) as refused:
        bench.inside.create_backup(NewBackup("no", volume.id, bench.tags(), is_incremental=True))
    assert not refused.value.retry
    bench.inside.delete_volume(volume.id)


def test_what_does_not_exist_is_not_found_and_deleting_it_is_fine(bench: Bench) -> None:
    nobody = str(uuid.uuid4())
    with pytest.raises(CloudNotFound):
        bench.cloud.export_backup(nobody)
    with pytest.raises(CloudNotFound):
        bench.inside.create_snapshot(NewSnapshot("no", nobody, {}))
    bench.inside.delete_backup(nobody)
    bench.inside.delete_snapshot(nobody)
    bench.cloud.delete_imported(nobody)
    bench.cloud.reset_stuck(nobody)


def test_the_backup_service_is_up(bench: Bench) -> None:
    services = bench.cloud.backup_services()
    assert services
    assert all(service.is_ok for service in services)


def test_a_record_of_a_backup_that_is_known_is_refused(bench: Bench, made: Made) -> None:
    """Before Cinder is asked: it has deleted records at that (bug 1965847)."""
    record = bench.cloud.export_backup(made.increment.id)
    with pytest.raises(CloudConflict):
        bench.cloud.import_backup(record)
    assert backup_now(bench, made.increment.id, "available") is not None
    with pytest.raises(CloudRejected):
        bench.cloud.import_backup(BackupRecord(record.service, "no record"))


def test_setting_free_what_is_well_changes_nothing(bench: Bench, made: Made) -> None:
    bench.cloud.reset_stuck(made.increment.id)
    assert backup_now(bench, made.increment.id, "available") is not None
    assert bench.volume(made.volume.id, "available")


def test_a_backup_lives_on_in_its_objects_and_its_record_and_is_restored_onto_any_volume(
    bench: Bench,
) -> None:
    volume = a_volume(bench, "lost")
    backup = backed_up(bench, volume, "kept")
    record = bench.cloud.export_backup(backup.id)
    kept = {one.key: bench.native.read(one.key) for one in bench.native.list(f"volume_{volume.id}/")}
    bench.inside.delete_backup(backup.id)
    bench.until(
        lambda: None if backup_now(bench, backup.id, "deleting", "available") else True, "backup gone"
    )
    assert list(bench.native.list(f"volume_{volume.id}/")) == []
    bench.inside.delete_volume(volume.id)
    for key, body in kept.items():
        bench.native.put(key, body)

    bench.cloud.import_backup(record)
    found = bench.until(lambda: imported(bench, backup.id, "available", "error"), "backup imported")
    assert (found.status, found.volume_id, found.size_gib) == ("available", volume.id, 1)
    assert dict(found.tags) == dict(backup.tags)
    assert found.project_id != bench.project_id
    assert backup.id not in {one.id for one in bench.inside.list_backups()}

    target = a_volume(bench, "target")
    bench.cloud.restore_backup(backup.id, target.id)
    restored = bench.volume(target.id, "available", "error_restoring")
    assert restored.status == "available"
    # Cinder gave it the tags of the volume that is gone; whoever restores puts its own back
    assert dict(restored.tags) == dict(volume.tags)
    bench.inside.tag_volume(target.id, target.tags)
    assert dict(bench.volume(target.id, "available").tags) == dict(target.tags)

    bench.until(lambda: imported(bench, backup.id, "available"), "restore ended")
    bench.cloud.delete_imported(backup.id)
    bench.until(lambda: None if imported(bench, backup.id, "available", "deleting") else True, "import gone")
    assert list(bench.native.list(f"volume_{volume.id}/")) == []
    bench.inside.delete_volume(target.id)


def test_a_restore_onto_a_volume_that_is_too_small_is_refused(bench: Bench) -> None:
    big = bench.inside.create_volume(bench.new_volume("big", 2))
    bench.volume(big.id, "available")
    small = a_volume(bench, "small")
    backup = backed_up(bench, bench.volume(big.id, "available"), "big")
    with pytest.raises(CloudRejected) as refused:
        bench.cloud.restore_backup(backup.id, small.id)
    assert not refused.value.retry
    assert bench.volume(small.id, "available")
