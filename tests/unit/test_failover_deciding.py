"""Who may ask for a move, who decides, and what they must have seen; evidence, the register and the lease."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    Refused,
    SecondPersonNeeded,
    StalePlan,
    WrongState,
)
from cloudctl.models import Notice, ProtectionPlan
from cloudctl.ports import Observation
from dr.failover import asking, deciding, evidence, register, timing
from dr.failover.job import PLANNED, UNPLANNED
from tests.builders import a_person, an_actor
from tests.flows.moving import CITY, PLAN, PROVINCE, World, a_world

LONG = "the hall of the province is under water"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = a_world(tmp_path)
    yield made
    made.close()


def codes(error: BadInput) -> list[str]:
    return [one.code for one in error.faults]


def test_whoever_asked_never_decides_and_nobody_decides_twice(world: World) -> None:
    core = world.cores[CITY]
    a_person(core, "olga", Role.PROVINCE_ADMIN, INSTALLATION)
    failover_id = world.ask()
    with pytest.raises(SecondPersonNeeded):
        world.approve(failover_id, "olga")
    assert world.approve(failover_id, "dave")["state"] == "requested"
    with pytest.raises(Conflict):
        world.approve(failover_id, "dave")
    assert world.approve(failover_id, "bob")["state"] == "approved"
    with pytest.raises(WrongState):
        world.approve(failover_id, "heidi")


def test_a_yes_is_for_the_plan_that_was_seen(world: World) -> None:
    core = world.cores[CITY]
    failover_id = world.ask()
    with pytest.raises(StalePlan):
        deciding.approve(core, an_actor(core, "dave"), failover_id, "0" * 64, "", world.outlook(CITY))
    with core.store.write() as uow:
        [plan] = uow.all(ProtectionPlan)
        plan.sha256 = "1" * 64  # it was edited
    with pytest.raises(StalePlan):
        world.approve(failover_id, "dave")


def test_only_those_who_may(world: World) -> None:
    core, wanted = world.cores[CITY], asking.Wanted(PLAN, reason=LONG)
    with pytest.raises(NotAllowed):
        asking.ask(core, an_actor(core, "bob"), wanted, world.outlook(CITY))
    failover_id = world.ask()
    with pytest.raises(NotAllowed):
        world.approve(failover_id, "ivan")


def test_the_plan_says_which_roles_decide(world: World) -> None:
    failover_id = world.ask()
    with pytest.raises(NotAllowed, match="department_approver, province_admin"):
        world.approve(failover_id, "heidi")  # administers the city's cloud, which this plan does not ask for


def test_all_that_is_wrong_is_said_at_once(world: World) -> None:
    core = world.cores[CITY]
    with core.store.write() as uow:
        [plan] = uow.all(ProtectionPlan)
        plan.state = "stale"
    entry = world.witness.read(PLAN)
    assert entry is not None
    world.witness.swap(entry, replace(entry, epoch=2, is_open=False))
    wanted = asking.Wanted(PLAN, "sideways", PROVINCE)
    with pytest.raises(BadInput) as caught:
        asking.ask(core, an_actor(core, "olga"), wanted, world.outlook(CITY))
    assert codes(caught.value) == ["not_the_other", "unknown_word", "missing", "not_verified", "other_holder"]


def test_an_unproved_plan_moves_only_when_that_is_said_and_the_site_is_gone(world: World) -> None:
    core = world.cores[CITY]
    with core.store.write() as uow:
        [plan] = uow.all(ProtectionPlan)
        plan.state = "stale"
    with pytest.raises(BadInput):
        world.ask(UNPLANNED)
    with pytest.raises(BadInput):
        world.ask(PLANNED, is_stale_accepted=True)
    assert world.ask(UNPLANNED, is_stale_accepted=True)


def test_a_second_move_waits_for_the_end_of_the_first(world: World) -> None:
    first = world.ask()
    with pytest.raises(BadInput) as caught:
        world.ask()
    assert codes(caught.value) == ["moves_already"]
    core = world.cores[CITY]
    assert deciding.reject(core, an_actor(core, "olga"), first, "")["state"] == "aborted"
    assert world.ask() > first


def test_a_no_needs_a_word(world: World) -> None:
    core, failover_id = world.cores[CITY], world.ask()
    with pytest.raises(BadInput):
        deciding.reject(core, an_actor(core, "dave"), failover_id, " ")
    assert deciding.reject(core, an_actor(core, "dave"), failover_id, "not today")["state"] == "aborted"
    with core.store.read() as uow:
        assert all(one.done_at for one in uow.all(Notice, Notice.needs_action.is_(True)))


def test_a_move_of_which_it_is_not_shown_that_the_site_is_gone_does_not_begin(world: World) -> None:
    failover_id = world.ask(UNPLANNED)
    world.approve(failover_id, "dave")
    with pytest.raises(Refused, match="not shown"):
        world.approve(failover_id, "bob")
    world.lose(PROVINCE)
    assert world.approve(failover_id, "bob")["state"] == "approved"
    assert {one["place"] for one in world.failover(CITY, failover_id).evidence} == {CITY, "third"}


def test_an_epoch_that_nobody_could_read_is_read_before_the_move_begins(world: World) -> None:
    entry = world.witness.read(PLAN)
    assert entry is not None
    world.witness.swap(entry, replace(entry, epoch=3))  # a move was given back
    world.witness.cut(CITY)
    failover_id = world.ask(UNPLANNED)
    assert world.failover(CITY, failover_id).base_epoch == 1
    world.witness.join(CITY)
    world.lose(PROVINCE)
    for who in ("dave", "bob"):
        world.approve(failover_id, who)
    assert world.failover(CITY, failover_id).base_epoch == 3


def test_the_glass_is_broken_by_two_people_of_different_roles(world: World) -> None:
    core, failover_id = world.cores[CITY], world.ask(UNPLANNED)
    a_person(core, "dora", Role.PROVINCE_ADMIN, INSTALLATION)
    sha = world.failover(CITY, failover_id).plan_sha256

    def break_it(who: str, reason: str = LONG) -> str:
        made = deciding.break_glass(core, an_actor(core, who), failover_id, sha, reason, LONG)
        return str(made["state"])

    a_person(core, "olga", Role.PROVINCE_ADMIN, INSTALLATION)
    with pytest.raises(SecondPersonNeeded):
        break_it("olga")  # asked for it
    with pytest.raises(BadInput):
        break_it("dave", "quick")
    assert break_it("dave") == "requested"
    with pytest.raises(Conflict):
        break_it("dave")
    with pytest.raises(SecondPersonNeeded):
        break_it("dora")  # of the same role
    assert break_it("bob") == "approved"
    row = world.failover(CITY, failover_id)
    assert (row.glass["is_disputed"], row.glass["first"]["role"], row.glass["second"]["role"]) == (
        True, "province_admin", "department_approver",
    )  # fmt: skip


def test_a_broken_glass_takes_the_move_past_a_witness_that_nobody_reaches(world: World) -> None:
    core, failover_id = world.cores[CITY], world.ask(UNPLANNED)
    sha = world.failover(CITY, failover_id).plan_sha256
    for who in ("dave", "bob"):
        deciding.break_glass(core, an_actor(core, who), failover_id, sha, LONG, LONG)
    world.witness.cut(CITY)
    world.agents[PROVINCE].is_down = True
    world.patience = 50  # a lease, and a little
    with pytest.raises(AssertionError, match="never comes"):  # no agent starts writers without the witness
        world.work(CITY, failover_id)
    row = world.failover(CITY, failover_id)
    assert row.state == "opened"
    assert row.fence["rung"] == "broken_glass"
    assert row.fence["proof"]["waited_s"] >= row.fence["proof"]["needed_s"]
    world.witness.join(CITY)


def test_a_planned_move_has_no_glass_to_break(world: World) -> None:
    core, failover_id = world.cores[CITY], world.ask(PLANNED)
    sha = world.failover(CITY, failover_id).plan_sha256
    with pytest.raises(Refused, match="planned"):
        deciding.break_glass(core, an_actor(core, "dave"), failover_id, sha, LONG, LONG)


def test_an_entry_of_the_witness_is_made_once(world: World) -> None:
    core = world.cores[CITY]
    first = asking.enrol(core, an_actor(core, "dave"), world.witness, PLAN)
    assert (first["holder"], first["epoch"], first["state"]) == (PROVINCE, 1, "open")
    with pytest.raises(NotAllowed):
        asking.enrol(core, an_actor(core, "olga"), world.witness, PLAN)


# -- pure


def saw(place: str, is_ok: bool, what: str = "api") -> Observation:
    return Observation(PLAN, place, PROVINCE, what, is_ok, "now")


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ([], "too_few"),
        ([saw(CITY, False)], "only_recovery_site"),
        ([saw(CITY, False), saw("third", True)], "only_recovery_site"),
        ([saw("third", False)], "too_few"),
        ([saw(PROVINCE, False), saw(CITY, False)], "only_recovery_site"),
        ([saw(CITY, False), saw("third", False), saw("third", True, "application")], "only_recovery_site"),
    ],
)
def test_what_shows_too_little_is_refused(seen: list[Observation], code: str) -> None:
    verdict = evidence.judge(seen, PROVINCE, CITY)
    assert [one.code for one in verdict.faults] == [code]


def test_two_places_that_see_nothing_of_it_are_enough() -> None:
    seen = [saw(CITY, False), saw("third", False), saw("third", False, "application")]
    assert evidence.judge(seen, PROVINCE, CITY).is_enough


def test_the_register_goes_up_and_back_to_the_site_that_was_open_last() -> None:
    begun = register.first(PLAN, PROVINCE)
    taken = register.seized(begun, CITY, "me")
    assert (taken.epoch, taken.holder, taken.is_open, taken.last) == (2, CITY, False, PROVINCE)
    assert register.is_mine(taken, 1, CITY, "me")
    assert register.is_lost(taken, 1, PROVINCE, "other")
    again = register.seized(taken, PROVINCE, "other")
    assert register.given_back(again).holder == PROVINCE
    assert register.given_back(taken).epoch == 3
    assert register.opened(taken).last == CITY
    assert not register.may_seize(taken, 1, CITY)


def test_a_lease_is_waited_for_longer_than_it_can_last_by_any_clock_within_its_bound() -> None:
    for drift in (0.0, 0.001, 0.05):
        longest_true_s = (30 + 5) / (1 - drift)  # the agent's clock is slow
        waited_true_s = timing.wait_s(30, drift, 5) / (1 + drift)  # ours is fast
        assert waited_true_s >= longest_true_s - 1e-9
