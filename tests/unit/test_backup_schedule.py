"""When points are due: a grid without chance, one point that catches up, windows, and what may be lost."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.clock import BEIJING
from dr.schedule import Grid, Health, Loss, Window, fit, gauge, loss, objective

NOW = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)  # 09:00 in Beijing
NIGHT = Window.read({"from": "22:00", "until": "06:00"})
GRIDS = st.builds(
    Grid,
    st.sampled_from([900, 3600, 4 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400]),
    st.builds(Window, st.integers(0, 86_399), st.integers(1, 86_400)),
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Point:
    taken_at: datetime
    level: str | None


def test_a_nightly_point_is_due_when_the_window_opens_in_beijing() -> None:
    after = Grid(86_400, NIGHT).after(NOW)
    assert after.astimezone(BEIJING) == datetime(2026, 11, 26, 22, 0, tzinfo=BEIJING)


def test_a_weekly_point_is_due_on_sundays() -> None:
    assert Grid(7 * 86_400).after(NOW).astimezone(BEIJING).isoweekday() == 7


def test_points_of_hours_are_due_inside_the_window_only() -> None:
    grid = Grid(4 * 3600, NIGHT)
    at, hours = NOW, []
    for _ in range(4):
        at = grid.after(at)
        hours.append(at.astimezone(BEIJING).hour)
    assert hours == [22, 2, 22, 2]
    assert (grid.gaps_s, grid.longest_gap_s) == ([14_400, 72_000], 72_000)


def test_what_was_missed_is_caught_up_with_one_point_and_counted() -> None:
    grid = Grid(3600)
    next_at = grid.after(NOW)
    late = next_at + timedelta(hours=30, minutes=5)
    due = grid.due(next_at, late)
    assert (due.is_due, due.missed) == (True, 30)
    assert due.next_at > late
    assert not grid.due(due.next_at, late).is_due


def test_a_missed_point_waits_for_its_window() -> None:
    grid = Grid(86_400, NIGHT)
    next_at = grid.after(NOW) - timedelta(days=1)
    shut = grid.due(next_at, NOW)
    assert (shut.is_due, shut.missed) == (False, 0)
    opened = grid.due(next_at, NIGHT.next_opening(NOW))
    assert (opened.is_due, opened.missed) == (True, 1)


@given(GRIDS, MOMENTS)
def test_the_next_point_is_later_inside_the_window_and_nothing_lies_between(
    grid: Grid, moment: datetime
) -> None:
    after = grid.after(moment)
    assert after > moment
    assert grid.window.is_open(after)
    assert after - moment <= timedelta(seconds=grid.longest_gap_s)
    assert grid.after(after - timedelta(microseconds=1)) == after
    assert grid.after(moment) == after, "nothing of it is chance"


@given(GRIDS, MOMENTS, st.integers(0, 400 * 86_400))
def test_points_begun_missed_and_waiting_are_all_the_points_there_were(
    grid: Grid, moment: datetime, later_s: int
) -> None:
    next_at = grid.after(moment)
    now = moment + timedelta(seconds=later_s)
    due = grid.due(next_at, now)
    walked, at = 0, next_at
    while at <= now and walked <= 60:
        walked, at = walked + 1, grid.after(at)
    if walked <= 60:
        assert due.missed == max(0, walked - 1)
    assert due.next_at > now or not walked


@pytest.mark.parametrize(
    ("every_s", "is_regular"), [(3600, True), (5 * 3600, False), (172_800, True), (90_000, False), (0, False)]
)
def test_a_rhythm_divides_a_day_or_is_made_of_days(every_s: int, is_regular: bool) -> None:
    assert Grid(every_s).is_regular == is_regular


@pytest.mark.parametrize("text", ["25:00", "22:60", "22", "x:00", "-1:00", "22:5"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Window.read({"from": text, "until": "06:00"})


def test_hourly_points_that_take_twenty_minutes_lose_eighty_at_worst_and_fifty_on_average() -> None:
    assert loss(Grid(3600), 1200) == Loss(80 * 60, 50 * 60)


def test_a_shut_window_counts_into_what_may_be_lost() -> None:
    lost = loss(Grid(4 * 3600, NIGHT), 0)
    assert lost.worst_s == 20 * 3600
    assert lost.mean_s > loss(Grid(12 * 3600), 0).mean_s, "a random moment falls into the long gap more often"


def test_bytes_that_do_not_fit_into_the_window_are_told() -> None:
    grid = Grid(86_400, NIGHT)
    assert fit(grid, 100 << 30, 100).needed_s == -(-(100 << 30) * 8 // 100_000_000)
    assert fit(grid, 100 << 30, 100).is_fitting
    assert not fit(grid, 1 << 40, 100).is_fitting
    assert fit(grid, 1 << 50, None).is_fitting, "a line that nobody limits"
    assert fit(Grid(3600), 1, 1).given_s == 3600


# -- the gauge


WANTED = objective(Grid(86_400), "L2", 7 * 86_400)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def test_without_a_point_of_the_level_nothing_counts() -> None:
    assert gauge(NOW, [], WANTED).health == Health.SEEDING
    only_read = gauge(NOW, [Point(ago(hours=1), "L1")], WANTED)
    assert (only_read.health, only_read.rpo_s, only_read.copied_rpo_s) == (Health.SEEDING, None, 3600)


def test_the_gauge_is_the_age_of_the_newest_point_of_the_level() -> None:
    points = [Point(ago(days=3), "L2"), Point(ago(days=2), "L3"), Point(ago(hours=5), "L1")]
    found = gauge(NOW, points, WANTED)
    assert (found.rpo_s, found.copied_rpo_s, found.health) == (2 * 86_400, 5 * 3600, Health.PROTECTED)


@pytest.mark.parametrize(
    ("copied_h", "proved_d", "health"),
    [
        (1, 1, Health.PROTECTED),
        (33, 8, Health.PROTECTED),
        (36, 8, Health.AT_RISK),  # 75 % of two days
        (1, 12, Health.AT_RISK),  # 75 % of sixteen
        (48, 8, Health.AT_RISK),
        (49, 8, Health.VIOLATED),
        (1, 17, Health.VIOLATED),
    ],
)
def test_what_is_late_is_a_risk_and_then_a_violation(copied_h: int, proved_d: int, health: Health) -> None:
    points = [Point(ago(hours=copied_h), "L1"), Point(ago(days=proved_d), "L2")]
    assert gauge(NOW, points, WANTED).health == health


def test_a_policy_that_asks_for_reading_back_alone_has_one_objective() -> None:
    wanted = objective(Grid(3600), "L1", 86_400)
    assert wanted.copied_s == wanted.proved_s == 7200
