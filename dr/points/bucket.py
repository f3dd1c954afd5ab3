"""A department's bucket as a part of a point: every version of every object, and the delete markers.

What the bucket was at a moment is told from them afterwards (`as_of`).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from cloudctl.errors import Fault, NotProved
from cloudctl.ports.objects import ObjectStore
from dr.points.blocks import BlockList
from dr.points.format import Prepared, Source
from dr.points.manifest import BUCKET, OBJECT, Manifest, Part, Piece, Removal, bad_name


class BucketExpectation:
    """A bucket says nothing about its bytes beyond the hashes of the manifest. An `Expectation`."""

    @property
    def blocks(self) -> BlockList | None:
        return None

    def faults(self) -> list[Fault]:
        return []

    def opened_bytes(self, name: str) -> int:
        return 0

    def check(self, name: str, plain: bytes) -> list[Fault]:
        return []


class BucketFormat:
    """A `PointFormat`: objects as they are, with their versions."""

    name = BUCKET

    def prepare(self, part: Part, native: ObjectStore) -> Prepared:
        """All versions. NotProved for keys that could not be put back safely."""
        listed = list(native.list_versions())
        faults = [fault for fault in (bad_name(one.key, native.bucket) for one in listed) if fault]
        if faults:
            raise NotProved("the bucket has objects that cannot be put back", faults=faults)
        removals = tuple(
            Removal(one.key, one.version_id or "", one.stored_at)
            for one in listed
            if one.is_delete_marker and one.stored_at
        )
        sources = tuple(
            Source(OBJECT, one.key, one.size_bytes, one.version_id, one.stored_at)
            for one in listed
            if not one.is_delete_marker
        )
        size = sum(source.size_bytes for source in sources)
        changed = replace(part, container=native.bucket, size_bytes=size, removals=removals)
        return Prepared(changed, sources)

    def described(self, part: Part, descriptions: Mapping[str, bytes]) -> BucketExpectation:
        return BucketExpectation()


def as_of(manifest: Manifest, part: Part, at: datetime) -> tuple[Piece, ...]:
    """The objects that the bucket had at the moment, one version each."""
    newest: dict[str, Piece] = {}
    for piece in manifest.pieces_of(part):  # of a name the newest version comes first
        if piece.stored_at is None or piece.stored_at <= at:
            newest.setdefault(piece.name, piece)
    gone: dict[str, datetime] = {}
    for one in part.removals:
        if one.at <= at:
            gone[one.name] = max(one.at, gone.get(one.name, one.at))
    return tuple(
        piece
        for name, piece in newest.items()
        if name not in gone or (piece.stored_at is not None and piece.stored_at > gone[name])
    )
