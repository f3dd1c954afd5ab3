"""A department's bucket on the lab's radosgw: full, increment, proved, and brought back as of a time.

Takes about a minute. It leaves only what its lock holds for a few seconds, and waits for that too.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from cloudctl.audit import Audit
from cloudctl.clock import SystemClock
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, ObjectLocked
from cloudctl.escrow import EscrowKey
from cloudctl.models import BackupPolicy, Operation, PolicyMember, RecoveryPoint, Restore, Vault
from cloudctl.operations import Engine, Flow
from cloudctl.ports import NULL_VERSION, Purpose
from cloudctl.secrets import Box, Signer
from cloudctl.store import Store
from dr import starting
from dr.buckets.acting import begin_restore
from dr.buckets.backup_flow import BackUpBucket
from dr.buckets.proof_flow import ProveBucket
from dr.buckets.restore_flow import RestoreBucket
from dr.keyring import Keyring
from provisioning.drivers.s3_stores import S3Stores
from tests.builders import a_province
from tests.conftest import RecordingBell
from tests.contract.conftest import lab_settings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

SYSTEM, SOURCE, CITY = "gx-finance-budget", "province", "city-1"
LOCK_S = 20
_PAUSE = threading.Event()


class World:
    """One installation of its own over the lab's stores."""

    def __init__(self, home: Path) -> None:
        lab = lab_settings()
        self.installation = f"live-{uuid.uuid4().hex[:8]}"
        self.settings = Settings(home=home, installation=self.installation, stores_yaml=lab.stores_yaml)
        keys = self.settings.keys
        for name in ("audit.key", "points.key"):
            Signer.make_key(keys / name)
        Box.make_key(keys / "box.key")
        store = Store(self.settings.database_url)
        store.migrate()
        clock = SystemClock()
        audit = Audit(clock, Signer(keys / "audit.key"), self.settings.audit_heads)
        self.core = Core(self.settings, store, clock, audit, RecordingBell())
        self.stores = S3Stores(self.settings)
        signer = Signer(keys / "points.key")
        escrow = EscrowKey.make(keys / "city.json", self.installation, CITY, (signer.public,), clock.now())
        self.keyring = Keyring(signer, Box(keys / "box.key"), lambda: {CITY: escrow})
        self.bucket = f"{self.installation}-files"
        self.stores.make_bucket(SOURCE, self.bucket)
        self.files = self.stores.restored(SOURCE, self.bucket)
        self.made = [(SOURCE, self.bucket)]
        a_province(self.core)
        self._rows(escrow.public)

    def _rows(self, public: str) -> None:
        now = self.core.clock.now()
        with self.core.store.write() as uow:
            uow.add(Vault(site_id=CITY, bucket="vault", lock_mode="compliance", escrow_key=public))
            policy = uow.add(
                BackupPolicy(
                    name="live", tier="T2", every_s=86400, full_every=7, retention={"last": 2},
                    lock_s=LOCK_S, vault_sites=[CITY], level="L2", prove_every_s=86400, created_at=now,
                    created_by="dave",
                )
            )  # fmt: skip
            uow.add(
                PolicyMember(
                    policy_id=policy.id, kind="bucket", system_id=SYSTEM, site_id=SOURCE, name=self.bucket,
                    next_at=now,
                )
            )  # fmt: skip

    def work(self, operation_id: int | None) -> Operation:
        assert operation_id is not None
        flows: dict[str, Flow] = {
            "bucket-backup": BackUpBucket(self.stores, self.keyring, self.settings),
            "bucket-proof": ProveBucket(self.stores, self.keyring, self.settings),
            "bucket-restore": RestoreBucket(self.stores, self.keyring, self.settings),
        }
        Engine(self.core.store, self.core.clock, flows, 60).run(operation_id)
        with self.core.store.read() as uow:
            found = uow.need(Operation, operation_id)
        assert found.state == "done", f"{found.error_message} {found.why}"
        return found

    def back_up(self) -> RecoveryPoint:
        with self.core.store.write() as uow:
            [member] = uow.all(PolicyMember)
            point = starting.begin_point(uow, self.core.clock, member, self.core.clock.now())
            point_id, operation_id = point.id, point.operation_id
        self.work(operation_id)
        return self.point(point_id)

    def point(self, point_id: str) -> RecoveryPoint:
        with self.core.store.read() as uow:
            return uow.need(RecoveryPoint, point_id)

    def prove(self, point_id: str) -> None:
        with self.core.store.write() as uow:
            point = uow.need(RecoveryPoint, point_id)
            operation_id = starting.begin_proof(uow, self.core.clock, point, "L2", CITY, "dave").operation_id
        self.work(operation_id)

    def bring_back(self, point_id: str, as_of: datetime | None = None) -> dict[str, bytes]:
        with self.core.store.write() as uow:
            point = uow.need(RecoveryPoint, point_id)
            row: Restore = begin_restore(uow, self.core.clock, point, CITY, CITY, "dave", None, as_of)
            name, operation_id = str(row.plan["bucket"]), row.operation_id
        self.made.append((CITY, name))
        self.work(operation_id)
        return self.contents(CITY, name)

    def contents(self, site: str, name: str) -> dict[str, bytes]:
        store = self.stores.restored(site, name)
        return {one.key: store.read(one.key) for one in store.list()}

    def clean(self) -> None:
        for site, name in self.made:
            store = self.stores.restored(site, name)
            for one in list(store.list_versions()):
                store.delete(one.key, one.version_id or NULL_VERSION)
            self.stores.drop_bucket(site, name)
        read, expire = (self.stores.vault(CITY, one) for one in (Purpose.READ, Purpose.EXPIRE))
        ours = [f"{where}/{self.installation}/" for where in ("data", "heads")]
        until = time.monotonic() + LOCK_S + 30
        while left := [one for prefix in ours for one in read.list_versions(prefix)]:
            assert time.monotonic() < until, "the vault is not clean"
            try:
                for one in left:
                    expire.delete(one.key, one.version_id)
            except ObjectLocked:
                _PAUSE.wait(1)
        self.core.store.close()


def test_the_version_from_before_versions_were_kept_has_a_name() -> None:
    stores, name = S3Stores(lab_settings()), f"live-{uuid.uuid4().hex[:12]}"
    store = stores.restored(CITY, name)
    store._s3.create_bucket(Bucket=name)  # type: ignore[attr-defined]
    assert not stores.bucket(CITY, name).keeps_versions()
    store.put("old", b"1")
    stores.make_bucket(CITY, name)  # there already: it keeps versions from now on
    assert stores.bucket(CITY, name).keeps_versions()
    second = store.put("old", b"22")
    assert [one.version_id for one in store.list_versions()] == [second.version_id, None]
    assert store.read("old", NULL_VERSION) == b"1"
    assert store.head("old", NULL_VERSION).size_bytes == 1
    store.delete("old", NULL_VERSION)
    store.delete("old", second.version_id)
    stores.drop_bucket(CITY, name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.clean()


def test_a_bucket_is_kept_proved_and_brought_back_as_of_a_time(world: World) -> None:
    world.files.put("报表/一月.pdf", b"january", headers={"content-type": "application/pdf"})
    world.files.put("config.json", b"{}")
    large = world.files.put_stream("large.bin", (bytes([n]) * (1 << 20) for n in range(70)))
    full = world.back_up()
    assert (full.kind, full.state, full.level) == ("full", "protected", "L1")
    first = world.contents(SOURCE, world.bucket)
    _PAUSE.wait(1.1)  # stores tell moments in seconds or better
    before = world.core.clock.now()
    _PAUSE.wait(1.1)
    world.files.put("报表/一月.pdf", b"january, corrected")
    world.files.delete("config.json")
    world.files.delete("large.bin", large.version_id)
    point = world.back_up()
    assert (point.kind, point.state, point.parent_id) == ("incremental", "protected", full.id)
    world.prove(point.id)
    assert world.point(point.id).level == "L2"
    with pytest.raises(CloudctlError):
        list(world.stores.restored(CITY, f"cloudctl-proof-{world.installation[:12]}-1").list())
    assert world.bring_back(point.id) == {"报表/一月.pdf": b"january, corrected"}
    assert world.bring_back(point.id, before) == first
