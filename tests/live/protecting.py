"""What the live tests of backups start from: points of the province go into the city's vault."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cloudctl.core import Core
from cloudctl.errors import CloudctlError, ObjectLocked
from cloudctl.escrow import EscrowKey
from cloudctl.models import (
    BackupPolicy,
    Operation,
    PointCopy,
    PointVolume,
    PolicyMember,
    RecoveryPoint,
    Site,
    Vault,
)
from cloudctl.operations import Engine, Flow
from cloudctl.ports import Plays, Purpose, Stores
from cloudctl.secrets import Box, Signer
from dr import starting
from dr.backup_flow import Backup
from dr.keyring import Keyring
from provisioning.build import Build
from provisioning.drivers.ansible_plays import AnsiblePlays
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.drivers.s3_stores import S3Stores
from provisioning.quiescing import GuestQuiescing
from tests.live.building import LabWorld, a_lab_world

SYSTEM, SOURCE, CITY = "gx-finance-budget", "province", "city-1"
LOCK_S = 30  # so that a test can take away what it put into the vault
_PAUSE = threading.Event()  # never set: what a store or Cinder needs passes by itself


@dataclass
class GuardedWorld(LabWorld):
    """An installation that backs up, and comes into servers where the site lets it."""

    stores: Stores
    keyring: Keyring
    plays: Plays

    def engine(self, flows: Mapping[str, Flow] | None = None) -> Engine:
        settings = self.core.settings
        quiescing = GuestQuiescing(self.core.store, self.clouds, self.plays)
        made: dict[str, Flow] = {
            "build": Build(self.clouds, settings, plays=self.plays),
            starting.BACKUP: Backup(self.clouds, self.stores, self.keyring, settings, quiescing),
        }
        return super().engine({**made, **(flows or {})})

    # -- acting

    def let_in(self, guests: str = "managed") -> None:
        """The province lets cloudctl into its servers."""
        with self.core.store.write() as uow:
            uow.need(Site, SOURCE).guests = guests

    def begin(self, kind: str | None = None) -> str:
        """A new point of the system, not worked on yet."""
        with self.core.store.write() as uow:
            [member] = uow.all(PolicyMember)
            return starting.begin_point(uow, self.clock, member, self.clock.now(), kind).id

    def back_up(self, kind: str | None = None) -> RecoveryPoint:
        """A new point of the system, worked on to its end."""
        point_id = self.begin(kind)
        self.work(self.operation_of(point_id))
        return self.point(point_id)

    # -- reading

    def point(self, point_id: str) -> RecoveryPoint:
        with self.core.store.read() as uow:
            return uow.need(RecoveryPoint, point_id)

    def operation_of(self, point_id: str) -> int:
        operation_id = self.point(point_id).operation_id
        assert operation_id is not None
        return operation_id

    def copy(self, point_id: str) -> PointCopy:
        with self.core.store.read() as uow:
            [row] = uow.all(PointCopy, PointCopy.point_id == point_id)
            return row

    def heads(self) -> list[str]:
        """The keys of the heads that are in the vault."""
        prefix = f"heads/{self.core.settings.installation}/"
        return [one.key for one in self.stores.vault(CITY, Purpose.READ).list(prefix)]

    # -- asserting

    def assert_nothing_over(self) -> None:
        """No snapshot is left, and of backups only those that points are made of."""
        inside = self.cloud.in_project(str(self.project().external_id))
        with self.core.store.read() as uow:
            known = set(uow.column(PointVolume.backup_id, PointVolume.backup_id.is_not(None)))
        assert inside.list_snapshots() == []
        assert {one.id for one in inside.list_backups()} == known

    # -- cleaning up

    def clean(self) -> None:
        """Takes away backups, then all that was built, then what was put into the vault."""
        self._end_points()
        external = self.project().external_id
        if external is not None:
            inside = self.cloud.in_project(external)
            for _ in range(60):
                for backup in inside.list_backups():
                    with suppress(CloudctlError):
                        inside.delete_backup(backup.id)
                for snapshot in inside.list_snapshots():
                    with suppress(CloudctlError):
                        inside.delete_snapshot(snapshot.id)
                if not inside.list_backups() and not inside.list_snapshots():
                    break
                _PAUSE.wait(1)
        super().clean()
        self._empty_vault()

    def _end_points(self) -> None:
        """Cancels the points that a test left half made."""
        for operation_id in self._open_requests():
            with self.core.store.write() as uow:
                operation = uow.need(Operation, operation_id)
                if operation.kind != starting.BACKUP:
                    continue
                operation.cancel_asked_at = self.core.clock.now()
            self.work(operation_id)

    def _empty_vault(self) -> None:
        """Waits for what is still locked."""
        read, expire = (self.stores.vault(CITY, purpose) for purpose in (Purpose.READ, Purpose.EXPIRE))
        places = [f"{what}/{self.core.settings.installation}/" for what in ("data", "heads")]
        for _ in range(120):
            left = [one for place in places for one in read.list_versions(place)]
            for one in left:
                with suppress(ObjectLocked):
                    expire.delete(one.key, one.version_id)
            if not left:
                return
            _PAUSE.wait(1)
        raise AssertionError("the vault is not clean")


def is_guarded(core: Core) -> bool:
    """Whether the installation has the keys that points are made with."""
    return (core.settings.keys / "escrow" / f"{CITY}.json").exists()


def guarded(core: Core) -> GuardedWorld:
    """The world of this installation, whose keys are there; the worker processes open the same."""
    settings = core.settings
    clouds = OpenStackClouds(settings, core.store)
    plays = AnsiblePlays(settings.home, settings.keys / "guests.key")
    held = {CITY: EscrowKey.read(settings.keys / "escrow" / f"{CITY}.json")}
    keyring = Keyring(Signer(settings.keys / "points.key"), Box(settings.keys / "box.key"), lambda: held)
    return GuardedWorld(core, clouds, S3Stores(settings), keyring, plays)


def a_guarded_world(home: Path, **policy: Any) -> GuardedWorld:
    """An installation with a policy for its only system, whose points go into the city's vault."""
    core = a_lab_world(home).core
    _make_keys(core)
    world = guarded(core)
    public = world.keyring.escrow()[CITY].public
    with world.core.store.write() as uow:
        uow.add(Vault(site_id=CITY, bucket="vault", lock_mode="compliance", escrow_key=public))
        row = uow.add(_policy(world.clock.now(), policy))
        member = PolicyMember(
            policy_id=row.id, kind="system", system_id=SYSTEM, site_id=SOURCE, next_at=world.clock.now()
        )
        uow.add(member)
    return world


def _make_keys(core: Core) -> None:
    keys = core.settings.keys
    Signer.make_key(keys / "points.key")
    Box.make_key(keys / "box.key")
    signers = (Signer(keys / "points.key").public,)
    path = keys / "escrow" / f"{CITY}.json"
    EscrowKey.make(path, core.settings.installation, CITY, signers, core.clock.now())


def _policy(now: datetime, changes: Mapping[str, Any]) -> BackupPolicy:
    plain: dict[str, Any] = {
        "name": "daily", "tier": "T2", "every_s": 86_400, "full_every": 7, "retention": {"last": 2},
        "lock_s": LOCK_S, "vault_sites": [CITY], "level": "L1", "prove_every_s": 7 * 86_400,
        "created_at": now, "created_by": "dave",
    }  # fmt: skip
    return BackupPolicy(**{**plain, **changes})
