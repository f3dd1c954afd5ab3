"""Shares as records and back, and the steps between two shares."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.ports import RecordSet
from dr.traffic.shares import AAAA, TXT, A, Named, Standing, is_even, marker_of, record_sets, standing
from dr.traffic.steps import RAMP, steps

NAME = "app.gov.test."
NAMED = Named(NAME, 20, {"city-1": ("10.2.0.1", "2001:db8:2::1"), "province": ("10.1.0.1", "2001:db8:1::1")})


def found(sets: tuple[RecordSet, ...]) -> dict[str, RecordSet | None]:
    """What can be read of these sets at the master."""
    by_type = {one.type: one for one in sets}
    return {kind: by_type.get(kind) for kind in (A, AAAA, TXT)}


def test_one_site_has_plain_addresses_and_several_a_script() -> None:
    marker, four, six = record_sets(NAMED, {"city-1": 0, "province": 100}, "me/1")
    assert marker.name == marker_of(NAME) == "_shares.app.gov.test."
    assert marker.values == (
        '"v=1" "by=me/1" "city-1=0:10.2.0.1,2001:db8:2::1" "province=100:10.1.0.1,2001:db8:1::1"',
    )
    assert (four.type, four.values, six.values) == (A, ("10.1.0.1",), ("2001:db8:1::1",))
    _, script = record_sets(NAMED, {"city-1": 1, "province": 99}, "me/1")
    assert script.values == (
        "A \"pickwhashed({{1,'10.2.0.1'},{99,'10.1.0.1'}})\"",
        "AAAA \"pickwhashed({{1,'2001:db8:2::1'},{99,'2001:db8:1::1'}})\"",
    )


def test_the_share_of_a_site_is_spread_over_its_addresses() -> None:
    named = Named(NAME, 20, {"a": ("10.0.0.1", "10.0.0.2", "10.0.0.3"), "b": ("10.0.1.1", "10.0.1.2")})
    _, script = record_sets(named, {"a": 25, "b": 75}, "me/1")
    picks = "{50,'10.0.0.1'},{50,'10.0.0.2'},{50,'10.0.0.3'},{225,'10.0.1.1'},{225,'10.0.1.2'}"
    assert script.values == (f'A "pickwhashed({{{picks}}})"',)


def test_without_shares_all_sites_that_serve_stand_in_one_set() -> None:
    named = Named(NAME, 20, NAMED.addresses, gives_shares=False)
    _, four, six = record_sets(named, {"city-1": 50, "province": 50}, "me/1")
    assert (four.values, len(six.values)) == (("10.1.0.1", "10.2.0.1"), 2)


@given(st.integers(0, 100), st.booleans())
def test_what_is_written_reads_back_equal(share: int, gives_shares: bool) -> None:
    weights = {"city-1": share, "province": 100 - share}
    named = Named(NAME, 20, NAMED.addresses, gives_shares)
    sets = record_sets(named, weights, "me/7")
    assert standing(named, found(sets)) == Standing(weights, sets, by="me/7")


def test_what_is_written_reads_back_after_the_addresses_of_the_plan_have_changed() -> None:
    sets = record_sets(NAMED, {"city-1": 25, "province": 75}, "me/7")
    moved = Named(NAME, 60, {"city-1": ("10.9.0.1",), "province": ("10.9.0.2",)})
    assert standing(moved, found(sets)) == Standing({"city-1": 25, "province": 75}, sets, by="me/7")


def test_a_name_that_nobody_marked_is_a_sites_or_strange() -> None:
    whole = {A: RecordSet(NAME, A, 300, ("10.2.0.1",)), AAAA: RecordSet(NAME, AAAA, 300, ("2001:db8:2::1",))}
    assert standing(NAMED, whole).weights == {"city-1": 100, "province": 0}
    assert standing(NAMED, {}) == Standing()
    assert standing(NAMED, {A: whole[A]}).strange
    assert standing(NAMED, {A: RecordSet(NAME, A, 300, ("192.0.2.1",))}).strange


@pytest.mark.parametrize(
    "text", ['"v=2" "by=x" "a=1:10.0.0.1"', '"v=1"', '"v=1" "by=x"', '"v=1" "by=x" "a=b"', ""]
)
def test_a_marker_that_cannot_be_read_is_strange(text: str) -> None:
    marker = RecordSet(marker_of(NAME), TXT, 20, (text,))
    assert standing(NAMED, {TXT: marker}).strange


def test_a_marker_beside_other_addresses_is_strange() -> None:
    sets = found(record_sets(NAMED, {"city-1": 0, "province": 100}, "me/1"))
    assert standing(NAMED, {**sets, A: RecordSet(NAME, A, 20, ("10.2.0.1",))}).strange
    assert standing(NAMED, {**sets, AAAA: None}).strange


def test_the_way_from_one_site_to_the_other() -> None:
    way = steps({"a": 100, "b": 0}, {"a": 0, "b": 100})
    assert [one["b"] for one in way] == list(RAMP)
    assert [one["b"] for one in steps({"a": 0, "b": 100}, {"a": 75, "b": 25})] == [99, 96, 81, 62, 25]


def test_who_cannot_serve_beside_the_other_goes_at_once() -> None:
    assert steps({"a": 100}, {"b": 100}, is_gradual=False) == [{"a": 0, "b": 100}]
    assert steps({}, {"a": 100}) == [{"a": 100}]


def test_without_shares_both_stand_alike_between() -> None:
    way = steps({"a": 100, "b": 0}, {"a": 0, "b": 100}, gives_shares=False)
    assert way == [{"a": 50, "b": 50}, {"a": 0, "b": 100}]
    assert all(is_even(one) for one in way)


@given(
    st.lists(st.integers(0, 100), min_size=2, max_size=4),
    st.lists(st.integers(1, 100), min_size=2, max_size=4),
)
def test_every_step_is_whole_and_goes_one_way(left: list[int], right: list[int]) -> None:
    names = "abcd"[: min(len(left), len(right))]
    before, after = (_hundred(dict(zip(names, ones, strict=False))) for ones in (left, right))
    way = steps(before, after)
    for one in way:
        assert sum(one.values()) == 100
        assert min(one.values()) >= 0
    if before != after:
        assert way[-1] == after
        first = way[0]
        assert all(first[site] > 0 for site in names if not before[site] and after[site])
        assert all(one != other for one, other in pairwise([before, *way]))


def _hundred(parts: dict[str, int]) -> dict[str, int]:
    total = sum(parts.values())
    if not total:
        return {**dict.fromkeys(parts, 0), min(parts): 100}
    whole = {site: part * 100 // total for site, part in parts.items()}
    whole[max(whole, key=lambda site: whole[site])] += 100 - sum(whole.values())
    return whole
