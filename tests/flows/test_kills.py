"""Kill -9 of real processes in the middle of drills and moves: somebody goes on, nothing twice, nothing left.

The worker, the database under it and the broker beside it die at the boundaries of steps: right before and
right after the commits by which a drill or a move enters its next state, or a step of the journal begins or
ends. Where a worker dies in a call to a cloud is told in test_drill_crash.py and test_failover_crash.py.
"""

import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudctl.models import Resource, Restore
from cloudctl.ports import Stopped
from cloudctl.store import Store
from dr.failover.job import PLANNED, UNPLANNED
from provisioning.drivers.fake_witness import FakeWitness
from tests.conftest import make_core
from tests.flows import rehearsing
from tests.flows.killing import Stage, Thawing, Victim, a_stage, made, roots
from tests.flows.protecting import CITY, SOURCE, Protected, protect
from tests.flows.rehearsing import SMALL
from tests.flows.restoring import servers_of
from tests.flows.test_failover_points import PLAN, Moving, a_moving
from tests.rabbitmq import RabbitNode
from tests.services import PostgresCluster, a_postgres_cluster

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres]
RESUMES_S = 10.0  # with a lease of 3 s


@dataclass(frozen=True)
class Tale:
    """One telling: what was begun, and what must be true when it has ended."""

    world: Protected
    witness: FakeWitness | None
    operation_id: int
    check: Callable[[], None]


def _a_drill(home: Path, url: str) -> Tale:
    clock = Thawing()
    world = protect(make_core(home, url, clock), clock, (CITY,), (1,), layout=SMALL)
    rehearsing.set_up(world)
    world.back_up()
    row = rehearsing.begin(world, hold_s=1)
    before = len(rehearsing.changes_of(world, SOURCE))

    def check() -> None:
        seen = rehearsing.drill(world, row.id)
        assert (seen.state, seen.verdict, seen.left_behind) == ("done", "passed", []), seen.why
        rehearsing.assert_gone(world)
        assert len(rehearsing.changes_of(world, SOURCE)) == before, "production was touched"
        assert _twice(world) == {}
        with world.core.store.read() as uow:
            assert uow.count(Restore, Restore.purpose == "drill") == 1

    return Tale(world, None, row.operation_id or 0, check)


def _a_move(kind: str, home: Path, url: str) -> Tale:
    clock = Thawing()
    moving = a_moving(make_core(home, url, clock), clock)
    world = moving.world
    world.back_up()
    world.scribble(0)
    newest = world.contents() if kind == PLANNED else None
    if kind == UNPLANNED:
        moving.lose()
    failover_id = moving.begin(kind)

    def check() -> None:
        _has_moved(moving, failover_id, newest)

    return Tale(world, moving.witness, moving.row(failover_id).operation_id or 0, check)


def _has_moved(moving: Moving, failover_id: int, newest: list[bytes] | None) -> None:
    world, row = moving.world, moving.row(failover_id)
    assert row.state == "shifted", row.error_message
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
        states = {one.state for one in uow.all(Resource, Resource.site_id == CITY)}
    volumes = [restore.made[key]["volume"] for key in ("0", "1")]
    assert servers_of(world, CITY) == [(f"budget-vm1-r{restore.id}", tuple(volumes))]
    assert states == {"active"}
    if newest is not None:
        assert [world.clouds[CITY].content(one) for one in volumes] == newest
    entry = moving.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.holder, entry.is_open) == (2, CITY, True)
    world.assert_nothing_over()
    assert _twice(world) == {}


def _twice(world: Protected) -> dict[str, int]:
    """What was made more often than once, at either site."""
    return {name: count for site in world.clouds for name, count in made(world, site).items() if count > 1}


STORIES: Mapping[str, Callable[[Path, str], Tale]] = {
    "drill": _a_drill,
    PLANNED: lambda home, url: _a_move(PLANNED, home, url),
    UNPLANNED: lambda home, url: _a_move(UNPLANNED, home, url),
}


@dataclass(frozen=True)
class Database:
    """A cluster of its own, since others would not like to see it killed, and the URL of an empty schema."""

    cluster: PostgresCluster
    empty: str


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with a_postgres_cluster(is_lasting=True) as cluster:
        store = Store(cluster.new_database())
        store.migrate()
        store.close()
        yield Database(cluster, store.url)


@pytest.fixture(autouse=True)
def tiny_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)


@contextmanager
def _an_agent(witness: FakeWitness | None) -> Iterator[None]:
    """Whoever holds the old site's writers says that they stand still as soon as the register wants it."""
    ended = threading.Event()

    def speak() -> None:
        while witness is not None and not ended.wait(0.05):
            entry = witness.read(PLAN)
            if entry is not None and entry.holder == CITY:
                witness.say_stopped(Stopped(PLAN, SOURCE, 1, "now", entry.epoch), "budget-vm1")

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def tell(story: str, home: Path, database: Database, broker: RabbitNode, plan: Mapping[str, Victim]) -> Stage:
    """The story with these deaths in it; what was seen."""
    home.mkdir()
    tale = STORIES[story](home, database.cluster.new_database(database.empty))
    stage = a_stage(tale.world, database.cluster, broker, plan)
    with stage.running(roots(tale.world, tale.witness)), _an_agent(tale.witness):
        stage.ring(tale.operation_id)
        assert stage.work(tale.operation_id).state == "done"
    assert stage.plan == {}, "these points were never passed"
    tale.check()
    for one in stage.deaths:
        assert one.resumed_s is not None, one
        assert one.resumed_s < RESUMES_S, one
    tale.world.core.store.close()
    return stage


STATES = {
    "drill": ("precheck", "isolated", "cloned", "starting", "validating", "holding", "cleaning"),
    PLANNED: ("reserved", "drained", "seized", "fenced", "synced", "promoting", "promoted", "opened",
              "started", "validated"),
    UNPLANNED: ("reserved", "seized", "fenced", "promoting", "promoted", "opened", "started", "validated"),
}  # fmt: skip
WHENS = ("before", "after")
AT_ONCE = 6  # deaths in one telling of the soak


@pytest.mark.parametrize(
    ("story", "other"), [("drill", Victim.BROKER), (PLANNED, Victim.DATABASE), (UNPLANNED, Victim.ANSWER)]
)
def test_whatever_is_killed_somebody_goes_on(
    story: str, other: Victim, tmp_path: Path, database: Database, rabbitmq: RabbitNode
) -> None:
    dice = random.Random()
    first, second = dice.sample(STATES[story], 2)
    when = "after" if other is Victim.ANSWER else dice.choice(WHENS)
    plan = {f"{dice.choice(WHENS)} the state {first}": Victim.WORKER, f"{when} the state {second}": other}
    print(plan)
    tell(story, tmp_path / "home", database, rabbitmq, plan)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("victim", Victim)
@pytest.mark.parametrize("story", STORIES)
def test_each_is_killed_at_every_boundary_of_a_step(
    story: str, victim: Victim, tmp_path: Path, database: Database, rabbitmq: RabbitNode
) -> None:
    passed = dict.fromkeys(tell(story, tmp_path / "home", database, rabbitmq, {}).points)
    places = [one for one in passed if is_boundary(one, victim)]
    assert len(places) >= len(STATES[story])
    longest_s, tellings = 0.0, math.ceil(len(places) / AT_ONCE)
    for number in range(tellings):
        plan = dict.fromkeys(places[number::tellings], victim)
        stage = tell(story, tmp_path / f"home-{number}", database, rabbitmq, plan)
        longest_s = max(longest_s, *(one.resumed_s or 0.0 for one in stage.deaths))
    print(f"{story}: {len(places)} deaths of the {victim}, resumed after {longest_s:.1f} s at most")


def is_boundary(point: str, victim: Victim) -> bool:
    """Whether a commit is about to enter a step or has entered it; all else that is passed are calls.

    Nobody who has ended waits for an answer, and the broker has no part in steps: it dies at states.
    """
    when, _, what = point.partition(" ")
    if " " not in what or what in {"the state done", "the state shifted"}:
        return False
    if victim is Victim.ANSWER:
        return when == "after"
    return victim is not Victim.BROKER or what.startswith("the state ")
