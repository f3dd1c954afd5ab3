"""Two writers never: three real places with what may break between them, and agents that hang."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cut_cases import CASES, LEASE_S, Case, late, overlap_s, run_case, silence_s, three_places
from tests.cuts import Places

_IN_THE_GATE = ("province cut off", "keeper of the province paused")


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Places, Path]]:
    with three_places() as made:
        yield made


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=() if case.name in _IN_THE_GATE else pytest.mark.soak)
        for case in CASES
    ],
)
def test_two_sites_never_write_at_once(places: tuple[Places, Path], case: Case) -> None:
    outcome = run_case(*places, case)
    assert (outcome.overlap_s, outcome.late) == (0, 0)
    assert outcome.moved == case.can_move
    assert outcome.silence_s < 4 * LEASE_S
    print(f"{outcome.name}: both {outcome.overlap_s} s, none {outcome.silence_s:.2f} s, by {outcome.proof}")


def test_overlap_and_silence_are_read_from_what_was_written() -> None:
    ms = 1_000_000
    one = [10 * ms * number for number in range(100)]
    other = [10 * ms * number for number in range(90, 150)]
    assert overlap_s(one, other) == pytest.approx(0.09)
    assert overlap_s(one, [moment + 1000 * ms for moment in one]) == 0
    assert silence_s(900 * ms, [*one, 2990 * ms]) == pytest.approx(2.0)
    assert late(one, other) == 9
    assert late([*one, 5000 * ms], [2000 * ms]) == 1, "a single line is a second writer as well"
    assert late(one, []) == 0
