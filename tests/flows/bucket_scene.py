"""What tests of buckets start from: a bucket of a system at the province, a policy for it, two vaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import PointListing, PolicyMember, RecoveryPoint, Restore
from cloudctl.operations import Engine, Flow
from cloudctl.ports import NULL_VERSION, LockMode
from dr import starting
from dr.buckets import acting
from dr.buckets.backup_flow import BackUpBucket
from dr.buckets.proof_flow import ProveBucket
from dr.buckets.restore_flow import RestoreBucket
from dr.expiry_flow import Expire
from provisioning.drivers.fake_bucket import FakeBucket
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_objects import NATIVE_BUCKET
from tests.flows.protecting import CITY, SITES, SOURCE, SYSTEM, Impatient, Protected, protect

FILES = "budget-files"


@dataclass
class Kept(Protected):
    """A world in which what is protected is a bucket."""

    @property
    def files(self) -> FakeBucket:
        return self.stores.native_bucket(SOURCE, FILES)

    def engine(self) -> Engine:
        settings = self.core.settings
        flows: Mapping[str, Flow] = {
            "bucket-backup": BackUpBucket(self.stores, self.keyring, settings),
            "bucket-proof": ProveBucket(self.stores, self.keyring, settings),
            "bucket-restore": RestoreBucket(self.stores, self.keyring, settings),
            starting.EXPIRY: Expire(FakeClouds(self.clouds), self.stores, settings),
        }
        return Engine(self.core.store, Impatient(self.clock), flows, settings.lease_s)

    # -- the application

    def write(self, name: str, body: bytes, **headers: str) -> None:
        """The application puts an object, a second after whatever was before."""
        self.clock.advance(1)
        told = {key.replace("_", "-"): value for key, value in headers.items()}
        self.files.write(name, body, None, told)

    def remove(self, name: str) -> None:
        """It deletes one: a marker lies over it from then on."""
        self.clock.advance(1)
        self.files.remove(name, None)

    def purge(self, name: str, number: int) -> None:
        """A rule of the bucket takes a version away for good; 0 is the oldest."""
        version = self.files.versions[name][number].version_id
        self.files.remove(name, version or NULL_VERSION)

    def now_in(self, bucket: FakeBucket) -> dict[str, bytes]:
        """What whoever asks for the latest gets."""
        return {key: bucket.find(key).body for key in bucket.keys()}

    # -- beginning

    def begin_bucket_restore(
        self, point_id: str, to: str = CITY, bucket: str | None = None, as_of: datetime | None = None
    ) -> Restore:
        with self.core.store.write() as uow:
            point = uow.need(RecoveryPoint, point_id)
            return acting.begin_restore(uow, self.clock, point, CITY, to, "dave", bucket, as_of)

    def bring_back(
        self, point_id: str, to: str = CITY, bucket: str | None = None, as_of: datetime | None = None
    ) -> Restore:
        row = self.begin_bucket_restore(point_id, to, bucket, as_of)
        self.work(row.operation_id)
        with self.core.store.read() as uow:
            return uow.need(Restore, row.id)

    # -- asserting

    def assert_clean(self, *kept: str) -> None:
        """No bucket at the city but these, and a listing of the newest point that stands, at most."""
        assert set(self.stores.buckets(CITY)) - {NATIVE_BUCKET, *kept} == set()
        with self.core.store.read() as uow:
            listed = set(uow.column(PointListing.point_id))
            points = uow.all(RecoveryPoint, order_by=[RecoveryPoint.sequence.desc()])
        standing = [one.id for one in points if one.state not in starting.ENDED]
        assert listed <= set(standing[:1])


def keep_bucket(
    core: Core,
    clock: FrozenClock,
    vault_sites: Sequence[str] = (CITY,),
    lock: LockMode = LockMode.COMPLIANCE,
    **policy: Any,
) -> Kept:
    """The budget system's bucket with three objects, one of which was changed, and a policy for it."""
    world = protect(core, clock, vault_sites, sizes_gib=(1,), lock=lock, **policy)
    with core.store.write() as uow:
        [member] = uow.all(PolicyMember)
        member.kind, member.name = "bucket", FILES
    made = Kept(**vars(world))
    made.write("报表/一月.pdf", b"january", content_type="application/pdf", x_amz_meta_author="a")
    made.write("报表/二月.pdf", b"february" * 100)
    made.write("config.json", b"{}")
    made.write("config.json", b'{"a": 1}')
    return made


__all__ = ["CITY", "FILES", "SITES", "SOURCE", "SYSTEM", "Kept", "keep_bucket"]
