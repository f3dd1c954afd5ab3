"""People are moved from site to site: step by step, watched, halted, taken back."""

from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import NameServiceRefused, NameServiceUnavailable
from cloudctl.models import Notice
from cloudctl.ports import RecordSet
from dr.plans.document import Serving, Steering
from dr.traffic import acting
from tests.steering import (
    ADDRESSES,
    AT_CITY,
    AT_HOME,
    NAME,
    PLAN,
    WATCHED,
    Steered,
    a_document,
    a_plan,
    steer,
)


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Steered:
    made = steer(core, clock)
    made.put()
    return made


def shares_put(world: Steered) -> list[int]:
    """The city's share after each change."""
    texts = [sets[0].values[0] for sets in world.dns.updates if sets and sets[0].type == "TXT"]
    return [int(text.split("city-1=")[1].split(":")[0]) for text in texts]


def test_a_new_name_leads_to_where_the_system_runs(world: Steered) -> None:
    assert world.dns.read(NAME, "A") == RecordSet(NAME, "A", 20, ("10.1.0.1",))
    assert world.dns.read(NAME, "AAAA") == RecordSet(NAME, "AAAA", 20, ("2001:db8:1::1",))
    assert world.at_master() == AT_HOME
    assert (world.traffic().state, world.traffic().weights) == ("single_site", AT_HOME)


def test_a_name_that_was_there_is_taken_over_as_it_is(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock)
    world.dns.put_by_hand(
        RecordSet(NAME, "A", 300, ("10.2.0.1",)), RecordSet(NAME, "AAAA", 300, ("2001:db8:2::1",))
    )
    world.put()
    assert world.at_master() == AT_CITY == world.traffic().weights
    assert world.dns.read(NAME, "A") == RecordSet(NAME, "A", 20, ("10.2.0.1",))


def test_a_name_of_somebody_else_is_never_written_over(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock)
    foreign = RecordSet(NAME, "A", 300, ("192.0.2.7",))
    world.dns.put_by_hand(foreign)
    acting.apply(core, world.who("dave"), world.dns, PLAN, WATCHED)
    assert world.work(world.last_shift().operation_id).state == "failed"
    assert world.last_shift().state == "halted"
    assert "no site of the plan" in world.last_shift().why
    assert world.dns.sets == {(NAME, "A"): foreign}


def test_applying_again_changes_nothing_and_new_addresses_are_told(world: Steered, core: Core) -> None:
    before = len(world.dns.updates)
    acting.apply(core, world.who("dave"), world.dns, PLAN)
    assert world.last_shift().id == 1
    moved = {**ADDRESSES, "province": ("10.1.0.9", "2001:db8:1::9")}
    a_plan(core, a_document(steering=Steering(NAME, 60, moved)))
    acting.apply(core, world.who("dave"), world.dns, PLAN)
    assert world.work(world.last_shift().operation_id).state == "done"
    assert world.dns.read(NAME, "A") == RecordSet(NAME, "A", 60, ("10.1.0.9",))
    assert len(world.dns.updates) == before + 1


def test_people_move_in_steps_each_watched_for_its_time(world: Steered) -> None:
    began = world.clock.now()
    row = world.begin(to="city-1", reason="works at the province")
    assert world.work(row["operation_id"]).state == "done"
    assert shares_put(world) == [0, 1, 5, 25, 50, 100]
    assert world.at_master() == AT_CITY == world.traffic().weights
    assert world.traffic().state == "single_site"
    assert world.shift(row["id"]).state == "done"
    assert (world.clock.now() - began).total_seconds() >= 5 * 20
    assert world.outside.asked["10.2.0.1"] >= 5 * 4
    assert world.outside.asked["2001:db8:2::1"] == world.outside.asked["10.2.0.1"]


def test_two_sites_can_serve_at_rest(world: Steered) -> None:
    row = world.begin(weights={"city-1": 25, "province": 75})
    world.work(row["operation_id"])
    assert world.traffic().state == "balanced"
    assert world.at_master() == {"city-1": 25, "province": 75}
    values = world.dns.sets[(NAME, "LUA")].values
    assert values[0] == "A \"pickwhashed({{25,'10.2.0.1'},{75,'10.1.0.1'}})\""


def test_errors_where_people_go_take_them_back_in_one_change(world: Steered) -> None:
    row = world.begin(to="city-1")
    updates = len(world.dns.updates)
    while world.at_master() != {"city-1": 25, "province": 75}:
        world.work_a_little(row["operation_id"])
    world.outside.failing["2001:db8:2::1"] = "HTTP 502"
    ended = world.work(row["operation_id"])
    assert (ended.state, ended.error_code) == ("failed", "cancelled")
    assert shares_put(world)[updates:] == [1, 5, 25, 0]
    assert world.at_master() == AT_HOME == world.traffic().weights
    assert "HTTP 502" in world.shift(row["id"]).why
    assert world.shift(row["id"]).state == "rolled_back"
    assert _told(world, "olga") == 1


def test_errors_only_where_people_leave_stop_nobody(world: Steered) -> None:
    world.outside.failing["10.1.0.1"] = "no answer"
    assert world.work(world.begin(to="city-1")["operation_id"]).state == "done"
    assert world.at_master() == AT_CITY


def test_errors_at_both_sites_halt_and_a_person_decides(world: Steered, core: Core) -> None:
    row = world.begin(to="city-1")
    world.outside.failing |= {"10.1.0.1": "no answer", "10.2.0.1": "no answer"}
    assert world.work(row["operation_id"]).state == "failed"
    assert world.shift(row["id"]).state == "halted"
    assert world.traffic().state == "halted"
    assert world.at_master() == {"city-1": 1, "province": 99}
    world.outside.failing.clear()
    again = acting.resume(core, world.who(), world.dns, row["id"])
    assert world.work(again["operation_id"]).state == "done"
    assert world.at_master() == AT_CITY


def test_whoever_halts_finds_people_where_they_were_and_takes_them_back(world: Steered, core: Core) -> None:
    row = world.begin(to="city-1")
    while world.at_master() != {"city-1": 5, "province": 95}:
        world.work_a_little(row["operation_id"])
    acting.halt(core, world.who(), row["id"], "a call from the department")
    assert world.work(row["operation_id"]).state == "failed"
    assert world.at_master() == {"city-1": 5, "province": 95}
    back = acting.roll_back(core, world.who(), row["id"])
    assert world.work(back["operation_id"]).state == "done"
    assert world.at_master() == AT_HOME == world.traffic().weights
    assert world.traffic().state == "single_site"


def test_a_freeze_halts_what_is_under_way(world: Steered, core: Core) -> None:
    row = world.begin(to="city-1")
    while world.at_master() != {"city-1": 5, "province": 95}:
        world.work_a_little(row["operation_id"])
    acting.freeze(core, world.who("dave"), NAME, "the congress is in session")
    assert world.work(row["operation_id"]).state == "failed"
    assert world.shift(row["id"]).state == "halted"
    assert world.at_master() == {"city-1": 5, "province": 95}


@pytest.mark.parametrize("kind", ["TXT", "A"])
def test_another_hand_in_the_name_service_halts_and_stays(world: Steered, kind: str) -> None:
    row = world.begin(to="city-1")
    foreign = RecordSet(NAME if kind == "A" else f"_shares.{NAME}", kind, 20, ("10.9.9.9",))
    if kind == "TXT":
        foreign = RecordSet(foreign.name, kind, 20, ('"v=9"',))
    world.dns.put_by_hand(foreign)
    world.work(row["operation_id"])
    assert world.shift(row["id"]).state == "halted"
    assert world.dns.sets[(foreign.name, kind)] == foreign


def test_a_script_that_another_hand_changed_is_noticed(world: Steered) -> None:
    world.work(world.begin(weights={"city-1": 25, "province": 75})["operation_id"])
    theirs = RecordSet(NAME, "LUA", 20, ("A \"pickwhashed({{1,'10.9.9.9'}})\"",))
    world.dns.put_by_hand(theirs)
    row = world.begin(to="city-1")
    world.work(row["operation_id"])
    assert world.shift(row["id"]).why == "its scripts are not those of its shares"
    assert world.dns.sets[(NAME, "LUA")] == theirs


def test_a_name_service_that_is_away_is_waited_for(world: Steered) -> None:
    world.dns.trouble += [NameServiceUnavailable("away")] * 3
    assert world.work(world.begin(to="city-1")["operation_id"]).state == "done"


def test_a_name_service_that_refuses_halts_with_its_reason(world: Steered) -> None:
    world.dns.trouble.append(NameServiceRefused("the key is not known"))
    row = world.begin(to="city-1")
    ended = world.work(row["operation_id"])
    assert (ended.state, ended.error_code) == ("failed", "name_service_refused")
    assert world.shift(row["id"]).why == "the key is not known"


def test_a_worker_that_was_overtaken_changes_nothing_more(world: Steered, core: Core) -> None:
    """The first stands right before its change; meanwhile it is halted and taken back by another."""
    row = world.begin(to="city-1")

    def overtake(call: Any) -> None:
        if call.name != "replace":
            return
        world.dns.before = lambda _call: None
        acting.halt(core, world.who(), row["id"])
        back = acting.roll_back(core, world.who(), row["id"])
        assert world.work(back["operation_id"]).state == "done"

    world.dns.before = overtake
    world.work(row["operation_id"])
    assert world.at_master() == AT_HOME == world.traffic().weights
    assert world.shift(row["id"]).state == "rolled_back"


def test_a_name_server_without_shares_gives_both_or_one(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock, gives_shares=False)
    world.put()
    assert world.work(world.begin(to="city-1")["operation_id"]).state == "done"
    assert shares_put(world) == [0, 50, 100]
    assert world.dns.updates[1][1] == RecordSet(NAME, "A", 20, ("10.1.0.1", "10.2.0.1"))


def test_people_of_a_system_with_one_writer_go_nowhere_else(core: Core, clock: FrozenClock) -> None:
    world = steer(core, clock, serving=Serving.ONE_SITE)
    world.put()
    faults = acting.preview(core, world.who(), world.dns, NAME, acting.Wanted(to="city-1"))["faults"]
    assert [one.code for one in faults] == ["one_writer"]


def _told(world: Steered, user_id: str) -> int:
    with world.core.store.read() as uow:
        return uow.count(Notice, Notice.user_id == user_id, Notice.needs_action.is_(True))
