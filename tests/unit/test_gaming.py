"""Rates that rise because fewer count, and not because more have moved, are asked about."""

from dataclasses import replace

import pytest

from tenants.migration.gaming import Flag, flags
from tenants.migration.rates import Tally
from tenants.migration.rule import DEFAULT

RULE = replace(DEFAULT, exclusion_jump_hundredths=300, ended_jump_hundredths=300, least_systems=20)


def tally(moved: int, counted: int, **excluded: int) -> Tally:
    return Tally(
        registered=counted + sum(excluded.values()),
        denominator=counted,
        numerator_hundredths=moved * 100,
        excluded=excluded,
    )


def told(found: list[Flag]) -> list[tuple[str, str]]:
    return [(one.code, one.template.format(**one.params)) for one in found]


def test_nothing_is_asked_about_a_month_in_which_systems_moved() -> None:
    assert flags(tally(50, 100, exempt=5), tally(90, 100, exempt=5), RULE, 9000) == []


def test_a_share_left_out_by_decision_that_jumps_is_told_with_its_numbers() -> None:
    before = tally(50, 90, classified=4, centrally_built=3, exempt=3)
    now = tally(50, 86, classified=6, centrally_built=4, exempt=4)
    assert told(flags(before, now, RULE))[0] == (
        "exclusion_jump",
        "left out as classified, centrally built or exempt: 10.00 % before, 14.00 % now (4 systems more)",
    )


def test_exactly_the_allowed_growth_is_no_jump_and_a_system_more_is() -> None:
    before = tally(0, 90, exempt=10)
    assert "exclusion_jump" not in dict(told(flags(before, tally(0, 87, exempt=13), RULE)))
    assert "exclusion_jump" in dict(told(flags(before, tally(0, 86, exempt=14), RULE)))
    assert "ended_jump" not in dict(told(flags(tally(0, 90, retired=10), tally(0, 87, retired=13), RULE)))
    assert "ended_jump" in dict(told(flags(tally(0, 90, retired=10), tally(0, 86, retired=14), RULE)))


@pytest.mark.parametrize("reason", ["retired", "merged", "suspended"])
def test_ending_systems_faster_than_allowed_is_told(reason: str) -> None:
    found = told(flags(tally(50, 100), tally(50, 95, **{reason: 5}), RULE))
    words = "retired, merged or suspended: 0.00 % before, 5.00 % now (5 systems more)"
    assert found[0] == ("ended_jump", words)


@pytest.mark.parametrize("reason", ["not_yet", "other_level"])
def test_a_denominator_that_shrinks_in_any_other_way_is_told(reason: str) -> None:
    found = told(flags(tally(50, 100), tally(50, 96, **{reason: 5}), RULE))
    assert found == [
        (
            "denominator_shrank",
            "systems that count: 100 before, 96 now, while the register went from 100 to 101",
        )
    ]


def test_a_denominator_may_shrink_with_the_register_or_by_little() -> None:
    assert flags(tally(50, 100), tally(50, 90), RULE) == []
    assert flags(tally(50, 100), tally(50, 97, other_level=3), RULE) == []
    assert flags(tally(50, 100), tally(50, 103), RULE) == []
    assert [one.code for one in flags(tally(50, 100), tally(50, 96, other_level=4), RULE)] == [
        "denominator_shrank"
    ]


def test_shares_of_few_systems_are_not_asked_about() -> None:
    few = (tally(5, 19), tally(5, 9, exempt=10))
    assert flags(*few, RULE) == []
    assert flags(tally(5, 20), tally(5, 9, exempt=10), RULE) != []
    assert flags(tally(5, 10), tally(5, 10, exempt=10), RULE) != []


def test_a_target_reached_by_counting_fewer_is_told_for_any_number_of_systems() -> None:
    found = flags(tally(18, 20), tally(18, 18, exempt=2), replace(RULE, least_systems=1000), 9500)
    words = "the target of 95.00 % is reached with 100.00 % because 2 systems fewer count; "
    assert told(found) == [("reached_by_subtraction", words + "otherwise it would be 90.00 %")]


@pytest.mark.parametrize(
    ("before", "now", "target"),
    [
        ((18, 20), (18, 18), None),  # no target
        ((19, 20), (18, 18), 9500),  # it was reached before
        ((18, 20), (17, 18), 9500),  # it is still missed
        ((18, 20), (19, 19), 9500),  # it would be reached anyway
        ((18, 20), (20, 20), 9500),  # nothing was subtracted
        ((18, 20), (22, 22), 9500),
        ((18, 20), (0, 0), 9500),
    ],
)
def test_a_target_reached_by_moving_is_not(
    before: tuple[int, int], now: tuple[int, int], target: int | None
) -> None:
    assert flags(tally(*before), tally(*now), replace(RULE, least_systems=1000), target) == []


def test_a_scope_that_had_nothing_before_is_compared_with_nothing() -> None:
    found = flags(Tally(), tally(10, 30, exempt=10), RULE)
    words = "left out as classified, centrally built or exempt: 0.00 % before, 25.00 % now (10 systems more)"
    assert told(found) == [("exclusion_jump", words)]
    assert flags(tally(10, 30), Tally(), RULE) == []
