"""Amounts and sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.amounts import Amounts, Kind, parse_gib
from cloudctl.errors import BadInput

amounts = st.dictionaries(st.sampled_from(Kind), st.integers(0, 10**6)).map(Amounts)


def test_a_key_that_is_no_kind_is_refused_because_it_would_pass_every_limit() -> None:
    with pytest.raises(ValueError, match="volume-gib"):
        Amounts({"volume-gib": 500})


@given(amounts, amounts)
def test_adding_and_taking_away_gives_back_what_was_there(a: Amounts, b: Amounts) -> None:
    assert a + b - b == a


@given(amounts, st.integers(0, 50))
def test_many_times_the_same_is_the_sum(a: Amounts, times: int) -> None:
    assert a * times == sum((a for _ in range(times)), Amounts())


@given(amounts)
def test_amounts_survive_json(a: Amounts) -> None:
    assert Amounts(a.as_json()) == a


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        ("1TiB", 1024),
        ("1 TB", 1024),
        ("500G", 500),
        ("40", 40),
        ("1.5TiB", 1536),
        ("100MiB", 1),
        ("1025MiB", 2),
    ],
)
def test_sizes_are_read_as_people_write_them_and_rounded_up(text: str, gib: int) -> None:
    assert parse_gib(text) == gib


@pytest.mark.parametrize("text", ["", "many", "-5G", "0", "1e3", "５T!", "1 GiB extra"])
def test_what_is_no_size_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_gib(text, "boot_size")
    assert refused.value.faults[0].place == "boot_size"
    assert "write 500GiB or 1TiB" in str(refused.value.faults[0])
