"""A bucket of any S3 behind the port ObjectStore: one client for each credential, shared by all threads.

What stores do that AWS does not: newer checksums are refused over HTTPS (so only those that are required
are sent, and Content-MD5 with every body); `IfNoneMatch` is ignored in silence (so nothing here relies on
it); a lock is answered with yes by stores that have none (so it is read back).
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeGuard

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from cloudctl.errors import CloudctlError, CloudNotFound, CloudRejected, CloudUnavailable
from cloudctl.ports import LockMode, StoredObject
from provisioning.drivers.s3_errors import translated
from provisioning.drivers.s3_headers import as_arguments, headers_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PART_BYTES = 16 << 20
CONNECTIONS = 32  # more threads than this wait for each other
_CONNECT_S = 5.0
_ATTEMPTS = 2
_RESUMED = 3  # so often a stream that broke off is taken up again where it was
_NO_LOCK = ("InvalidRequest", "NotImplemented")


@dataclass(frozen=True)
class Access:
    """Where a store is and one credential for it. `verify`: the file of a CA, or whether to check at all."""

    site: str
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    verify: str | bool = True
    region: str = "us-east-1"


def connect(access: Access, timeout_s: float) -> "S3Client":
    """A client; all attempts of one call together end within `timeout_s` of silence."""
    config = Config(
        signature_version="s3v4",
        connect_timeout=min(_CONNECT_S, timeout_s / _ATTEMPTS),
        read_timeout=timeout_s / _ATTEMPTS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    )
    # A session of its own: nothing is taken from the environment or the files of whoever runs this.
    session = boto3.session.Session(access.access_key, access.secret_key, region_name=access.region)
    return session.client("s3", endpoint_url=access.endpoint, verify=access.verify, config=config)


class S3ObjectStore:
    """Implements ObjectStore."""

    def __init__(self, client: "S3Client", site: str, bucket: str) -> None:
        self.bucket = bucket
        self._s3: Any = client
        self._site = site
        self._is_without_lock = False

    # -- looking

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        with translated(self._site, f"list '{self.bucket}'"):
            for page in pages:
                for row in page.get("Contents", ()):
                    yield StoredObject(row["Key"], row["Size"], _etag(row), None, row["LastModified"])

    def list_versions(self, prefix: str = "") -> Iterator[StoredObject]:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        with translated(self._site, f"list the versions of '{self.bucket}'"):
            # A page may end within the versions of a key, so it is the run over all pages that is sorted.
            rows = (row for page in pages for row in _in_order(page))
            for _key, versions in groupby(rows, key=lambda row: row.key):
                yield from sorted(versions, key=lambda row: not row.is_latest)

    def head(self, key: str, version_id: str | None = None) -> StoredObject:
        with translated(self._site, f"show '{key}' of '{self.bucket}'"):
            found = self._s3.head_object(**self._of(key, version_id))
        return _seen(key, found)

    def read(self, key: str, version_id: str | None = None) -> bytes:
        return b"".join(self.stream(key, version_id))

    def stream(self, key: str, version_id: str | None = None, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        what = f"read '{key}' of '{self.bucket}'"
        told, etag, resumed = 0, "", 0
        while True:
            more = {"Range": f"bytes={told}-", "IfMatch": etag} if told else {}
            with translated(self._site, what):
                answer = self._s3.get_object(**self._of(key, version_id), **more)
            size, etag = told + int(answer["ContentLength"]), answer["ETag"]
            version_id = answer.get("VersionId") or version_id
            try:
                with translated(self._site, what):
                    for chunk in answer["Body"].iter_chunks(chunk_bytes):
                        told += len(chunk)
                        yield chunk
                if told >= size:
                    return
            except CloudUnavailable:
                if resumed >= _RESUMED:
                    raise
            resumed += 1
            if resumed > _RESUMED:
                raise CloudUnavailable(
                    "{site}: the object store broke off '{key}' after {told} of {size} bytes",
                    site=self._site, key=key, told=told, size=size,
                )  # fmt: skip

    # -- writing

    def put(
        self,
        key: str,
        body: bytes,
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        args: dict[str, Any] = {"Body": body, "ContentMD5": _md5(body), **as_arguments(headers or {})}
        answer = self._locking(
            self._s3.put_object, f"put '{key}' into '{self.bucket}'", key, args, retain_until
        )
        return StoredObject(key, len(body), _etag(answer), _version(answer))

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        retain_until: datetime | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredObject:
        parts = _parts(chunks)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            return self.put(key, first, retain_until, headers)
        what = f"put '{key}' into '{self.bucket}'"
        about = as_arguments(headers or {})
        upload = self._locking(self._s3.create_multipart_upload, what, key, about, retain_until)["UploadId"]
        mine = {"Bucket": self.bucket, "Key": key, "UploadId": upload}
        sent: list[dict[str, Any]] = []
        size = 0
        try:
            for body in (first, second, *parts):
                with translated(self._site, what):
                    number = len(sent) + 1
                    answer = self._s3.upload_part(**mine, PartNumber=number, Body=body, ContentMD5=_md5(body))
                sent.append({"PartNumber": number, "ETag": answer["ETag"]})
                size += len(body)
            with translated(self._site, what):
                done = self._s3.complete_multipart_upload(**mine, MultipartUpload={"Parts": sent})
        except BaseException:
            with suppress(CloudctlError), translated(self._site, "abort an upload"):
                self._s3.abort_multipart_upload(**mine)
            raise
        version = _version(done)
        if _is_ahead(retain_until) and version is not None and not self._is_without_lock:
            self._retain(key, version, retain_until)
        return StoredObject(key, size, _etag(done), version)

    def _retain(self, key: str, version_id: str, until: datetime) -> None:
        """Lock a version; radosgw 16 takes the lock of an upload in parts and forgets it."""
        lock = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        with translated(self._site, f"lock '{key}' of '{self.bucket}'"):
            self._s3.put_object_retention(**self._of(key, version_id), Retention=lock)

    def _locking(
        self, call: Any, what: str, key: str, args: dict[str, Any], retain_until: datetime | None
    ) -> dict[str, Any]:
        """The call with the lock; without, where the store has none (lock_mode says which, and `head`)."""
        lock = {}
        if _is_ahead(retain_until) and not self._is_without_lock:
            lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": retain_until}
        with translated(self._site, what):
            try:
                return dict(call(Bucket=self.bucket, Key=key, **args, **lock))
            except boto.ClientError as error:
                if not lock or error.response["Error"]["Code"] not in _NO_LOCK:
                    raise
            answer = dict(call(Bucket=self.bucket, Key=key, **args))
            self._is_without_lock = True
            return answer

    def delete(self, key: str, version_id: str | None = None) -> None:
        with suppress(CloudNotFound), translated(self._site, f"delete '{key}' from '{self.bucket}'"):
            self._s3.delete_object(**self._of(key, version_id))

    # -- the lock

    def lock_mode(self) -> LockMode:
        try:
            with translated(self._site, f"show the lock of '{self.bucket}'"):
                answer = self._s3.get_object_lock_configuration(Bucket=self.bucket)
        except CloudRejected as error:
            if error.params.get("status") in (404, 400, 405, 501):
                return LockMode.NONE  # ObjectLockConfigurationNotFoundError, NotImplemented
            raise
        except CloudUnavailable as error:
            if error.params.get("status") == 501:
                return LockMode.NONE
            raise
        told = answer.get("ObjectLockConfiguration") or {}
        if told.get("ObjectLockEnabled") != "Enabled":
            return LockMode.NONE
        mode = ((told.get("Rule") or {}).get("DefaultRetention") or {}).get("Mode", "COMPLIANCE")
        return LockMode.GOVERNANCE if mode == "GOVERNANCE" else LockMode.COMPLIANCE

    def keeps_versions(self) -> bool:
        with translated(self._site, f"show the versioning of '{self.bucket}'"):
            answer = self._s3.get_bucket_versioning(Bucket=self.bucket)
        return bool(answer.get("Status") == "Enabled")

    def _of(self, key: str, version_id: str | None) -> dict[str, str]:
        which = {"VersionId": version_id} if version_id else {}
        return {"Bucket": self.bucket, "Key": key, **which}


def _is_ahead(until: datetime | None) -> TypeGuard[datetime]:
    """Whether there is still something to lock: stores refuse a lock that has run out (InvalidArgument).

    What is put again after the lock of its point is over needs none any more. The time is the stores' own.
    """
    return until is not None and until > datetime.now(UTC)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of PART_BYTES; only the last is smaller."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    if held:
        yield bytes(held)


def _in_order(page: dict[str, Any]) -> list[StoredObject]:
    """Versions and delete markers of one page, which the store tells apart, by key and newest first."""
    found = [
        StoredObject(
            row["Key"], row.get("Size", 0), _etag(row), _version(row), row["LastModified"],
            is_latest=bool(row["IsLatest"]), is_delete_marker=kind == "DeleteMarkers",
        )
        for kind in ("Versions", "DeleteMarkers")
        for row in page.get(kind, ())
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row.key, -row.stored_at.timestamp() if row.stored_at else 0.0))


def _seen(key: str, answer: dict[str, Any]) -> StoredObject:
    return StoredObject(
        key, answer["ContentLength"], _etag(answer), _version(answer), answer.get("LastModified"),
        answer.get("ObjectLockRetainUntilDate"), headers=headers_of(answer),
    )  # fmt: skip


def _version(answer: dict[str, Any]) -> str | None:
    version = answer.get("VersionId")
    return None if version in (None, "null", "") else str(version)


def _etag(answer: dict[str, Any]) -> str:
    return str(answer.get("ETag") or "").strip('"')


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
