"""The buckets in memory: what tests do to them behind the back of everybody."""

import hashlib
import threading

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudUnavailable, Misconfigured, ObjectMissing, VaultFull
from cloudctl.ports import LockMode, Purpose
from provisioning.drivers.fake_objects import FakeStores


@pytest.fixture
def stores() -> FakeStores:
    return FakeStores(FrozenClock(), ["city-1"], capacity_bytes=10_000)


def test_rot_changes_the_bytes_and_nothing_that_the_store_tells(stores: FakeStores) -> None:
    write, read = stores.vault("city-1", Purpose.WRITE), stores.vault("city-1", Purpose.READ)
    put = write.put("a", b"\x00" * 10)
    stores.vault_bucket("city-1").flip_bit("a", at=3)
    seen = read.head("a")
    assert read.read("a") == b"\x00\x00\x00\x01" + b"\x00" * 6
    assert (seen.etag, seen.size_bytes, seen.version_id) == (put.etag, 10, put.version_id)
    assert seen.etag == hashlib.md5(b"\x00" * 10, usedforsecurity=False).hexdigest()


def test_objects_can_be_truncated_swapped_duplicated_rolled_back_and_dropped(stores: FakeStores) -> None:
    write, read = stores.vault("city-1", Purpose.WRITE), stores.vault("city-1", Purpose.READ)
    bucket = stores.vault_bucket("city-1")
    for key, body in (("a", b"first"), ("a", b"second"), ("b", b"other")):
        write.put(key, body)
    bucket.swap("a", "b")
    assert (read.read("a"), read.read("b")) == (b"other", b"second")
    bucket.roll_back("a")
    assert read.read("a") == b"first"
    bucket.truncate("b", 2)
    assert read.read("b") == b"se"
    bucket.duplicate("b", "c")
    assert read.read("c") == b"se"
    bucket.drop("b")
    with pytest.raises(ObjectMissing):
        read.read("b")


def test_a_full_vault_takes_nothing_and_keeps_what_it_has(stores: FakeStores) -> None:
    write = stores.vault("city-1", Purpose.WRITE)
    write.put("a", b"x" * 9_000)
    with pytest.raises(VaultFull):
        write.put("b", b"x" * 1_001)
    write.put("c", b"x" * 1_000)
    assert stores.vault_bucket("city-1").keys() == ["a", "c"]


def test_planned_failures_strike_before_or_after_the_effect(stores: FakeStores) -> None:
    write, bucket = stores.vault("city-1", Purpose.WRITE), stores.vault_bucket("city-1")
    bucket.fail("put", nth=1, error=CloudUnavailable("before"))
    bucket.fail("put", nth=1, error=CloudUnavailable("after"), is_after=True)
    for _ in range(2):
        with pytest.raises(CloudUnavailable):
            write.put("a", b"1")
    assert len(bucket.versions["a"]) == 1
    bucket.is_cut_off = True
    with pytest.raises(CloudUnavailable):
        write.put("b", b"1")
    assert bucket.count("put") == 3


def test_a_store_without_lock_says_so_and_keeps_no_date(stores: FakeStores) -> None:
    bare = FakeStores(FrozenClock(), ["city-1"], lock=LockMode.NONE)
    until = bare.clock.now().replace(year=2030)
    bare.vault("city-1", Purpose.WRITE).put("a", b"1", until)
    assert bare.vault("city-1", Purpose.READ).lock_mode() is LockMode.NONE
    assert bare.vault("city-1", Purpose.READ).head("a").retain_until is None


def test_a_site_that_was_destroyed_has_no_stores(stores: FakeStores) -> None:
    stores.native("city-1").put("a", b"1")
    stores.destroy("city-1")
    assert stores.sites() == []
    with pytest.raises(Misconfigured):
        stores.native("city-1")


def test_many_threads_put_side_by_side_and_nothing_is_lost() -> None:
    stores = FakeStores(FrozenClock(), ["city-1"])
    write = stores.vault("city-1", Purpose.WRITE)

    def work(n: int) -> None:
        for i in range(50):
            write.put(f"{n}/{i}", b"x")
            write.put("same", f"{n}/{i}".encode())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bucket = stores.vault_bucket("city-1")
    assert len(bucket.keys()) == 201
    assert len({version.version_id for version in bucket.versions["same"]}) == 200
