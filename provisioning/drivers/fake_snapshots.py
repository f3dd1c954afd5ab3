"""The fake cloud's snapshots and backups seen from inside one project; as strict as Cinder."""

from dataclasses import replace

from cloudctl.errors import CloudBusy, CloudNotFound, CloudRejected
from cloudctl.ports import Backup, NewBackup, NewSnapshot, Snapshot, Tags, Volume
from provisioning.drivers.fake_backups import delete_backup
from provisioning.drivers.fake_cinder import FakeBackup, FakeSnapshot
from provisioning.drivers.fake_state import FakeState

_READABLE = ("available", "in-use")
_FAILED = ("error", "error_restoring", "error_deleting")


class FakeProjectBackups:
    """Implements BackupsInProject over a FakeState."""

    _state: FakeState
    _id: str

    def _check_access(self) -> None:
        """As for every other call inside a project."""
        raise NotImplementedError

    # -- snapshots

    def list_snapshots(self) -> list[Snapshot]:
        state = self._state
        with state.call("list_snapshots", self._id):
            self._check_access()
            mine = [one.seen.id for one in state.cinder.snapshots.values() if one.seen.project_id == self._id]
            state.move(mine)
            return [state.cinder.snapshots[one].seen for one in mine if one in state.cinder.snapshots]

    def create_snapshot(self, new: NewSnapshot) -> Snapshot:
        state = self._state
        with state.call("create_snapshot", self._id, new.name):
            self._check_access()
            volume = self._readable(new.volume_id)
            made = Snapshot(
                state.new_id("snapshot"), new.name, "creating", volume.id, volume.size_gib, self._id,
                dict(new.tags),
            )  # fmt: skip
            data = bytes(state.cinder.bytes_of(volume))
            state.cinder.snapshots[made.id] = FakeSnapshot(made, state.clock.now(), data)
            state.begin(made.id, lambda: self._change_snapshot(made.id, "available"))
            return made

    def _change_snapshot(self, snapshot_id: str, status: str) -> None:
        row = self._state.cinder.snapshots.get(snapshot_id)
        if row is not None:
            row.seen = replace(row.seen, status=status)

    def delete_snapshot(self, snapshot_id: str) -> None:
        state = self._state
        with state.call("delete_snapshot", self._id, snapshot_id):
            self._check_access()
            row = state.cinder.snapshots.get(snapshot_id)
            if row is None or row.seen.project_id != self._id or row.seen.status == "deleting":
                return
            if row.seen.status not in ("available", "error", "error_deleting"):
                self._busy("snapshot", snapshot_id, row.seen.status)
            self._change_snapshot(snapshot_id, "deleting")
            state.begin(snapshot_id, lambda: self._snapshot_gone(snapshot_id))

    def _snapshot_gone(self, snapshot_id: str) -> None:
        self._state.cinder.snapshots.pop(snapshot_id, None)

    # -- backups

    def list_backups(self) -> list[Backup]:
        with self._state.call("list_backups", self._id):
            self._check_access()
            return self._state.cinder.listed(self._state.move, self._id)

    def create_backup(self, new: NewBackup) -> Backup:
        state, cinder = self._state, self._state.cinder
        with state.call("create_backup", self._id, new.name):
            self._check_access()
            volume = self._volume_here(new.volume_id)
            snapshot = self._snapshot_of(new)
            if snapshot is None:
                volume = self._readable(new.volume_id)
            now = state.clock.now()
            taken_at = now if snapshot is None else snapshot.created_at
            parent = None
            if new.is_incremental:
                before = None if snapshot is None else snapshot.created_at
                parent = cinder.newest(volume.id, self._id, before)
                if parent is None:
                    self._refuse("No backups available to do an incremental backup.")
            row = FakeBackup(
                state.new_id("backup"), self._id, volume.id, new.name, volume.size_gib, "creating", now,
                taken_at, dict(new.tags), parent.id if parent else None, new.snapshot_id,
            )  # fmt: skip
            cinder.backups[row.id] = row
            data = bytes(cinder.bytes_of(volume)) if snapshot is None else snapshot.data
            if snapshot is None:
                state.volumes[volume.id] = replace(volume, status="backing-up")
            else:
                self._change_snapshot(snapshot.seen.id, "backing-up")
            self._begin(row, data, volume)
            return cinder.seen(row)

    def _begin(self, row: FakeBackup, data: bytes, volume: Volume) -> None:
        """Whichever is listed first, the backup or what it is made from, brings it to its end."""
        for thing_id in (row.id, row.snapshot_id or row.volume_id):
            self._state.begin(thing_id, lambda: self._finish(row, data, volume))

    def _finish(self, row: FakeBackup, data: bytes, volume: Volume) -> None:
        state = self._state
        if row.name in state.cinder.stuck:
            self._begin(row, data, volume)
            return
        for thing_id in (row.id, row.snapshot_id or row.volume_id):
            state.passages.pop(thing_id, None)
        if not state.cinder.is_service_known:
            row.status, row.fail_reason = "error", "Service not found for creating backup."
            if row.snapshot_id is not None:
                return  # the scheduler looks at volumes only: the snapshot stays as it is
        else:
            state.cinder.carry_out(row, data, volume, state.clock.now())
        if row.snapshot_id is not None:
            self._change_snapshot(row.snapshot_id, "available")
        elif row.volume_id in state.volumes:
            now = state.volumes[row.volume_id]
            state.volumes[row.volume_id] = replace(now, status="in-use" if now.server_ids else "available")

    def delete_backup(self, backup_id: str) -> None:
        with self._state.call("delete_backup", self._id, backup_id):
            self._check_access()
            delete_backup(self._state, backup_id, self._id)

    def tag_volume(self, volume_id: str, tags: Tags) -> None:
        state = self._state
        with state.call("tag_volume", self._id, volume_id):
            self._check_access()
            volume = self._volume_here(volume_id)
            state.volumes[volume_id] = replace(volume, tags=dict(tags))

    # -- the pieces

    def _volume_here(self, volume_id: str) -> Volume:
        volume = self._state.volumes.get(volume_id)
        if volume is None or volume.project_id != self._id:
            raise CloudNotFound(
                "volume {id} not found", id=volume_id, cloud_request_id=self._state.request_id()
            )
        return volume

    def _readable(self, volume_id: str) -> Volume:
        volume = self._volume_here(volume_id)
        if volume.status in _FAILED:
            self._refuse(f"Volume to be backed up must be available or in-use, but is {volume.status}")
        if volume.status not in _READABLE:
            self._busy("volume", volume_id, volume.status)
        return volume

    def _snapshot_of(self, new: NewBackup) -> FakeSnapshot | None:
        if new.snapshot_id is None:
            return None
        row = self._state.cinder.snapshots.get(new.snapshot_id)
        if row is None or row.seen.project_id != self._id:
            raise CloudNotFound(
                "snapshot {id} not found", id=new.snapshot_id, cloud_request_id=self._state.request_id()
            )
        if row.seen.volume_id != new.volume_id:
            self._refuse("the snapshot is of another volume")
        if row.seen.status != "available":
            self._busy("snapshot", new.snapshot_id, row.seen.status)
        return row

    def _busy(self, what: str, one_id: str, status: str) -> None:
        raise CloudBusy(
            "{what} {id} is {status}",
            what=what, id=one_id, status=status, cloud_request_id=self._state.request_id(),
        )  # fmt: skip

    def _refuse(self, why: str) -> None:
        raise CloudRejected(why, cloud_request_id=self._state.request_id())
