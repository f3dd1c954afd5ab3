"""What every ObjectStore does, run on the one in memory and on the lab's radosgw."""

import hashlib
from collections.abc import Iterator

import pytest

from cloudctl.errors import CloudForbidden, CloudRejected, ObjectLocked, ObjectMissing
from cloudctl.ports import LockMode
from tests.contract.vault_bench import HELD_S, VaultBench

MULTIPART_BYTES = (16 << 20) + 12_345  # one part and a bit


def test_what_is_put_reads_back_whole_and_piece_by_piece(vault: VaultBench) -> None:
    body, key = bytes(range(256)) * 40, vault.key("whole")
    put = vault.write.put(key, body)
    assert put.version_id
    assert (put.size_bytes, put.etag) == (len(body), hashlib.md5(body, usedforsecurity=False).hexdigest())
    assert vault.read.read(key) == body
    pieces = list(vault.read.stream(key, chunk_bytes=1000))
    assert b"".join(pieces) == body
    assert len(pieces) > 1
    seen = vault.read.head(key)
    assert (seen.size_bytes, seen.etag, seen.version_id) == (len(body), put.etag, put.version_id)
    assert seen.stored_at is not None
    assert abs((vault.now() - seen.stored_at).total_seconds()) < 120


def test_an_empty_object_is_an_object(vault: VaultBench) -> None:
    vault.write.put(vault.key("empty"), b"")
    assert vault.read.read(vault.key("empty")) == b""


def test_what_is_not_there_is_missing_and_deleting_it_is_fine(vault: VaultBench) -> None:
    nobody = vault.key("nobody")
    for ask in (vault.read.head, vault.read.read, lambda key: list(vault.read.stream(key))):
        with pytest.raises(ObjectMissing) as refused:
            ask(nobody)
        assert not refused.value.retry
        assert refused.value.cloud_request_id
    vault.native.delete(nobody)


def test_putting_again_makes_a_version_and_the_older_one_stays(vault: VaultBench) -> None:
    key = vault.key("again")
    first = vault.write.put(key, b"first")
    second = vault.write.put(key, b"second!")
    assert vault.read.read(key) == b"second!"
    assert vault.read.read(key, first.version_id) == b"first"
    assert vault.read.head(key, first.version_id).size_bytes == 5
    assert [one.version_id for one in vault.read.list(key)] in ([second.version_id], [None])
    listed = [(one.version_id, one.is_latest, one.size_bytes) for one in vault.read.list_versions(key)]
    assert listed == [(second.version_id, True, 7), (first.version_id, False, 5)]


def test_listings_have_the_prefix_and_the_order_of_the_keys(vault: VaultBench) -> None:
    keys = [vault.key(f"list/{name}") for name in ("b", "a", "c/d", "c")]
    for key in keys:
        vault.write.put(key, b"x")
    assert [one.key for one in vault.read.list(vault.key("list/"))] == sorted(keys)
    assert [one.key for one in vault.read.list_versions(vault.key("list/c"))] == sorted(keys[2:])
    assert list(vault.read.list(vault.key("nothing/"))) == []


def test_who_writes_can_neither_read_nor_list_nor_delete(vault: VaultBench) -> None:
    key = vault.key("shut")
    put = vault.write.put(key, b"x")
    for ask in (
        lambda: vault.write.read(key),
        lambda: vault.write.head(key),
        lambda: list(vault.write.list(key)),
        lambda: list(vault.write.list_versions(key)),
        lambda: vault.write.delete(key),
        lambda: vault.write.delete(key, put.version_id),
    ):
        with pytest.raises(CloudForbidden):
            ask()
    assert vault.read.read(key) == b"x"


def test_who_reads_can_change_nothing_and_who_expires_can_only_delete_versions(vault: VaultBench) -> None:
    key = vault.key("least")
    put = vault.write.put(key, b"x")
    for ask in (
        lambda: vault.read.put(key, b"y"),
        lambda: vault.read.delete(key, put.version_id),
        lambda: vault.expire.put(key, b"y"),
        lambda: vault.expire.read(key),
        lambda: vault.expire.delete(key),
    ):
        with pytest.raises(CloudForbidden):
            ask()
    vault.expire.delete(key, put.version_id)
    with pytest.raises(ObjectMissing):
        vault.read.head(key)
    vault.expire.delete(key, put.version_id)  # gone already is fine


def test_a_locked_version_stays_until_its_time_and_hides_behind_nothing(vault: VaultBench) -> None:
    key, until = vault.key("locked"), vault.soon(HELD_S)
    put = vault.write.put(key, b"precious", until)
    told = vault.read.head(key).retain_until
    assert told is not None
    assert abs((told - until).total_seconds()) < 1.0
    with pytest.raises(ObjectLocked) as refused:
        vault.expire.delete(key, put.version_id)
    assert not refused.value.retry
    vault.write.put(key, b"forged")
    assert vault.read.read(key, put.version_id) == b"precious"
    vault.wait(HELD_S + 1)
    vault.expire.delete(key, put.version_id)
    with pytest.raises(ObjectMissing):
        vault.read.read(key, put.version_id)


def test_a_lock_that_is_over_is_none_so_old_points_can_be_mended(vault: VaultBench) -> None:
    key = vault.key("over")
    put = vault.write.put(key, b"mended", vault.soon(-1))
    assert vault.read.head(key, put.version_id).retain_until is None
    vault.expire.delete(key, put.version_id)
    streamed = vault.write.put_stream(key, iter([b"mended"]), vault.soon(-1))
    vault.expire.delete(key, streamed.version_id)


def test_the_vault_locks_and_the_native_bucket_does_not(vault: VaultBench) -> None:
    assert vault.read.lock_mode() is LockMode.COMPLIANCE
    assert vault.native.lock_mode() is LockMode.NONE


def test_what_is_deleted_from_a_bucket_without_versions_is_gone(vault: VaultBench) -> None:
    key = vault.key("plain")
    assert vault.native.put(key, b"one").version_id is None
    vault.native.put(key, b"two")
    assert vault.native.read(key) == b"two"
    vault.native.delete(key)
    vault.native.delete(key)
    assert list(vault.native.list(key)) == []


def test_a_stream_that_fits_no_memory_arrives_whole_and_locked(vault: VaultBench) -> None:
    key, until = vault.key("large"), vault.soon(HELD_S)
    piece = hashlib.sha256(b"x").digest() * 2048
    body = (piece * (MULTIPART_BYTES // len(piece) + 1))[:MULTIPART_BYTES]
    put = vault.write.put_stream(key, (body[at : at + 70_000] for at in range(0, len(body), 70_000)), until)
    assert put.size_bytes == MULTIPART_BYTES
    assert put.version_id
    seen = vault.read.head(key)
    assert (seen.size_bytes, seen.version_id) == (MULTIPART_BYTES, put.version_id)
    assert seen.retain_until is not None
    digest = hashlib.sha256()
    for chunk in vault.read.stream(key, put.version_id):
        digest.update(chunk)
    assert digest.digest() == hashlib.sha256(body).digest()


def test_a_stream_that_breaks_off_leaves_nothing(vault: VaultBench) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * MULTIPART_BYTES
        yield b"x" * MULTIPART_BYTES
        raise CloudRejected("the source is gone")

    with pytest.raises(CloudRejected, match="the source is gone"):
        vault.write.put_stream(vault.key("broken"), broken())
    assert list(vault.read.list_versions(vault.key("broken"))) == []


def test_nobody_can_make_a_lock_shorter(vault: VaultBench) -> None:
    """Putting again with an earlier date is another version; the first keeps its own."""
    key = vault.key("shorter")
    first = vault.write.put(key, b"x", vault.soon(HELD_S))
    vault.write.put(key, b"x", vault.soon(1))
    with pytest.raises(ObjectLocked):
        vault.expire.delete(key, first.version_id)
