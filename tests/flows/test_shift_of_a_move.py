"""People follow the move of a plan: all at once, and never over what another hand put there."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from cloudctl import operations
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.lifecycle import Done, Later, Outcome
from cloudctl.models import Failover, Operation, ProtectionPlan, Shift
from cloudctl.operations import Engine, Run
from cloudctl.ports import RecordSet
from dr.failover import job as moves
from dr.plans.document import Serving
from dr.traffic import acting
from dr.traffic.moving import SteeringByName
from tests.steering import AT_CITY, AT_HOME, NAME, PLAN, Steered, steer


@dataclass
class Moving:
    """A flow that does one thing with people, as the flow of a move does it at its place."""

    steering: SteeringByName
    verb: str
    installation: str

    def advance(self, run: Run) -> Outcome:
        wait = getattr(self.steering, self.verb)(run, moves.load(run, self.installation))
        return wait or Done()

    def give_up(self, run: Run, error: Exception) -> Outcome:
        return Later(1)


def begin(world: Steered) -> int:
    """A move to the city, and its operation."""
    now = world.clock.now()
    with world.core.store.write() as uow:
        plan = uow.first(ProtectionPlan, ProtectionPlan.name == PLAN)
        assert plan is not None
        move = Failover(
            plan_id=plan.id, plan_sha256=plan.sha256, plan=plan.document, kind="planned", state="validated",
            from_site_id="province", to_site_id="city-1", owner="move", asked_at=now, asked_by="olga",
        )  # fmt: skip
        uow.add(move)
        uow.flush()
        return operations.start(uow, world.clock, "move", ("failover", move.id), None, 3600).id


def work(world: Steered, operation_id: int, verb: str) -> Operation:
    settings = replace(world.core.settings, poll_s=5.0)
    flow = Moving(SteeringByName(world.dns, settings), verb, settings.installation)
    engine = Engine(world.core.store, world.clock, {"move": flow}, settings.lease_s)
    for _ in range(30):
        engine.run(operation_id)
        if world.operation(operation_id).ended_at is not None:
            break
        world.clock.advance(10)
    return world.operation(operation_id)


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Steered:
    made = steer(core, clock, serving=Serving.ONE_SITE)
    made.put()
    return made


def test_everybody_is_at_the_new_site_when_old_answers_have_run_out(world: Steered) -> None:
    began = world.clock.now()
    assert work(world, begin(world), "bring").state == "done"
    assert world.at_master() == AT_CITY == world.traffic().weights
    assert world.traffic().state == "single_site"
    assert (world.clock.now() - began).total_seconds() >= 20
    assert world.last_shift().state == "done"


def test_a_freeze_holds_no_move_that_two_people_approved(world: Steered, core: Core) -> None:
    acting.freeze(core, world.who("dave"), NAME, "the congress")
    assert work(world, begin(world), "bring").state == "done"
    assert world.at_master() == AT_CITY


def test_a_shift_that_is_under_way_gives_up_its_place(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock)
    world.put()
    row = world.begin(to="city-1")
    world.work_a_little(row["operation_id"])
    assert work(world, begin(world), "bring").state == "done"
    assert world.work(row["operation_id"]).ended_at is not None
    assert world.at_master() == AT_CITY
    old = world.shift(row["id"])
    assert (old.state, old.ended_at is not None) == ("halted", True)
    assert "took its place" in old.why


def test_a_move_that_is_given_back_leads_people_back(world: Steered) -> None:
    work(world, begin(world), "bring")
    assert work(world, begin(world), "give_back").state == "done"
    assert world.at_master() == AT_HOME
    shifts = world.last_shift().id
    assert work(world, begin(world), "give_back").state == "done"
    assert world.last_shift().id == shifts


def test_nobody_is_led_away_before_the_new_site_serves(world: Steered) -> None:
    assert work(world, begin(world), "drain").state == "done"
    assert world.at_master() == AT_HOME


def test_who_serves_as_well_gets_everybody_when_the_other_is_drained(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock, serving=Serving.READ_ANYWHERE)
    world.put()
    world.work(world.begin(weights={"city-1": 25, "province": 75})["operation_id"])
    assert work(world, begin(world), "drain").state == "done"
    assert world.at_master() == AT_CITY


def test_a_plan_without_a_name_needs_nothing(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock)
    for verb in ("drain", "bring", "give_back"):
        assert work(world, begin(world), verb).state == "done"
    assert not world.dns.updates


def test_what_another_hand_put_there_is_waited_for_until_it_is_right(world: Steered) -> None:
    foreign = RecordSet(NAME, "A", 20, ("192.0.2.1",))
    ours = world.dns.sets[(NAME, "A")]
    world.dns.put_by_hand(foreign)
    move = begin(world)
    seen: list[Any] = []

    def put_right(call: Any) -> None:
        seen.append(call)
        if len(seen) == 10:
            world.dns.put_by_hand(ours)

    world.dns.before = put_right
    ended = work(world, move, "bring")
    world.dns.before = lambda _call: None
    assert (ended.state, world.at_master()) == ("done", AT_CITY)
    assert foreign not in [one for sets in world.dns.updates for one in sets]


def test_a_move_that_is_repeated_begins_no_second_shift(world: Steered) -> None:
    move = begin(world)
    work(world, move, "bring")
    with world.core.store.read() as uow:
        assert uow.count(Shift, Shift.operation_id == move) == 1
