"""The drivers of an installation, each loaded when it is first needed."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from cloudctl.bootstrap.keys import GUESTS_KEY
from cloudctl.clock import Clock
from cloudctl.config import Settings
from cloudctl.ports import (
    Application,
    Cloud,
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
from cloudctl.read_only import observed_dns
from cloudctl.store import Store

if TYPE_CHECKING:
    from dr.agents.installing import Papers
    from provisioning.drivers.etcd_witness import EtcdWitness


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


def open_application() -> Application:
    """The applications of systems, as people reach them over HTTP."""
    from provisioning.drivers.http_application import HttpApplication

    return HttpApplication()


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
