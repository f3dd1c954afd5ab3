"""What the fake cloud's Cinder knows of snapshots and backups, and how its cinder-backup works."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudctl.errors import CloudctlError
from cloudctl.ports import Backup, ObjectStore, Snapshot, Volume
from provisioning.drivers.fake_chunks import SERVICE, Layout, read_metadata, write_backup

ZONE = "nova"
OWN_PROJECT = "c10c" * 8  # the id of cloudctl's own project


@dataclass
class FakeSnapshot:
    """A snapshot with the bytes of its moment."""

    seen: Snapshot
    created_at: datetime
    data: bytes


@dataclass
class FakeBackup:
    """A row of Cinder's table of backups."""

    id: str
    project_id: str
    volume_id: str
    name: str
    size_gib: int
    status: str
    created_at: datetime
    data_at: datetime
    tags: dict[str, str]
    parent_id: str | None = None
    snapshot_id: str | None = None
    container: str | None = None
    service_metadata: str = ""  # the prefix of its objects
    object_count: int = 0
    fail_reason: str | None = None

    def record(self, dependent_count: int) -> dict[str, Any]:
        """As Cinder's `encode_record` writes it."""
        return {
            "id": self.id, "user_id": "cloudctl", "project_id": self.project_id,
            "volume_id": self.volume_id, "host": "backup-host", "availability_zone": ZONE,
            "container": self.container, "parent_id": self.parent_id, "status": self.status,
            "fail_reason": self.fail_reason, "size": self.size_gib, "display_name": self.name,
            "display_description": None, "service_metadata": self.service_metadata, "service": SERVICE,
            "object_count": self.object_count, "temp_volume_id": None, "temp_snapshot_id": None,
            "num_dependent_backups": dependent_count, "snapshot_id": self.snapshot_id,
            "data_timestamp": _stamp(self.data_at), "restore_volume_id": None, "metadata": self.tags,
            "encryption_key_id": None, "created_at": _stamp(self.created_at), "updated_at": None,
            "deleted_at": None, "deleted": False,
        }  # fmt: skip

    @classmethod
    def of_record(cls, fields: Mapping[str, Any], project_id: str, now: datetime) -> "FakeBackup":
        """What an import makes of a record: another project, everything else as it stands there."""
        told = fields.get("data_timestamp")
        data_at = datetime.fromisoformat(told) if told else now
        return cls(
            fields["id"], project_id, fields.get("volume_id", ""), fields.get("display_name", ""),
            fields["size"], "creating", now, data_at, dict(fields.get("metadata") or {}),
            fields.get("parent_id"), fields.get("snapshot_id"), fields.get("container"),
            fields.get("service_metadata", ""), fields.get("object_count", 0),
        )  # fmt: skip


@dataclass
class FakeCinder:
    """The bytes of volumes, the snapshots, the backups, and the bucket where their objects are."""

    native: ObjectStore
    layout: Layout = Layout()  # noqa: RUF009  # frozen
    own_project_id: str = OWN_PROJECT
    is_service_known: bool = True
    is_service_up: bool = True
    contents: dict[str, bytearray] = field(default_factory=dict)
    snapshots: dict[str, FakeSnapshot] = field(default_factory=dict)
    backups: dict[str, FakeBackup] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    broken: Counter[str] = field(default_factory=Counter)

    def bytes_of(self, volume: Volume) -> bytearray:
        """The bytes of a volume; zeros until somebody wrote some."""
        held = self.contents.setdefault(volume.id, bytearray())
        missing = volume.size_gib * self.layout.gib_bytes - len(held)
        held.extend(bytes(max(missing, 0)))
        return held

    def seen(self, row: FakeBackup) -> Backup:
        """A row as the API shows it."""
        return Backup(
            row.id, row.name, row.status, row.volume_id, row.size_gib, row.project_id,
            row.parent_id is not None, self.has_dependents(row.id), dict(row.tags), row.snapshot_id,
            row.container, row.object_count, row.data_at, row.fail_reason,
        )  # fmt: skip

    def listed(self, move: Callable[[list[str]], None], project_id: str) -> list[Backup]:
        """The backups of a project; what is under way moves on."""
        move([row.id for row in self.backups.values() if row.project_id == project_id])
        return [self.seen(row) for row in self.backups.values() if row.project_id == project_id]

    def has_dependents(self, backup_id: str) -> bool:
        """Whether increments rest on it."""
        return any(row.parent_id == backup_id for row in self.backups.values())

    def newest(self, volume_id: str, project_id: str, before: datetime | None) -> FakeBackup | None:
        """The backup that an increment would rest on: the caller cannot choose."""
        fit = [
            row
            for row in self.backups.values()
            if (row.volume_id, row.project_id, row.status) == (volume_id, project_id, "available")
            and (before is None or row.data_at < before)
        ]
        return max(fit, key=lambda row: row.data_at, default=None)

    def chain(self, row: FakeBackup) -> list[FakeBackup]:
        """The full backup and each increment up to this one. KeyError when one is not known."""
        rows = [row]
        while rows[0].parent_id is not None:
            rows.insert(0, self.backups[rows[0].parent_id])
        return rows

    def carry_out(self, row: FakeBackup, data: bytes, volume: Volume, now: datetime) -> None:
        """What cinder-backup does with a new backup: all its objects, or `error` and why."""
        row.container = self.native.bucket
        moment = now.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        row.service_metadata = f"volume_{row.volume_id}/{moment}/az_{ZONE}_backup_{row.id}"
        meta: dict[str, Any] = {"version": 2, "volume-base-metadata": _base_metadata(volume)}
        if volume.tags:
            meta["volume-metadata"] = dict(volume.tags)
        parent = self.backups.get(row.parent_id) if row.parent_id else None
        about = {
            "backup_id": row.id, "volume_id": row.volume_id, "backup_name": row.name,
            "backup_description": None, "created_at": str(row.created_at), "parent_id": row.parent_id,
            "volume_meta": json.dumps(meta), "parent_prefix": parent.service_metadata if parent else None,
        }  # fmt: skip
        try:
            if self.broken[row.name] > 0:
                self.broken[row.name] -= 1
                self.native.put(f"{row.service_metadata}-00001", data[:1024])
                raise ValueError("the connection to the object store was lost")
            if parent is not None and row.size_gib > parent.size_gib:
                raise ValueError("Volume size increased since the last backup. Do a full backup.")
            row.object_count = write_backup(self.native, row.service_metadata, about, data, self.layout)
            row.status = "available"
        except (CloudctlError, ValueError) as error:
            row.status, row.fail_reason = "error", str(error)

    def erase(self, row: FakeBackup) -> None:
        """What cinder-backup does to delete: the objects, then the row."""
        try:
            for found in list(self.native.list(row.service_metadata)) if row.service_metadata else ():
                self.native.delete(found.key)
        except CloudctlError as error:
            row.status, row.fail_reason = "error_deleting", str(error)
            return
        self.backups.pop(row.id, None)

    def volume_metadata(self, row: FakeBackup) -> dict[str, str]:
        """The metadata of the volume that the backup was made from, as it was then."""
        meta = json.loads(str(read_metadata(self.native, row.service_metadata)["volume_meta"]))
        found: dict[str, str] = meta.get("volume-metadata", {})
        return found


def _base_metadata(volume: Volume) -> dict[str, object]:
    return {"id": volume.id, "display_name": volume.name, "size": volume.size_gib, "status": "backing-up"}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
