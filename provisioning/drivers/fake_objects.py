"""Buckets in memory behind the port: versions, a lock against the clock, and a view for each credential.

stores = FakeStores(clock, ["province", "city-1"])
stores.vault("city-1", Purpose.WRITE).put(key, body, retain_until)       # can neither read nor delete
stores.vault_bucket("city-1").flip_bit(key)                               # the hooks: fake_bucket.py
cloud = FakeCloud("province", clock, native=stores.native("province"))    # its cinder-backup writes there
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import CloudForbidden, Misconfigured
from cloudctl.ports import LockMode, ObjectStore, Purpose, StoredObject
from provisioning.drivers.fake_bucket import FakeBucket

NATIVE_BUCKET = "volumebackups"  # cinder-backup's usual one

_READING = frozenset({"list", "list_versions", "head", "read", "stream", "lock_mode"})
_WRITING = frozenset({"put", "put_stream"})
_EXPIRING = frozenset({"delete_version"})
_EVERYTHING = _READING | _WRITING | _EXPIRING | {"delete"}
RIGHTS_OF = {Purpose.WRITE: _WRITING, Purpose.READ: _READING, Purpose.EXPIRE: _EXPIRING}


class FakeObjectStore:
    """Implements ObjectStore over a FakeBucket; `may` names the calls that the credential is allowed."""

    def __init__(self, held: FakeBucket, may: frozenset[str] = _EVERYTHING) -> None:
        self.held = held
        self.bucket = held.name
        self._may = may

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        with self._call("list", prefix), self.held.mutex:
            found = [self.held.find(key).seen(True) for key in self.held.keys(prefix)]
        yield from found

    def list_versions(self, prefix: str = "") -> Iterator[StoredObject]:
        with self._call("list_versions", prefix), self.held.mutex:
            found = [
                version.seen(is_latest=version is rows[-1])
                for key, rows in sorted(self.held.versions.items())
                if key.startswith(prefix)
                for version in reversed(rows)
            ]
        yield from found

    def head(self, key: str, version_id: str | None = None) -> StoredObject:
        with self._call("head", key):
            found = self.held.find(key, version_id)
            return found.seen(is_latest=self.held.versions[key][-1] is found, is_head=True)

    def read(self, key: str, version_id: str | None = None) -> bytes:
        with self._call("read", key):
            return self.held.find(key, version_id).body

    def stream(self, key: str, version_id: str | None = None, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        with self._call("stream", key):
            body = self.held.find(key, version_id).body
        for start in range(0, len(body), chunk_bytes):
            yield body[start : start + chunk_bytes]

    def put(self, key: str, body: bytes, retain_until: datetime | None = None) -> StoredObject:
        with self._call("put", key):
            return self.held.write(key, bytes(body), retain_until).seen(True)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], retain_until: datetime | None = None
    ) -> StoredObject:
        with self._call("put_stream", key):
            return self.held.write(key, b"".join(chunks), retain_until).seen(True)

    def delete(self, key: str, version_id: str | None = None) -> None:
        with self._call("delete" if version_id is None else "delete_version", key):
            self.held.remove(key, version_id)

    def lock_mode(self) -> LockMode:
        with self._call("lock_mode"):
            return self.held.lock

    @contextmanager
    def _call(self, name: str, key: str = "") -> Iterator[None]:
        with self.held.call(name, key):
            if name not in self._may:
                raise CloudForbidden(
                    "AccessDenied: {call} in '{bucket}'",
                    call=name, bucket=self.bucket, cloud_request_id=self.held.request_id(),
                )  # fmt: skip
            yield


class FakeStores:
    """Implements Stores over buckets in memory: a locked vault and a native bucket for each site."""

    def __init__(
        self,
        clock: Clock | None = None,
        sites: Iterable[str] = ("province", "city-1"),
        *,
        lock: LockMode = LockMode.COMPLIANCE,
        capacity_bytes: int | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self._vaults = {
            site: FakeBucket(f"vault-{site}", self.clock, lock, capacity_bytes=capacity_bytes)
            for site in sites
        }
        self._buckets: dict[tuple[str, str], FakeBucket] = {}

    # -- for tests

    def vault_bucket(self, site_id: str) -> FakeBucket:
        """What the vault of the site holds, with its hooks."""
        self._check(site_id)
        return self._vaults[site_id]

    def native_bucket(self, site_id: str, bucket: str = NATIVE_BUCKET) -> FakeBucket:
        """A bucket of the site that is no vault, with its hooks; made when it is first asked for."""
        self._check(site_id)
        made = FakeBucket(bucket, self.clock, is_versioned=bucket != NATIVE_BUCKET)
        return self._buckets.setdefault((site_id, bucket), made)

    def destroy(self, site_id: str) -> None:
        """The site is gone, and every bucket of it."""
        del self._vaults[site_id]
        for key in [key for key in self._buckets if key[0] == site_id]:
            del self._buckets[key]

    # -- the port

    def vault(self, site_id: str, purpose: Purpose) -> ObjectStore:
        return FakeObjectStore(self.vault_bucket(site_id), RIGHTS_OF[purpose])

    def native(self, site_id: str, bucket: str | None = None) -> ObjectStore:
        return FakeObjectStore(self.native_bucket(site_id, bucket or NATIVE_BUCKET))

    def bucket(self, site_id: str, name: str) -> ObjectStore:
        return FakeObjectStore(self.native_bucket(site_id, name), _READING)

    def sites(self) -> list[str]:
        return sorted(self._vaults)

    def _check(self, site_id: str) -> None:
        if site_id not in self._vaults:
            raise Misconfigured("stores.yaml has no vault for site '{site}'", site=site_id)
