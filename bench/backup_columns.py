"""The three ways of backing a volume up that are compared: plain Cinder, restic, cloudctl."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.backup_ground import CITY, SOURCE, Ground
from bench.bare_backup import Bare
from bench.restic import Restic
from bench.volume_image import Ranges, digest, digest_of, lay
from cloudctl.models import RecoveryPoint
from cloudctl.ports import ObjectStore, Purpose, StoredObject
from dr.points.head import HEADS, data_prefix
from dr.starting import FULL, INCREMENTAL


@dataclass(frozen=True)
class Took:
    """What one run cost, and what it left in the bucket that counts."""

    seconds: float
    bytes: int
    objects: int


class Column(Protocol):
    """One way. The image is in the file; what keeps a volume of its own gets the changes first."""

    name: str

    def change(self, ranges: Ranges) -> None:
        """These ranges of the file are new."""

    def back_up(self, is_incremental: bool) -> Took:
        """A full or an incremental backup."""

    def restore(self) -> float:
        """The newest one brought back; the seconds. RuntimeError when the bytes are others."""


class PlainCinder:
    """`cinder backup-create` and `backup-restore`, at one site; it checks nothing."""

    name = "plain Cinder, same site"

    def __init__(self, ground: Ground, cinder: Bare, conf: Path, file: Path, size_gib: int) -> None:
        self._ground, self._cinder, self._conf, self._file = ground, cinder, conf, file
        self._size_gib = size_gib
        self.volume = ground.volume("plain", size_gib, is_member=False)
        self.backups: list[str] = []

    def change(self, ranges: Ranges) -> None:
        lay(self._conf, self.volume, self._file, ranges)

    def back_up(self, is_incremental: bool) -> Took:
        backup, seconds = self._cinder.back_up(self.volume, is_incremental)
        self.backups.append(backup)
        return _took(seconds, self.objects(backup))

    def restore(self) -> float:
        target = self._ground.volume("plain-restored", self._size_gib, is_member=False)
        seconds = self._cinder.restore(self.backups[-1], target)
        _must_equal(digest(self._conf, target, self._file), self._file)
        return seconds

    def objects(self, backup: str) -> list[StoredObject]:
        """What Cinder has written for one backup."""
        native = self._ground.stores.native(SOURCE)
        return [one for one in native.list(f"volume_{self.volume}/") if f"_backup_{backup}" in one.key]


class ResticFile:
    """restic reads the image from a file: no cloud is asked, and no snapshot taken."""

    name = "restic, of a file"

    def __init__(self, restic: Restic, store: ObjectStore, file: Path, place: Path) -> None:
        self._restic, self._store, self._file, self._place = restic, store, file, place
        self._known: set[str] = {one.key for one in store.list()}

    def change(self, ranges: Ranges) -> None:
        """It reads the file itself."""

    def back_up(self, is_incremental: bool) -> Took:
        seconds = self._restic.back_up(self._file)
        new = [one for one in self._store.list() if one.key not in self._known]
        self._known |= {one.key for one in new}
        return _took(seconds, new)

    def restore(self) -> float:
        to = self._place / "restic-restored"
        try:
            seconds = self._restic.restore(to)
            _must_equal(digest_of(next(to.rglob(self._file.name))), self._file)
        finally:
            shutil.rmtree(to, ignore_errors=True)
        return seconds


class Cloudctl:
    """A point: snapshot, Cinder's backup, sealed copy in the other site's vault, read back to L1. Restored
    out of the vault at that site, and proved by reading the restored volume again."""

    name = "cloudctl, to the other site, L1"

    def __init__(self, ground: Ground, confs: dict[str, Path], file: Path, size_gib: int) -> None:
        self._ground, self._confs, self._file = ground, confs, file
        self.volume = ground.volume("image", size_gib)
        self.points: list[RecoveryPoint] = []

    def change(self, ranges: Ranges) -> None:
        lay(self._confs[SOURCE], self.volume, self._file, ranges)

    def back_up(self, is_incremental: bool) -> Took:
        point, operation = self._ground.back_up(INCREMENTAL if is_incremental else FULL)
        self.points.append(point)
        assert operation.ended_at is not None
        return _took((operation.ended_at - operation.created_at).total_seconds(), self.objects(point))

    def restore(self) -> float:
        restore, operation = self._ground.restore(self.points[-1])
        _must_equal(digest(self._confs[CITY], restore.made["0"]["volume"], self._file), self._file)
        assert operation.ended_at is not None
        return (operation.ended_at - operation.created_at).total_seconds()

    def objects(self, point: RecoveryPoint) -> list[StoredObject]:
        """What is in the vault of one point, its head included."""
        vault = self._ground.stores.vault(CITY, Purpose.READ)
        heads = [one for one in vault.list(f"{HEADS}{self._ground.installation}/") if point.id in one.key]
        return [*heads, *vault.list(data_prefix(self._ground.installation, point.id))]


def _took(seconds: float, objects: Iterable[StoredObject]) -> Took:
    sizes = [one.size_bytes for one in objects]
    return Took(seconds, sum(sizes), len(sizes))


def _must_equal(found: str, file: Path) -> None:
    if found != digest_of(file):
        raise RuntimeError("other bytes came back")
