"""What a site did alone is merged without writing over anything that the home changed as well."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.errors import NotAllowed, NotProved, Refused, WitnessUnavailable, WrongState
from cloudctl.models import (
    AloneMerge,
    Failover,
    Notice,
    ProtectionPlan,
    Resource,
    SiteExport,
    Traffic,
    User,
)
from dr.alone import importing, merging
from dr.alone.differing import Difference, differences
from dr.alone.rows import mark
from dr.failover import deciding
from dr.failover.job import UNPLANNED
from tests.builders import a_person
from tests.flows.moving import CITY, PLAN, PROVINCE
from tests.flows.test_alone_story import found, merge, take_over
from tests.standing_by import Pair, a_pair


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = a_pair(tmp_path)
    yield made
    made.world.close()


def a_resource(pair: Pair, site: str, name: str, key: str) -> None:
    with pair.core(site).store.write() as uow:
        uow.add(
            Resource(id=key, kind="server", site_id=CITY, system_id="gx-finance-budget", name=name,
                     state="active", created_at=pair.clock.now())
        )  # fmt: skip


def a_name(pair: Pair) -> None:
    with pair.home.store.write() as uow:
        uow.add(
            Traffic(id=1, plan_id=1, name="budget.example.", ttl_s=30, addresses={}, weights={PROVINCE: 100},
                    state="balanced", created_at=pair.clock.now(), created_by="dave")
        )  # fmt: skip
    pair.clock.advance(15)
    pair.round()


def names(told: dict[str, Any], what: str) -> list[tuple[str, str]]:
    return [(one["table"], one["name"]) for one in told[what]]


def test_servers_and_shares_of_the_move_are_taken(pair: Pair) -> None:
    a_name(pair)
    take_over(pair)
    a_resource(pair, CITY, "budget-db-1", "r-city")
    with pair.city.store.write() as uow:
        uow.need(Traffic, 1).weights = {CITY: 100}
    pair.round(CITY)
    told = merge(pair)
    assert names(told, "taken") == [("resource", "budget-db-1"), ("traffic", "budget.example.")]
    assert told["conflicts"] == []
    with pair.home.store.write() as uow:
        assert uow.need(Resource, "r-city").name == "budget-db-1"
        assert uow.need(Traffic, 1).weights == {CITY: 100}
        uow.need(Traffic, 1).weights = {PROVINCE: 100}  # people are back
    assert merge(pair)["taken"] == []
    with pair.home.store.read() as uow:
        assert uow.need(Traffic, 1).weights == {PROVINCE: 100}


def test_what_both_changed_is_a_conflict_and_stays_as_the_home_has_it(pair: Pair) -> None:
    a_name(pair)
    take_over(pair)
    a_resource(pair, CITY, "budget-db-1", "r-city")
    a_resource(pair, PROVINCE, "budget-db-1", "r-home")
    for site, share in ((CITY, {CITY: 100}), (PROVINCE, {PROVINCE: 50, CITY: 50})):
        with pair.core(site).store.write() as uow:
            uow.need(Traffic, 1).weights = share
            uow.need(User, "carol").name = site
    pair.round(CITY)
    told = merge(pair)
    assert {(one["table"], one["name"], one["why"]) for one in told["conflicts"]} == {
        ("resource", "budget-db-1", "name_taken"),
        ("traffic", "budget.example.", "both_changed"),
        ("user", CITY, "both_changed"),
    }
    with pair.home.store.read() as uow:
        assert uow.need(Traffic, 1).weights == {PROVINCE: 50, CITY: 50}
        assert uow.need(User, "carol").name == PROVINCE
        assert uow.get(Resource, "r-city") is None


def test_what_people_changed_there_is_listed_and_not_taken(pair: Pair) -> None:
    take_over(pair)
    a_person(pair.city, "gao", Role.DR_OFFICER, INSTALLATION)
    with pair.city.store.write() as uow:
        uow.need(ProtectionPlan, 1).state = "suspended"
    a_person(pair.home, "hua", Role.DR_OFFICER, INSTALLATION)  # only the home did this: no difference
    pair.round(CITY)
    told = merge(pair)
    assert [one for one in names(told, "left") if one[0] != "role_grant"] == [
        ("protection_plan", PLAN),
        ("user", "gao"),
    ]
    assert told["state"] == "merged"
    with pair.home.store.read() as uow:
        assert uow.get(User, "gao") is None
        assert uow.need(ProtectionPlan, 1).state == "verified"
        assert uow.get(User, "hua") is not None


def test_merging_again_takes_what_is_new_since_and_nothing_twice(pair: Pair) -> None:
    take_over(pair)
    failover_id = pair.world.begin(UNPLANNED)
    pair.world.work(CITY, failover_id)
    pair.round(CITY)
    merge(pair)
    again = merge(pair)
    assert (again["moves"], again["plans"], again["taken"]) == ([], [], [])
    deciding.commit(pair.city, pair.actor("olga"), failover_id)
    pair.clock.advance(30)
    pair.round(CITY)
    third = merge(pair)
    assert [(one["what"], one["state"]) for one in third["moves"]] == [("renewed", "committed")]
    with pair.home.store.read() as uow:
        [row] = uow.all(Failover)
        assert row.state == "committed"
        assert uow.count(AloneMerge) == 3


def test_a_move_that_went_on_at_the_home_gets_no_number_of_the_city_s(pair: Pair) -> None:
    """The home asked for one of its own meanwhile, under the number that the city gave its own."""
    take_over(pair)
    here = pair.world.begin(UNPLANNED)
    pair.world.work(CITY, here)
    pair.round(CITY)
    with pair.home.store.write() as uow:
        theirs = found(pair).content["tables"]["failover"][f"[{here}]"]
        row = Failover(**merging._typed({**theirs, "owner": "the-home", "state": "aborted"}, Failover))
        uow.add(row)
    told = merge(pair)
    [move] = told["moves"]
    assert move["alone_id"] == here != move["id"]
    with pair.home.store.read() as uow:
        assert uow.need(Failover, here).owner == "the-home"
        assert uow.need(Failover, move["id"]).state == "shifted"


def test_where_a_plan_runs_is_what_the_witness_says(pair: Pair) -> None:
    take_over(pair)
    with pair.city.store.write() as uow:  # it believes so, and the witness does not
        uow.need(ProtectionPlan, 1).active_site_id = CITY
    pair.round(CITY)
    told = merge(pair)
    [one] = told["conflicts"]
    assert (one["why"], one["holder"], one["site"]) == ("other_holder", PROVINCE, CITY)
    assert pair.world.plan(PROVINCE).active_site_id == PROVINCE


def test_nothing_is_merged_while_the_witness_is_silent(pair: Pair) -> None:
    take_over(pair)
    pair.world.work(CITY, pair.world.begin(UNPLANNED))
    pair.round(CITY)
    pair.world.witness.cut(PROVINCE)
    with pytest.raises(WitnessUnavailable):
        merge(pair)
    with pytest.raises(Refused, match=r"witness\.yaml"):
        merging.merge_from(
            pair.home, pair.actor("dave", PROVINCE), pair.stores, pair.keyrings[PROVINCE], None, CITY
        )
    with pair.home.store.read() as uow:
        assert uow.count(Failover) == 0


def test_who_may_merge_and_where(pair: Pair) -> None:
    take_over(pair)
    pair.round(CITY)
    export = found(pair)
    with pytest.raises(NotAllowed):
        merging.merge(pair.home, pair.actor("lin", PROVINCE), export, {})
    with pytest.raises(Refused, match="this is a standby"):
        merging.merge(pair.city, pair.actor("dave"), export, {})


def test_a_site_that_never_worked_alone_has_nothing_to_merge(pair: Pair) -> None:
    with pytest.raises(NotProved):
        found(pair)


def test_the_people_of_the_home_are_told_once_that_a_site_works_alone(pair: Pair) -> None:
    take_over(pair)
    for _ in range(3):
        pair.clock.advance(30)
        pair.round()
    with pair.home.store.read() as uow:
        told = uow.all(Notice, Notice.subject_kind == "site_export", Notice.user_id == "dave")
        assert [one.params["site"] for one in told] == [CITY]
        assert uow.need(SiteExport, CITY).back["alone_at"]
    merge(pair)
    with pair.home.store.read() as uow:
        assert uow.count(Notice, Notice.subject_kind == "site_export", Notice.done_at.is_(None)) == 0


def test_a_forged_way_back_is_refused(pair: Pair) -> None:
    take_over(pair)
    pair.round(CITY)
    bucket = pair.stores.vault_bucket(CITY)
    [head] = [key for key in bucket.keys("standby/") if "from-" in key and key.endswith("head")]
    bucket.flip_bit(head, 20)
    with pytest.raises(NotProved):
        found(pair)


def test_three_states_give_every_kind_of_difference() -> None:
    old, new, other = {"name": "old"}, {"name": "new"}, {"name": "other"}
    marks = {"t": {key: mark(old) for key in ("same", "theirs", "ours", "both", "alike", "gone", "gone2")}}
    theirs = {"t": {"same": old, "theirs": new, "ours": old, "both": new, "alike": new, "added": new,
                    "clash": new}}  # fmt: skip
    ours = {"t": {"same": old, "theirs": old, "ours": new, "both": other, "alike": new, "gone": old,
                  "gone2": new, "clash": other, "mine": new}}  # fmt: skip
    assert differences(marks, theirs, ours) == [
        Difference("t", "added", "added", False, new),
        Difference("t", "both", "changed", True, new),
        Difference("t", "clash", "added", True, new),
        Difference("t", "gone", "removed", False, old),
        Difference("t", "gone2", "removed", True, new),
        Difference("t", "theirs", "changed", False, new),
    ]


def test_nothing_is_taken_in_while_the_city_works_alone(pair: Pair) -> None:
    take_over(pair)
    export = importing.read(
        pair.stores, importing.opening(pair.city.settings.keys / "standby.json")[0], f"s3://vault-{CITY}"
    )
    with pytest.raises(WrongState):
        importing.take_in(pair.city, export)
