"""The S3 driver against answers that stores have given: errors by family, streams taken up again, locks."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from urllib3.exceptions import ProtocolError

from cloudctl.errors import (
    CloudBusy,
    CloudctlError,
    CloudForbidden,
    CloudNotFound,
    CloudRejected,
    CloudUnavailable,
    ObjectLocked,
    ObjectMissing,
    VaultFull,
)
from cloudctl.ports import LockMode
from provisioning.drivers.s3_errors import error_of, translated
from provisioning.drivers.s3_objects import PART_BYTES, Access, S3ObjectStore, connect

WHEN = datetime(2126, 11, 21, 8, tzinfo=UTC)  # still ahead, whenever this runs


@pytest.fixture
def store() -> S3ObjectStore:
    access = Access("city-1", "http://127.0.0.1:9", "access", "hush")
    return S3ObjectStore(connect(access, 20.0), "city-1", "vault")


@pytest.fixture
def stub(store: S3ObjectStore) -> Iterator[Stubber]:
    with Stubber(store._s3) as made:
        yield made
        made.assert_no_pending_responses()


def answer(code: str, status: int, message: str = "") -> ClientError:
    told: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "tx1"},
    }
    return ClientError(told, "Put")


@pytest.mark.parametrize(
    ("code", "status", "message", "family"),
    [
        ("NoSuchKey", 404, "", ObjectMissing),
        ("404", 404, "Not Found", ObjectMissing),
        ("NoSuchVersion", 404, "", ObjectMissing),
        ("NoSuchBucket", 404, "", CloudNotFound),
        ("AccessDenied", 403, "", CloudForbidden),
        ("AccessDenied", 403, "forbidden by object lock", ObjectLocked),
        ("InvalidRequest", 400, "Object is WORM protected and cannot be overwritten", ObjectLocked),
        ("SignatureDoesNotMatch", 403, "", CloudForbidden),
        ("QuotaExceeded", 403, "", VaultFull),
        ("XMinioStorageFull", 507, "", VaultFull),
        ("SlowDown", 503, "", CloudBusy),
        ("InternalError", 500, "", CloudUnavailable),
        ("RequestTimeout", 400, "", CloudUnavailable),
        ("BadDigest", 400, "", CloudRejected),
    ],
)
def test_each_answer_is_of_one_family_and_keeps_the_stores_request_id(
    code: str, status: int, message: str, family: type[CloudctlError]
) -> None:
    error = error_of(answer(code, status, message), "city-1", "put 'x'")
    assert type(error) is family
    assert error.cloud_request_id == "tx1"
    assert "city-1" in error.text()


@pytest.mark.parametrize(
    "broken",
    [
        EndpointConnectionError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x", error="slow"),
    ],
)
def test_a_line_that_does_not_answer_is_worth_another_try(broken: Exception) -> None:
    with pytest.raises(CloudUnavailable) as refused, translated("city-1", "put 'x'"):
        raise broken
    assert refused.value.retry


class Breaking(io.BytesIO):
    """A body whose line breaks after so many bytes."""

    def __init__(self, body: bytes, breaks_after: int) -> None:
        super().__init__(body)
        self._left = breaks_after

    def read(self, n: int | None = -1) -> bytes:
        if self._left <= 0:
            raise ProtocolError("reset")
        piece = super().read(min(n or 0, self._left) if n and n > 0 else self._left)
        self._left -= len(piece)
        return piece


def got(body: bytes, breaks_after: int | None = None) -> dict[str, Any]:
    raw = io.BytesIO(body) if breaks_after is None else Breaking(body, breaks_after)
    return {
        "Body": StreamingBody(raw, len(body)),
        "ContentLength": len(body),
        "ETag": '"e1"',
        "VersionId": "v1",
    }


def test_a_stream_that_broke_off_goes_on_where_it_was_in_the_same_version(
    store: S3ObjectStore, stub: Stubber
) -> None:
    body = bytes(range(200))
    where = {"Bucket": "vault", "Key": "x"}
    stub.add_response("get_object", got(body, breaks_after=100), where)
    more = {**where, "VersionId": "v1", "Range": "bytes=100-", "IfMatch": '"e1"'}
    stub.add_response("get_object", got(body[100:]), more)
    assert b"".join(store.stream("x", chunk_bytes=50)) == body


def test_a_stream_that_breaks_off_again_and_again_is_given_up(store: S3ObjectStore, stub: Stubber) -> None:
    for _ in range(4):
        stub.add_response("get_object", got(b"x" * 10, breaks_after=0))
    with pytest.raises(CloudUnavailable):
        store.read("x")


def test_what_is_put_is_checked_by_the_store_and_locked(store: S3ObjectStore, stub: Stubber) -> None:
    expected = {
        "Bucket": "vault", "Key": "x", "Body": b"abc", "ContentMD5": "kAFQmDzST7DWlj99KOF/cg==",
        "ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": WHEN,
    }  # fmt: skip
    stub.add_response("put_object", {"ETag": '"e1"', "VersionId": "v1"}, expected)
    put = store.put("x", b"abc", WHEN)
    assert (put.etag, put.version_id, put.size_bytes) == ("e1", "v1", 3)


def test_a_store_without_a_lock_still_takes_the_object(store: S3ObjectStore, stub: Stubber) -> None:
    stub.add_client_error("put_object", "InvalidRequest", "bucket object lock not configured", 400)
    plain = {"Bucket": "vault", "Key": ANY, "Body": b"abc", "ContentMD5": ANY}
    stub.add_response("put_object", {"ETag": '"e1"'}, plain)
    stub.add_response("put_object", {"ETag": '"e1"'}, plain)
    assert store.put("x", b"abc", WHEN).version_id is None
    store.put("y", b"abc", WHEN)  # known by now: not tried again


def test_a_large_stream_goes_up_in_parts_and_an_upload_cut_off_is_taken_back(
    store: S3ObjectStore, stub: Stubber
) -> None:
    upload = {"Bucket": "vault", "Key": "x", "UploadId": "u1"}
    stub.add_response("create_multipart_upload", {"UploadId": "u1"}, {"Bucket": "vault", "Key": "x"})
    stub.add_response(
        "upload_part", {"ETag": '"p1"'}, {**upload, "PartNumber": 1, "Body": ANY, "ContentMD5": ANY}
    )
    stub.add_client_error("upload_part", "InternalError", "", 500)
    stub.add_response("abort_multipart_upload", {}, upload)
    with pytest.raises(CloudUnavailable):
        store.put_stream("x", (b"z" * (PART_BYTES // 2) for _ in range(3)))


def test_versions_and_delete_markers_come_in_one_order_the_newest_first(
    store: S3ObjectStore, stub: Stubber
) -> None:
    def row(key: str, second: int, *, is_latest: bool, **more: object) -> dict[str, Any]:
        moment = WHEN.replace(second=second)
        return {
            "Key": key,
            "VersionId": f"{key}{second}",
            "LastModified": moment,
            "IsLatest": is_latest,
            **more,
        }

    pages = [
        {
            "Versions": [
                row("a", 1, is_latest=False, Size=1, ETag='"e"'),
                row("b", 5, is_latest=True, Size=1),
            ],
            "DeleteMarkers": [row("a", 2, is_latest=True)],
        }
    ]
    for page in pages:
        stub.add_response("list_object_versions", page, {"Bucket": "vault", "Prefix": ""})
    found = list(store.list_versions())
    assert [(one.version_id, one.is_latest, one.is_delete_marker) for one in found] == [
        ("a2", True, True), ("a1", False, False), ("b5", True, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"), [("ObjectLockConfigurationNotFoundError", 404), ("NotImplemented", 501)]
)
def test_a_bucket_that_cannot_show_its_lock_has_none(
    store: S3ObjectStore, stub: Stubber, code: str, status: int
) -> None:
    stub.add_client_error("get_object_lock_configuration", code, "", status)
    assert store.lock_mode() is LockMode.NONE


def test_who_may_not_ask_for_the_lock_is_told_so(store: S3ObjectStore, stub: Stubber) -> None:
    stub.add_client_error("get_object_lock_configuration", "AccessDenied", "", 403)
    with pytest.raises(CloudForbidden):
        store.lock_mode()
