"""Agents are brought to the servers of a plan: when somebody asks, and by a move at its new site."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.errors import BadInput, Conflict, NotAllowed, Refused
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Operation, Resource, Site
from cloudctl.operations import Engine
from dr.agents import asking
from dr.agents.asking import Wanted
from dr.agents.bringing import Bringing, wish_of
from dr.agents.flow import InstallAgents
from dr.agents.installing import Papers, check
from dr.failover.binding import SIGN_ON
from dr.failover.flow import Move
from dr.failover.job import KIND
from dr.plans.document import Way
from provisioning.drivers.fake_plays import FakePlays
from tests.builders import a_person
from tests.flows.moving import CITY, PLAN, PROVINCE, SYSTEM, Living, World, a_world, document

UNIT = "postgresql@15-main.service"
PAPERS = Papers({"third": "https://10.0.3.2:2379"}, Path("/k/ca"), Path("/k/cert"), Path("/k/key"))
DB, WEB, STATS = document().parts


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Databases at both sites, and a server of a part of which nobody said what writes."""
    database = replace(DB, servers=("db-1", "core"), writers=(UNIT,))
    made = a_world(tmp_path, document(parts=(database, WEB, STATS)))
    core = made.cores[CITY]
    with core.store.write() as uow:
        for number, (site, name) in enumerate(((PROVINCE, "db-1"), (CITY, "core-r3"), (PROVINCE, "web-1"))):
            uow.need(Site, site).guests = "managed"
            uow.add(a_server(made, site, name, f"10.0.{number}.5", label="" if number else "核心库"))
    yield made
    made.close()


def a_server(world: World, site: str, name: str, address: str, label: str = "") -> Resource:
    return Resource(
        id=f"{site}-{name}", kind="server", name=name, site_id=site, system_id=SYSTEM, project_id=None,
        department_id=None, external_id=f"id-{site}-{name}", state=ResourceState.ACTIVE,
        spec={"label": label}, amounts={}, addresses={"ipv4": [address]}, created_at=world.clock.now(),
    )  # fmt: skip


def ask(world: World, who: str = "dave", **wanted: object) -> int:
    core = world.cores[CITY]
    told = asking.install(core, world.actor(CITY, who), world.witness, Wanted(PLAN, **wanted))  # type: ignore[arg-type]
    return int(told["operation_id"])


def work(world: World, operation_id: int, plays: FakePlays) -> Operation:
    core = world.cores[CITY]
    flow = InstallAgents(Bringing(plays, lambda: PAPERS))
    engine = Engine(core.store, Living(world), {asking.KIND: flow}, core.settings.lease_s)
    while (row := world.operation(CITY, operation_id)).ended_at is None:
        engine.run(operation_id)
    return row


def test_every_server_that_writes_gets_the_agent_of_its_own_site(world: World) -> None:
    plays = FakePlays()
    assert work(world, ask(world), plays).state == "done"
    assert {play.hosts[0].address for play in plays.runs} == {"10.0.0.5", "10.0.1.5"}
    told = plays.guest("10.0.1.5").has["agent"]
    config = told["agent_config"]
    assert (config["group"], config["site"], config["server"]) == (PLAN, CITY, "core-r3")
    assert told["agent_units"] == [UNIT]
    assert told["agent_machine"] == f"id-{CITY}-core-r3"
    again = FakePlays()
    again.guests = plays.guests
    assert work(world, ask(world, servers=("核心库",)), again).state == "done"
    assert [play.hosts[0].name for play in again.runs] == ["db-1"]


def test_a_program_of_the_plan_is_told_the_four_words(world: World) -> None:
    plan = document(parts=(replace(DB, writers=("/usr/local/sbin/guest-writers",)),))
    with world.cores[CITY].store.read() as uow:
        row = uow.need(Resource, f"{PROVINCE}-db-1")
    wish = wish_of(plan, plan.parts[0], row)
    assert (wish.units, wish.commands["kill"]) == ((), "/usr/local/sbin/guest-writers kill")
    check(wish)


def test_one_server_that_is_away_keeps_no_other_waiting_and_is_named(world: World) -> None:
    plays = FakePlays()
    plays.guest("10.0.0.5", is_up=False)
    row = work(world, ask(world, parts=("db",)), plays)
    assert row.state == "failed"
    assert "db-1: SSH does not answer" in (row.error_message or "")
    assert "agent" in plays.guest("10.0.1.5").has


def test_a_worker_that_died_goes_on_with_the_next_server(world: World) -> None:
    plays = FakePlays()
    died: list[object] = []

    def die(call: object) -> None:
        if not died and len(plays.runs) == 2:
            died.append(call)
            raise KeyboardInterrupt

    plays.before = die
    plays.after = die
    operation_id = ask(world)
    with pytest.raises(KeyboardInterrupt):
        work(world, operation_id, plays)
    world.clock.advance(world.cores[CITY].settings.lease_s + 1)
    assert work(world, operation_id, plays).state == "done"
    assert [play.hosts[0].address for play in plays.runs] == ["10.0.0.5", "10.0.1.5", "10.0.1.5"]


def test_what_cannot_get_an_agent_is_told_at_once(world: World) -> None:
    with pytest.raises(BadInput) as refused:
        ask(world, servers=("web-1", "nobody"), parts=("none",))
    assert {(one.place, one.code) for one in refused.value.faults} == {
        ("servers.web-1", "no_writers"), ("servers[1]", "unknown_server"), ("parts[0]", "unknown_part"),
    }  # fmt: skip
    with world.cores[CITY].store.write() as uow:
        uow.need(Site, CITY).guests = "none"
    with pytest.raises(BadInput) as refused:
        ask(world)
    assert [one.code for one in refused.value.faults] == ["not_let_in"]


def test_it_is_asked_for_once_by_who_may_plan_and_where_there_is_a_witness(world: World) -> None:
    a_person(world.cores[CITY], "reader", Role.AUDITOR, INSTALLATION)
    with pytest.raises(NotAllowed):
        ask(world, who="reader")
    with pytest.raises(Refused):
        asking.install(world.cores[CITY], world.actor(CITY, "dave"), None, Wanted(PLAN))
    ask(world)
    with pytest.raises(Conflict):
        ask(world)


def test_a_move_brings_the_agent_that_no_disk_brought_before_the_part_counts_as_started(world: World) -> None:
    """The copied agent is waited for first; what stands there without one gets it from the move."""
    plays, core = FakePlays(), world.cores[CITY]
    with core.store.write() as uow:
        uow.need(Resource, f"{PROVINCE}-web-1").state = ResourceState.RELEASED  # nothing there needs an agent

    def signs_on(_call: object) -> None:
        world.witness.enrol(PLAN, CITY, "core-r3")

    plays.after = signs_on
    assert world.answers is not None
    way = world.ways[CITY]
    flow = Move(
        core.settings, world.witness.at(CITY), {Way.REPLICATION: way, Way.NONE: way}, world.answers,
        clock_s=lambda: world.now, audit=core.audit, bringing=Bringing(plays, lambda: PAPERS),
    )  # fmt: skip
    engine = Engine(core.store, Living(world), {KIND: flow}, core.settings.lease_s)
    failover_id = world.begin()
    operation_id = world.failover(CITY, failover_id).operation_id
    assert operation_id is not None
    while world.operation(CITY, operation_id).ended_at is None:
        engine.run(operation_id)
    row = world.failover(CITY, failover_id)
    assert row.state == "shifted", row.error_message
    assert [play.hosts[0].name for play in plays.runs] == ["core-r3"]
    stood, done = (datetime.fromisoformat(row.made["parts"]["db"][key]) for key in ("stood_at", "done_at"))
    assert done - stood >= SIGN_ON
