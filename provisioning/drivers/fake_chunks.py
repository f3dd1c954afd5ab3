"""Backups as Cinder's chunked drivers write and read them (cinder 29: chunkeddriver.py, drivers/s3.py).

Under a prefix `volume_{volume}/{time}/az_{zone}_backup_{backup}` stand the data `-00001`, `-00002`...
(zlib where that is smaller), then `_sha256file` with the SHA-256 of each block of the volume, and last
`_metadata` with the MD5 of each object's plain bytes. A full backup has every byte; an increment has one
object for each run of changed blocks. Reading compares the list of names and nothing else, as Cinder does.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from cloudctl.errors import CloudRejected
from cloudctl.ports import ObjectStore

VERSION = "1.0.0"
SERVICE = "cinder.backup.drivers.s3.S3BackupDriver"


@dataclass(frozen=True)
class Layout:
    """Sizes of the format, and how many bytes a GiB of a fake volume really has.

    Small by default, so that a volume of some GiB is some MiB; `REAL` is what Cinder's S3 driver uses.
    """

    gib_bytes: int = 1 << 20
    object_bytes: int = 256 << 10
    block_bytes: int = 32 << 10


REAL = Layout(1 << 30, 52_428_800, 32_768)


def write_backup(
    store: ObjectStore, prefix: str, about: Mapping[str, object], data: bytes, layout: Layout
) -> int:
    """Write a whole backup; how many data objects it has. `about`: backup_id, volume_id, backup_name,
    backup_description, created_at, parent_id, volume_meta, and parent_prefix for an increment."""
    known = _block_hashes(store, str(about["parent_prefix"])) if about.get("parent_prefix") else None
    hashes = [
        hashlib.sha256(data[start : start + layout.block_bytes]).hexdigest()
        for start in range(0, len(data), layout.block_bytes)
    ]
    objects: list[dict[str, dict[str, object]]] = []
    for start, end in _extents(hashes, known, len(data), layout):
        name = f"{prefix}-{len(objects) + 1:05d}"
        piece = data[start:end]
        packed = zlib.compress(piece)
        is_smaller = len(packed) < len(piece)
        store.put(name, packed if is_smaller else piece)
        described: dict[str, object] = {
            "offset": start,
            "length": len(piece),
            "compression": "zlib" if is_smaller else "none",
            "md5": hashlib.md5(piece, usedforsecurity=False).hexdigest(),
        }
        objects.append({name: described})
    words = ("backup_id", "volume_id", "backup_name", "backup_description", "created_at")
    common = {"version": VERSION, **{word: about[word] for word in words}}
    _put_json(store, f"{prefix}_sha256file", {**common, "chunk_size": layout.block_bytes, "sha256s": hashes})
    rest = {"objects": objects, "parent_id": about["parent_id"], "volume_meta": about["volume_meta"]}
    _put_json(store, f"{prefix}_metadata", {**common, **rest})
    return len(objects)


def read_backup(store: ObjectStore, prefix: str) -> Iterator[tuple[int, bytes]]:
    """The pieces of one backup with their offsets. No hash is checked; the list of names alone is."""
    metadata = read_metadata(store, prefix)
    rows = cast(list[dict[str, dict[str, Any]]], metadata["objects"])
    listed = {name: about for row in rows for name, about in row.items()}
    there = {found.key for found in store.list(prefix)} - {f"{prefix}_metadata", f"{prefix}_sha256file"}
    if there != set(listed):
        raise CloudRejected(
            "restore_backup aborted, actual object list does not match object list stored in metadata."
        )
    for name, about in listed.items():
        body = store.read(name)
        yield int(about["offset"]), zlib.decompress(body) if about["compression"] == "zlib" else body


def read_metadata(store: ObjectStore, prefix: str) -> dict[str, object]:
    """The `_metadata` of a backup."""
    found: dict[str, object] = json.loads(store.read(f"{prefix}_metadata"))
    return found


def _block_hashes(store: ObjectStore, prefix: str) -> list[str]:
    found: list[str] = json.loads(store.read(f"{prefix}_sha256file"))["sha256s"]
    return found


def _extents(
    hashes: list[str], known: list[str] | None, length: int, layout: Layout
) -> Iterator[tuple[int, int]]:
    """The runs of bytes that become objects; none reaches over the border of an object of a full backup."""
    blocks_per_object = layout.object_bytes // layout.block_bytes
    for first in range(0, len(hashes), blocks_per_object):
        last = min(first + blocks_per_object, len(hashes))
        if known is None:
            yield first * layout.block_bytes, min(last * layout.block_bytes, length)
            continue
        run: int | None = None
        for block in range(first, last + 1):
            is_changed = block < last and hashes[block] != known[block]
            if is_changed and run is None:
                run = block
            elif not is_changed and run is not None:
                yield run * layout.block_bytes, min(block * layout.block_bytes, length)
                run = None


def _put_json(store: ObjectStore, key: str, document: Mapping[str, object]) -> None:
    store.put(key, json.dumps(document, sort_keys=True, indent=2).encode())
