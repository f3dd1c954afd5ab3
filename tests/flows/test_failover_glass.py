"""What becomes of the register when two people broke the glass, and its witness answers again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.errors import Refused
from cloudctl.operations import Engine
from dr.failover import deciding
from dr.failover.flow import Move
from dr.failover.job import KIND, UNPLANNED
from dr.failover.no_witness import NoWitness
from tests.flows.moving import CITY, PLAN, PROVINCE, Living, World, a_world

WHY = "the hall of the province is under water"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = a_world(tmp_path)
    yield made
    made.close()


def broken(world: World) -> int:
    """Asked for, and the glass broken; the city reaches no majority, the province does and goes on."""
    core, failover_id = world.cores[CITY], world.ask(UNPLANNED)
    sha = world.failover(CITY, failover_id).plan_sha256
    for who in ("dave", "bob"):
        deciding.break_glass(core, world.actor(CITY, who), failover_id, sha, WHY, WHY)
    world.witness.cut(CITY)
    return failover_id


def stuck(world: World, failover_id: int) -> None:
    """Work until it waits for what does not come."""
    world.patience = 60
    with pytest.raises(AssertionError, match="never comes"):
        world.work(CITY, failover_id)
    world.patience = 200


def moved(world: World, failover_id: int, epoch: int = 2) -> None:
    """It is at the city, the register says so, and one site wrote at a time."""
    row = world.work(CITY, failover_id)
    assert row.state == "shifted", row.error_message
    entry = world.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.holder, entry.is_open, entry.last) == (epoch, CITY, True, CITY)
    assert (row.epoch, world.plan().epoch, world.plan().active_site_id) == (epoch, epoch, CITY)
    assert world.agents[CITY].writes
    assert not world.agents[PROVINCE].writes
    assert not world.overlaps


def test_a_witness_that_answers_before_the_promotion_is_asked_and_the_lease_waited_for_anew(
    world: World,
) -> None:
    failover_id, writing = broken(world), []

    def hook(name: str) -> None:
        if name == "restore":
            world.witness.join(CITY)
        if name == "promote":
            writing.append(world.agents[PROVINCE].writes)

    world.ways[CITY].hook = hook
    moved(world, failover_id)
    assert set(writing) == {False}


def test_a_witness_that_answers_only_after_the_opening_is_asked_all_the_same(world: World) -> None:
    failover_id = broken(world)
    stuck(world, failover_id)
    assert world.failover(CITY, failover_id).state == "opened"
    assert world.agents[PROVINCE].writes
    world.witness.join(CITY)
    moved(world, failover_id)


def test_epochs_that_were_made_meanwhile_are_gone_past(world: World) -> None:
    failover_id = broken(world)
    stuck(world, failover_id)
    entry = world.witness.at(PROVINCE).read(PLAN)
    assert entry is not None
    world.witness.at(PROVINCE).swap(entry, replace(entry, epoch=5))
    world.witness.join(CITY)
    moved(world, failover_id, epoch=6)


def test_a_register_that_is_open_at_the_new_site_already_is_not_taken(world: World) -> None:
    failover_id = broken(world)
    entry = world.witness.at(PROVINCE).read(PLAN)
    assert entry is not None
    world.witness.at(PROVINCE).swap(entry, replace(entry, epoch=2, holder=CITY, last=CITY, owner="another"))
    world.witness.join(CITY)
    row = world.work(CITY, failover_id)
    assert (row.state, row.error_code) == ("aborted", Refused.code)
    now = world.witness.read(PLAN)
    assert now is not None
    assert (now.epoch, now.is_open, now.owner) == (2, True, "another")


def test_where_there_is_no_witness_a_move_that_is_stopped_comes_to_its_end(world: World) -> None:
    failover_id = broken(world)

    def stop(name: str) -> None:
        if name == "restore":
            deciding.abort(world.cores[CITY], world.actor(CITY, "olga"), failover_id, "the water went down")

    world.ways[CITY].hook = stop
    core = world.cores[CITY]
    assert world.answers is not None
    flow = Move(core.settings, NoWitness(), dict(world.flow(CITY)._data._ways), world.answers,
                clock_s=lambda: world.now)  # fmt: skip
    operation_id = world.failover(CITY, failover_id).operation_id or 0
    for _ in range(3):
        Engine(core.store, Living(world), {KIND: flow}, core.settings.lease_s).run(operation_id)
        world.pass_time(60)
    assert world.failover(CITY, failover_id).state == "aborted"
