"""Copies of a database in a vault: found and read with nothing but a READ credential and the recovery key."""

from pathlib import Path

from cloudctl.envelopes import DataKey
from cloudctl.errors import Fault, NotProved
from cloudctl.escrow import EscrowKey
from cloudctl.ports import ObjectStore
from dr.database.job import MEMBER
from dr.database.packing import DATABASE, HEADS, HOME
from dr.points.head import Head, manifest_key
from dr.points.manifest import Manifest
from dr.points.reading import FoundPoint, Reading, open_manifest, read_heads, stream_piece

_NAMES = {DATABASE, HEADS, HOME}


def is_copy(head: Head) -> bool:
    """Whether the point is a copy of an installation's own database."""
    return head.member == MEMBER


def find(vault: ObjectStore, key: EscrowKey) -> Reading:
    """All copies that the key's installation has in the vault, the oldest first, with what is odd."""
    reading = read_heads(vault, key.signers, key.installation)
    mine = tuple(one for one in reading.points if is_copy(one.head))
    return Reading(mine, tuple(fault for fault in reading.faults if MEMBER in fault.place), reading.notes)


def choose(found: tuple[FoundPoint, ...], vault: ObjectStore, copy: str = "") -> FoundPoint:
    """The newest copy of which there is more than the head, or the one whose id begins so.

    NotProved when there is none.
    """
    wanted = [one for one in found if one.head.point.startswith(copy)]
    for one in reversed(wanted):
        if any(not each.is_delete_marker for each in vault.list_versions(manifest_key(one.head))):
            return one
    fault = Fault(f"s3://{vault.bucket}", "missing", "there is no such copy of a database in the vault")
    raise NotProved("the database cannot be brought back from here", faults=[fault])


def fetch(vault: ObjectStore, head: Head, key: DataKey, folder: Path) -> Manifest:
    """Write the files of a copy into the folder, each checked to the last byte. NotProved, SealBroken, and
    the errors of the vault; what was written until then stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    manifest = open_manifest(vault, head, key)
    if {one.name for one in manifest.pieces} != _NAMES:
        fault = Fault(manifest_key(head), "other_objects", "this is no copy of a database")
        raise NotProved("what was read is not what cloudctl writes", faults=[fault])
    for piece in manifest.pieces:
        file = folder / piece.name
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        with file.open("wb") as write:
            for chunk in stream_piece(vault, manifest, key, piece):
                write.write(chunk)
    return manifest
