"""How a plan stands after a look, a drill or an edit, what it rests on, and how long a move would take."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.errors import WrongState
from cloudctl.lifecycle import PlanState
from cloudctl.lifecycle.recovery import PLAN
from dr.plans import inventory
from dr.plans.forecast import Sample, forecast, sample_of
from dr.plans.health import health
from dr.plans.standing import Stand, after_drill, after_edit, after_look, after_time, after_validation
from tests.planning import a_document
from tests.unit.test_plan_judging import HOUR_S, NOW, a_known, a_server, at_target

# -- the state


def test_every_way_of_the_table_that_a_look_or_a_drill_goes_is_one_of_it() -> None:
    rows = {(row.source, row.target) for row in PLAN}
    for state in PlanState:
        now = Stand(state)
        after = [
            after_validation(now, faulty, undecided)
            for faulty in (True, False)
            for undecided in (True, False)
        ]
        after += [after_drill(now, True), after_drill(now, False), after_look(now, [{"what": "x"}])]
        after.append(after_time(now, NOW - timedelta(days=91), 90 * 86_400, NOW))
        for one in after:
            via = {PlanState.VALIDATING} if state is PlanState.DRAFT else set()
            assert (
                one.state is state
                or (state, one.state) in rows
                or (next(iter(via), state), one.state) in rows
            )


def test_an_edit_of_what_was_verified_is_remembered() -> None:
    after = after_edit(Stand(PlanState.VERIFIED), ["rpo"])
    assert after == Stand(PlanState.STALE, ({"reason": "edit", "what": ["rpo"]},))
    assert after_edit(Stand(PlanState.NEEDS_VERIFICATION), ["rpo"]).state is PlanState.DRAFT
    with pytest.raises(WrongState):
        after_edit(Stand(PlanState.RETIRED), ["rpo"])


# -- the inventory


def test_another_inventory_is_another_hash_and_says_what_changed() -> None:
    before = inventory.take(a_document(), a_known())
    grown = a_known(servers=(a_server("vm-db", addresses=("10.20.0.9",)), a_server("vm-web")))
    assert inventory.sha256_of(before) == inventory.sha256_of(inventory.take(a_document(), a_known()))
    changed = inventory.changes(before, inventory.take(a_document(), grown))
    assert [(one["what"], one["change"]) for one in changed] == [("server vm-db@province", "changed")]
    gone = at_target(networks={"zone-public": ("10.21.0.0/24",)})
    changed = inventory.changes(before, inventory.take(a_document(), gone))
    assert [one["what"] for one in changed] == ["network zone-public@city-1"]


def test_a_site_that_tells_nothing_has_not_changed() -> None:
    before = inventory.take(a_document(), a_known())
    assert inventory.changes(before, inventory.take(a_document(), at_target(problem="no route"))) == []


# -- the forecast


def test_the_time_hangs_on_the_longest_chain_of_what_was_measured() -> None:
    parts = [
        {"name": "db", "servers": ["vm-db"]},
        {"name": "cache", "servers": ["vm-web"]},
        {"name": "web", "servers": ["vm-3"], "needs": ["db", "cache"]},
    ]
    document = a_document(parts=parts, checks=None)
    samples = [Sample(100.0, {"db": 60.0 + n, "cache": 10.0, "web": 30.0}) for n in range(10)]
    found = forecast(document, a_known(), health(document, a_known()), samples)
    assert (found.time_s, found.time_p90_s, found.chain) == (194.0, 198.0, ("db", "web"))
    assert found.loss_s == HOUR_S
    assert found.not_measured == ("detect", "decide", "fence", "traffic")


def test_nothing_is_guessed_where_nothing_was_measured() -> None:
    found = forecast(a_document(), a_known(), health(a_document(), a_known()), [])
    assert (found.time_s, found.chain, found.not_measured[:3]) == (None, (), ("data", "db", "web"))
    partly = forecast(a_document(), a_known(), health(a_document(), a_known()), [Sample(9.0, {"db": 5.0})])
    assert (partly.time_s, partly.not_measured[0]) == (14.0, "web")


def test_a_sample_of_a_drill_has_the_parts_that_answered() -> None:
    seen = {
        "parts": {
            "db": {"begun_s": 40.0, "answered_s": 95.5},
            "web": {"begun_s": 96.0, "answered_s": None},
            "x": {"begun_s": None, "answered_s": None},
        }
    }
    assert sample_of(seen) == Sample(40.0, {"db": 55.5})
    assert sample_of({}) is None


@given(st.lists(st.floats(1, 1e4), min_size=1, max_size=20))
def test_a_forecast_never_lies_below_the_part_that_takes_longest(times: list[float]) -> None:
    samples = [Sample(0.0, {"db": one, "web": 1.0}) for one in times]
    found = forecast(a_document(), a_known(), health(a_document(), a_known()), samples)
    slowest = max(one.median_s or 0.0 for one in found.pieces)
    assert found.time_s is not None
    assert found.time_s >= round(slowest, 1)
    assert (found.time_p90_s or 0.0) >= found.time_s
