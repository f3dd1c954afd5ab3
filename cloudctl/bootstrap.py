"""The composition root: the only place that picks drivers and wires the parts of an installation.

What speaks to clouds is loaded when it is first needed: a server at rest, and every command that only
reads the database, never pays for OpenStack's libraries.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
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
    Application,
    Bell,
    Cloud,
    Clouds,
    ConnectableClouds,
    Dns,
    Host,
    ObjectStore,
    OnTask,
    Play,
    PlayResult,
    Plays,
    Purpose,
    Replication,
    Stores,
)
from cloudctl.read_only import (
    ObservedClouds,
    observed_dns,
    observed_plays,
    observed_replication,
    observed_stores,
)
from cloudctl.secrets import Box, Signer, shared_key
from cloudctl.store import Store, UnitOfWork

if TYPE_CHECKING:
    from dr.agents.installing import Papers
    from dr.failover.protocols import DataWay, Steering, Voting
    from dr.keyring import Keyring
    from dr.plans.document import Way
    from dr.plans.facts import Outside
    from dr.sentinels.writing import Writing
    from provisioning.drivers.etcd_witness import EtcdWitness

AUDIT_KEY = "audit.key"
BOX_KEY = "box.key"
POINTS_KEY = "points.key"  # signs the heads of recovery points
ESCROW = "escrow"  # a folder with the private halves that are kept here: SITE.json
GUESTS_KEY = "guests.key"
SENTINELS_KEY = "sentinels.key"  # binds the records that are written through applications


@dataclass(frozen=True)
class App:
    """One installation, wired."""

    core: Core
    clouds: ConnectableClouds
    stores: Stores
    plays: Plays
    engine: Engine
    box: Box
    sentinels: "Writing"

    def look_at_sites(self) -> None:
        """List the running servers of the sites whose turn it is."""
        from provisioning.running import look_at_due_sites

        look_at_due_sites(self.core, self.clouds)

    def outside(self) -> "Outside":
        """Whatever plans are judged by beside the database; storage and witness where there are some."""
        return self._outside

    @cached_property
    def _outside(self) -> "Outside":
        from dr.plans.facts import Outside

        witness = open_witness(self.core.settings) if self.core.settings.witness_file.exists() else None
        replication = open_replication(self.core.settings, self.core.clock)
        return Outside(self.clouds, witness=witness, replication=replication)

    def look_at_plans(self) -> None:
        """Look at the protection plans whose turn it is: state, health, readiness, room."""
        from dr.plans.looking import look_due

        if not is_observing(self.core.store):
            look_due(self.core, self.outside())

    def look_around(self) -> None:
        """The sites first, then the plans that rest on them."""
        self.look_at_sites()
        self.look_at_plans()

    def dns(self) -> Dns:
        """The name service that steers people to a site."""
        return open_dns(self.core.settings, self.core.store)

    def keyring(self) -> "Keyring":
        """The keys with which points are signed and opened."""
        return _keyring(self.core.settings)

    def begin_due_points(self) -> None:
        """Begin the points and proofs whose time has come, and give up what is no longer kept.

        Also the copy of the own database, and drills. Nothing while the installation only observes.
        """
        from dr.database import copies
        from dr.drills import calendar
        from dr.tick import begin_due

        if is_observing(self.core.store):
            return
        copies.begin_due(self.core)
        begin_due(self.core)
        calendar.begin_due(self.core)

    def write_sentinels(self) -> None:
        """Write the sentinels that are due, through the applications of the plans that have them."""
        self.sentinels.tick()

    def close(self) -> None:
        """Let go of the database."""
        self.sentinels.close()
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
    return App(core, clouds, stores, plays, engine, Box(settings.keys / BOX_KEY), _sentinels(core))


def open_clouds(settings: Settings, store: Store) -> ConnectableClouds:
    """The drivers; loaded with the first cloud that is asked for."""
    return _OnDemandClouds(settings, store)


def open_stores(settings: Settings) -> Stores:
    """The object stores; boto3 and stores.yaml are loaded with the first bucket that is asked for."""
    return _OnDemandStores(settings)


def open_plays(settings: Settings) -> Plays:
    """Ansible; loaded with the first server that is to be reached."""
    return _OnDemandPlays(settings)


def open_witness(settings: Settings) -> "EtcdWitness":
    """The vote of three places. Misconfigured, with every fault, where witness.yaml names none."""
    from provisioning.drivers.etcd_witness import EtcdWitness
    from provisioning.drivers.witness_file import read_witness

    return EtcdWitness(read_witness(settings.witness_file))


def open_dns(settings: Settings, store: Store) -> Dns:
    """The masters of dns.yaml, which is read with the first name that is asked for."""
    from provisioning.drivers.rfc2136_dns import Rfc2136Dns

    return observed_dns(Rfc2136Dns(settings.dns_file), store)


def open_replication(settings: Settings, clock: Clock) -> Replication | None:
    """The storage of the sites that copy volumes to each other; None where storage.yaml names no site.
    Misconfigured, with every fault, where it does and cannot be used."""
    from provisioning.drivers.rbd_replication import RbdReplication
    from provisioning.drivers.storage_file import read_storage

    access = read_storage(settings.storage_file)
    return RbdReplication(access, clock) if access else None


def witness_papers(settings: Settings) -> "Papers":
    """What a server needs to ask the witness. Misconfigured as `open_witness`."""
    from dr.agents.installing import Papers
    from provisioning.drivers.witness_file import read_witness

    told = read_witness(settings.witness_file)
    return Papers(told.members, told.ca, told.cert, told.key, told.prefix)


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
            "drill": lambda: _drill(core, clouds, stores),
            "failover": lambda: _failover(core, clouds, stores),
            "failback": lambda: _failback(core, clouds, stores),
            "shift": lambda: _shift(core),
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


def _sentinels(core: Core) -> "Writing":
    """What writes sentinels; its key is made and httpx loaded when the first is due."""
    from dr.sentinels.writing import Writing

    def application() -> Application:
        from provisioning.drivers.http_application import HttpApplication

        return HttpApplication()

    return Writing(core, application, partial(shared_key, core.settings.keys / SENTINELS_KEY))


def _bulletin() -> Flow:
    from tenants.bulletin.flow import MakeBulletin

    return MakeBulletin()


def _shift(core: Core) -> Flow:
    from dr.traffic.flow import ShiftPeople
    from provisioning.drivers.http_outside import HttpOutside

    return ShiftPeople(open_dns(core.settings, core.store), HttpOutside(), core.settings)


def _drill(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    from dr.drills.cloning import FromPoints
    from dr.drills.ends import Ending
    from dr.drills.flow import Rehearse
    from dr.plans.document import Way
    from dr.reports.finishing import Finishing
    from provisioning.lanes import Lanes

    settings, keyring, lanes = core.settings, _keyring(core.settings), Lanes()
    points = FromPoints(clouds, stores, keyring, settings, lanes)
    ending = Ending(Finishing(settings, keyring.signer, core.audit))
    return Rehearse(clouds, {Way.POINTS: points}, settings, lanes, ending)


def _failover(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    from dr.failover.answering import AskedFromHere
    from dr.failover.flow import Move
    from dr.failover.off import ServersOff
    from dr.reports.finishing import Finishing, ReportedMove

    def application() -> Application:
        from provisioning.drivers.http_application import HttpApplication

        return HttpApplication()

    settings = core.settings
    ways, steering = _ways(core, clouds, stores), _steering(core)
    moving = Move(
        settings, _voting(settings), ways, AskedFromHere(), steering, [ServersOff(clouds)], audit=core.audit
    )
    signer = _keyring(settings).signer
    return ReportedMove(moving, Finishing(settings, signer, core.audit, application))


def _failback(core: Core, clouds: Clouds, stores: Stores) -> Flow:
    from dr.failover.back_flow import MakeReady

    return MakeReady(clouds, core.settings, _voting(core.settings), _ways(core, clouds, stores))


def _voting(settings: Settings) -> "Voting":
    """The witness; where there is none, one that answers nobody."""
    from dr.failover.no_witness import NoWitness

    return open_witness(settings) if settings.witness_file.exists() else NoWitness()


def _ways(core: Core, clouds: Clouds, stores: Stores) -> "Mapping[Way, DataWay]":
    """How the data of a part gets to the other site, by the word of its plan."""
    from dr.failover.points_way import PointsWay
    from dr.failover.protocols import WithoutData
    from dr.plans.document import Way

    points = PointsWay(clouds, stores, _keyring(core.settings), core.settings)
    ways: dict[Way, DataWay] = {Way.POINTS: points, Way.NONE: WithoutData()}
    replication = open_replication(core.settings, core.clock)
    if replication is not None:
        from dr.ways.moving import ReplicationWay

        ways[Way.REPLICATION] = ReplicationWay(
            clouds, observed_replication(replication, core.store), core.settings
        )
    return ways


def _steering(core: Core) -> "Steering | None":
    """The name service that brings people to a site; None where dns.yaml names none."""
    from dr.traffic.moving import SteeringByName

    if not core.settings.dns_file.exists():
        return None
    return SteeringByName(open_dns(core.settings, core.store), core.settings)


def _enrol() -> Flow:
    from dr.enrolment import Enrol

    return Enrol()


def _settle(core: Core, uow: UnitOfWork, operation: Operation) -> None:
    from tenants.settlement import settle

    settle(core)(uow, operation)
