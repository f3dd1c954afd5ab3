"""Buckets with objects (S3), as what the offsite backup needs of them.

An ObjectStore is one bucket seen through one credential. Errors: CloudUnavailable and its kin (try again),
ObjectMissing, ObjectLocked, VaultFull, CloudForbidden (do not), each with the store's request id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

#: The version of an object from before its bucket kept versions.
NULL_VERSION = "null"


class LockMode(StrEnum):
    """What keeps an object from being deleted before its time, as read back from the store."""

    COMPLIANCE = "compliance"  # nobody can shorten it, not even the owner of the bucket
    GOVERNANCE = "governance"  # who has the right to bypass it can
    NONE = "none"  # the store said yes to the lock and has none, or never had one


class Purpose(StrEnum):
    """Which credential of a vault is used: the one that writes can neither read nor delete."""

    WRITE = "write"
    READ = "read"
    EXPIRE = "expire"  # deletes versions whose lock has run out; never used by a backup


@dataclass(frozen=True)
class StoredObject:
    """One version of an object as the store tells it."""

    key: str
    size_bytes: int
    etag: str  # MD5 in hex where the object was put in one piece
    version_id: str | None = None  # None: the bucket keeps no versions
    stored_at: datetime | None = None
    retain_until: datetime | None = None  # only `head` tells
    is_latest: bool = True
    is_delete_marker: bool = False
    headers: Mapping[str, str] = field(
        default_factory=dict
    )  # content-type, x-amz-meta-...; only `head` tells


class ObjectStore(Protocol):
    """One bucket through one credential; may be used by many threads at once."""

    bucket: str

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """The latest version of each object, in the order of the keys; objects behind a delete marker not."""

    def list_versions(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every version and delete marker, in the order of the keys, the newest of a key first."""

    def head(self, key: str, version_id: str | None = None) -> StoredObject:
        """What the store knows of it. ObjectMissing when there is none.

        Here and below `NULL_VERSION` names the version from before the bucket kept any."""

    def read(self, key: str, version_id: str | None = None) -> bytes:
        """All its bytes. ObjectMissing when there is none; for what fits into memory."""

    def stream(self, key: str, version_id: str | None = None, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Its bytes piece by piece. ObjectMissing when there is none."""

    def put(
        self,
        key: str,
        body: bytes,
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        """Write it in one piece, checked by the store against its MD5; locked until then where the store can
        (a moment that is over locks nothing).
        Writing again makes a new version. `headers` as `head` tells them."""

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        """Write what does not fit into memory, in parts; an upload that was cut off leaves nothing."""

    def delete(self, key: str, version_id: str | None = None) -> None:
        """Delete the version, or put a delete marker over the object; gone already is fine. ObjectLocked
        while its lock holds."""

    def lock_mode(self) -> LockMode:
        """Whether the bucket locks what is put into it, read back from it and never assumed."""

    def keeps_versions(self) -> bool:
        """Whether what is put over or deleted stays as an older version, read back from the bucket.
        CloudNotFound when there is no bucket."""


class Stores(Protocol):
    """The buckets of all sites, out of stores.yaml. Misconfigured names what is missing."""

    def vault(self, site_id: str, purpose: Purpose) -> ObjectStore:
        """The vault of a site: where points of other sites (and its own) are kept unchangeable."""

    def native(self, site_id: str, bucket: str | None = None) -> ObjectStore:
        """The bucket (by default cinder-backup's usual one) as the site's own cinder-backup sees it: what it
        wrote is read here, and what it shall restore is put here."""

    def bucket(self, site_id: str, name: str) -> ObjectStore:
        """A department's bucket at the site, to be read."""

    def restored(self, site_id: str, name: str) -> ObjectStore:
        """A bucket at the site through the credential that brings buckets back: it lists, reads, puts and
        deletes there, and may make buckets. Misconfigured where the site has none."""

    def make_bucket(self, site_id: str, name: str) -> None:
        """Make an empty bucket that keeps versions, through the same credential; again changes nothing.
        CloudConflict when somebody else has a bucket of that name."""

    def drop_bucket(self, site_id: str, name: str) -> None:
        """Remove the bucket; gone already is fine. CloudConflict while anything is in it."""

    def sites(self) -> list[str]:
        """The sites that have a vault."""
