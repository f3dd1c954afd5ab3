"""Every kind of operation and the flow that moves it on, wired when the first of its kind is due."""

from collections.abc import Callable, Iterator, Mapping
from threading import Lock

from cloudctl.bootstrap import recovery_flows
from cloudctl.bootstrap.keys import keyring_of
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.operations import Flow
from cloudctl.ports import Clouds, Plays, Stores


class OnDemandFlows(Mapping[str, Flow]):
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
            "drill": lambda: recovery_flows.make_drill(core, clouds, stores),
            "failover": lambda: recovery_flows.make_failover(core, clouds, stores, plays),
            "agents": lambda: recovery_flows.make_agents(core, plays),
            "failback": lambda: recovery_flows.make_failback(core, clouds, stores, plays),
            "databases": lambda: recovery_flows.make_databases(core, plays),
            "shift": lambda: recovery_flows.make_shift(core),
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
    return Backup(clouds, stores, keyring_of(core.settings), core.settings, quiescing)


def _proof(clouds: Clouds, stores: Stores, settings: Settings) -> Flow:
    from dr.proof_flow import Prove

    return Prove(clouds, stores, keyring_of(settings), settings)


def _restore(clouds: Clouds, stores: Stores, settings: Settings) -> Flow:
    from dr.restore_flow import RestorePoint

    return RestorePoint(clouds, stores, keyring_of(settings), settings)


def _bucket_backup(stores: Stores, settings: Settings) -> Flow:
    from dr.buckets.backup_flow import BackUpBucket

    return BackUpBucket(stores, keyring_of(settings), settings)


def _bucket_proof(stores: Stores, settings: Settings) -> Flow:
    from dr.buckets.proof_flow import ProveBucket

    return ProveBucket(stores, keyring_of(settings), settings)


def _bucket_restore(stores: Stores, settings: Settings) -> Flow:
    from dr.buckets.restore_flow import RestoreBucket

    return RestoreBucket(stores, keyring_of(settings), settings)


def _expiry(clouds: Clouds, stores: Stores, settings: Settings) -> Flow:
    from dr.expiry_flow import Expire

    return Expire(clouds, stores, settings)


def _database(stores: Stores, settings: Settings) -> Flow:
    from dr.database.flow import BackUpDatabase

    return BackUpDatabase(stores, keyring_of(settings), settings)


def _bulletin() -> Flow:
    from tenants.bulletin.flow import MakeBulletin

    return MakeBulletin()


def _enrol() -> Flow:
    from dr.enrolment import Enrol

    return Enrol()
