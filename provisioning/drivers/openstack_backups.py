"""Snapshots and backups over Cinder's REST API: inside a project, and what only the administrator may do.

Read in cinder 29's source: an increment that cannot be, and a scheduler that does not know its backup
service yet, are found after the call has been answered, and end in status `error` with the reason; a
snapshot whose backup the scheduler gave up stays `backing-up` until an administrator sets it free; a restore
and a deletion without a backup service are answered with 404.
"""

from contextlib import suppress

import requests

from cloudctl.errors import CloudConflict, CloudNotFound, CloudRejected, CloudUnavailable
from cloudctl.ports import Backup, BackupRecord, NewBackup, NewSnapshot, ServiceState, Snapshot, Tags
from provisioning.drivers.openstack_backup_room import BackupRoom
from provisioning.drivers.openstack_errors import UNAVAILABLE, as_busy, reason_of
from provisioning.drivers.openstack_http import Caller, Json
from provisioning.drivers.openstack_json import backup, record_id, snapshot

_VOLUMES = "block-storage"
_TAGGED_BACKUPS = (3, 43)  # metadata of backups
_SNAPSHOTS_IN_USE = (3, 66)  # from here on without the word `force`
_NO_SERVICE = "could not be found"  # "Service cinder-backup could not be found."
_FAILED = 'current status is "error'


class OpenStackProjectBackups:
    """Implements BackupsInProject."""

    _call: Caller
    _room: BackupRoom

    def list_snapshots(self) -> list[Snapshot]:
        rows = self._call.pages(_VOLUMES, "/snapshots/detail", "snapshots", "list snapshots")
        return [snapshot(row, self._project) for row in rows]

    def create_snapshot(self, new: NewSnapshot) -> Snapshot:
        body: Json = {"name": new.name, "volume_id": new.volume_id, "metadata": {**new.tags}}
        if not self._call.service(_VOLUMES).knows(*_SNAPSHOTS_IN_USE):
            body["force"] = True
        what = f"make snapshot {new.name}"

        def make() -> Json:
            return _answered(self._call, "POST", "/snapshots", what, {"snapshot": body})

        answer = self._room.enough(self._project, new.volume_id, make)
        return snapshot(answer["snapshot"], self._project)

    def delete_snapshot(self, snapshot_id: str) -> None:
        _delete(self._call, f"/snapshots/{snapshot_id}", f"delete snapshot {snapshot_id}")

    def list_backups(self) -> list[Backup]:
        return _backups(self._call, self._project)

    def create_backup(self, new: NewBackup) -> Backup:
        body: Json = {
            "name": new.name, "volume_id": new.volume_id, "incremental": new.is_incremental, "force": True,
        }  # fmt: skip
        if new.snapshot_id is not None:
            body["snapshot_id"] = new.snapshot_id
        if self._call.service(_VOLUMES).knows(*_TAGGED_BACKUPS):
            body["metadata"] = {**new.tags}
        what = f"make backup {new.name}"

        def make() -> Json:
            return _answered(self._call, "POST", "/backups", what, {"backup": body})

        made = self._room.enough(self._project, new.volume_id, make)["backup"]
        return Backup(
            made["id"], new.name, "creating", new.volume_id, 0, self._project, new.is_incremental, False,
            dict(new.tags), new.snapshot_id,
        )  # fmt: skip

    def delete_backup(self, backup_id: str) -> None:
        _delete(self._call, f"/backups/{backup_id}", f"delete backup {backup_id}")

    def tag_volume(self, volume_id: str, tags: Tags) -> None:
        path = f"/volumes/{volume_id}/metadata"
        self._call.put(_VOLUMES, path, f"tag volume {volume_id}", {"metadata": {**tags}})

    @property
    def _project(self) -> str:
        return self._call.project_id or ""


class OpenStackBackups:
    """Implements CloudBackups."""

    _call: Caller

    def backup_services(self) -> list[ServiceState]:
        query = {"binary": "cinder-backup"}
        rows = self._call.get(_VOLUMES, "/os-services", "list the backup services", query)["services"]
        return [
            ServiceState(
                "cinder-backup", row["state"] == "up" and row["status"] == "enabled",
                f"{row['host']} {row['state']}, {row['status']}",
            )
            for row in rows
        ]  # fmt: skip

    def export_backup(self, backup_id: str) -> BackupRecord:
        path, what = f"/backups/{backup_id}/export_record", f"export backup {backup_id}"
        row = _answered(self._call, "GET", path, what)["backup-record"]
        return BackupRecord(row["backup_service"], row["backup_url"])

    def import_backup(self, record: BackupRecord) -> Backup:
        backup_id = record_id(record)
        what = f"import backup {backup_id}"
        if self._find(backup_id, what) is not None:
            raise CloudConflict("{site}: backup {id} is known already", site=self._call.site, id=backup_id)
        body = {"backup-record": {"backup_service": record.service, "backup_url": record.url}}
        # openstacksdk sends its import to the address of the export: this goes by hand
        _answered(self._call, "POST", "/backups/import_record", what, body)
        found = self._find(backup_id, what)
        if found is None:
            raise CloudUnavailable(
                UNAVAILABLE, site=self._call.site, service=_VOLUMES, what=what, reason="it is not there yet"
            )
        return found

    def _find(self, backup_id: str, what: str) -> Backup | None:
        with suppress(CloudNotFound):
            row = self._call.get(_VOLUMES, f"/backups/{backup_id}", what)["backup"]
            return backup(row, self._call.project_id or "")
        return None

    def list_imported(self) -> list[Backup]:
        return _backups(self._call, self._call.project_id or "")

    def restore_backup(self, backup_id: str, volume_id: str) -> None:
        body = {"restore": {"volume_id": volume_id}}
        _answered(self._call, "POST", f"/backups/{backup_id}/restore", f"restore backup {backup_id}", body)

    def delete_imported(self, backup_id: str) -> None:
        _delete(self._call, f"/backups/{backup_id}", f"delete backup {backup_id}")

    def reset_stuck(self, backup_id: str) -> None:
        what = f"set backup {backup_id} free"
        found = self._find(backup_id, what)
        if found is None:
            return
        if found.status not in ("available", "error"):
            self._reset(f"/backups/{backup_id}", "error", what)
        if found.snapshot_id is not None:
            self._set_free(f"/snapshots/{found.snapshot_id}", "snapshot", what)
        self._set_free(f"/volumes/{found.volume_id}", "volume", what)

    def _set_free(self, path: str, kind: str, what: str) -> None:
        """What the backup was reading gets back the status that it had, where it has none of its own now.

        A scheduler that gives a backup up writes an old status, or none at all, over the volume's own.
        """
        with suppress(CloudNotFound):
            row = self._call.get(_VOLUMES, path, what)[kind]
            if row.get("status") in ("backing-up", "", None):
                self._reset(path, "in-use" if row.get("attachments") else "available", what)

    def _reset(self, path: str, status: str, what: str) -> None:
        body = {"os-reset_status": {"status": status}}
        _answered(self._call, "POST", f"{path}/action", what, body)


def _backups(call: Caller, project_id: str) -> list[Backup]:
    rows = call.pages(_VOLUMES, "/backups/detail", "backups", "list backups")
    return [backup(row, project_id) for row in rows]


def _answered(call: Caller, method: str, path: str, what: str, body: object = None) -> Json:
    response = call.respond(_VOLUMES, method, path, what, body=body)
    _check(call, response, what)
    return dict(response.json()) if response.content else {}


def _delete(call: Caller, path: str, what: str) -> None:
    response = call.respond(_VOLUMES, "DELETE", path, what)
    if response.status_code == 400:  # "... status must be available or error", "Incremental backups exist"
        raise as_busy(call.error(response, _VOLUMES, what))
    if response.status_code != 404 or _has_no_service(response):
        _check(call, response, what)


def _check(call: Caller, response: requests.Response, what: str) -> None:
    if response.status_code < 400:
        return
    if _has_no_service(response):
        raise CloudUnavailable(
            UNAVAILABLE, site=call.site, service=_VOLUMES, what=what, reason=reason_of(response.text),
            cloud_request_id=response.headers.get("x-openstack-request-id"),
        )  # fmt: skip
    error = call.error(response, _VOLUMES, what)
    # 400 "... must be available ..., but the current status is ...": another reads it, or it is being made
    if response.status_code == 400 and isinstance(error, CloudRejected) and _is_passing(response.text):
        raise as_busy(error)
    raise error


def _has_no_service(response: requests.Response) -> bool:
    words = reason_of(response.text)
    return response.status_code == 404 and words.startswith("Service ") and _NO_SERVICE in words


def _is_passing(text: str) -> bool:
    words = reason_of(text).lower()
    return "must be available" in words and _FAILED not in words
