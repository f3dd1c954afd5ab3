"""Cinder's chunked backup format (S3, Swift, NFS, POSIX): which objects a backup has and what they must be.

Read in cinder 29 (backup/chunkeddriver.py, backup/drivers/s3.py): the record's `service_metadata` is the
prefix of all keys; `PREFIX-00001` and so on hold the data, `PREFIX_sha256file` the SHA-256 of each block of
the whole volume, `PREFIX_metadata` offset, length, compression and MD5 (of the plain bytes) of each data
object. A full backup covers every byte; an increment has one object for each changed stretch. Cinder compares
none of these hashes when it restores, only the list of names: so an object too many stops a restore, and a
flipped bit does not.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudctl.errors import Fault, NotProved
from cloudctl.ports.objects import ObjectStore
from dr.points.blocks import DIGEST_BYTES, BlockList
from dr.points.cinder_record import Record, read_record
from dr.points.format import Prepared, Source
from dr.points.inflating import inflate, is_known
from dr.points.manifest import CINDER, DATA, DESCRIPTION, HASHES, Part

VERSION = "1.0.0"
MOST_FAULTS = 20
_NO_BLOCKS = BlockList(1, 0, b"")


@dataclass(frozen=True)
class Extent:
    """What one data object is, as `_metadata` tells."""

    name: str
    offset: int
    length: int
    compression: str
    md5: str

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True)
class CinderExpectation:
    """What the objects of one backup must be. An `Expectation`."""

    record: Record
    blocks: BlockList
    extents: Mapping[str, Extent]

    def faults(self) -> list[Fault]:
        """Bytes that no object covers (of a full backup) or two do, beyond the volume, across blocks."""
        faults: list[Fault] = []
        place, at = self.record.prefix, 0
        for one in sorted(self.extents.values(), key=lambda extent: (extent.offset, extent.length)):
            if one.offset < at:
                faults.append(_bytes_fault(place, "overlap", one.offset, min(at, one.end)))
            elif one.offset > at and not self.record.is_incremental:
                faults.append(_bytes_fault(place, "hole", at, one.offset))
            if not self._fits(one):
                faults.append(_bytes_fault(one.name, "off_blocks", one.offset, one.end))
            at = max(at, one.end)
        if at < self.blocks.volume_bytes and not self.record.is_incremental:
            faults.append(_bytes_fault(place, "hole", at, self.blocks.volume_bytes))
        return faults[:MOST_FAULTS]

    def _fits(self, one: Extent) -> bool:
        size, whole = self.blocks.block_bytes, self.blocks.volume_bytes
        is_at_end = one.end == whole
        return one.offset % size == 0 and one.end <= whole and (one.end % size == 0 or is_at_end)

    def opened_bytes(self, name: str) -> int:
        return self.extents[name].length if name in self.extents else 0

    def check(self, name: str, plain: bytes) -> list[Fault]:
        """Inflate it; compare length, MD5, and the SHA-256 of each block it covers."""
        one = self.extents.get(name)
        if one is None:
            return []  # the description itself
        if not is_known(one.compression):
            template = "it is compressed with '{word}', which cannot be read here"
            return [Fault(name, "unknown_compression", template, {"word": one.compression[:40]})]
        content = inflate(one.compression, plain, one.length)
        if content is None or len(content) != one.length:
            template = "it does not inflate to {length} bytes"
            return [Fault(name, "does_not_inflate", template, {"length": one.length})]
        faults = []
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != one.md5:
            faults.append(Fault(name, "md5_differs", "its MD5 is not the one Cinder wrote down"))
        return faults + self._block_faults(one, content)

    def _block_faults(self, one: Extent, content: bytes) -> list[Fault]:
        size, view = self.blocks.block_bytes, memoryview(content)
        first = one.offset // size
        for number in range(-(-one.length // size)):
            found = hashlib.sha256(view[number * size : (number + 1) * size]).digest()
            if found != self.blocks.of(first + number):
                start = one.offset + number * size
                return [_bytes_fault(name=one.name, code="block_differs", start=start, end=start + size)]
        return []

    def rests_on(self, parent: BlockList) -> list[Fault]:
        """Where the parent backup has other bytes than this increment took for unchanged."""
        own = self.blocks
        if (own.block_bytes, own.volume_bytes) != (parent.block_bytes, parent.volume_bytes):
            return [Fault(self.record.prefix, "other_parent", "the backup it rests on is of another volume")]
        faults, at = [], 0
        covered = sorted((one.offset, one.end) for one in self.extents.values())
        for offset, end in [*covered, (own.volume_bytes, own.volume_bytes)]:
            a, b = (at // own.block_bytes) * DIGEST_BYTES, (offset // own.block_bytes) * DIGEST_BYTES
            if at < offset and own.digests[a:b] != parent.digests[a:b]:
                faults.append(_bytes_fault(self.record.prefix, "parent_differs", at, offset))
            at = max(at, end)
        return faults[:MOST_FAULTS]


_BYTES = {
    "overlap": "two objects have the bytes from {start} to {end}",
    "hole": "no object has the bytes from {start} to {end}",
    "off_blocks": "the bytes from {start} to {end} are no whole blocks of the volume",
    "block_differs": "the bytes from {start} to {end} do not have the SHA-256 that Cinder wrote down",
    "parent_differs": "the backup it rests on has other bytes from {start} to {end} than it had then",
}


def _bytes_fault(name: str, code: str, start: int, end: int) -> Fault:
    return Fault(name, code, _BYTES[code], {"start": start, "end": end})


class CinderChunked:
    """A `PointFormat`: what cinder-backup's S3 driver writes."""

    name = CINDER

    def prepare(self, part: Part, native: ObjectStore) -> Prepared:
        """Which objects the backup has, compared with what lies in the bucket."""
        record = read_record(part.url)
        listed = {one.key: one for one in native.list(record.prefix)}
        texts = (record.description, record.hashes)
        faults = [_missing(name) for name in texts if name not in listed]
        if faults:
            raise NotProved("the backup is not whole in its own bucket", faults=faults)
        told = self.described(part, {name: native.read(name) for name in texts})
        faults = told.faults()
        faults += [_missing(name) for name in told.extents if name not in listed]
        template = "it lies among the objects of the backup and belongs to none"
        surplus = sorted(set(listed) - set(told.extents) - set(texts))
        faults += [Fault(name, "surplus", template) for name in surplus]
        if faults:
            raise NotProved("the backup is not whole in its own bucket", faults=faults)
        names = [(DATA, name) for name in told.extents]
        names += [(HASHES, record.hashes), (DESCRIPTION, record.description)]
        return Prepared(
            part=replace(
                part,
                container=record.container,
                size_bytes=told.blocks.volume_bytes,
                backup_id=record.backup_id,
                parent_backup_id=record.parent_id,
                is_incremental=record.is_incremental,
                block_bytes=told.blocks.block_bytes,
                root_sha256=told.blocks.root_sha256,
            ),
            sources=tuple(Source(role, name, listed[name].size_bytes) for role, name in names),
        )

    def described(self, part: Part, descriptions: Mapping[str, bytes]) -> CinderExpectation:
        """Out of `_metadata` and `_sha256file`; NotProved when they contradict the record, each other, or the
        size of the volume, where the part has it: Cinder calls a backup that ended too early `available`."""
        record = read_record(part.url)
        faults: list[Fault] = []
        metadata = _document(descriptions, record.description, record, faults)
        hashes = _document(descriptions, record.hashes, record, faults)
        if not faults and (metadata.get("parent_id") or None) != record.parent_id:
            faults.append(
                Fault(record.description, "other_parent", "it names another parent than the record")
            )
        extents = _extents(metadata.get("objects"), record, faults)
        reach = 0 if record.is_incremental else max((one.end for one in extents.values()), default=0)
        blocks = _blocks(hashes, record, part.size_bytes or reach, faults) if hashes else _NO_BLOCKS
        if faults:
            raise NotProved("what Cinder wrote down about the backup cannot be used", faults=faults)
        return CinderExpectation(record, blocks, extents)


def _missing(name: str) -> Fault:
    return Fault(name, "missing", "it is not in the bucket")


def _document(
    descriptions: Mapping[str, bytes], name: str, record: Record, faults: list[Fault]
) -> dict[str, Any]:
    """One of the two JSON documents, if it is of this backup and of the known version."""
    try:
        content = json.loads(descriptions[name])
        if not isinstance(content, dict):
            raise ValueError(name)
    except KeyError:
        faults.append(_missing(name))
        return {}
    except (ValueError, RecursionError):
        faults.append(Fault(name, "no_json", "this is no JSON"))
        return {}
    if content.get("version") != VERSION:
        template = "Cinder's format '{version}' is not known here"
        faults.append(Fault(name, "unknown", template, {"version": str(content.get("version"))[:40]}))
    if content.get("backup_id") != record.backup_id:
        faults.append(Fault(name, "other_backup", "it is of another backup"))
    return content


def _blocks(content: dict[str, Any], record: Record, volume_bytes: int, faults: list[Fault]) -> BlockList:
    """`volume_bytes` is 0 where only the hashes tell it."""
    size, told = content.get("chunk_size"), content.get("sha256s")
    try:
        if type(size) is not int or not 1 <= size <= 1 << 30 or not isinstance(told, list):
            raise ValueError
        if set(map(len, told)) - {2 * DIGEST_BYTES}:
            raise ValueError
        digests = bytes.fromhex("".join(told))
    except (ValueError, TypeError):
        faults.append(Fault(record.hashes, "bad_hashes", "this is no list of hashes"))
        return _NO_BLOCKS
    found = len(digests) // DIGEST_BYTES
    volume_bytes = volume_bytes or found * size
    wanted = -(-volume_bytes // size)
    if found != wanted:
        template = "it has {found} hashes, the volume has {wanted} blocks"
        faults.append(Fault(record.hashes, "bad_count", template, {"found": found, "wanted": wanted}))
    return BlockList(size, volume_bytes, digests)


def _extents(told: object, record: Record, faults: list[Fault]) -> dict[str, Extent]:
    """Cinder writes a list of objects with one field each, which is the name."""
    found: dict[str, Extent] = {}
    for one in told if isinstance(told, list) else []:
        try:
            ((name, facts),) = one.items()
            extent = Extent(
                name, facts["offset"], facts["length"], str(facts["compression"]).lower(), facts["md5"]
            )
            is_right = type(extent.offset) is int and type(extent.length) is int and extent.offset >= 0
            if not is_right or extent.length <= 0 or not name.startswith(f"{record.prefix}-"):
                raise ValueError(name)
        except (ValueError, KeyError, TypeError, AttributeError):
            template = "'{text}' describes no object of the backup"
            faults.append(Fault(record.description, "bad_object", template, {"text": str(one)[:80]}))
            continue
        if name in found:
            faults.append(
                Fault(record.description, "name_twice", "two pieces are called '{name}'", {"name": name})
            )
        found[name] = extent
    if not isinstance(told, list):
        faults.append(Fault(record.description, "bad_object", "it has no list of objects"))
    return found
