"""Forecasts: the pace a target needs, an interval that says how little is known, no line through points."""

import math
import random
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import pytest

from tenants.migration.forecast import (
    Month,
    Rates,
    Reached,
    Why,
    at_deadline,
    ends_until,
    last_day,
    month_of,
    month_text,
    pace_needed,
    pace_so_far,
    t_quantile,
    when_reached,
)

FIRST = month_of(date(2026, 1, 1))


def history(*figures: tuple[int, int], months: tuple[int, ...] | None = None) -> list[Month]:
    numbers = months or tuple(range(len(figures)))
    return [Month(FIRST + at, n * 100, d) for at, (n, d) in zip(numbers, figures, strict=True)]


def steady(*moved: int, counted: int = 1000) -> list[Month]:
    return history(*((n, counted) for n in moved))


# -- months


def test_months_are_numbered_on_over_the_years() -> None:
    assert month_of(date(2027, 1, 31)) - month_of(date(2026, 12, 1)) == 1
    assert last_day(month_of(date(2028, 2, 3))) == date(2028, 2, 29)
    assert last_day(month_of(date(2026, 12, 3))) == date(2026, 12, 31)
    assert month_text(month_of(date(2026, 9, 30))) == "2026-09"


def test_only_months_that_end_before_the_deadline_are_counted() -> None:
    october = month_of(date(2026, 10, 1))
    assert ends_until(october, date(2026, 12, 31)) == 2
    assert ends_until(october, date(2026, 12, 30)) == 1
    assert ends_until(october, date(2026, 11, 29)) == 0
    assert ends_until(october, date(2025, 1, 1)) == 0


# -- pace


@pytest.mark.parametrize(
    ("moved", "today", "deadline", "pace"),
    [
        (60, date(2026, 11, 21), date(2026, 12, 31), 18),  # 35 in two months
        (59, date(2026, 11, 21), date(2026, 12, 31), 18),
        (58, date(2026, 11, 21), date(2026, 12, 31), 19),
        (60, date(2026, 11, 21), date(2026, 11, 30), 35),
        (60, date(2026, 11, 21), date(2026, 11, 21), 35),
        (60, date(2026, 11, 21), date(2026, 12, 30), 35),
        (95, date(2026, 11, 21), date(2026, 12, 31), 0),
        (60, date(2026, 11, 21), date(2026, 11, 20), None),
        (95, date(2026, 11, 21), date(2026, 11, 20), 0),
    ],
)
def test_the_pace_is_whole_systems_a_month_rounded_up(
    moved: int, today: date, deadline: date, pace: int | None
) -> None:
    assert pace_needed(moved * 100, 100, 9500, today, deadline) == pace


def test_the_pace_so_far_is_what_really_moved_a_month() -> None:
    assert pace_so_far(steady(10, 14, 20)) == 500
    assert pace_so_far(history((10, 100), (20, 100), months=(0, 3))) == 333
    assert pace_so_far(steady(10)) is None
    assert pace_so_far([]) is None


# -- forecasts


@pytest.mark.parametrize("months", [0, 1, 2, 3])
def test_fewer_than_four_months_are_no_forecast(months: int) -> None:
    short = steady(*(10 * n for n in range(months)))
    assert at_deadline(short, date(2030, 1, 31)) == Why.TOO_SHORT
    assert when_reached(short, 9500) == Why.TOO_SHORT


def test_a_deadline_before_the_next_end_of_a_month_is_no_forecast() -> None:
    assert at_deadline(steady(0, 10, 20, 30), date(2026, 5, 31)) != Why.PASSED
    assert at_deadline(steady(0, 10, 20, 30), date(2026, 4, 30)) == Why.PASSED
    assert at_deadline(steady(0, 10, 20, 30), date(2026, 5, 29)) == Why.PASSED


def test_the_interval_is_students_prediction_interval_of_the_walk() -> None:
    uneven = steady(100, 104, 115, 117, 125)
    drift, spread = 6.25, math.sqrt(((4 - 6.25) ** 2 + (11 - 6.25) ** 2 + (2 - 6.25) ** 2 + 1.75**2) / 3)
    assert drift < spread**2, "this history varies by more than chance alone"
    half = 1.6377 * spread * math.sqrt(2 + 2 * 2 / 4)
    found = at_deadline(uneven, last_day(FIRST + 4 + 2))
    assert found == Rates(1375, math.floor((137.5 - half) * 10), math.ceil((137.5 + half) * 10))


def test_an_even_history_is_not_taken_for_certainty() -> None:
    half = 1.8856 * math.sqrt(10 * (1 + 1 / 3))  # no month is known better than its Poisson spread
    found = at_deadline(steady(0, 10, 20, 30), last_day(FIRST + 4))
    assert found == Rates(400, math.floor((40 - half) * 10), math.ceil((40 + half) * 10))
    half = 1.8856 * math.sqrt(1 / 3 * (6 + 36 / 3))  # nothing moved for three months
    assert at_deadline(steady(0, 0, 0, 0), last_day(FIRST + 9)) == Rates(0, 0, math.ceil(half * 10))
    half = 1.8856 * math.sqrt(10 * (1 + 1 / 3))
    found = at_deadline(steady(530, 520, 510, 500), last_day(FIRST + 4))
    assert found == Rates(4900, math.floor((490 - half) * 10), math.ceil((490 + half) * 10))


def test_good_months_that_follow_good_months_widen_the_interval() -> None:
    waves = steady(0, 20, 40, 40, 40, 60, 80, 80, 80, 100, 120, 120, 120)
    steps = [10, 10, -10, -10] * 3
    correlation = sum(a * b for a, b in pairwise(steps)) / 1200
    correlation += (1 + 3 * correlation) / 12
    variance = 1200 / 11 * (1 + correlation) / (1 - correlation)
    half = 1.3634 * math.sqrt(variance * (1 + 1 / 12))
    found = at_deadline(waves, last_day(FIRST + 13))
    assert 0.1 < correlation < 0.6
    assert found == Rates(1300, math.floor((130 - half) * 10), math.ceil((130 + half) * 10))


def test_the_widening_has_an_end_and_steps_that_alternate_narrow_nothing() -> None:
    once = steady(
        *(0 for _ in range(12)), *(60 * n for n in range(12))
    )  # half a year nothing, then 60 a month
    steps = [-660 / 23] * 12 + [60 - 660 / 23] * 11
    variance = sum(one * one for one in steps) / 22 * (1 + 0.6) / (1 - 0.6)
    half = 1.3212 * math.sqrt(variance * (1 + 1 / 23))
    found = at_deadline(once, last_day(FIRST + 24))
    assert isinstance(found, Rates)
    assert found.high == math.ceil((660 + 660 / 23 + half) * 10)
    zigzag = steady(0, 20, 20, 40, 40, 60, 60)
    half = 1.4759 * math.sqrt(600 / 5 * (1 + 1 / 6))
    found = at_deadline(zigzag, last_day(FIRST + 7))
    assert found == Rates(700, math.floor((70 - half) * 10), math.ceil((70 + half) * 10))


def test_months_that_are_missing_count_for_as_many_as_they_are() -> None:
    gaps = history((0, 1000), (10, 1000), (40, 1000), (50, 1000), months=(0, 1, 3, 4))
    drift = 12.5
    squares = [(10 - drift) ** 2, (30 - 2 * drift) ** 2 / 2, (10 - drift) ** 2]
    variance = max(sum(squares) / 2, drift)
    half = 1.8856 * math.sqrt(variance * (3 + 9 / 4))
    found = at_deadline(gaps, last_day(FIRST + 7))
    assert found == Rates(875, math.floor((87.5 - half) * 10), math.ceil((87.5 + half) * 10))


def test_months_that_are_missing_count_as_many_for_the_denominator_too() -> None:
    gaps = history((500, 1000), (500, 1010), (500, 1090), (500, 1100), months=(0, 1, 3, 4))
    drift, months, ahead = 25.0, 4, 2
    squares = [(10 - drift) ** 2, (80 - 2 * drift) ** 2 / 2, (10 - drift) ** 2]
    spread = math.sqrt(ahead + ahead * ahead / months)

    def outside(rate: float) -> float:
        """N does not move, but is known no better than one system in the four months."""
        variance = rate * rate * sum(squares) / 2 + 1 / months
        return abs(500 - rate * (1100 + ahead * drift)) - 1.8856 * math.sqrt(variance) * spread

    inside = [rate for rate in range(10_001) if outside(rate / 10_000) <= 0]
    found = at_deadline(gaps, last_day(FIRST + 4 + ahead))
    assert found == Rates(math.floor(500 / 1150 * 10_000), min(inside) - 1, max(inside) + 1)


def test_a_denominator_that_moves_is_part_of_what_is_not_known() -> None:
    both = history((100, 1000), (112, 1010), (118, 1005), (131, 1030), (140, 1020))
    steps = [(12, 10), (6, -5), (13, 25), (9, -10)]
    ahead, months, t = 3, 4, 1.6377

    def outside(rate: float) -> float:
        """How far N - rate * D is predicted from zero, beyond the interval; negative inside it."""
        walk = [n - rate * d for n, d in steps]
        drift = sum(walk) / months
        n_drift = sum(n for n, _ in steps) / months
        n_extra = max(0.0, n_drift - sum((n - n_drift) ** 2 for n, _ in steps) / 3)
        variance = sum((one - drift) ** 2 for one in walk) / 3 + n_extra
        surplus = 140 - rate * 1020 + ahead * drift
        return abs(surplus) - t * math.sqrt(variance * (ahead + ahead * ahead / months))

    inside = [rate for rate in range(10_001) if outside(rate / 10_000) <= 0]
    expected = math.floor(170 / 1035 * 10_000)
    assert at_deadline(both, last_day(FIRST + 7)) == Rates(expected, min(inside) - 1, max(inside) + 1)


def test_rates_stay_between_nothing_and_all() -> None:
    fast = history((500, 1000), (700, 1000), (880, 1000), (990, 1000))
    assert at_deadline(fast, last_day(FIRST + 9)) == Rates(10_000, 10_000, 10_000)
    falling = history((300, 1000), (200, 1000), (100, 1000), (5, 1000))
    assert at_deadline(falling, last_day(FIRST + 9)) == Rates(0, 0, 0)
    barely = at_deadline(steady(1, 0, 0, 1, counted=100), last_day(FIRST + 4))
    assert isinstance(barely, Rates)
    assert barely.low == 0 < barely.expected
    near = at_deadline(history((960, 1000), (970, 1000), (985, 1000), (990, 1000)), last_day(FIRST + 4))
    assert isinstance(near, Rates)
    assert near.low < 10_000 == near.expected == near.high


def test_a_rate_that_is_whole_is_not_rounded_below_itself() -> None:
    whole = history((7, 100), (14, 100), (21, 100), (29, 100))
    thirds = history((1, 3000), (2, 3000), (3, 3000), (4, 3000))
    assert [at_deadline(one, last_day(FIRST + 6)).expected for one in (whole, thirds)] == [5100, 23]
    assert 102 / 1000 * 10_000 < 1020, "as binary numbers have it"
    exact = at_deadline(steady(0, 17, 34, 51), last_day(FIRST + 6))
    assert exact.expected == 1020


def test_when_nothing_would_count_any_more_there_is_no_forecast() -> None:
    shrinking = history((500, 1000), (500, 800), (500, 600), (500, 400))
    assert at_deadline(shrinking, last_day(FIRST + 5)) == Why.NOTHING_LEFT
    assert at_deadline(shrinking, last_day(FIRST + 4)) != Why.NOTHING_LEFT
    one_left = history((1, 10), (1, 8), (1, 6), (1, 4), (1, 2), (1, 2), (1, 2))
    assert at_deadline(one_left, last_day(FIRST + 6 + 1)) != Why.NOTHING_LEFT
    to_one = history((1, 13), (1, 10), (1, 7), (1, 4))
    assert at_deadline(to_one, last_day(FIRST + 4)) != Why.NOTHING_LEFT
    assert at_deadline(to_one, last_day(FIRST + 5)) == Why.NOTHING_LEFT


def test_when_a_target_is_reached_has_an_earliest_and_a_latest_month() -> None:
    found = when_reached(steady(0, 10, 20, 30), 1500)
    assert found == Reached(expected=FIRST + 15, earliest=FIRST + 12, latest=FIRST + 23)

    def bound(ahead: int, sign: int) -> float:
        return 30 + 10 * ahead + sign * 1.8856 * math.sqrt(10 * (ahead + ahead * ahead / 3)) - 150

    assert bound(9, 1) >= 0 > bound(8, 1)
    assert bound(20, -1) >= 0 > bound(19, -1)


def test_a_target_that_is_reached_already_or_not_in_ten_years_says_so() -> None:
    reached = when_reached(steady(960, 970, 980, 990), 9500)
    assert reached == Reached(FIRST + 3, FIRST + 3, FIRST + 3)
    assert when_reached(steady(10, 10, 10, 10), 9500) == Reached(None, None, None)
    slow = history((0, 1000), (5, 1000), (10, 1000), (15, 1000))
    assert when_reached(slow, 6150) == Reached(FIRST + 123, FIRST + 84, None)
    assert when_reached(slow, 6151) == Reached(None, FIRST + 84, None)


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 3.0777), (2, 1.8856), (10, 1.3722), (30, 1.3104), (31, 1.3095), (40, 1.3031), (120, 1.2886)],
)
def test_students_t_is_that_of_the_tables(freedom: int, t: float) -> None:
    assert t_quantile(freedom) == pytest.approx(t, abs=0.0006 if freedom > 30 else 0)


# -- how often the interval holds, on histories made by known chance


Steps = Callable[[random.Random, int], list[int]]


def poisson(chance: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product >= limit:
        product *= chance.random()
        count += 1
    return count


def even(chance: random.Random, months: int) -> list[int]:
    """Systems move one by one."""
    mean = chance.uniform(1, 8)
    return [poisson(chance, mean) for _ in range(months)]


def batches(chance: random.Random, months: int) -> list[int]:
    """In most months nothing, in some a batch."""
    mean = 4 * chance.uniform(1, 8)
    return [poisson(chance, mean) if chance.random() < 0.3 else 0 for _ in range(months)]


def long_waves(chance: random.Random, months: int) -> list[int]:
    """Good months follow good months."""
    mean, is_on, found = 2 * chance.uniform(1, 8), False, []
    for _ in range(months):
        if chance.random() < (0.4 if is_on else 0.25):
            is_on = not is_on
        found.append(poisson(chance, mean) if is_on else 0)
    return found


@pytest.mark.parametrize(
    ("steps", "months", "ahead", "least", "most"),
    [
        (even, 4, 6, 85, 98),
        (even, 12, 6, 80, 95),
        (even, 24, 12, 78, 92),
        (batches, 6, 6, 70, 90),
        (batches, 12, 6, 75, 90),
        (batches, 24, 12, 77, 92),
        (long_waves, 12, 6, 70, 88),
        (long_waves, 24, 6, 75, 92),
        (long_waves, 6, 12, 52, 75),  # what half a year of waves cannot tell; the docs say so
    ],
)
def test_the_interval_holds_about_as_often_as_it_says(
    steps: Steps, months: int, ahead: int, least: int, most: int
) -> None:
    chance, held, tries = random.Random(20261121), 0, 400
    for _ in range(tries):
        moved = steps(chance, months - 1 + ahead)
        known = steady(*(100 + sum(moved[:n]) for n in range(months)), counted=2000)
        found = at_deadline(known, last_day(FIRST + months - 1 + ahead))
        assert isinstance(found, Rates)
        truth = (100 + sum(moved)) * 10_000 // 2000
        held += found.low <= truth <= found.high
    assert least <= held * 100 / tries <= most
