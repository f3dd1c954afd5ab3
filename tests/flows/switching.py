"""The world of moves with a database that copies itself: its two servers, and plays on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl.models import Operation
from cloudctl.operations import Engine, Flow
from cloudctl.ports import Plays
from cloudctl.store import Store
from dr.failover import asking, back, deciding
from dr.failover.back_flow import MakeReady
from dr.failover.flow import Move
from dr.failover.job import KIND, PLANNED
from dr.failover.protocols import WithoutData
from dr.isolated.checks import Check
from dr.plans.document import Database, Part, Serving, Way
from dr.ways import database_asking, database_flow
from dr.ways.application import ApplicationWay
from dr.ways.database_fence import DatabasesDemoted
from dr.ways.database_flow import SetUpDatabases
from dr.ways.databases import Databases
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_databases import FakeDatabases
from provisioning.drivers.fake_plays import FakePlays
from tests.builders import a_project, a_resource
from tests.flows.moving import CITY, PLAN, PROVINCE, Living, World, a_world, document

ADDRESS = {PROVINCE: "10.0.1.5", CITY: "10.0.2.5"}
SERVER = {PROVINCE: "db-1", CITY: "db-2"}
DATABASE = Part(
    "db", ("db-1",), way=Way.APPLICATION, checks=(Check("postgresql", 5432),), patience_s=60,
    database=Database(SERVER),
)  # fmt: skip
WEB = Part("web", ("web-1",), needs=("db",), way=Way.NONE, serving=Serving.STATELESS)


@dataclass
class Switching(World):
    """The same world; what it moves is a database."""

    databases: FakeDatabases | None = None
    plays: Plays | None = None

    def asked(self, site: str = CITY) -> Databases:
        assert self.plays is not None
        return Databases(self.plays, self.cores[site].settings.secrets)

    def flow(self, site: str, store: Store | None = None) -> Move:
        core, witness = self.cores[site], self.witness.at(site)
        assert self.answers is not None
        way = ApplicationWay(self.asked(site))
        return Move(
            core.settings, witness, {Way.APPLICATION: way, Way.NONE: WithoutData()}, self.answers,
            rungs=[DatabasesDemoted(way, witness)], clock_s=lambda: self.now, audit=core.audit,
        )  # fmt: skip

    def engine(self, site: str, store: Store | None = None) -> Engine:
        core = self.cores[site]
        clouds = FakeClouds({one: FakeCloud(one) for one in (PROVINCE, CITY)})
        way = ApplicationWay(self.asked(site))
        ready = MakeReady(clouds, core.settings, self.witness.at(site), {Way.APPLICATION: way})
        flows: dict[str, Flow] = {
            KIND: self.flow(site), back.KIND: ready,
            database_flow.KIND: SetUpDatabases(self.asked(site), self.witness.at(site)),
        }  # fmt: skip
        return Engine(store or core.store, Living(self), flows, core.settings.lease_s)

    def run(self, operation_id: int, site: str = CITY) -> Operation:
        """Work on an operation until it ends."""
        engine = self.engine(site)
        for _ in range(100):
            if self.operation(site, operation_id).ended_at is not None:
                return self.operation(site, operation_id)
            if not engine.run(operation_id):
                self.pass_time(15)
        raise AssertionError(self.operation(site, operation_id).why)

    def write(self, site: str, text: str) -> bool:
        """Whether the database of a site took the write."""
        assert self.databases is not None
        return self.databases.write(ADDRESS[site], text)

    def log(self, site: str) -> list[str]:
        """What the database of a site has."""
        assert self.databases is not None
        self.databases.flow()
        return self.databases.at[ADDRESS[site]].log

    def two_wrote(self) -> list[tuple[str, ...]]:
        """Moments at which more than one database could write."""
        assert self.databases is not None
        return [one for one in self.databases.writers if len(one) > 1]

    def begin_to(self, site: str, kind: str = PLANNED) -> int:
        """Asked for at the city, wherever it goes to, and approved by two."""
        core = self.cores[CITY]
        outlook = asking.look(self.witness.at(CITY), PLAN)
        wanted = asking.Wanted(PLAN, kind, site, reason="the flood is coming")
        asked = asking.ask(core, self.actor(CITY, "olga"), wanted, outlook)
        for who in ("dave", "bob"):
            deciding.approve(core, self.actor(CITY, who), asked["id"], asked["plan_sha256"], "", outlook)
        return int(asked["id"])

    def set_up(self) -> None:
        """The one at the city follows; what is written from then on must never be written at two."""
        assert self.databases is not None
        asked = database_asking.set_up(self.cores[CITY], self.actor(CITY, "dave"), PLAN)
        assert self.run(asked["operation_id"]).state == "done"
        self.databases.writers.clear()


def switching(home: Path, has_agents: bool = True, **changes: Any) -> Switching:
    """A database at the province that nobody follows yet, and a server for one at the city."""
    plan = document(**{"parts": (DATABASE, WEB), "checks": (), **changes})
    world = a_world(home, plan)
    core = world.cores[CITY]
    for site in (PROVINCE, CITY):
        a_resource(
            core, a_project(core, site=site), {"instances": 1}, name=SERVER[site],
            external_id=f"{SERVER[site]}-id", addresses={"ipv4": [ADDRESS[site]]},
        )  # fmt: skip
    databases = FakeDatabases({address: site for site, address in ADDRESS.items()})
    made = Switching(**{**vars(world), "databases": databases, "plays": FakePlays(books=databases.books())})
    made.agents[CITY].server = SERVER[CITY]
    made.witness.dismiss(plan.name, CITY, SERVER[PROVINCE])
    made.witness.enrol(plan.name, CITY, SERVER[CITY])
    if not has_agents:
        made.agents[PROVINCE].is_down = True
        made.witness.dismiss(plan.name, PROVINCE, SERVER[PROVINCE])
    return made
