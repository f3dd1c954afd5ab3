"""What botocore raises, as the families of cloudctl's errors; the store's request id is kept."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto

from cloudctl.errors import (
    CloudBusy,
    CloudConflict,
    CloudctlError,
    CloudForbidden,
    CloudNotFound,
    CloudRejected,
    CloudUnavailable,
    ObjectLocked,
    ObjectMissing,
    VaultFull,
)

REFUSED = "{site}: the object store refused to {what}: {reason}"
UNAVAILABLE = "{site}: the object store could not {what} just now: {reason}"

# Each store has words of its own: AWS, Ceph's radosgw, MinIO.
_BY_CODE: Mapping[str, type[CloudctlError]] = {
    "NoSuchKey": ObjectMissing,
    "NoSuchVersion": ObjectMissing,
    "NoSuchBucket": CloudNotFound,
    "QuotaExceeded": VaultFull,
    "InsufficientCapacity": VaultFull,
    "XMinioStorageFull": VaultFull,
    "ObjectLocked": ObjectLocked,
    "AccessDenied": CloudForbidden,
    "SlowDown": CloudBusy,
    "TooManyRequests": CloudBusy,
    "RequestTimeout": CloudUnavailable,
}
_BY_STATUS: Mapping[int, type[CloudctlError]] = {
    401: CloudForbidden,
    403: CloudForbidden,
    404: ObjectMissing,  # a HEAD has no body that could say more
    408: CloudUnavailable,
    409: CloudConflict,
    429: CloudBusy,
    507: VaultFull,
}
_LOCK_WORDS = ("object lock", "worm")
_BROKEN_ANSWERS = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError)


def family(code: str, status: int, reason: str) -> type[CloudctlError]:
    """The family of an answer. A locked object is refused with AccessDenied, and the words tell."""
    if status in (400, 403) and any(word in reason.lower() for word in _LOCK_WORDS):
        return ObjectLocked
    return (
        _BY_CODE.get(code) or _BY_STATUS.get(status) or (CloudUnavailable if status >= 500 else CloudRejected)
    )


def error_of(error: boto.ClientError, site: str, what: str) -> CloudctlError:
    """The error that an answer of the store stands for."""
    told: Mapping[str, Any] = error.response.get("Error") or {}
    meta: Mapping[str, Any] = error.response.get("ResponseMetadata") or {}
    code, status = str(told.get("Code") or ""), int(meta.get("HTTPStatusCode") or 0)
    words = str(told.get("Message") or "")
    reason = f"{code}: {words}" if words and words != "None" else code or f"HTTP {status}"
    kind = family(code, status, words)
    return kind(
        UNAVAILABLE if kind.retry else REFUSED,
        cloud_request_id=meta.get("RequestId") or None,
        site=site, what=what, reason=reason, status=status,
    )  # fmt: skip


@contextmanager
def translated(site: str, what: str) -> Iterator[None]:
    """Turn what botocore raises into our families."""
    try:
        yield
    except boto.ClientError as error:
        raise error_of(error, site, what) from error
    except _BROKEN_ANSWERS as error:
        raise CloudUnavailable(UNAVAILABLE, site=site, what=what, reason=str(error)) from error
    except boto.BotoCoreError as error:
        raise CloudRejected(REFUSED, site=site, what=what, reason=str(error)) from error
