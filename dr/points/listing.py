"""What a bucket had: every version and delete marker, and what of it is new since the point before.

A bucket goes on changing while its point is copied. So it is listed once, and the listing is kept: every run
and every vault works on the same. Versions never change: name and version say whether one is there already.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from cloudctl.ports.objects import NULL_VERSION, StoredObject
from dr.points.manifest import Gone, Removal

MOST_A_BODY = 20_000  # entries that are packed together
Identity = tuple[str, str]  # name and version


class Mark(StrEnum):
    """What an entry says. Stored."""

    NEW = "n"  # a version that the point itself has
    KEPT = "k"  # one that the points have on which it rests
    GONE = "g"  # one that they have, and that is no longer in the bucket
    MARKER = "m"  # a delete marker


@dataclass(frozen=True)
class Entry:
    """One version, or one delete marker."""

    mark: Mark
    name: str
    version: str
    size_bytes: int = 0
    etag: str = ""
    stored_at: datetime | None = None
    over: str | None = None  # of a marker: the version right beneath it

    @property
    def identity(self) -> Identity:
        return self.name, self.version

    @property
    def is_held(self) -> bool:
        """Whether the bucket had it as a version when it was listed."""
        return self.mark in {Mark.NEW, Mark.KEPT}


def entries_of(
    listed: Iterable[StoredObject], taken_at: datetime, before: frozenset[Identity] | None
) -> Iterator[Entry]:
    """The bucket as it was at the moment, in the order of the listing; then what is gone from it.

    What the bucket took later than `taken_at` belongs to the next point. `before`: the versions of the point
    on which this one rests; None: it rests on none, and everything is new.
    """
    left = set(before or ())
    for name, rows in groupby(listed, key=lambda one: one.key):
        versions = [one for one in rows if one.stored_at is None or one.stored_at <= taken_at]
        for at, one in enumerate(versions):
            version = one.version_id or NULL_VERSION
            if one.is_delete_marker:
                beneath = (other for other in versions[at + 1 :] if not other.is_delete_marker)
                over = next((other.version_id or NULL_VERSION for other in beneath), None)
                yield Entry(Mark.MARKER, name, version, stored_at=one.stored_at, over=over)
                continue
            is_known = (name, version) in left
            left.discard((name, version))
            mark = Mark.KEPT if is_known else Mark.NEW
            yield Entry(mark, name, version, one.size_bytes, one.etag, one.stored_at)
    for name, version in sorted(left):
        yield Entry(Mark.GONE, name, version)


def held(entries: Iterable[Entry]) -> frozenset[Identity]:
    """The versions that the bucket had: what the next point compares with."""
    return frozenset(one.identity for one in entries if one.is_held)


def removals_of(entries: Iterable[Entry]) -> tuple[Removal, ...]:
    """The delete markers as the manifest has them."""
    return tuple(
        Removal(one.name, one.version, one.stored_at, one.over)
        for one in entries
        if one.mark is Mark.MARKER and one.stored_at is not None
    )


def gone_of(entries: Iterable[Entry]) -> tuple[Gone, ...]:
    """What the points before have and the bucket had no longer, as the manifest has it."""
    return tuple(Gone(one.name, one.version) for one in entries if one.mark is Mark.GONE)


def root_of(sizes: Mapping[Identity, int]) -> str:
    """One hash over all versions that a bucket had: what a chain of points must add up to."""
    hashed = hashlib.sha256(b"cloudctl bucket 1\n")
    for (name, version), size in sorted(sizes.items()):
        hashed.update(f"{name}\0{version}\0{size}\n".encode())  # no name has hidden characters: `bad_name`
    return hashed.hexdigest()


def pack(entries: Iterable[Entry]) -> Iterator[bytes]:
    """As it is kept: some thousand entries a piece, compressed."""
    lines: list[str] = []
    for one in entries:
        moment = one.stored_at.isoformat() if one.stored_at else None
        row = [one.mark, one.name, one.version, one.size_bytes, one.etag, moment, one.over]
        lines.append(json.dumps(row, ensure_ascii=False))
        if len(lines) == MOST_A_BODY:
            yield zlib.compress("\n".join(lines).encode())
            lines = []
    if lines:
        yield zlib.compress("\n".join(lines).encode())


def unpack(bodies: Iterable[bytes]) -> Iterator[Entry]:
    """The entries again."""
    for body in bodies:
        for line in zlib.decompress(body).decode().split("\n"):
            mark, name, version, size, etag, moment, over = json.loads(line)
            stored_at = datetime.fromisoformat(moment) if moment else None
            yield Entry(Mark(mark), name, version, size, etag, stored_at, over)
