"""Parts begin along the graph of what they need, and as early as the slots allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr import graph

SHOP = {"db": (), "cache": (), "app": ("db", "cache"), "web": ("app",)}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """A graph without cycles: each node needs some of those before it."""
    names = [f"n{number}" for number in range(draw(st.integers(1, 8)))]
    return {
        name: tuple(draw(st.sets(st.sampled_from(names[:place]))) if place else ())
        for place, name in enumerate(names)
    }


def simulate(needs: dict[str, tuple[str, ...]], seconds: dict[str, float], slots: int) -> float:
    """How long it takes when what is ready begins at once."""
    now, ends = 0.0, dict[str, float]()
    done: set[str] = set()
    while len(done) < len(needs):
        for node in graph.ready(needs, ends.keys(), done, (), slots, seconds):
            ends[node] = now + seconds[node]
        now = min(end for node, end in ends.items() if node not in done)
        done |= {node for node, end in ends.items() if end <= now}
    return now


def test_a_part_begins_when_all_it_needs_is_done() -> None:
    assert graph.ready(SHOP, (), (), (), 9) == ["db", "cache"]
    assert graph.ready(SHOP, {"db", "cache"}, {"db"}, (), 9) == []
    assert graph.ready(SHOP, {"db", "cache"}, {"db", "cache"}, (), 9) == ["app"]


def test_a_part_that_hangs_delays_nobody_who_does_not_need_it() -> None:
    needs = {"hangs": (), "a": (), "b": ("a",), "c": ("hangs",)}
    assert graph.ready(needs, {"hangs", "a"}, {"a"}, (), 9) == ["b"]


def test_what_needs_a_part_that_failed_never_begins() -> None:
    assert graph.ready(SHOP, {"db", "cache"}, {"cache"}, {"db"}, 9) == []
    assert graph.blocked(SHOP, {"db"}) == {"app", "web"}
    assert graph.blocked(SHOP, {"web"}) == set()


def test_no_more_run_than_there_are_slots_and_the_longest_way_goes_first() -> None:
    needs = {"short": (), "long": (), "after": ("long",)}
    assert graph.ready(needs, (), (), (), 1) == ["long"]
    assert graph.ready(needs, {"long"}, (), (), 1) == []
    assert graph.ready(needs, (), (), (), 1, {"short": 9.0, "long": 1.0, "after": 1.0}) == ["short"]


def test_a_need_that_is_no_node_is_never_done() -> None:
    assert graph.ready({"a": ("ghost",)}, (), (), (), 9) == []
    assert graph.cycles({"a": ("ghost",)}) == []


def test_a_cycle_is_told_with_its_way() -> None:
    assert graph.cycles(SHOP) == []
    assert graph.cycles({"a": ("a",)}) == [("a",)]
    assert graph.cycles({"a": ("b",), "b": ("c",), "c": ("a",), "d": ("a",)}) == [("a", "b", "c")]
    two = {"a": ("b",), "b": ("a",), "c": ("d",), "d": ("c",)}
    assert graph.cycles(two) == [("a", "b"), ("c", "d")]
    with pytest.raises(ValueError, match="wait for each other"):
        graph.critical_path({"a": ("b",), "b": ("a",)}, {})


def test_the_whole_takes_its_longest_chain_or_its_work_over_the_slots() -> None:
    seconds = {"db": 60.0, "cache": 10.0, "app": 30.0, "web": 5.0}
    assert graph.critical_path(SHOP, seconds) == 95.0
    assert graph.longest_chain(SHOP, seconds) == ["db", "app", "web"]
    assert graph.bound(SHOP, seconds, 1) == 105.0
    assert graph.bound(SHOP, seconds, 2) == 95.0
    assert graph.critical_path({}, {}) == 0.0


@given(graphs(), st.integers(1, 4), st.data())
def test_every_part_begins_and_none_is_slower_than_list_scheduling_may_be(
    needs: dict[str, tuple[str, ...]], slots: int, data: st.DataObject
) -> None:
    seconds = {node: data.draw(st.floats(1, 100)) for node in needs}
    took = simulate(needs, seconds, slots)
    least = graph.bound(needs, seconds, slots)
    assert least - 1e-6 <= took <= (2 - 1 / slots) * least + 1e-6


@given(graphs(), st.data())
def test_what_a_failure_blocks_is_all_that_never_begins(
    needs: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    failed = data.draw(st.sets(st.sampled_from(sorted(needs))))
    done: set[str] = set()
    while ahead := graph.ready(needs, done, done, failed, len(needs)):
        done |= set(ahead)
    assert set(needs) - done - failed == graph.blocked(needs, failed)
