"""A system with two parts that moves between two sites: one witness, an agent at each, a cloudctl with its
own database at each, and one clock for all of them.

An agent is its writers: it writes while it holds the lease, asks again as long as the register lets it, and
says that it stands still when it does. Time passes only when somebody lets it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import Fault, WitnessUnavailable
from cloudctl.lifecycle import Later, PlanState
from cloudctl.models import Failover, Operation, ProtectionPlan
from cloudctl.operations import Engine, Run
from cloudctl.ports import Observation, Stopped
from cloudctl.store import Store
from dr.failover import asking, deciding, register
from dr.failover.flow import Move
from dr.failover.job import KIND, PLANNED, UNPLANNED, MoveJob
from dr.isolated.checks import Check
from dr.plans.document import Document, Part, Way
from provisioning.drivers.fake_witness import FakeWitness
from tests.builders import a_person, a_province, an_actor
from tests.conftest import make_core
from tests.flows.protecting import Impatient

Json = Mapping[str, Any]
PROVINCE, CITY, THIRD = "province", "city-1", "third"
PLAN, SYSTEM = "budget", "gx-finance-budget"
LEASE_S = 30
CHECK = Check("http", 80, "", "/health", 200, "")


def document(**changes: Any) -> Document:
    """A database, what needs it, and something that is not critical; none of them has data of its own."""
    parts = (
        Part("db", ("db-1",), way=Way.REPLICATION, checks=(Check("postgresql", 5432),), patience_s=8),
        Part("web", ("web-1",), needs=("db",), way=Way.NONE, checks=(CHECK,), patience_s=8),
        Part(
            "stats",
            ("stats-1",),
            way=Way.NONE,
            checks=(Check("tcp", 9000),),
            patience_s=8,
            is_critical=False,
        ),
    )
    plain: dict[str, Any] = {
        "name": PLAN, "system": SYSTEM, "home": PROVINCE, "recovery": CITY, "rpo_s": 300, "rto_s": 900,
        "parts": parts, "checks": (CHECK,), "lease_s": LEASE_S,
        "approvers": ("department_approver", "province_admin"),
    }  # fmt: skip
    return Document(**{**plain, **changes})


@dataclass
class Agent:
    """The writers of one site, and who lets them."""

    world: "World"
    site: str
    server: str = "db-1"
    lease_until: float = 0.0
    lease: int = 0  # the epoch of the last lease
    is_hung: bool = False
    is_down: bool = False
    is_slow: bool = False  # what it is answered reaches it a second later
    late: tuple[int, float] | None = None  # the epoch and the end of a lease that it has not heard of yet

    @property
    def writes(self) -> bool:
        return self.world.now < self.lease_until and not self.is_down

    def act(self) -> None:
        """Ask, write, or say that the writers stand still."""
        if self.is_hung or self.is_down:
            return
        if self.late is not None:
            (self.lease, self.lease_until), self.late = self.late, None
            self.world.wrote(self.site, self.lease)
            return
        seen = self.world.witness.at(self.site)
        asked = self.world.now
        try:
            entry = seen.read(PLAN)
            if entry is None:
                return
            if entry.holder == self.site and entry.is_open:
                self.late = (entry.epoch, asked + LEASE_S)
                if not self.is_slow:
                    (self.lease, self.lease_until), self.late = self.late, None
                    self.world.wrote(self.site, entry.epoch)
            else:
                self.lease_until = 0.0
                word = Stopped(PLAN, self.site, self.lease, f"{asked:012.1f}", entry.epoch)
                seen.say_stopped(word, self.server)
        except WitnessUnavailable:
            return
        self.world.look()


@dataclass
class Replicated:
    """A way whose storage is a dictionary: who is primary at which site, and how often it was made so."""

    world: "World"
    faults: list[Fault] = field(default_factory=list)
    promoted: list[tuple[str, int]] = field(default_factory=list)
    synced: list[int] = field(default_factory=list)
    synced_at: dict[str, int] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    waits: int = 0
    hook: Callable[[str], None] = lambda _name: None

    def precheck(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Fault]:
        return list(self.faults)

    def final_sync(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Json | Later:
        self.hook("sync")
        if self.world.agents[job.failover.from_site_id].writes:
            self.world.overlaps.append("copied while the old site writes")
        self.synced.append(job.failover.id)
        self.synced_at[job.failover.owner] = len(self.world.written)
        return {"marker": f"after {job.failover.base_epoch}"}

    def restore(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        self.hook("restore")
        self.made.add(job.failover.id)
        if self.waits:
            self.waits -= 1
            return Later(1.0, "the copy")
        return None

    def promote(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        self.hook("promote")
        run.must_hold()
        self.world.must_be_fenced(job)
        if job.is_planned:  # nothing was written at the old site after the last copy
            after = self.world.written[self.synced_at[job.failover.owner] :]
            if job.failover.from_site_id in {site for site, _ in after}:
                self.world.overlaps.append("written at the old site after the last copy")
        one = (job.failover.to_site_id, job.failover.base_epoch + 1)
        if one not in self.promoted:
            self.promoted.append(one)
        return None

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        self.hook("start")
        if part.name not in self.started:
            self.started.append(part.name)
        return {part.servers[0]: ("10.0.0.9",)}

    def let_go(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        self.hook("let_go")
        job.must_be_mine()
        return None

    def undo(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> int:
        self.hook("undo")
        self.made.discard(job.failover.id)
        return 0

    def reprotect(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        return None


@dataclass
class Answers:
    """What answers: everything that is served by a site whose agent lets it write, unless it is silent."""

    world: "World"
    silent: set[str] = field(default_factory=set)  # kinds of checks

    def ask(self, site_id: str, check: Check, address: str) -> tuple[bool, str]:
        if check.kind in self.silent:
            return False, "no answer"
        is_served = self.world.agents[site_id].writes
        return is_served, "" if is_served else "nobody writes here"


@dataclass
class World:
    """Everything, and the time that passes for all of it."""

    clock: FrozenClock
    witness: FakeWitness
    cores: dict[str, Core]
    agents: dict[str, Agent] = field(default_factory=dict)
    ways: dict[str, Replicated] = field(default_factory=dict)
    answers: Answers | None = None
    written: list[tuple[str, int]] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    patience: int = 120  # how often a worker may wait

    @property
    def now(self) -> float:
        return (self.clock.now() - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()

    def wrote(self, site: str, epoch: int) -> None:
        """A writer runs now, if its lease is not over before it heard of it."""
        if self.agents[site].writes:
            self.written.append((site, epoch))

    def look(self) -> None:
        """One writer at most; what is seen otherwise is kept: the engine takes an assertion for an error."""
        writing = [site for site, agent in self.agents.items() if agent.writes]
        if len(writing) > 1:
            self.overlaps.append(f"{self.now}: {writing}")

    def must_be_fenced(self, job: MoveJob) -> None:
        """What is promoted has a proof on record, and nobody writes at the old site."""
        if not job.failover.fence:
            self.overlaps.append("promoted without a proof")
        if not job.is_glass_broken and self.agents[job.failover.from_site_id].writes:
            self.overlaps.append("promoted while the other site writes")

    def pass_time(self, seconds: float) -> None:
        """Second by second, with every agent acting in each."""
        for _ in range(round(seconds)):
            self.clock.advance(1)
            for agent in self.agents.values():
                agent.act()
            self.look()

    def flow(self, site: str, store: Store | None = None) -> Move:
        """The flow of that site's cloudctl, with a memory of its own."""
        core, way = self.cores[site], self.ways[site]
        assert self.answers is not None
        ways = {Way.REPLICATION: way, Way.NONE: way}
        return Move(
            core.settings,
            self.witness.at(site),
            ways,
            self.answers,
            clock_s=lambda: self.now,
            audit=core.audit,
        )

    def engine(self, site: str, store: Store | None = None) -> Engine:
        core = self.cores[site]
        clock = Living(self)
        return Engine(store or core.store, clock, {KIND: self.flow(site)}, core.settings.lease_s)

    def work(
        self, site: str, failover_id: int, until: str = "", limit_s: float = 900, **more: Any
    ) -> Failover:
        """Work on the move with one worker until it ends, or has that state."""
        engine, spent = self.engine(site, **more), 0.0
        while True:
            row = self.failover(site, failover_id)
            operation = self.operation(site, row.operation_id)
            if operation.ended_at is not None or (until and row.state == until):
                return row
            assert spent < limit_s, f"{row.state}: {operation.why} {operation.error_message}"
            if not engine.run(operation.id):
                ahead = max(1.0, (operation.next_at - self.clock.now()).total_seconds())
                spent += ahead
                self.pass_time(ahead)

    # -- people

    def actor(self, site: str, name: str) -> Actor:
        return an_actor(self.cores[site], name)

    def outlook(self, site: str) -> asking.Outlook:
        return asking.look(self.witness.at(site), PLAN)

    def ask(self, kind: str = PLANNED, site: str = CITY, **more: Any) -> int:
        """The duty officer of a site asks that the system comes there; the id of the move."""
        wanted = asking.Wanted(PLAN, kind, site, reason="the flood is coming", **more)
        core = self.cores[site]
        return int(asking.ask(core, self.actor(site, "olga"), wanted, self.outlook(site))["id"])

    def approve(self, failover_id: int, who: str, site: str = CITY) -> Json:
        core = self.cores[site]
        sha = self.failover(site, failover_id).plan_sha256
        return deciding.approve(core, self.actor(site, who), failover_id, sha, "", self.outlook(site))

    def begin(self, kind: str = PLANNED, site: str = CITY) -> int:
        """Asked for and approved by two."""
        if kind == UNPLANNED:
            self.lose(PROVINCE if site == CITY else CITY)
        failover_id = self.ask(kind, site)
        for who in ("dave", "bob"):
            self.approve(failover_id, who, site)
        return failover_id

    def lose(self, site: str) -> None:
        """The other two places see nothing of the site."""
        for place in (PROVINCE, CITY, THIRD):
            if place != site:
                seen = Observation(PLAN, place, site, "api", False, "now", "no answer")
                self.witness.at(place).observe(seen, 3600)

    # -- reading

    def failover(self, site: str, failover_id: int) -> Failover:
        with self.cores[site].store.read() as uow:
            return uow.need(Failover, failover_id)

    def operation(self, site: str, operation_id: int | None) -> Operation:
        with self.cores[site].store.read() as uow:
            return uow.need(Operation, operation_id)

    def plan(self, site: str = CITY) -> ProtectionPlan:
        with self.cores[site].store.read() as uow:
            [row] = uow.all(ProtectionPlan)
            return row

    def close(self) -> None:
        for core in self.cores.values():
            core.store.close()


class Living(Impatient):
    """The clock of a worker: while it waits, agents live."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock, world.patience)
        self._world = world

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        self._left -= 1
        assert self._left > 0, "it waits for what never comes"
        self._world.pass_time(max(1.0, seconds) if seconds else 0)
        return woken(0)


def a_world(home: Path, plan: Document | None = None, sites: Sequence[str] = (CITY,)) -> World:
    """The system runs at the province, its agent holds the lease, and the plan is verified."""
    clock = FrozenClock()
    plan = plan or document()
    cores = {}
    for site in sites:
        folder = home / site
        folder.mkdir(parents=True)
        cores[site] = core = make_core(folder, clock=clock)
        a_province(core)
        a_person(core, "olga", Role.DR_OFFICER, INSTALLATION)
        with core.store.write() as uow:
            uow.add(
                ProtectionPlan(
                    name=plan.name, system_id=plan.system, document=plan.as_json(), sha256=plan.sha256,
                    state=PlanState.VERIFIED, home_site_id=plan.home, recovery_site_id=plan.recovery,
                    active_site_id=plan.home, epoch=1, created_at=clock.now(), created_by="dave",
                    verified_at=clock.now() - timedelta(days=1),
                )
            )  # fmt: skip
    world = World(clock, FakeWitness(lambda: 0.0, (PROVINCE, CITY, THIRD)), cores)
    world.answers = Answers(world)
    world.witness.swap(None, register.first(PLAN, PROVINCE))
    for site in (PROVINCE, CITY):
        world.agents[site] = Agent(world, site)
        world.ways[site] = Replicated(world)
        world.witness.enrol(PLAN, site, "db-1")
    world.pass_time(2)
    return world
