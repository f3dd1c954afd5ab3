"""A cloud's own snapshots and backups (Cinder), as what the offsite backup needs of them.

Errors and habits are those of `cloudctl.ports.cloud`. A status is not evidence: Cinder checks no hash when
it restores, so what these calls report is proved elsewhere, by reading the bytes.
"""

from __future__ import annotations  # Tags and ServiceState are the cloud's, which takes these in

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cloudctl.ports.cloud import ServiceState, Tags


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of one volume, also of one in use."""

    id: str
    name: str
    status: str  # Cinder's words: creating, available, deleting, error, error_deleting, backing-up
    volume_id: str
    size_gib: int
    project_id: str
    tags: Tags


@dataclass(frozen=True)
class NewSnapshot:
    name: str
    volume_id: str
    tags: Tags


@dataclass(frozen=True)
class Backup:
    """A backup in the object store of the site's own cinder-backup."""

    id: str
    name: str
    status: str  # Cinder's words: creating, available, restoring, deleting, error, error_deleting
    volume_id: str  # of the volume it was made from, at the site it was made at
    size_gib: int
    project_id: str
    is_incremental: bool
    has_dependents: bool  # increments rest on it: it cannot be deleted
    tags: Tags
    snapshot_id: str | None = None
    container: str | None = None  # the bucket
    object_count: int = 0
    data_at: datetime | None = None  # of what moment the bytes are
    error: str | None = None


@dataclass(frozen=True)
class NewBackup:
    """A full backup, or what changed since the newest one of the volume. Without a snapshot the volume's
    bytes are read while it is in use; with one, those of the snapshot's moment."""

    name: str
    volume_id: str
    tags: Tags
    snapshot_id: str | None = None
    is_incremental: bool = False


@dataclass(frozen=True)
class BackupRecord:
    """What makes a Cinder know a backup that another Cinder made. Unsigned, and nothing checks it."""

    service: str  # backup_service: the driver's class
    url: str  # backup_url: base64 of a JSON object


class BackupsInProject(Protocol):
    """Snapshots and backups of one project."""

    def list_snapshots(self) -> list[Snapshot]:
        """All snapshots of the project, in one listing."""

    def create_snapshot(self, new: NewSnapshot) -> Snapshot:
        """Start a snapshot, also of a volume in use; its tags are on it from the first moment."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Start deleting; gone already is fine. CloudBusy while a backup reads it."""

    def list_backups(self) -> list[Backup]:
        """All backups of the project, in one listing."""

    def create_backup(self, new: NewBackup) -> Backup:
        """Start a backup. CloudBusy while another reads the volume or snapshot, CloudRejected for an
        increment with nothing to rest on. What Cinder finds only later (the volume grew since; the scheduler
        knows no backup service yet) ends in status error: `reset_stuck`, `delete_backup`, and again."""

    def delete_backup(self, backup_id: str) -> None:
        """Start deleting, objects included; gone already is fine. CloudBusy while it has dependents or is
        being made."""

    def tag_volume(self, volume_id: str, tags: Tags) -> None:
        """Give a volume exactly these tags; again changes nothing. A restore needs it: Cinder puts the tags
        of the volume that was backed up in the place of those of the volume restored to."""


class CloudBackups(Protocol):
    """What only the site's administrator may do with backups; what is imported belongs to cloudctl's own
    project, and nobody else sees it."""

    def backup_services(self) -> list[ServiceState]:
        """Each cinder-backup of the site and whether it is up."""

    def export_backup(self, backup_id: str) -> BackupRecord:
        """The record of a backup of any project. CloudNotFound when there is none."""

    def import_backup(self, record: BackupRecord) -> Backup:
        """Make the backup known. CloudConflict when one of that id is known already (an import over it has
        deleted records: cinder bug 1965847)."""

    def list_imported(self) -> list[Backup]:
        """The backups of cloudctl's own project, in one listing."""

    def restore_backup(self, backup_id: str, volume_id: str) -> None:
        """Start writing an imported backup onto an empty volume of any project, of at least its size."""

    def reset_stuck(self, backup_id: str) -> None:
        """Set a backup that hangs or was given up to `error`, and what it was reading back to what it was, so
        that they can be deleted; gone already is fine."""

    def delete_imported(self, backup_id: str) -> None:
        """Start deleting one of cloudctl's own project, with its objects; gone already is fine."""
