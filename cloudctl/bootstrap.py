"""The composition root: the only place that picks drivers and wires the parts of an installation.

What speaks to clouds is loaded when it is first needed: a server at rest, and every command that only
reads the database, never pays for OpenStack's libraries.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from cloudctl.audit import Audit
from cloudctl.clock import Clock, SystemClock
from cloudctl.config import Settings, load
from cloudctl.core import Core
from cloudctl.models import Operation
from cloudctl.observing import is_observing
from cloudctl.operations import Engine, Flow
from cloudctl.ports import (
    Bell,
    Cloud,
    Clouds,
    ConnectableClouds,
    Host,
    ObjectStore,
    OnTask,
    Play,
    PlayResult,
    Plays,
    Purpose,
    Stores,
)
from cloudctl.read_only import ObservedClouds, observed_plays, observed_stores
from cloudctl.secrets import Box, Signer
from cloudctl.store import Store, UnitOfWork

if TYPE_CHECKING:
    from dr.keyring import Keyring

AUDIT_KEY = "audit.key"
BOX_KEY = "box.key"
POINTS_KEY = "points.key"  # signs the heads of recovery points
ESCROW = "escrow"  # a folder with the private halves that are kept here: SITE.json
GUESTS_KEY = "guests.key"


@dataclass(frozen=True)
class App:
    """One installation, wired."""

    core: Core
    clouds: ConnectableClouds
    stores: Stores
    plays: Plays
    engine: Engine
    box: Box

    def look_at_sites(self) -> None:
        """List the running servers of the sites whose turn it is."""
        from provisioning.running import look_at_due_sites

        look_at_due_sites(self.core, self.clouds)

    def keyring(self) -> "Keyring":
        """The keys with which points are signed and opened."""
        return _keyring(self.core.settings)

    def begin_due_points(self) -> None:
        """Begin the points and proofs whose time has come, and give up what is no longer kept.

        Also the copy of the own database. Nothing while the installation only observes.
        """
        from dr.database import copies
        from dr.tick import begin_due

        if is_observing(self.core.store):
            return
        copies.begin_due(self.core)
        begin_due(self.core)

    def close(self) -> None:
        """Let go of the database."""
        self.core.store.close()


class SilentBell:
    """Wakes nobody: what is due is found by polling."""

    def ring(self, operation_id: int) -> None:
        """Nothing happens."""


def open_app(
    home: Path,
    bell: Bell | None = None,
    clouds: ConnectableClouds | None = None,
    stores: Stores | None = None,
    plays: Plays | None = None,
) -> App:
    """Wire the installation in `home`. Misconfigured, with every fault, when it cannot work.

    `bell` wakes the workers (default: nobody, due rows are polled); `clouds`, `stores`
    and `plays` stand in for the drivers.
    """
    settings = load(home)
    core = open_core(settings, SystemClock(), bell or SilentBell())
    clouds = ObservedClouds(clouds or open_clouds(settings, core.store), core.store)
    stores = observed_stores(stores or open_stores(settings), core.store)
    plays = observed_plays(plays or open_plays(settings), core.store)
    engine = Engine(
        core.store,
        core.clock,
        _OnDemandFlows(core, clouds, stores, plays),
        settings.lease_s,
        partial(_settle, core),
    )
    return App(core, clouds, stores, plays, engine, Box(settings.keys / BOX_KEY))


def open_clouds(settings: Settings, store: Store) -> ConnectableClouds:
    """The drivers; loaded with the first cloud that is asked for."""
    return _OnDemandClouds(settings, store)


def open_stores(settings: Settings) -> Stores:
    """The object stores; boto3 and stores.yaml are loaded with the first bucket that is asked for."""
    return _OnDemandStores(settings)


def open_plays(settings: Settings) -> Plays:
    """Ansible; loaded with the first server that is to be reached."""
    return _OnDemandPlays(settings)


def open_core(settings: Settings, clock: Clock, bell: Bell) -> Core:
    """The part of an installation that never speaks to a cloud."""
    audit = Audit(clock, Signer(settings.keys / AUDIT_KEY), settings.audit_heads)
    return Core(settings, Store(settings.database_url), clock, audit, bell)


class _OnDemandClouds:
    """The OpenStack driver, imported with the first cloud that is asked for."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._lock = Lock()
        self._loaded: ConnectableClouds | None = None

    def at(self, site_id: str) -> Cloud:
        return self._driver().at(site_id)

    def entries(self) -> list[str]:
        return self._driver().entries()

    def of_entry(self, entry: str) -> Cloud:
        return self._driver().of_entry(entry)

    def _driver(self) -> ConnectableClouds:
        with self._lock:
            if self._loaded is None:
                from provisioning.drivers.openstack_cloud import OpenStackClouds

                self._loaded = OpenStackClouds(self._settings, self._store)
            return self._loaded


class _OnDemandStores:
    """The S3 driver, imported with the first bucket that is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._loaded: Stores | None = None

    def vault(self, site_id: str, purpose: Purpose) -> ObjectStore:
        return self._driver().vault(site_id, purpose)

    def native(self, site_id: str, bucket: str | None = None) -> ObjectStore:
        return self._driver().native(site_id, bucket)

    def bucket(self, site_id: str, name: str) -> ObjectStore:
        return self._driver().bucket(site_id, name)

    def restored(self, site_id: str, name: str) -> ObjectStore:
        return self._driver().restored(site_id, name)

    def make_bucket(self, site_id: str, name: str) -> None:
        self._driver().make_bucket(site_id, name)

    def drop_bucket(self, site_id: str, name: str) -> None:
        self._driver().drop_bucket(site_id, name)

    def sites(self) -> list[str]:
        return self._driver().sites()

    def _driver(self) -> Stores:
        with self._lock:
            if self._loaded is None:
                from provisioning.drivers.s3_stores import S3Stores

                self._loaded = S3Stores(self._settings)
            return self._loaded


class _OnDemandPlays:
    """Ansible's driver, imported with the first play."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._loaded: Plays | None = None

    def run(
        self,
        play: Play,
        on_task: OnTask = lambda _host, _task, _outcome: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> PlayResult:
        return self._driver().run(play, on_task, is_stopped)

    def reaches(self, host: Host) -> bool:
        return self._driver().reaches(host)

    def public_key(self) -> str:
        return self._driver().public_key()

    def _driver(self) -> Plays:
        with self._lock:
            if self._loaded is None:
                from provisioning.drivers.ansible_plays import AnsiblePlays

                home, keys = self._settings.home, self._settings.keys
                self._loaded = AnsiblePlays(home, keys / GUESTS_KEY)
            return self._loaded


class _OnDemandFlows(Mapping[str, Flow]):
    """Every kind of operation by its name; a flow is made when the first of its kind is due."""

    def __init__(self, core: Core, clouds: Clouds, stores: Stores, plays: Plays) -> None:
        settings = core.settings
        self._make: dict[str, Callable[[], Flow]] = {
            "backup": lambda: _backup(core, clouds, stores, plays),
            "proof": lambda: _proof(clouds, stores, settings),
            "restore": lambda: _restore(clouds, stores, settings),
            "expiry": lambda: _expiry(clouds, stores, settings),
            "bucket-backup": lambda: _bucket_backup(stores, settings),
            "bucket-proof": lambda: _bucket_proof(stores, settings),
            "bucket-restore": lambda: _bucket_restore(stores, settings),
            "build": lambda: _build(clouds, settings, plays),
            "release": lambda: _release(clouds, settings),
            "database": lambda: _database(stores, settings),
            "bulletin": _bulletin,
            "enrol": _enrol,
        }
        self._made: dict[str, Flow] = {}
        self._lock = Lock()

    def __getitem__(self, kind: str) -> Flow:
        with self._lock:
            if kind not in self._made:
                self._made[kind] = self._make[kind]()
            return self._made[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._make

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)


def _build(clouds: Clouds, settings: Settings, plays: Plays) -> Flow:
    from provisioning.build import Build

    return Build(clouds, settings, plays=plays)


def _release(clouds: Clouds, settings: Settings) -> Flow:
    from provisioning.release import Release

    return Release(clouds, settings)


def _backup(core: Core, clouds: Clouds, stores: Stores, plays: Plays) -> Flow:
    from dr.backup_flow import Backup
    from provisioning.quiescing import GuestQuiescing

    quiescing = GuestQuiescing(core.store, clouds, plays)
    return Backup(clouds, stores, _keyring(core.settings), core.settings, quiescing)


def _proof(clouds: Clouds, stores: Stores, settings: Settings) -> Flow:
    from dr.proof_flow import Prove

    return Prove(clouds, stores, _keyring(settings), settings)


def _restore(clouds: Clouds, stores: Stores, settings: Settings) -> Flow:
    from dr.restore_flow import RestorePoint

    return RestorePoint(clouds, stores, _keyring(settings), settings)


def _bucket_backup(stores: Stores, settings: Settings) -> Flow:
    from dr.buckets.backup_flow import BackUpBucket

    return BackUpBucket(stores, _keyring(settings), settings)


def _bucket_proof(stores: Stores, settings: Settings) -> Flow:
    from dr.buckets.proof_flow import ProveBucket

    return ProveBucket(stores, _keyring(settings), settings)


def _bucket_restore(stores: Stores, settings: Settings) -> Flow:
    from dr.buckets.restore_flow import RestoreBucket

    return RestoreBucket(stores, _keyring(settings), settings)


def _expiry(clouds: Clouds, stores: Stores, settings: Settings) -> Flow:
    from dr.expiry_flow import Expire

    return Expire(clouds, stores, settings)


def _database(stores: Stores, settings: Settings) -> Flow:
    from dr.database.flow import BackUpDatabase

    return BackUpDatabase(stores, _keyring(settings), settings)


def _keyring(settings: Settings) -> "Keyring":
    """The signer of heads, made when there is none, and the escrow keys whose private half is here."""
    from cloudctl.escrow import EscrowKey
    from dr.keyring import Keyring

    def escrow() -> dict[str, EscrowKey]:
        return {path.stem: EscrowKey.read(path) for path in (settings.keys / ESCROW).glob("*.json")}

    return Keyring(Signer.of(settings.keys / POINTS_KEY), Box(settings.keys / BOX_KEY), escrow)


def _bulletin() -> Flow:
    from tenants.bulletin.flow import MakeBulletin

    return MakeBulletin()


def _enrol() -> Flow:
    from dr.enrolment import Enrol

    return Enrol()


def _settle(core: Core, uow: UnitOfWork, operation: Operation) -> None:
    from tenants.settlement import settle

    settle(core)(uow, operation)
