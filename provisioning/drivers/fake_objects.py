"""Buckets in memory behind the port: versions, a lock against the clock, and a view for each credential.

stores = FakeStores(clock, ["province", "city-1"])
stores.vault("city-1", Purpose.WRITE).put(key, body, retain_until)       # can neither read nor delete
stores.vault_bucket("city-1").flip_bit(key)                               # the hooks: fake_bucket.py
cloud = FakeCloud("province", clock, native=stores.native("province"))    # its cinder-backup writes there
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import CloudConflict, CloudForbidden, CloudNotFound, Misconfigured
from cloudctl.ports import LockMode, ObjectStore, Purpose, StoredObject
from provisioning.drivers.fake_bucket import FakeBucket, nothing
from provisioning.drivers.fake_state import Call

NATIVE_BUCKET = "volumebackups"  # cinder-backup's usual one

_READING = frozenset({"list", "list_versions", "head", "read", "stream", "lock_mode", "keeps_versions"})
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

    def put(
        self,
        key: str,
        body: bytes,
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        with self._call("put", key):
            return self.held.write(key, bytes(body), retain_until, headers).seen(True)

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        with self._call("put_stream", key):
            return self.held.write(key, b"".join(chunks), retain_until, headers).seen(True)

    def delete(self, key: str, version_id: str | None = None) -> None:
        with self._call("delete" if version_id is None else "delete_version", key):
            self.held.remove(key, version_id)

    def lock_mode(self) -> LockMode:
        with self._call("lock_mode"):
            return self.held.lock

    def keeps_versions(self) -> bool:
        with self._call("keeps_versions"):
            return self.held.is_versioned

    @contextmanager
    def _call(self, name: str, key: str = "") -> Iterator[None]:
        with self.held.call(name, key):
            if self.held.is_gone:
                raise CloudNotFound(
                    "NoSuchBucket: '{bucket}'",
                    bucket=self.bucket, cloud_request_id=self.held.request_id(),
                )  # fmt: skip
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
        self.before: Callable[[Call], None] = nothing  # of buckets that are named from now on
        self.after: Callable[[Call], None] = nothing

    # -- for tests

    def vault_bucket(self, site_id: str) -> FakeBucket:
        """What the vault of the site holds, with its hooks."""
        self._check(site_id)
        return self._vaults[site_id]

    def native_bucket(self, site_id: str, bucket: str = NATIVE_BUCKET) -> FakeBucket:
        """A bucket of the site that is no vault, with its hooks; made when it is first asked for."""
        self._check(site_id)
        held = self._look_up(site_id, bucket)
        if held.is_gone:
            held.is_gone, held.is_foreign = False, True
        return held

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
        return FakeObjectStore(self._departments(site_id, name), _READING)

    def restored(self, site_id: str, name: str) -> ObjectStore:
        return FakeObjectStore(self._departments(site_id, name))

    def make_bucket(self, site_id: str, name: str) -> None:
        held = self._departments(site_id, name)
        with held.call("make_bucket"):
            if not held.is_gone and held.is_foreign:
                raise CloudConflict("BucketAlreadyExists: '{bucket}'", bucket=name)
            held.is_gone, held.is_foreign = False, False

    def drop_bucket(self, site_id: str, name: str) -> None:
        held = self._departments(site_id, name)
        with held.call("drop_bucket"):
            if held.versions:
                raise CloudConflict("BucketNotEmpty: '{bucket}'", bucket=name)
            held.is_gone = True

    def sites(self) -> list[str]:
        return sorted(self._vaults)

    def buckets(self, site_id: str) -> list[str]:
        """The names of the buckets of the site that are there and are no vault."""
        return sorted(
            name for (site, name), held in self._buckets.items() if site == site_id and not held.is_gone
        )

    def all_buckets(self, site_id: str) -> list[FakeBucket]:
        """Every bucket of the site that is no vault and has been named so far, there or not."""
        return [held for (site, _), held in self._buckets.items() if site == site_id]

    def made_later(self, site_id: str, name: str) -> FakeBucket:
        """A bucket that is not there yet, so that its hooks are set before it is made."""
        return self._look_up(site_id, name)

    def _departments(self, site_id: str, name: str) -> FakeBucket:
        """A bucket that holds no backups."""
        self._check(site_id)
        if name in {NATIVE_BUCKET, self._vaults[site_id].name}:
            raise CloudForbidden("{site}: the bucket {bucket} holds backups", site=site_id, bucket=name)
        return self._look_up(site_id, name)

    def _look_up(self, site_id: str, name: str) -> FakeBucket:
        """The bucket as it is, or one that is not there yet."""
        self._check(site_id)
        new = FakeBucket(name, self.clock, is_versioned=name != NATIVE_BUCKET, is_gone=True)
        new.before, new.after = self.before, self.after
        return self._buckets.setdefault((site_id, name), new)

    def _check(self, site_id: str) -> None:
        if site_id not in self._vaults:
            raise Misconfigured("stores.yaml has no vault for site '{site}'", site=site_id)
