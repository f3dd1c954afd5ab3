"""Putting objects of a point into a vault, each once: what is there already, checked, is left alone."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.envelopes import Digest, Hashing, sealed_size
from cloudctl.ports.objects import LockMode, ObjectStore, StoredObject
from dr.points.head import data_prefix


@dataclass(frozen=True)
class VaultView:
    """A vault through the credential that puts and nothing else, and through the one that reads."""

    write: ObjectStore
    read: ObjectStore


def whole_second(moment: datetime | None) -> datetime | None:
    """The moment or the first whole second after it: stores keep no parts of a second of a lock."""
    if moment is None or moment.microsecond == 0:
        return moment
    return moment.replace(microsecond=0) + timedelta(seconds=1)


class Putting:
    """Everything of one point that the vault had when the run began, and what the run adds. Thread-safe."""

    def __init__(
        self, vault: VaultView, installation: str, point: str, locked_until: datetime | None
    ) -> None:
        self.vault = vault
        self.prefix = data_prefix(installation, point)
        self.objects = 0
        self.bytes = 0
        self._locked_until = whole_second(locked_until)
        self._counting = threading.Lock()
        self._there: dict[str, list[StoredObject]] = {}
        for one in vault.read.list_versions(self.prefix):
            if not one.is_delete_marker:
                self._there.setdefault(one.key, []).append(one)
        can_lock = locked_until is not None and bool(self._there)
        self._must_be_locked = can_lock and vault.read.lock_mode() is not LockMode.NONE

    def has_etag(self, key: str, size_bytes: int, etag: str) -> bool:
        """Whether a version that this process put is still there."""
        there = self._there.get(key, [])
        return any(one.size_bytes == size_bytes and one.etag == etag for one in there if etag)

    def put(self, key: str, body: bytes, sealed: Digest) -> StoredObject:
        """Put it, unless a version with these very bytes is there and locked for long enough."""
        candidates = self._candidates(key, sealed.size_bytes)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest() if candidates else ""
        for one in candidates:
            if self._is_right(one, md5, sealed):
                return one
        return self.put_new(key, body)

    def put_new(self, key: str, body: bytes) -> StoredObject:
        """Put it as a new version."""
        stored = self.vault.write.put(key, body, self._locked_until)
        self._count(len(body))
        return stored

    def put_stream(
        self, key: str, plain_bytes: int, sealed: Callable[[], Hashing]
    ) -> tuple[Digest, StoredObject]:
        """The same for what does not fit into memory; `sealed` begins the sealed chunks anew each time."""
        candidates = self._candidates(key, sealed_size(plain_bytes))
        if candidates:
            digest = sealed().drain()
            for one in candidates:
                if self._is_right(one, "", digest):
                    return digest, one
        chunks = sealed()
        stored = self.vault.write.put_stream(key, chunks, self._locked_until)
        self._count(chunks.digest.size_bytes)
        return chunks.digest, stored

    def _candidates(self, key: str, size_bytes: int) -> list[StoredObject]:
        return [one for one in self._there.get(key, []) if one.size_bytes == size_bytes]

    def _is_right(self, one: StoredObject, md5: str, sealed: Digest) -> bool:
        """By the MD5 that the store tells of what was put in one piece, else by reading it back."""
        if md5 and "-" not in one.etag:
            is_same = one.etag == md5
        else:
            read = Hashing(self.vault.read.stream(one.key, one.version_id))
            is_same = read.drain() == sealed
        return is_same and self._is_locked(one)

    def _is_locked(self, one: StoredObject) -> bool:
        if not self._must_be_locked or self._locked_until is None:
            return True
        until = self.vault.read.head(one.key, one.version_id).retain_until
        return until is not None and until >= self._locked_until

    def _count(self, size_bytes: int) -> None:
        with self._counting:
            self.objects += 1
            self.bytes += size_bytes
