"""One installation, wired: what web, worker and the commands hold."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from cloudctl.audit import Audit
from cloudctl.bootstrap.drivers import (
    open_application,
    open_clouds,
    open_dns,
    open_plays,
    open_replication,
    open_stores,
    open_witness,
)
from cloudctl.bootstrap.flows import OnDemandFlows
from cloudctl.bootstrap.keys import AUDIT_KEY, BOX_KEY, SENTINELS_KEY, keyring_of
from cloudctl.clock import Clock, SystemClock
from cloudctl.config import Settings, load
from cloudctl.core import Core
from cloudctl.errors import Refused
from cloudctl.models import Operation
from cloudctl.observing import acts_in_full, is_observing
from cloudctl.operations import Engine
from cloudctl.ports import Bell, ConnectableClouds, Dns, Plays, Stores
from cloudctl.read_only import ObservedClouds, observed_plays, observed_stores
from cloudctl.secrets import Box, Signer, shared_key
from cloudctl.store import Store, UnitOfWork

if TYPE_CHECKING:
    from dr.keyring import Keyring
    from dr.plans.facts import Outside
    from dr.sentinels.writing import Writing


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

    def look_at_databases(self) -> None:
        """Ask the databases of plans how far those that follow are behind."""
        from cloudctl.bootstrap.recovery_flows import databases_of
        from dr.ways.measuring import look_due

        if not is_observing(self.core.store):
            look_due(self.core, databases_of(self.core.settings, self.plays))

    def look_at_registers(self) -> None:
        """Give back what moves that have ended still hold at the witness."""
        from dr.failover.tidying import give_back_left

        witness = self.outside().witness
        if witness is not None and not is_observing(self.core.store):
            give_back_left(self.core, witness)

    def look_around(self) -> None:
        """The sites first, then databases, then the plans that rest on them."""
        self.look_at_sites()
        self.look_at_databases()
        self.look_at_plans()
        self.look_at_registers()

    def dns(self) -> Dns:
        """The name service that steers people to a site. Refused where dns.yaml names none."""
        if not self.core.settings.dns_file.exists():
            raise Refused("this installation has no dns.yaml")
        return open_dns(self.core.settings, self.core.store)

    def keyring(self) -> "Keyring":
        """The keys with which points are signed and opened."""
        return keyring_of(self.core.settings)

    def begin_due_points(self) -> None:
        """Begin the points and proofs whose time has come, and give up what is no longer kept.

        Also the copy of the own database, and drills. Nothing while the installation only observes, stands by
        for another one, or works alone.
        """
        from dr.database import copies
        from dr.drills import calendar
        from dr.tick import begin_due

        if not acts_in_full(self.core.store):
            return
        copies.begin_due(self.core)
        begin_due(self.core)
        calendar.begin_due(self.core)

    def write_sentinels(self) -> None:
        """Write the sentinels that are due, through the applications of the plans that have them."""
        self.sentinels.tick()

    def beat_replicas(self) -> None:
        """Write the moment behind the last write of all volumes that the storage replicates."""
        from dr.ways.beating import beat_all

        replication = self._outside.replication
        if replication is not None and acts_in_full(self.core.store):
            beat_all(self.core, replication)

    def share(self) -> None:
        """Put what the other sites need to work alone; where this is such a site, take it in."""
        from dr.alone.rounds import go_round

        go_round(self.core, self.stores, self.keyring)

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
        OnDemandFlows(core, clouds, stores, plays),
        settings.lease_s,
        partial(_settle, core),
    )
    return App(core, clouds, stores, plays, engine, Box(settings.keys / BOX_KEY), _sentinels(core))


def open_core(settings: Settings, clock: Clock, bell: Bell) -> Core:
    """The part of an installation that never speaks to a cloud."""
    audit = Audit(clock, Signer(settings.keys / AUDIT_KEY), settings.audit_heads)
    return Core(settings, Store(settings.database_url), clock, audit, bell)


def _sentinels(core: Core) -> "Writing":
    """What writes sentinels; its key is made and httpx loaded when the first is due."""
    from dr.sentinels.writing import Writing

    return Writing(core, open_application, partial(shared_key, core.settings.keys / SENTINELS_KEY))


def _settle(core: Core, uow: UnitOfWork, operation: Operation) -> None:
    from tenants.settlement import settle

    settle(core)(uow, operation)
