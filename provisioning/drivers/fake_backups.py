"""The fake cloud's snapshots and backups: real bytes, real objects in Cinder's format, Cinder's strictness.

cloud.write(volume_id, offset, data)            # as a guest would
cloud.content(volume_id)
cloud.grow(volume_id, 2)
cloud.cinder.stuck.add("nightly-1")             # stays `creating` until the name is taken out again
cloud.cinder.broken["nightly-1"] += 1           # ends in `error`, with what it had written left behind
cloud.cinder.is_service_known = False           # the scheduler has not heard of cinder-backup yet: the
                                                # backup ends in `error`, its snapshot stays `backing-up`
"""

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from cloudctl.errors import CloudBusy, CloudConflict, CloudctlError, CloudNotFound, CloudRejected
from cloudctl.ports import Backup, BackupRecord, ServiceState, Volume
from provisioning.drivers.fake_chunks import SERVICE, read_backup
from provisioning.drivers.fake_cinder import FakeBackup, FakeCinder
from provisioning.drivers.fake_state import FakeState


def delete_backup(state: FakeState, backup_id: str, project_id: str) -> None:
    """Start deleting one backup of the project, its objects with it."""
    row = state.cinder.backups.get(backup_id)
    if row is None or row.project_id != project_id or row.status == "deleting":
        return
    if state.cinder.has_dependents(backup_id):
        raise CloudBusy(
            "Incremental backups exist for backup {id}", id=backup_id, cloud_request_id=state.request_id()
        )
    if row.status not in ("available", "error"):
        raise CloudBusy(
            "backup {id} is {status}", id=backup_id, status=row.status, cloud_request_id=state.request_id()
        )
    row.status = "deleting"
    state.begin(backup_id, lambda: state.cinder.erase(row))


class FakeCloudBackups:
    """Implements CloudBackups over a FakeState, and what tests do to volumes."""

    state: FakeState

    @property
    def cinder(self) -> FakeCinder:
        """What is open to tests: bytes, backups, and the hooks above."""
        return self.state.cinder

    # -- for tests

    def write(self, volume_id: str, offset: int, data: bytes) -> None:
        """Bytes onto a volume, as its guest would write them."""
        with self.state.lock:
            held = self.cinder.bytes_of(self.state.volumes[volume_id])
            assert offset + len(data) <= len(held), "past the end of the volume"
            held[offset : offset + len(data)] = data

    def content(self, volume_id: str) -> bytes:
        """Every byte of a volume."""
        with self.state.lock:
            return bytes(self.cinder.bytes_of(self.state.volumes[volume_id]))

    def grow(self, volume_id: str, size_gib: int) -> None:
        """The volume is extended."""
        with self.state.lock:
            self.state.volumes[volume_id] = replace(self.state.volumes[volume_id], size_gib=size_gib)

    # -- the port

    def backup_services(self) -> list[ServiceState]:
        with self.state.call("backup_services"):
            is_up = self.cinder.is_service_up
            return [ServiceState("cinder-backup", is_up, f"{self.state.site} {'up' if is_up else 'down'}")]

    def export_backup(self, backup_id: str) -> BackupRecord:
        with self.state.call("export_backup", subject=backup_id):
            row = self._backup(backup_id)
            if row.status != "available":
                raise CloudBusy(
                    "Backup status must be available and not {status}.",
                    status=row.status, cloud_request_id=self.state.request_id(),
                )  # fmt: skip
            count = sum(one.parent_id == backup_id for one in self.cinder.backups.values())
            text = json.dumps({"driver_info": {}, **row.record(count)})
            return BackupRecord(SERVICE, base64.b64encode(text.encode()).decode())

    def import_backup(self, record: BackupRecord) -> Backup:
        state = self.state
        with state.call("import_backup"):
            fields = self._decoded(record)
            if fields["id"] in self.cinder.backups:
                raise CloudConflict(
                    "backup {id} is known already", id=fields["id"], cloud_request_id=state.request_id()
                )
            row = FakeBackup.of_record(fields, self.cinder.own_project_id, state.clock.now())
            self.cinder.backups[row.id] = row
            is_ours = record.service == SERVICE
            state.begin(row.id, lambda: self._imported(row, is_ours))
            return self.cinder.seen(row)

    def _imported(self, row: FakeBackup, is_ours: bool) -> None:
        row.status = "available" if is_ours else "error"
        if not is_ours:
            row.fail_reason = "Import record failed, cannot find backup service to perform the import."

    def _decoded(self, record: BackupRecord) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = json.loads(base64.b64decode(record.url, validate=True))
        except ValueError as error:
            raise CloudRejected(
                "Can't parse backup record.", cloud_request_id=self.state.request_id()
            ) from error
        for word in ("id", "size"):
            if word not in fields:
                raise CloudRejected(
                    "Provided backup record is missing {word}",
                    word=word, cloud_request_id=self.state.request_id(),
                )  # fmt: skip
        return fields

    def list_imported(self) -> list[Backup]:
        with self.state.call("list_imported"):
            return self.cinder.listed(self.state.move, self.cinder.own_project_id)

    def restore_backup(self, backup_id: str, volume_id: str) -> None:
        state = self.state
        with state.call("restore_backup", subject=backup_id):
            row = self._backup(backup_id)
            volume = state.volumes.get(volume_id)
            if volume is None:
                raise CloudNotFound(
                    "volume {id} not found", id=volume_id, cloud_request_id=state.request_id()
                )
            if row.status != "available" or volume.status != "available":
                raise CloudBusy(
                    "backup {id} is {status}, the volume to be restored to is {volume_status}",
                    id=backup_id, status=row.status, volume_status=volume.status,
                    cloud_request_id=state.request_id(),
                )  # fmt: skip
            if row.size_gib > volume.size_gib:
                raise CloudRejected(
                    "volume size {have} is too small to restore backup of size {need}.",
                    have=volume.size_gib, need=row.size_gib, cloud_request_id=state.request_id(),
                )  # fmt: skip
            row.status = "restoring"
            state.volumes[volume_id] = replace(volume, status="restoring-backup")
            for thing_id in (backup_id, volume_id):  # whichever is listed first
                state.begin(thing_id, lambda: self._restored(row, volume_id))

    def _restored(self, row: FakeBackup, volume_id: str) -> None:
        """What cinder-backup does: the chain from the full one on, onto the volume, no hash looked at."""
        state, cinder = self.state, self.cinder
        if row.name in cinder.stuck:
            for thing_id in (row.id, volume_id):
                state.begin(thing_id, lambda: self._restored(row, volume_id))
            return
        for thing_id in (row.id, volume_id):
            state.passages.pop(thing_id, None)
        row.status = "available"
        volume = state.volumes.get(volume_id)
        if volume is None:
            return
        try:
            meta = self._write_onto(volume, cinder.chain(row))
        except (CloudctlError, ValueError, KeyError, zlib.error) as error:
            state.volumes[volume_id] = replace(volume, status="error_restoring", error=str(error))
            return
        # Cinder puts the metadata of the volume it was made from in the place of the target's own
        state.volumes[volume_id] = replace(volume, status="available", tags=meta or volume.tags)

    def _write_onto(self, volume: Volume, chain: list[FakeBackup]) -> dict[str, str]:
        held = self.cinder.bytes_of(volume)
        for one in chain:
            for offset, piece in read_backup(self.cinder.native, one.service_metadata):
                held[offset : offset + len(piece)] = piece
        return self.cinder.volume_metadata(chain[-1])

    def reset_stuck(self, backup_id: str) -> None:
        state = self.state
        with state.call("reset_stuck", subject=backup_id):
            row = self.cinder.backups.get(backup_id)
            if row is None:
                return
            for thing_id in (row.id, row.snapshot_id or row.volume_id):
                state.passages.pop(thing_id, None)
            if row.status not in ("available", "error"):
                row.status = "error"
            snapshot = self.cinder.snapshots.get(row.snapshot_id or "")
            if snapshot is not None and snapshot.seen.status == "backing-up":
                snapshot.seen = replace(snapshot.seen, status="available")
            volume = state.volumes.get(row.volume_id)
            if volume is not None and volume.status == "backing-up":
                status = "in-use" if volume.server_ids else "available"
                state.volumes[volume.id] = replace(volume, status=status)

    def delete_imported(self, backup_id: str) -> None:
        with self.state.call("delete_imported", subject=backup_id):
            delete_backup(self.state, backup_id, self.cinder.own_project_id)

    def _backup(self, backup_id: str) -> FakeBackup:
        row = self.cinder.backups.get(backup_id)
        if row is None:
            raise CloudNotFound(
                "backup {id} not found", id=backup_id, cloud_request_id=self.state.request_id()
            )
        return row
