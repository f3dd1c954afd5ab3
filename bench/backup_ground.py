"""What the benches of backups work on: an installation on the lab, with a policy from `province` to `city-1`.

The flows run in this process, on a database of their own and with keys of their own. Nothing is locked in the
vault, so that everything can be deleted again.
"""

import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import SystemClock
from cloudctl.config import Settings
from cloudctl.errors import CloudBusy, ObjectLocked
from cloudctl.escrow import EscrowKey
from cloudctl.models import (
    BackupPolicy,
    Operation,
    PolicyMember,
    Project,
    RecoveryPoint,
    Restore,
    Step,
    Vault,
)
from cloudctl.operations import Engine, Flow
from cloudctl.ports import CloudInProject, LockMode, NewVolume, ObjectStore, Purpose, StoredObject
from cloudctl.secrets import Box, Signer
from dr import starting
from dr.backup_flow import Backup
from dr.keyring import Keyring
from dr.points.head import DATA, HEADS
from dr.points.parallel import each
from dr.restore_flow import RestorePoint
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.drivers.s3_stores import S3Stores
from tests.builders import a_province, a_resource
from tests.conftest import make_core

T = TypeVar("T")
SOURCE, CITY, SYSTEM = "province", "city-1", "gx-finance-budget"
SITES = (SOURCE, CITY)
PATIENCE_S, PAUSE_S = 600.0, 0.5
_ROOM = Amounts({Kind.VOLUMES: 20, Kind.VOLUME_GIB: 200})
_PAUSE = threading.Event()  # never set


class _Unlocked:
    """A bucket of a vault into which everything is put without a lock."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.bucket = store.bucket

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, key: str, body: bytes, retain_until: datetime | None = None) -> StoredObject:
        return self._store.put(key, body)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], retain_until: datetime | None = None
    ) -> StoredObject:
        return self._store.put_stream(key, chunks)

    def lock_mode(self) -> LockMode:
        return LockMode.NONE


class UnlockedStores(S3Stores):
    """The lab's stores; what is put into a vault can be deleted at once."""

    def vault(self, site_id: str, purpose: Purpose) -> ObjectStore:
        return _Unlocked(super().vault(site_id, purpose))  # type: ignore[return-value]


class Ground:
    """Makes everything when it is made; `clean` takes all of it away, at the clouds and in the buckets."""

    def __init__(self, lab: Path) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="bench-backup")
        home = Path(self._directory.name)
        self.installation = f"bench-{uuid.uuid4().hex[:8]}"
        self.core = replace(
            make_core(home, clock=SystemClock()),  # type: ignore[arg-type]  # it asks for the time only
            settings=Settings(
                home=home,
                installation=self.installation,
                clouds_yaml=str(lab / "clouds.yaml"),
                stores_yaml=str(lab / "stores.yaml"),
            ),
        )
        a_province(self.core)
        self.clouds = OpenStackClouds(self.core.settings, self.core.store)
        self.stores = UnlockedStores(self.core.settings)
        self.keyring = self._keyring(home / "keys")
        self.projects: dict[str, str] = {}
        for site in SITES:
            self.projects[site] = self._project(site)
        self._protect()
        flows: dict[str, Flow] = {
            starting.BACKUP: Backup(self.clouds, self.stores, self.keyring, self.core.settings),
            starting.RESTORE: RestorePoint(self.clouds, self.stores, self.keyring, self.core.settings),
        }
        self.engine = Engine(self.core.store, self.core.clock, flows)

    # -- what is measured

    def volume(self, name: str, size_gib: int, site: str = SOURCE, is_member: bool = True) -> str:
        """A new empty volume; the policy's system has it unless told otherwise."""
        inside = self.inside(site)
        made = inside.create_volume(NewVolume(f"{name}-{self.installation}", size_gib, "standard", {}))
        self._until(lambda: any((v.id, v.status) == (made.id, "available") for v in inside.list_volumes()))
        if is_member:
            spec = {"size_gib": size_gib, "type": "standard", "role": "data"}
            columns = {"kind": "volume", "name": name, "external_id": made.id, "spec": spec}
            a_resource(self.core, _row(site), {"volumes": 1, "volume_gib": size_gib}, **columns)
        return made.id

    def back_up(self, kind: str | None = None) -> tuple[RecoveryPoint, Operation]:
        """A new point, worked on to its end; RuntimeError when it is not protected then."""
        with self.core.store.write() as uow:
            member, clock = uow.all(PolicyMember)[0], self.core.clock
            point = starting.begin_point(uow, clock, member, clock.now(), kind)
        operation = self._work(point.operation_id)
        with self.core.store.read() as uow:
            point = uow.need(RecoveryPoint, point.id)
        if point.state != "protected":
            raise RuntimeError(f"the point is {point.state}: {operation.error_message}")
        return point, operation

    def restore(self, point: RecoveryPoint) -> tuple[Restore, Operation]:
        """The point as new volumes at the city, verified; RuntimeError when that fails."""
        with self.core.store.write() as uow:
            row = starting.begin_restore(
                uow,
                self.core.clock,
                uow.need(RecoveryPoint, point.id),
                CITY,
                CITY,
                self.projects[CITY],
                "dave",
            )
        operation = self._work(row.operation_id)
        with self.core.store.read() as uow:
            row = uow.need(Restore, row.id)
        if row.state != "done":
            raise RuntimeError(f"the restore is {row.state}: {operation.error_message}")
        return row, operation

    def steps(self, operation: Operation) -> dict[str, Step]:
        """The journal of an operation by the names of its steps."""
        with self.core.store.read() as uow:
            return {step.name: step for step in uow.all(Step, Step.operation_id == operation.id)}

    def inside(self, site: str) -> CloudInProject:
        return self.clouds.at(site).in_project(self.projects[site])

    # -- the end

    def clean(self) -> None:
        """Nothing of it stays."""
        for site in SITES:
            if site in self.projects:
                self._clean_cloud(site)
        read, expire = (self.stores.vault(CITY, purpose) for purpose in (Purpose.READ, Purpose.EXPIRE))
        for prefix in (HEADS, DATA):
            listed = list(read.list_versions(f"{prefix}{self.installation}/"))
            with suppress(ObjectLocked):
                list(each(listed, lambda one: expire.delete(one.key, one.version_id), 16))
        self.clouds.close()
        self.core.store.close()
        self._directory.cleanup()

    def _clean_cloud(self, site: str) -> None:
        inside = self.inside(site)

        def is_empty() -> bool:
            lists: tuple[tuple[list[str], Callable[[str], None]], ...] = (
                ([one.id for one in inside.list_backups()], inside.delete_backup),
                ([one.id for one in inside.list_snapshots()], inside.delete_snapshot),
                ([one.id for one in inside.list_volumes()], inside.delete_volume),
            )
            for ids, delete in lists:
                for one in ids:
                    with suppress(CloudBusy):
                        delete(one)
            return not any(ids for ids, _ in lists)

        self._until(is_empty)
        self.clouds.at(site).delete_project(self.projects[site])

    # -- the pieces

    def _keyring(self, keys: Path) -> Keyring:
        Signer.make_key(keys / "points.key")
        Box.make_key(keys / "box.key")
        signer, now = Signer(keys / "points.key"), self.core.clock.now()
        held = {
            site: EscrowKey.make(keys / f"{site}.json", self.installation, site, (signer.public,), now)
            for site in SITES
        }
        return Keyring(signer, Box(keys / "box.key"), lambda: held)

    def _project(self, site: str) -> str:
        cloud = self.clouds.at(site)
        domain = cloud.find_domain("Default")
        assert domain is not None
        made = cloud.create_project(domain.id, self.installation, "of a bench", [])
        cloud.ensure_own_access(made.id)
        cloud.set_quota(made.id, _ROOM)
        with self.core.store.write() as uow:
            uow.add(
                Project(
                    id=_row(site), name=self.installation, system_id=SYSTEM, department_id="gx-finance",
                    site_id=site, external_id=made.id, state="active", created_at=self.core.clock.now(),
                )
            )  # fmt: skip
        return made.id

    def _protect(self) -> None:
        now = self.core.clock.now()
        with self.core.store.write() as uow:
            for site in SITES:
                public = self.keyring.escrow()[site].public
                uow.add(Vault(site_id=site, bucket="vault", lock_mode="none", escrow_key=public))
            policy = uow.add(
                BackupPolicy(
                    name="bench", tier="T2", every_s=86400, full_every=7, retention={"last": 7}, lock_s=60,
                    vault_sites=[CITY], level="L1", prove_every_s=86400, created_at=now, created_by="dave",
                )
            )  # fmt: skip
            member = {"kind": "system", "system_id": SYSTEM, "site_id": SOURCE, "next_at": now}
            uow.add(PolicyMember(policy_id=policy.id, **member))

    def _work(self, operation_id: int | None) -> Operation:
        """As a worker does: what is due is moved on, looked for each half second."""
        assert operation_id is not None
        while True:
            with self.core.store.read() as uow:
                operation = uow.need(Operation, operation_id)
            if operation.ended_at is not None:
                return operation
            if not self.engine.run(operation_id):
                _PAUSE.wait(PAUSE_S)

    @staticmethod
    def _until(ask: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not ask():
            if time.monotonic() > deadline:
                raise RuntimeError("waited in vain for the lab")
            _PAUSE.wait(PAUSE_S)


def _row(site: str) -> str:
    return f"{site}-bench"
