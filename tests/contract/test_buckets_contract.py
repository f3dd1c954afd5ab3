"""What every Stores does with departments' buckets, run on the one in memory and on the lab's radosgw."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudConflict, CloudForbidden, CloudNotFound, ObjectMissing
from cloudctl.ports import NULL_VERSION, ObjectStore, Stores
from provisioning.drivers.fake_objects import FakeStores
from provisioning.drivers.s3_stores import S3Stores
from tests.contract.conftest import lab_settings

SITE = "city-1"
MULTIPART_BYTES = (16 << 20) + 1
ABOUT = {
    "content-type": "application/pdf", "content-disposition": "inline", "cache-control": "no-store",
    "x-amz-meta-author": "finance",
}  # fmt: skip


@dataclass
class Bench:
    """A bucket of its own for each test."""

    stores: Stores
    names: list[str] = field(default_factory=list)

    def name(self) -> str:
        self.names.append(f"contract-{uuid.uuid4().hex[:12]}")
        return self.names[-1]

    def made(self) -> tuple[ObjectStore, ObjectStore]:
        """The same new bucket through the credential that restores, and through the one that reads."""
        name = self.name()
        self.stores.make_bucket(SITE, name)
        return self.stores.restored(SITE, name), self.stores.bucket(SITE, name)

    def clean(self) -> None:
        for name in self.names:
            store = self.stores.restored(SITE, name)
            try:
                for one in list(store.list_versions()):
                    store.delete(one.key, one.version_id or NULL_VERSION)
            except CloudNotFound:
                continue
            self.stores.drop_bucket(SITE, name)


@pytest.fixture(scope="module", params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    stores: Stores = FakeStores(FrozenClock()) if request.param == "fake" else S3Stores(lab_settings())
    made = Bench(stores)
    yield made
    made.clean()


def test_a_bucket_is_made_once_keeps_versions_and_goes_when_it_is_empty(bench: Bench) -> None:
    name = bench.name()
    with pytest.raises(CloudNotFound):
        list(bench.stores.bucket(SITE, name).list_versions())
    with pytest.raises(CloudNotFound):
        bench.stores.bucket(SITE, name).keeps_versions()
    bench.stores.make_bucket(SITE, name)
    bench.stores.make_bucket(SITE, name)
    assert bench.stores.bucket(SITE, name).keeps_versions()
    store = bench.stores.restored(SITE, name)
    put = store.put("a", b"x")
    with pytest.raises(CloudConflict):
        bench.stores.drop_bucket(SITE, name)
    store.delete("a", put.version_id)
    bench.stores.drop_bucket(SITE, name)
    bench.stores.drop_bucket(SITE, name)
    with pytest.raises(CloudNotFound):
        list(store.list())


def test_what_stands_beside_the_bytes_is_kept_and_told_by_head_alone(bench: Bench) -> None:
    store, read = bench.made()
    store.put("报表/一月 1+1.pdf", b"x", headers={**ABOUT, "x-amz-meta-title": "report"})
    [listed] = read.list_versions()
    assert (listed.key, dict(listed.headers)) == ("报表/一月 1+1.pdf", {})
    told = dict(read.head(listed.key, listed.version_id).headers)
    assert told == {**ABOUT, "x-amz-meta-title": "report"}


def test_a_stream_in_parts_keeps_it_too(bench: Bench) -> None:
    store, read = bench.made()
    store.put_stream("large", iter([b"x" * MULTIPART_BYTES]), headers=ABOUT)
    seen = read.head("large")
    assert (seen.size_bytes, dict(seen.headers)) == (MULTIPART_BYTES, ABOUT)


def test_versions_and_delete_markers_are_listed_newest_first(bench: Bench) -> None:
    store, read = bench.made()
    first, second = store.put("a", b"1"), store.put("a", b"22")
    store.delete("a")
    listed = list(read.list_versions())
    assert [one.is_delete_marker for one in listed] == [True, False, False]
    assert [one.version_id for one in listed[1:]] == [second.version_id, first.version_id]
    assert all(one.stored_at is not None for one in listed)
    assert read.read("a", first.version_id) == b"1"
    with pytest.raises(ObjectMissing):
        read.read("a")
    store.delete("a", listed[0].version_id)
    assert read.read("a") == b"22"


def test_the_buckets_with_backups_are_no_departments(bench: Bench) -> None:
    native = bench.stores.native(SITE).bucket
    for ask in (
        lambda: bench.stores.bucket(SITE, native),
        lambda: bench.stores.restored(SITE, native),
        lambda: bench.stores.make_bucket(SITE, native),
        lambda: bench.stores.drop_bucket(SITE, native),
    ):
        with pytest.raises(CloudForbidden):
            ask()
