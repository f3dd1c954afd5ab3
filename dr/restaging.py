"""Backups of a chain as another site's Cinder shall see them: under names and ids of this restore alone.

Cinder finds objects by the prefix in its record and deletes by it too. With the old names a restore at the
site that still has the backup, or two restores at once, would delete what is not theirs. So every key gets
a prefix of the restore, in the bucket, in the description that lists the keys, and in the record.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.envelopes import DataKey
from cloudctl.errors import Fault, NotProved
from cloudctl.ports import BackupRecord, ObjectStore
from dr import marks
from dr.points.cinder_record import encoded, read_record
from dr.points.manifest import CINDER, DESCRIPTION, Manifest, Part, Piece
from dr.points.reading import read_piece
from dr.restore_job import RestoreJob, Wanted


@dataclass(frozen=True)
class Object:
    """One object that has to lie in the site's bucket."""

    key: str
    manifest: Manifest
    piece: Piece
    prefix: str


def objects_of(job: RestoreJob, wanted: Iterable[Wanted], manifests: Mapping[str, Manifest]) -> list[Object]:
    """Every object of every chain, in the order in which a restore would read them."""
    return [
        Object(f"{job.prefix}/{piece.name}", manifests[point], piece, job.prefix)
        for one in wanted
        for point, part in one.parts
        for piece in manifests[point].pieces_of(part)
    ]


def put(one: Object, vault: ObjectStore, key: DataKey, native: ObjectStore) -> int:
    """Read the piece from the vault, checked by its hash, and put it; how many bytes."""
    plain = read_piece(vault, one.manifest, key, one.piece)
    native.put(one.key, _renamed(plain, one.prefix) if one.piece.role == DESCRIPTION else plain)
    return len(plain)


def is_there(one: Object, sizes: Mapping[str, int]) -> bool:
    """Whether an earlier pass has put it; only this restore writes under its prefix, each object whole."""
    return one.key in sizes and (
        one.piece.role == DESCRIPTION or sizes[one.key] == one.piece.plain.size_bytes
    )


def records(job: RestoreJob, one: Wanted, container: str) -> list[tuple[str, BackupRecord]]:
    """The id and record of each backup of the chain, the full one first."""
    return [_record(job, part, container) for _, part in one.parts]


def last_id(job: RestoreJob, one: Wanted) -> str:
    """The id by which the restore asks for the volume."""
    return _id(job, one.part.backup_id)


def ids(job: RestoreJob, wanted: Sequence[Wanted]) -> list[str]:
    """Every id this restore makes known, increments before what they rest on."""
    return [_id(job, part.backup_id) for one in wanted for _, part in reversed(one.parts)]


def _id(job: RestoreJob, backup_id: str) -> str:
    return marks.staged_backup_id(job.installation, job.restore.id, backup_id)


def _record(job: RestoreJob, part: Part, container: str) -> tuple[str, BackupRecord]:
    if part.format != CINDER:
        fault = Fault(part.name, "unknown", "'{text}' is not known here", {"text": part.format[:80]})
        raise NotProved("what was read is not what cloudctl writes", faults=[fault])
    record = read_record(part.url)
    own_id = _id(job, part.backup_id)
    content: dict[str, Any] = {
        **record.moved_to(container),
        "id": own_id,
        "parent_id": None if record.parent_id is None else _id(job, record.parent_id),
        "service_metadata": f"{job.prefix}/{record.prefix}",
        "display_name": marks.name_of_restore(job.restore.id, part.position),
        "snapshot_id": None,
        "metadata": job.tags(part.position),
    }
    return own_id, BackupRecord(part.service, encoded(content))


def _renamed(description: bytes, prefix: str) -> bytes:
    """Cinder's `_metadata` with the keys under which the objects lie now."""
    content = json.loads(description)
    content["objects"] = [
        {f"{prefix}/{name}": facts for name, facts in one.items()} for one in content["objects"]
    ]
    return json.dumps(content, sort_keys=True, indent=2).encode()
