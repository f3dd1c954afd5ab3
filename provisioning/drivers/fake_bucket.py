"""What a bucket in memory holds, its lock, and the hooks by which tests break it or corrupt what it keeps.

bucket = FakeBucket("vault", clock, lock=LockMode.COMPLIANCE)
bucket.before = hook                                     # called with a Call; may raise anything
bucket.fail("put", nth=2, error=CloudUnavailable("503"))                 # nothing was written there
bucket.fail("put", nth=1, error=..., is_after=True)      # written, and the answer was lost
bucket.is_cut_off = True
bucket.flip_bit("data/x/y/00001")                        # behind the back of everybody
"""

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import CloudctlError, CloudUnavailable, ObjectLocked, ObjectMissing, VaultFull
from cloudctl.ports import NULL_VERSION, LockMode, StoredObject
from provisioning.drivers.fake_state import Call, PlannedFailure


@dataclass(frozen=True)
class Version:
    """One version of an object, or a delete marker."""

    key: str
    version_id: str | None
    body: bytes
    etag: str
    stored_at: datetime
    retain_until: datetime | None = None
    is_delete_marker: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def seen(self, is_latest: bool, is_head: bool = False) -> StoredObject:
        """As a listing shows it, or as `head` does, which also tells the lock."""
        return StoredObject(
            self.key, len(self.body), self.etag, self.version_id, self.stored_at,
            self.retain_until if is_head else None, is_latest, self.is_delete_marker,
            self.headers if is_head else {},
        )  # fmt: skip


def _named(version_id: str | None) -> str | None:
    """How the version is written down here."""
    return None if version_id == NULL_VERSION else version_id


def nothing(_call: Call) -> None:
    """The hook that is there before a test puts its own."""


@dataclass
class FakeBucket:
    """Everything a bucket knows. One lock; hooks and latencies run outside of it."""

    name: str
    clock: Clock = field(default_factory=SystemClock)
    lock: LockMode = LockMode.NONE
    is_versioned: bool = True
    capacity_bytes: int | None = None
    before: Callable[[Call], None] = nothing
    after: Callable[[Call], None] = nothing
    latency_s: Mapping[str, float] = field(default_factory=dict)
    sleep: Callable[[float], None] = lambda _seconds: None
    is_cut_off: bool = False
    is_gone: bool = False  # it was not made yet, or removed
    is_foreign: bool = False  # not made through the port: somebody else's
    versions: dict[str, list[Version]] = field(default_factory=dict)  # of a key, the oldest first
    failures: list[PlannedFailure] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    mutex: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0

    # -- for tests

    def fail(
        self, name: str, nth: int, error: CloudctlError, *, is_after: bool = False, times: int = 1
    ) -> None:
        """The nth call of that name from now on (and times-1 more) raises `error`."""
        self.failures.append(PlannedFailure(name, nth, error, is_after, times))

    def count(self, name: str | None = None) -> int:
        """Calls so far, all or of one name."""
        return sum(name in (None, call.name) for call in self.calls)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys whose newest version is an object."""
        with self.mutex:
            return [key for key in sorted(self.versions) if key.startswith(prefix) and self.is_there(key)]

    def flip_bit(self, key: str, at: int = 0, version_id: str | None = None) -> None:
        """One bit of the bytes rots; size, ETag and version stay what they were."""
        body = bytearray(self.find(key, version_id).body)
        body[at] ^= 1
        self._swap_in(key, version_id, bytes(body))

    def truncate(self, key: str, to_bytes: int, version_id: str | None = None) -> None:
        """The end of the object is lost."""
        self._swap_in(key, version_id, self.find(key, version_id).body[:to_bytes])

    def drop(self, key: str) -> None:
        """Every version of the object vanishes, lock or not, as with the disk it was on."""
        with self.mutex:
            del self.versions[key]

    def swap(self, one: str, other: str) -> None:
        """The newest versions of two keys change places; each keeps its version's id."""
        with self.mutex:
            a, b = self.find(one), self.find(other)
            self.versions[one][-1] = replace(a, body=b.body, etag=b.etag)
            self.versions[other][-1] = replace(b, body=a.body, etag=a.etag)

    def duplicate(self, key: str, as_key: str) -> None:
        """The same bytes appear under another key too."""
        self.write(as_key, self.find(key).body, None)

    def roll_back(self, key: str) -> None:
        """The newest version vanishes, lock or not, and the one before it shows."""
        with self.mutex:
            self.versions[key].pop()

    def _swap_in(self, key: str, version_id: str | None, body: bytes) -> None:
        with self.mutex:
            found = self.find(key, version_id)
            rows = self.versions[key]
            rows[rows.index(found)] = replace(found, body=body)

    # -- what the stores do

    @contextmanager
    def call(self, name: str, key: str = "") -> Iterator[None]:
        """The frame around every call: count, hooks, planned failures, latency. Not the lock."""
        with self.mutex:
            call = Call(len(self.calls) + 1, name, None, key)
            self.calls.append(call)
        self.before(call)
        self.sleep(self.latency_s.get(name, 0.0))
        if self.is_cut_off:
            raise CloudUnavailable("{bucket} does not answer", bucket=self.name)
        self._fail(call, is_after=False)
        yield
        self._fail(call, is_after=True)
        self.after(call)

    def _fail(self, call: Call, is_after: bool) -> None:
        with self.mutex:
            hit = [failure for failure in self.failures if failure.hits(call, is_after)]
        if hit:
            raise hit[0].error

    def request_id(self) -> str:
        """An id of the last call, as stores give one."""
        return f"tx-{self.name}-{len(self.calls)}"

    def is_there(self, key: str) -> bool:
        """Whether the newest version is an object."""
        rows = self.versions.get(key, [])
        return bool(rows) and not rows[-1].is_delete_marker

    def find(self, key: str, version_id: str | None = None) -> Version:
        """The version, or the newest. ObjectMissing when there is none."""
        with self.mutex:
            rows = self.versions.get(key, [])
            found = [row for row in rows if row.version_id == _named(version_id)] if version_id else rows[-1:]
            if not found or found[0].is_delete_marker:
                raise ObjectMissing(
                    "'{bucket}' has no object '{key}'",
                    bucket=self.name, key=key, cloud_request_id=self.request_id(),
                )  # fmt: skip
            return found[0]

    def write(
        self,
        key: str,
        body: bytes,
        retain_until: datetime | None,
        headers: Mapping[str, str] | None = None,
    ) -> Version:
        """A new version, or in a bucket without versions the object anew. VaultFull over the capacity."""
        with self.mutex:
            rows = self.versions.get(key, []) if self.is_versioned else []
            replaced = 0 if self.is_versioned else sum(len(v.body) for v in self.versions.get(key, []))
            if self.capacity_bytes is not None:
                if self.used_bytes() - replaced + len(body) > self.capacity_bytes:
                    raise VaultFull(
                        "'{bucket}' has no room left: QuotaExceeded",
                        bucket=self.name, cloud_request_id=self.request_id(),
                    )  # fmt: skip
            is_locking = self.lock is not LockMode.NONE
            is_locking = is_locking and retain_until is not None and self.clock.now() < retain_until
            # the store checks what it is sent; what rots later no longer agrees with the tag
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            version = Version(
                key, self._new_id(), body, etag, self.clock.now(), retain_until if is_locking else None,
                headers=dict(headers or {}),
            )  # fmt: skip
            self.versions[key] = [*rows, version]
            return version

    def remove(self, key: str, version_id: str | None) -> None:
        """The version for good, or a delete marker over the object. ObjectLocked while its lock holds."""
        with self.mutex:
            rows = self.versions.get(key, [])
            if version_id is None and self.is_versioned:
                if rows:
                    marker = Version(key, self._new_id(), b"", "", self.clock.now(), is_delete_marker=True)
                    self.versions[key] = [*rows, marker]
                return
            going = [row for row in rows if version_id is None or row.version_id == _named(version_id)]
            for row in going:
                if row.retain_until is not None and self.clock.now() < row.retain_until:
                    raise ObjectLocked(
                        "object '{key}' is locked until {until}",
                        key=key, until=row.retain_until.isoformat(), cloud_request_id=self.request_id(),
                    )  # fmt: skip
            left = [row for row in rows if row not in going]
            if left:
                self.versions[key] = left
            else:
                self.versions.pop(key, None)

    def used_bytes(self) -> int:
        """What all versions take."""
        return sum(len(version.body) for rows in self.versions.values() for version in rows)

    def _new_id(self) -> str | None:
        self.made += 1
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{self.made}").hex if self.is_versioned else None
