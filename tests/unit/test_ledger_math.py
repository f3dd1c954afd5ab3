"""How a change runs up the tree of quotas, what is short, what is free."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.amounts import Kind, room
from tenants.ledger_math import (
    ANY_SITE,
    Chain,
    Change,
    Counter,
    Node,
    Place,
    guarantee_faults,
    places,
    recount,
    simulate,
)

PROVINCE = Node(5, "division", "450000")
FINANCE, HEALTH = Node(1, "department", "finance"), Node(1, "department", "health")
BUDGET, ASSETS, CLINIC = (
    Node(0, "project", "budget"),
    Node(0, "project", "assets"),
    Node(0, "project", "clinic"),
)
CHAINS: dict[Node, Chain] = {
    BUDGET: (BUDGET, FINANCE, PROVINCE),
    ASSETS: (ASSETS, FINANCE, PROVINCE),
    CLINIC: (CLINIC, HEALTH, PROVINCE),
}
PARENTS = {BUDGET: FINANCE, ASSETS: FINANCE, CLINIC: HEALTH, FINANCE: PROVINCE, HEALTH: PROVINCE}


def tree(**given: Counter) -> dict[Place, Counter]:
    """Counters of vcpus over all sites, by the node's name; the rest is empty."""
    nodes = [*PARENTS, PROVINCE]
    return {Place(node, ANY_SITE, Kind.VCPUS): given.get(node.scope_id, Counter()) for node in nodes}


def grow(node: Node, held: int, used: int = 0) -> Change:
    return Change(CHAINS[node], ANY_SITE, Kind.VCPUS, held, used)


def at(counters: Mapping[Place, Counter], node: Node) -> Counter:
    return counters[Place(node, ANY_SITE, Kind.VCPUS)]


def test_a_change_counts_at_every_level() -> None:
    after, short = simulate(tree(), [grow(BUDGET, 5), grow(CLINIC, 2)])
    assert not short
    assert [at(after, node).load for node in (BUDGET, FINANCE, CLINIC, HEALTH, PROVINCE)] == [5, 5, 2, 2, 7]
    assert at(after, PROVINCE).held == 7


def test_growth_inside_a_guarantee_was_counted_above_when_it_was_given() -> None:
    start = tree(finance=Counter(guarantee=10), **{"450000": Counter(limit=12, load=10)})
    after, short = simulate(start, [grow(BUDGET, 10)])
    assert not short
    assert at(after, PROVINCE) == Counter(limit=12, held=10, load=10)
    _, short = simulate(after, [grow(BUDGET, 3)])
    assert [(str(one.place), one.asked, one.short) for one in short] == [("division:450000@*", 3, 1)]


def test_another_child_cannot_eat_a_guarantee() -> None:
    start = tree(finance=Counter(guarantee=10), **{"450000": Counter(limit=12, load=10)})
    _, short = simulate(start, [grow(CLINIC, 3)])
    assert [one.short for one in short] == [1]


def test_every_level_that_is_short_is_named_with_its_own_numbers() -> None:
    start = tree(budget=Counter(limit=3), finance=Counter(limit=4, load=1), **{"450000": Counter(limit=9)})
    _, short = simulate(start, [grow(BUDGET, 5)])
    numbers = [(str(one.place.node), one.limit, one.load, one.asked, one.short) for one in short]
    assert numbers == [("project:budget", 3, 0, 5, 2), ("department:finance", 4, 1, 5, 2)]
    assert short[0].as_json()["scope"] == "project:budget"
    assert short[0].as_fault().text() == (
        "project:budget at site * is short of 2 vcpus: the limit is 3, 0 are taken, 5 more are asked"
    )


def test_a_level_that_is_over_blocks_growth_and_nothing_else() -> None:
    start = tree(budget=Counter(used=9, load=9), finance=Counter(limit=4, used=9, load=9))
    _, short = simulate(start, [grow(BUDGET, 1)])
    assert [one.place.node for one in short] == [FINANCE]
    after, short = simulate(start, [grow(BUDGET, 0, used=-2)])
    assert not short
    assert at(after, FINANCE).over == 3


def test_moving_an_amount_between_two_projects_of_a_department_asks_nothing_of_it() -> None:
    start = tree(
        budget=Counter(held=4, load=4),
        finance=Counter(limit=4, held=4, load=4),
        **{"450000": Counter(load=4)},
    )
    after, short = simulate(start, [grow(BUDGET, -4), grow(ASSETS, 4)])
    assert not short
    assert (at(after, BUDGET).load, at(after, ASSETS).load, at(after, FINANCE).load) == (0, 4, 4)


def test_a_chain_is_counted_at_the_site_and_over_all_sites() -> None:
    found = places(CHAINS[BUDGET], "city-1", [Kind.VCPUS])
    assert [str(place) for place in found[:2]] == ["project:budget@city-1", "project:budget@*"]
    assert len(found) == 6


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([(None, 0, 5), (None, 0, 5)], None),
        ([(10, 0, 4), (None, 0, 4)], 6),
        ([(10, 0, 4), (12, 0, 11)], 1),
        ([(10, 8, 4), (12, 0, 12)], 4),  # four are left of the guarantee although the parent is full
        ([(10, 0, 12), (None, 0, 12)], 0),
    ],
)
def test_free_is_what_the_tightest_level_leaves(
    levels: list[tuple[int | None, int, int]], expected: int | None
) -> None:
    assert room(levels) == expected


def test_guarantees_must_fit_under_their_own_limit_and_add_up_within_the_parent() -> None:
    counters = tree(
        finance=Counter(limit=5, guarantee=6), health=Counter(guarantee=7), **{"450000": Counter(limit=12)}
    )
    assert {(fault.place, fault.code) for fault in guarantee_faults(counters, PARENTS)} == {
        ("department:finance@*", "guarantee_over_limit"),
        ("division:450000@*", "guarantees_over_parent"),
    }


def test_a_level_with_a_guarantee_has_only_that_to_hand_on() -> None:
    counters = tree(budget=Counter(guarantee=4), finance=Counter(limit=9, guarantee=3))
    assert [fault.params["most"] for fault in guarantee_faults(counters, PARENTS)] == [3]


def test_guarantees_count_through_levels_that_have_none_of_their_own() -> None:
    counters = tree(budget=Counter(guarantee=9), clinic=Counter(guarantee=4), **{"450000": Counter(limit=12)})
    assert [fault.params["total"] for fault in guarantee_faults(counters, PARENTS)] == [13]


numbers = st.integers(0, 12)
limits = st.none() | st.integers(0, 30)


@st.composite
def a_tree_that_is_right(draw: st.DrawFn) -> dict[Place, Counter]:
    bare = {place: Counter(draw(limits), draw(numbers)) for place in tree()}
    leaves = {place: (draw(numbers), draw(numbers)) for place in bare if place.node.rank == 0}
    return recount(bare, leaves, PARENTS)


@given(
    start=a_tree_that_is_right(), amounts=st.lists(st.tuples(st.sampled_from(list(CHAINS)), numbers, numbers))
)
def test_what_a_wave_leaves_is_what_counting_anew_gives(
    start: dict[Place, Counter], amounts: list[tuple[Node, int, int]]
) -> None:
    after, _ = simulate(start, [grow(node, held, used) for node, held, used in amounts])
    leaves = {place: (one.held, one.used) for place, one in after.items() if place.node.rank == 0}
    assert recount(after, leaves, PARENTS) == after


@given(start=a_tree_that_is_right(), node=st.sampled_from(list(CHAINS)))
def test_exactly_what_is_free_fits_and_one_more_does_not(start: dict[Place, Counter], node: Node) -> None:
    free = room(at(start, level).limited for level in CHAINS[node])
    if free is None:
        assert simulate(start, [grow(node, 10**6)])[1] == ()
        return
    if free:
        assert simulate(start, [grow(node, free)])[1] == ()
    assert simulate(start, [grow(node, free + 1)])[1] != ()
