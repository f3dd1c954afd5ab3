"""The province is gone: the city's cloudctl moves the system, and the province learns of it later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.errors import BadInput, NotAllowed, ObserveOnly, Refused, SecondPersonNeeded, WrongState
from cloudctl.models import AuditEvent, Failover, FailoverApproval, Operation, ProtectionPlan, User
from cloudctl.observing import acts_in_full, is_observing
from cloudctl.operations import start
from dr.alone import importing, merging, releasing, rounds, taking_over
from dr.failover import asking
from dr.failover.job import PLANNED, UNPLANNED
from tests.flows.moving import CITY, PLAN, PROVINCE
from tests.standing_by import BUCKET, Pair, a_pair


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = a_pair(tmp_path)
    yield made
    assert not made.world.overlaps
    made.world.close()


def take_over(pair: Pair) -> None:
    """The home has been silent for long, and two people say so."""
    pair.world.pass_time(taking_over.SILENT_S + 1)
    taking_over.take_over(pair.city, pair.actor("dave"), "the province is under water")
    taking_over.take_over(pair.city, pair.actor("lin"), "nobody answers there")


def ask_at_home(pair: Pair) -> int:
    """At the province's own cloudctl, for a move to the city."""
    wanted = asking.Wanted(PLAN, PLANNED, CITY, reason="the flood is coming")
    outlook = pair.world.outlook(PROVINCE)
    return int(asking.ask(pair.home, pair.actor("olga", PROVINCE), wanted, outlook)["id"])


def found(pair: Pair) -> importing.Found:
    """What the city put while it was alone, as the home reads it."""
    opened = rounds.way_back(pair.home, pair.keyrings[PROVINCE], CITY)
    return importing.read(pair.stores, opened, BUCKET)


def merge(pair: Pair, is_dry: bool = False) -> dict[str, Any]:
    export = found(pair)
    said = merging.registers(pair.home, pair.world.witness.at(PROVINCE).read, export)
    return merging.merge(pair.home, pair.actor("dave", PROVINCE), export, said, is_dry)


def test_the_city_moves_the_system_alone_and_the_province_merges_it_when_it_returns(pair: Pair) -> None:
    pair.world.witness.cut(PROVINCE)
    take_over(pair)
    row = pair.world.work(CITY, pair.world.begin(UNPLANNED))
    assert (row.state, row.epoch, pair.world.plan(CITY).active_site_id) == ("shifted", 2, CITY)
    assert pair.world.plan(PROVINCE).active_site_id == PROVINCE  # nobody has told it
    pair.round(CITY)

    pair.world.witness.join(PROVINCE)
    before = merge(pair, is_dry=True)
    assert before["state"] == "possible"
    assert pair.world.plan(PROVINCE).active_site_id == PROVINCE  # looking changes nothing
    done = merge(pair)
    assert done["state"] == "merged"
    [move] = done["moves"]
    assert (move["asked_by"], move["approved_by"], move["state"]) == ("olga", ["bob", "dave"], "shifted")
    assert done["plans"] == [
        {"id": 1, "name": PLAN, "state": "verified", "table": "protection_plan", "from_site": PROVINCE,
         "site": CITY, "epoch": 2}
    ]  # fmt: skip
    assert (done["conflicts"], done["taken"]) == ([], [])
    plan = pair.world.plan(PROVINCE)
    assert (plan.active_site_id, plan.epoch) == (CITY, 2)
    with pair.home.store.read() as uow:
        [there] = uow.all(Failover)
        assert (there.owner, there.state, there.operation_id) == (row.owner, "shifted", None)
        assert there.made["alone"]["site"] == CITY
        assert uow.count(FailoverApproval, FailoverApproval.failover_id == there.id) == 2
        actions = uow.column(AuditEvent.action, AuditEvent.action.startswith("alone.merge"))
    assert sorted(actions) == ["alone.merge", "alone.merge_move"]
    told = [one["action"] for one in done["events"]]
    assert told[0] == "alone.take_over"
    assert {"failover.ask", "failover.approve"} <= set(told)
    assert pair.home.audit.verify(pair.home.store).is_intact
    assert pair.city.audit.verify(pair.city.store).is_intact


def test_the_city_stands_by_again_when_all_of_it_is_merged_and_has_the_home_s_word(pair: Pair) -> None:
    take_over(pair)
    pair.world.work(CITY, pair.world.begin(UNPLANNED))
    pair.round(CITY)
    head = rounds.watch_home(pair.city, pair.stores)
    with pytest.raises(Refused, match="has not merged"):
        taking_over.stand_by(pair.city, pair.actor("dave"), "the flood is over", head)
    merge(pair)
    pair.round(PROVINCE)
    head = rounds.watch_home(pair.city, pair.stores)
    told = taking_over.stand_by(pair.city, pair.actor("dave"), "the flood is over", head)
    assert (told["state"], told["confirmed_by"]) == ("standby", [])
    pair.round(CITY)
    assert is_observing(pair.city.store)
    with pair.city.store.read() as uow:
        [move] = uow.all(Failover)  # the home's row of it
        assert move.made["alone"]["site"] == CITY
    assert pair.world.plan(CITY).active_site_id == CITY
    assert pair.city.audit.verify(pair.city.store).is_intact


def test_what_is_measured_every_minute_is_told_to_the_city_and_never_in_the_way_of_a_merge(
    pair: Pair,
) -> None:
    def measure(site: str) -> None:
        with pair.core(site).store.write() as uow:
            plan = uow.need(ProtectionPlan, 1)
            plan.copies_at = pair.clock.now()
            plan.copies = {"db": {"at": plan.copies_at.isoformat(), "seen_by": site}}

    measure(PROVINCE)
    pair.clock.advance(15)
    pair.round()
    with pair.city.store.read() as uow:
        assert uow.need(ProtectionPlan, 1).copies["db"]["seen_by"] == PROVINCE
        assert uow.count(AuditEvent, AuditEvent.action == "alone.import") == 1, "the first, which told all"
    take_over(pair)
    for site in (CITY, PROVINCE):
        measure(site)
    pair.round(CITY)
    told = merge(pair)
    assert (told["conflicts"], told["left"]) == ([], [])
    measure(CITY)
    pair.round(PROVINCE)
    head = rounds.watch_home(pair.city, pair.stores)
    done = taking_over.stand_by(pair.city, pair.actor("dave"), "the flood is over", head)
    assert done["state"] == "standby"


def test_one_person_is_not_enough_and_nobody_takes_over_while_the_home_speaks(pair: Pair) -> None:
    with pytest.raises(Refused, match="the home spoke 0 s ago"):
        taking_over.take_over(pair.city, pair.actor("dave"), "I should like to try")
    pair.world.pass_time(taking_over.SILENT_S + 1)
    with pytest.raises(NotAllowed):
        taking_over.take_over(pair.city, pair.actor("olga"), "the province is under water")
    with pytest.raises(BadInput):
        taking_over.take_over(pair.city, pair.actor("dave"), " ")
    first = taking_over.take_over(pair.city, pair.actor("dave"), "the province is under water")
    assert (first["state"], first["confirmed_by"]) == ("standby", ["dave"])
    with pytest.raises(SecondPersonNeeded):
        taking_over.take_over(pair.city, pair.actor("dave"), "really")
    assert is_observing(pair.city.store)
    pair.clock.advance(3601)  # a word does not wait for ever
    late = taking_over.take_over(pair.city, pair.actor("lin"), "nobody answers")
    assert late["confirmed_by"] == ["lin"]
    last = taking_over.take_over(pair.city, pair.actor("dave"), "still nobody")
    assert (last["state"], last["age_s"]) == ("alone", 3722.0)
    with pytest.raises(WrongState):
        taking_over.take_over(pair.city, pair.actor("lin"), "again")


def test_a_standby_begins_nothing_and_one_that_works_alone_only_moves(pair: Pair) -> None:
    def begin(kind: str) -> None:
        with pair.city.store.write() as uow:
            start(uow, pair.clock, kind, ("thing", 1), CITY, 60)

    for kind in ("failover", "build", "point"):
        with pytest.raises(ObserveOnly, match="stands by"):
            begin(kind)
    with pytest.raises(ObserveOnly):
        pair.world.ask(UNPLANNED)
    take_over(pair)
    begin("failover")
    begin("shift")
    for kind in ("build", "point", "drill", "database"):
        with pytest.raises(ObserveOnly, match="works alone"):
            begin(kind)
    assert not is_observing(pair.city.store)
    assert not acts_in_full(pair.city.store)


def test_a_site_that_works_alone_moves_systems_to_itself_only(pair: Pair) -> None:
    take_over(pair)
    pair.world.work(CITY, pair.world.begin(UNPLANNED))
    wanted = asking.Wanted(PLAN, PLANNED, PROVINCE, reason="back again")
    with pytest.raises(BadInput) as refused:
        asking.ask(pair.city, pair.actor("olga"), wanted, pair.world.outlook(CITY))
    assert "not_own_site" in {fault.code for fault in refused.value.faults}


def test_a_move_that_goes_on_at_the_home_is_told_and_carried_on_by_nobody_else(pair: Pair) -> None:
    asked = ask_at_home(pair)
    pair.round()
    with pair.city.store.read() as uow:
        assert uow.need(Failover, asked).state == "requested"
    for who in ("dave", "bob"):
        pair.world.approve(asked, who, PROVINCE)
    pair.clock.advance(15)
    pair.round()
    with pair.city.store.read() as uow:
        assert uow.count(Failover) == 0
        assert uow.count(Operation) == 0
    assert [(one["kind"], one["name"], one["state"]) for one in pair.standby().going] == [
        ("failover", PLAN, "approved")
    ]


def test_what_was_only_asked_for_at_the_home_becomes_a_request_of_the_city_s_own(pair: Pair) -> None:
    asked = ask_at_home(pair)
    pair.round()
    take_over(pair)
    at_home, here = pair.world.failover(PROVINCE, asked), pair.world.failover(CITY, asked)
    assert at_home.owner != here.owner
    for who in ("dave", "bob"):
        pair.world.approve(asked, who, CITY)
    assert pair.world.work(CITY, asked).state == "shifted"
    for who in ("dave", "bob"):  # the home carries out its own as well: the witness takes one of the two
        pair.world.approve(asked, who, PROVINCE)
    assert pair.world.work(PROVINCE, asked).state == "aborted"
    assert pair.world.ways[CITY].promoted == [(CITY, 2)]


def test_people_sign_in_at_the_city_as_at_the_home(pair: Pair) -> None:
    with pair.home.store.write() as uow:
        uow.need(User, "dave").password_hash = "argon2-hash"
    pair.clock.advance(15)
    pair.round()
    with pair.city.store.read() as uow:
        assert uow.need(User, "dave").password_hash == "argon2-hash"
        assert uow.count(ProtectionPlan) == 1


def test_a_register_that_the_lost_home_left_closed_is_given_back_and_the_system_moved(pair: Pair) -> None:
    asked = ask_at_home(pair)
    for who in ("dave", "bob"):
        pair.world.approve(asked, who, PROVINCE)
    world = pair.world
    world.agents[PROVINCE].is_hung, world.patience = True, 40  # the move waits for its word
    with pytest.raises(AssertionError, match="never comes"):
        world.work(PROVINCE, asked)
    assert world.failover(PROVINCE, asked).state == "seized"
    world.agents[PROVINCE].is_hung, world.patience = False, 120
    pair.round()
    take_over(pair)
    pair.world.lose(PROVINCE)
    with pytest.raises(BadInput, match="input has faults"):
        pair.world.ask(UNPLANNED)
    witness = pair.world.witness.at(CITY)
    told = releasing.release(pair.city, pair.actor("lin"), witness, PLAN, "nobody is left who could")
    assert (told["state"], told["holder"], told["epoch"]) == ("open", PROVINCE, 3)
    with pytest.raises(Refused, match="is not held"):
        releasing.release(pair.city, pair.actor("lin"), witness, PLAN, "again")
    row = pair.world.work(CITY, pair.world.begin(UNPLANNED))
    assert (row.state, row.epoch) == ("shifted", 4)
    assert pair.world.work(PROVINCE, asked).state == "aborted"  # the home comes back in the middle of its own
    assert pair.world.plan(CITY).active_site_id == CITY
