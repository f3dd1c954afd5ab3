"""What ended half-way: a register that a dead move holds, a giving back that was abandoned."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.errors import StorageUnavailable, WrongState
from cloudctl.lifecycle import FailoverState
from cloudctl.models import AuditEvent, Failover, Notice
from cloudctl.ports import Register
from dr.failover import deciding, register, tidying
from dr.failover.job import PLANNED
from provisioning import intervention
from tests.flows.moving import CITY, PLAN, PROVINCE, World, a_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = a_world(tmp_path)
    yield made
    assert not made.overlaps
    made.close()


def entry_of(world: World) -> Register:
    entry = world.witness.read(PLAN)
    assert entry is not None
    return entry


def held_by_a_dead_move(world: World) -> Failover:
    """A move was given back, and its seizure arrives after that."""
    failover_id = world.begin(PLANNED)
    deciding.abort(world.cores[CITY], world.actor(CITY, "olga"), failover_id, "no flood")
    row = world.work(CITY, failover_id)
    assert row.state == "aborted"
    entry = entry_of(world)
    late = replace(entry, epoch=row.base_epoch)  # as it was when the frozen worker had read it
    world.witness.swap(entry, register.seized(late, CITY, row.owner))
    world.pass_time(60)
    assert not world.agents[PROVINCE].writes
    return row


def test_a_register_that_a_dead_move_holds_is_given_back_by_the_next_look(world: World) -> None:
    row = held_by_a_dead_move(world)
    core = world.cores[CITY]
    assert tidying.give_back_left(core, world.witness) == [PLAN]
    entry = entry_of(world)
    assert (entry.epoch, entry.holder, entry.is_open) == (row.base_epoch + 2, PROVINCE, True)
    world.pass_time(5)
    assert world.agents[PROVINCE].writes
    assert tidying.give_back_left(core, world.witness) == []
    with core.store.read() as uow:
        [said] = uow.all(AuditEvent, AuditEvent.action == "failover.give_back_left")
        told = uow.count(Notice, Notice.template.contains("had ended and held the register"))
    assert said.details == {"plan": PLAN, "holder": PROVINCE, "epoch": entry.epoch}
    assert told


def test_a_look_takes_nothing_from_another_move_nor_from_one_that_was_promoting(world: World) -> None:
    row = held_by_a_dead_move(world)
    held = entry_of(world)
    assert tidying.left_by(replace(held, owner="another"), [row]) is None
    assert tidying.left_by(replace(held, is_open=True), [row]) is None
    assert tidying.left_by(None, [row]) is None
    assert tidying.left_by(held, [row]) is row
    row.times = {**row.times, FailoverState.PROMOTING: "2026-11-26"}
    assert tidying.left_by(held, [row]) is None


def test_a_look_asks_a_witness_that_does_not_answer_another_time(world: World) -> None:
    held_by_a_dead_move(world)
    world.witness.cut(CITY)
    assert tidying.give_back_left(world.cores[CITY], world.witness.at(CITY)) == []
    world.witness.join(CITY)
    assert tidying.give_back_left(world.cores[CITY], world.witness.at(CITY)) == [PLAN]


def test_a_giving_back_that_was_abandoned_half_way_is_taken_up_again(world: World) -> None:
    core, failover_id = world.cores[CITY], world.begin(PLANNED)
    olga, dave = world.actor(CITY, "olga"), world.actor(CITY, "dave")

    def hook(name: str) -> None:
        if name == "sync":
            deciding.abort(core, olga, failover_id, "no flood")
        if name == "let_go":
            raise StorageUnavailable("the old site's storage does not answer")

    world.ways[CITY].hook = hook
    with pytest.raises(AssertionError, match="giving_back"):
        world.work(CITY, failover_id, limit_s=60)
    first = world.failover(CITY, failover_id).operation_id
    assert first is not None
    with pytest.raises(WrongState):
        deciding.abort(core, olga, failover_id, "it is given back already")
    intervention.abandon(core, dave, first, lambda _uow, _row: None, "it hangs")
    assert not entry_of(world).is_open
    world.ways[CITY].hook = lambda _name: None
    deciding.abort(core, olga, failover_id, "the register is still closed")
    row = world.work(CITY, failover_id)
    assert (row.state, entry_of(world).holder, entry_of(world).is_open) == ("aborted", PROVINCE, True)
    assert world.ways[CITY].made == set()
    with pytest.raises(WrongState):
        deciding.abort(core, olga, failover_id, "once more")
