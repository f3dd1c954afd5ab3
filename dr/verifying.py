"""Whether a restored volume has the bytes of the point: its own backup against what the point says."""

from collections.abc import Callable

from cloudctl.envelopes import DataKey
from cloudctl.errors import Fault
from cloudctl.ports import BackupRecord, ObjectStore
from dr.points.blocks import BlockList, differences
from dr.points.cinder_record import read_record
from dr.points.formats import format_of
from dr.points.manifest import CINDER, DESCRIPTION, HASHES, Manifest, Part
from dr.points.reading import read_piece


def compare(
    vault: ObjectStore,
    manifest: Manifest,
    key: DataKey,
    part: Part,
    record: BackupRecord,
    native_of: Callable[[str], ObjectStore],
) -> list[Fault]:
    """What differs; nothing when every block is the same. NotProved when the new backup is not whole.

    The hashes of the point come out of the vault; those of the volume from the backup that was just made of
    it, in a bucket of the site to which it was restored.
    """
    container = read_record(record.url).container
    native = native_of(container)
    anew = Part(
        position=part.position, format=CINDER, name=part.name, container=container,
        service=record.service, url=record.url,
    )  # fmt: skip
    prepared = format_of(CINDER).prepare(anew, native)
    if prepared.part.root_sha256 == part.root_sha256:
        return []
    texts = {one.name: native.read(one.name) for one in prepared.sources if one.role in {HASHES, DESCRIPTION}}
    found = format_of(CINDER).described(prepared.part, texts).blocks
    wanted = blocks_of(vault, manifest, key, part)
    if found is None or wanted is None:
        return [Fault(part.name, "not_comparable", "there are no hashes of blocks to compare")]
    return differences(wanted, found, part.name)


def blocks_of(vault: ObjectStore, manifest: Manifest, key: DataKey, part: Part) -> BlockList | None:
    """The hash of each block of the volume, as the point has them in the vault."""
    texts = {
        piece.name: read_piece(vault, manifest, key, piece)
        for piece in manifest.pieces_of(part)
        if piece.role in {HASHES, DESCRIPTION}
    }
    return format_of(part.format).described(part, texts).blocks
