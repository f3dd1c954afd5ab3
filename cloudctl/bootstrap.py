"""The composition root: the only place that picks drivers and wires the parts of an installation.

What speaks to clouds is loaded when it is first needed: a server at rest, and every command that only
reads the database, never pays for OpenStack's libraries.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from cloudctl.audit import Audit
from cloudctl.clock import Clock, SystemClock
from cloudctl.config import Settings, load
from cloudctl.core import Core
from cloudctl.models import Operation
from cloudctl.operations import Engine, Flow
from cloudctl.ports import Bell, Cloud, Clouds, ConnectableClouds
from cloudctl.secrets import Box, Signer
from cloudctl.store import Store, UnitOfWork

AUDIT_KEY = "audit.key"
BOX_KEY = "box.key"


@dataclass(frozen=True)
class App:
    """One installation, wired."""

    core: Core
    clouds: ConnectableClouds
    engine: Engine
    box: Box

    def look_at_sites(self) -> None:
        """List the running servers of the sites whose turn it is."""
        from provisioning.running import look_at_due_sites

        look_at_due_sites(self.core, self.clouds)

    def close(self) -> None:
        """Let go of the database."""
        self.core.store.close()


class SilentBell:
    """Wakes nobody: what is due is found by polling."""

    def ring(self, operation_id: int) -> None:
        """Nothing happens."""


def open_app(home: Path, bell: Bell | None = None, clouds: ConnectableClouds | None = None) -> App:
    """Wire the installation in `home`. Misconfigured, with every fault, when it cannot work.

    `bell` wakes the workers (default: nobody, due rows are polled); `clouds` replaces the drivers.
    """
    settings = load(home)
    core = open_core(settings, SystemClock(), bell or SilentBell())
    clouds = clouds or open_clouds(settings, core.store)
    engine = Engine(
        core.store, core.clock, _OnDemandFlows(clouds, settings), settings.lease_s, partial(_settle, core)
    )
    return App(core, clouds, engine, Box(settings.keys / BOX_KEY))


def open_clouds(settings: Settings, store: Store) -> ConnectableClouds:
    """The drivers; loaded with the first cloud that is asked for."""
    return _OnDemandClouds(settings, store)


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


class _OnDemandFlows(Mapping[str, Flow]):
    """Every kind of operation by its name; a flow is made when the first of its kind is due."""

    def __init__(self, clouds: Clouds, settings: Settings) -> None:
        self._make: dict[str, Callable[[], Flow]] = {
            "build": lambda: _build(clouds, settings),
            "release": lambda: _release(clouds, settings),
            "bulletin": _bulletin,
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


def _build(clouds: Clouds, settings: Settings) -> Flow:
    from provisioning.build import Build

    return Build(clouds, settings)


def _release(clouds: Clouds, settings: Settings) -> Flow:
    from provisioning.release import Release

    return Release(clouds, settings)


def _bulletin() -> Flow:
    from tenants.bulletin.flow import MakeBulletin

    return MakeBulletin()


def _settle(core: Core, uow: UnitOfWork, operation: Operation) -> None:
    from tenants.settlement import settle

    settle(core)(uow, operation)
