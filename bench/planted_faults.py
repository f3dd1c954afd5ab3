"""Faults in what plain Cinder, restic and cloudctl have stored, and which of them each notices.

A fault changes some objects behind the back of whoever wrote them, is looked at, and is taken away again.
Plain Cinder has no check: it restores, and the bytes are compared. restic runs `check --read-data`; where it
is content, it restores too. cloudctl reads the point in the vault to L1.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from bench.backup_columns import Cloudctl, PlainCinder, ResticFile
from bench.backup_ground import CITY, SOURCE, Ground
from bench.restic import Restic
from cloudctl.escrow import EscrowKey
from cloudctl.models import PointCopy
from cloudctl.ports import ObjectStore, Purpose
from dr.points.checking import check
from dr.points.head import data_prefix

FAULTS = (
    "one bit flipped, object compressed", "one bit flipped, object not compressed", "object missing",
    "object truncated", "two objects swapped", "object twice, under another name",
    "object of an older backup in its place", "old catalogue put back", "catalogue forged", "wrong key",
)  # fmt: skip
(PACKED, RAW, MISSING, TRUNCATED, SWAPPED, TWICE, OLDER, OLD_CATALOGUE, FORGED, WRONG_KEY) = FAULTS
NOTICED, UNSEEN, HARMLESS = "noticed", "**not noticed: other bytes**", "not noticed, no harm"
NO_KEY = "encrypts nothing"
Changes = Mapping[str, bytes | None]  # key -> its new bytes, or that it is gone


class Planted(Protocol):
    """What one of the three has stored."""

    def cell(self, fault: str) -> str:
        """Plant it, look, take it away; what came of it."""


def rows_of(columns: Sequence[Planted]) -> list[str]:
    """A row for each fault."""
    rows = []
    for fault in FAULTS:
        rows.append(f"| {fault} | {' | '.join(column.cell(fault) for column in columns)} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


class Shelf:
    """A bucket in which anything can be changed; old versions do not stay."""

    def __init__(self, read: ObjectStore, write: ObjectStore, expire: ObjectStore) -> None:
        self.read, self._write, self._expire = read, write, expire

    @contextmanager
    def planted(self, changes: Changes) -> Iterator[None]:
        """The objects are so for a while."""
        there = {one.key for key in changes for one in self.read.list(key)}
        before = {key: self.read.read(key) if key in there else None for key in changes}
        self._put(changes)
        try:
            yield
        finally:
            self._put(before)

    def _put(self, changes: Changes) -> None:
        for key, body in changes.items():
            old = [one for one in self.read.list_versions(key) if one.key == key]
            if body is not None:
                self._write.put(key, body)
            for one in old if body is None or (old and old[0].version_id not in (None, "null")) else ():
                self._expire.delete(key, one.version_id)


def _common(shelf: Shelf, packed: Sequence[str], raw: str, older: bytes) -> dict[str, Changes]:
    """The faults of objects, for two that are compressed and one that is not."""
    read = shelf.read.read
    one, other = packed
    return {
        PACKED: {one: _flipped(read(one))},
        RAW: {raw: _flipped(read(raw))},
        MISSING: {one: None},
        TRUNCATED: {raw: read(raw)[:-4096]},
        SWAPPED: {one: read(other), other: read(one)},
        OLDER: {one: older},
    }


def _flipped(body: bytes) -> bytes:
    changed = bytearray(body)
    changed[len(body) // 2] ^= 1
    return bytes(changed)


class PlantedInCinder:
    """The newest of two full backups in Cinder's own bucket."""

    def __init__(self, ground: Ground, plain: PlainCinder) -> None:
        native = ground.stores.native(SOURCE)
        self._shelf, self._plain = Shelf(native, native, native), plain

    def cell(self, fault: str) -> str:
        if fault == WRONG_KEY:
            return NO_KEY
        with self._shelf.planted(self._changes()[fault]):
            try:
                self._plain.restore()
            except RuntimeError as error:
                return UNSEEN if "other bytes" in str(error) else NOTICED
            return HARMLESS

    def _changes(self) -> dict[str, Changes]:
        read = self._shelf.read.read
        old, new = (self._keys(backup) for backup in self._plain.backups[-2:])
        about: dict[str, Any] = json.loads(read(new["_metadata"]))
        packed, raw = [new["-00003"], new["-00004"]], new["-00002"]
        forged = json.dumps(_crossed(about, packed)).encode()
        return {
            **_common(self._shelf, packed, raw, read(old["-00003"])),
            TWICE: {new["-00003"].replace("-00003", "-90003"): read(new["-00003"])},
            OLD_CATALOGUE: {new["_metadata"]: read(old["_metadata"])},
            FORGED: {new["_metadata"]: forged},
        }

    def _keys(self, backup: str) -> dict[str, str]:
        """By what comes after the backup's id."""
        return {one.key.partition(backup)[2]: one.key for one in self._plain.objects(backup)}


def _crossed(about: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Two objects change their places on the volume."""
    rows = {name: row for one in about["objects"] for name, row in one.items()}
    one, other = (rows[name] for name in names)
    one["offset"], other["offset"] = other["offset"], one["offset"]
    return about


class PlantedInRestic:
    """The repository with two snapshots."""

    def __init__(self, restic: Restic, store: ObjectStore, of_file: ResticFile) -> None:
        self._restic, self._of_file = restic, of_file
        self._shelf = Shelf(store, store, store)

    def cell(self, fault: str) -> str:
        if fault == WRONG_KEY:
            return NOTICED if self._restic.complains("snapshots", password="another") else HARMLESS
        with self._shelf.planted(self._changes()[fault]):
            if self._restic.complains("check", "--read-data"):
                return NOTICED
            try:
                self._of_file.restore()
            except (RuntimeError, StopIteration) as error:
                return UNSEEN if "other bytes" in str(error) else f"{NOTICED} at the restore"
            return HARMLESS

    def _changes(self) -> dict[str, Changes]:
        read = self._shelf.read.read
        packs = sorted(self._shelf.read.list("data/"), key=lambda one: -one.size_bytes)
        one, other = packs[0].key, packs[1].key
        newest = {
            kind: max(
                self._shelf.read.list(f"{kind}/"),
                key=lambda o: (o.stored_at is not None, o.stored_at),
            ).key
            for kind in ("snapshots", "index")
        }
        copy = f"{one[:-64]}{one[-64:][::-1]}"
        return {
            **_common(self._shelf, (one, other), other, read(packs[2].key)),
            TWICE: {copy: read(one)},
            OLD_CATALOGUE: dict.fromkeys(newest.values(), None),
            FORGED: {newest["snapshots"]: _flipped(read(newest["snapshots"]))},
        }


class PlantedInVault:
    """The newest of two full points in the vault of the other site."""

    def __init__(self, ground: Ground, ours: Cloudctl) -> None:
        read, write, expire = (
            ground.stores.vault(CITY, purpose) for purpose in (Purpose.READ, Purpose.WRITE, Purpose.EXPIRE)
        )
        self._ground, self._ours = ground, ours
        self._shelf = Shelf(read, write, expire)

    def cell(self, fault: str) -> str:
        key = self._ground.keyring.escrow()[CITY]
        if fault == WRONG_KEY:
            return self._look(self._another())
        with self._shelf.planted(self._changes()[fault]):
            return self._look(key)

    def _look(self, key: EscrowKey) -> str:
        copy = self._copy(-1)
        found = check(
            self._shelf.read, copy.head_key, self._ground.keyring.trusted(), key,
            now=self._ground.core.clock.now(), expected_head_sha256=copy.head_sha256,
        )  # fmt: skip
        codes = sorted(
            {one.code for one in found.faults} | {one.code for one in found.notes if one.code != "no_lock"}
        )
        if not codes:
            return UNSEEN
        right = "; the right one is used" if found.level == "L1" else ""
        return f"{NOTICED}: {', '.join(codes)}{right}"

    def _another(self) -> EscrowKey:
        path = Path(self._ground.core.settings.home) / "another.json"
        now, trusted = self._ground.core.clock.now(), self._ground.keyring.trusted()
        return EscrowKey.make(path, self._ground.installation, CITY, trusted, now)

    def _copy(self, which: int) -> PointCopy:
        with self._ground.core.store.read() as uow:
            [copy] = uow.all(PointCopy, PointCopy.point_id == self._ours.points[which].id)
            return copy

    def _changes(self) -> dict[str, Changes]:
        read, head = self._shelf.read.read, self._copy(-1).head_key
        old, new = (data_prefix(self._ground.installation, point.id) for point in self._ours.points[-2:])
        one, other, raw = (f"{new}{number:05d}" for number in (3, 4, 2))
        forged = {**json.loads(read(head)), "system": "another"}
        return {
            **_common(self._shelf, (one, other), raw, read(f"{old}00003")),
            TWICE: {f"{new}90003": read(one)},
            OLD_CATALOGUE: {head: read(self._copy(-2).head_key)},
            FORGED: {head: json.dumps(forged).encode()},
        }
