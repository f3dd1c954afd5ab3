"""Where a rate is going: the pace it needs, where it will be at the deadline, and how sure that is. Pure.

The model: from month to month N and D move by a drift and by chance (a random walk with drift). The interval
is the prediction interval of that walk with Student's t, exact for independent normal steps; for the rate, a
quotient, it is Fieller's: the rates r for which N - r*D may be zero. Chosen over resampling: out of five or
ten months no resample is wider than what happened in them, so its intervals are too narrow just where the
history is short; t pays for a short history with width. Two things keep it honest where steps are not
independent normal ones: no month is known better than its Poisson spread, so that an even history is not
taken for certainty; and where good months follow good months (waves), the variance grows by (1+c)/(1-c), c
being the correlation of neighbouring steps, corrected for its bias in short histories. On simulated histories
of a year and more the interval then holds in 75 to 95 of 100 cases; out of four to six months with long waves
it can be as few as 55 a year ahead, which no method mends: the tests say so.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from tenants.migration.rates import WHOLE, still_to_move

LEAST_MONTHS = 4  # fewer are a line through points
HORIZON_MONTHS = 120  # a date further away is no date
COVERAGE_PERCENT = 80
_ALL = 10_000  # hundredths of a percent
# Student's t at 0.90 for 1 to 30 degrees of freedom: 80 % lie between minus and plus.
_T = (
    3.0777, 1.8856, 1.6377, 1.5332, 1.4759, 1.4398, 1.4149, 1.3968, 1.3830, 1.3722,
    1.3634, 1.3562, 1.3502, 1.3450, 1.3406, 1.3368, 1.3334, 1.3304, 1.3277, 1.3253,
    1.3232, 1.3212, 1.3195, 1.3178, 1.3163, 1.3150, 1.3137, 1.3125, 1.3114, 1.3104,
)  # fmt: skip
_Z = 1.2816
_MOST_CORRELATION = 0.6
_TINY = 1e-6  # a rate that is whole stays whole in binary


class Why(StrEnum):
    """Why there is no forecast."""

    TOO_SHORT = "too_short"
    NO_TARGET = "no_target"
    PASSED = "deadline_passed"
    NOTHING_LEFT = "nothing_left"  # at this pace nothing would count any more


@dataclass(frozen=True)
class Month:
    """The figure at the end of a month; months are numbered on, year * 12 + month - 1."""

    number: int
    numerator_hundredths: int
    denominator: int


@dataclass(frozen=True)
class Rates:
    """A rate that is expected and between which two it will be, in hundredths of a percent."""

    expected: int
    low: int
    high: int


@dataclass(frozen=True)
class Reached:
    """In which month a target is reached: expected, earliest, latest; None: not in ten years."""

    expected: int | None
    earliest: int | None
    latest: int | None


@dataclass(frozen=True)
class _Walk:
    """Last values, drift a month, and the spread of a month's step; systems, not hundredths."""

    n: float
    d: float
    drift_n: float
    drift_d: float
    var_n: float
    var_d: float
    cov: float
    months: int
    t: float

    def surplus(self, rate: float, ahead: int) -> float:
        """N - rate * D, so many months ahead."""
        now, drift = self.n - rate * self.d, self.drift_n - rate * self.drift_d
        return now + ahead * drift

    def half(self, rate: float, ahead: int) -> float:
        """Half the width of the prediction interval of the surplus: chance ahead, and the drift unsure."""
        variance = self.var_n - 2 * rate * self.cov + rate * rate * self.var_d
        return self.t * math.sqrt(max(0.0, variance) * (ahead + ahead * ahead / self.months))


def month_of(day: date) -> int:
    """The number of the day's month."""
    return day.year * 12 + day.month - 1


def last_day(month: int) -> date:
    """The last day of a numbered month."""
    year, rest = divmod(month + 1, 12)
    return date(year, rest + 1, 1) - timedelta(days=1)


def month_text(month: int) -> str:
    """`2026-11`."""
    return f"{last_day(month):%Y-%m}"


def ends_until(month: int, deadline: date) -> int:
    """How many ends of months come after that month's and not after the deadline; 0 when none does."""
    last = month_of(deadline)
    whole = last if deadline == last_day(last) else last - 1
    return max(0, whole - month)


def pace_needed(
    numerator_hundredths: int, denominator: int, target: int, today: date, deadline: date
) -> int | None:
    """Systems a month, rounded up, that reach the target in time; None once the deadline has passed."""
    missing = still_to_move(numerator_hundredths, denominator, target)
    if deadline < today:
        return 0 if missing == 0 else None
    months = max(1, ends_until(month_of(today) - 1, deadline))
    return -(-missing // months)


def at_deadline(history: Sequence[Month], deadline: date) -> Rates | Why:
    """The rate at the last end of a month before the deadline, and the 80 % interval, within 0 and 100 %."""
    walk = _walk(history)
    if walk is None:
        return Why.TOO_SHORT
    ahead = ends_until(history[-1].number, deadline)
    if ahead == 0:
        return Why.PASSED
    d = walk.d + ahead * walk.drift_d
    if d <= 0:
        return Why.NOTHING_LEFT
    rate = (walk.n + ahead * walk.drift_n) / d
    expected = min(_ALL, max(0, math.floor(rate * _ALL + _TINY)))
    low = _first(lambda r: walk.surplus(r, ahead) - walk.half(r, ahead) <= 0)
    high = _first(lambda r: walk.surplus(r, ahead) + walk.half(r, ahead) <= 0)
    return Rates(expected, min(max(0, low - 1), expected), max(min(_ALL, high), expected))


def _first(holds: Callable[[float], bool]) -> int:
    """The first rate, in hundredths of a percent, for which it holds, and then for all after it."""
    return bisect_left(range(_ALL + 1), True, key=lambda rate: holds(rate / _ALL))


def when_reached(history: Sequence[Month], target: int) -> Reached | Why:
    """The month in which the target is reached, if things go on as they did."""
    walk = _walk(history)
    if walk is None:
        return Why.TOO_SHORT
    rate, last = target / _ALL, history[-1].number

    def first(sign: int) -> int | None:
        for ahead in range(HORIZON_MONTHS + 1):
            if walk.surplus(rate, ahead) + sign * walk.half(rate, ahead) >= 0:
                return last + ahead
        return None

    return Reached(expected=first(0), earliest=first(1), latest=first(-1))


def pace_so_far(history: Sequence[Month]) -> int | None:
    """Systems a month that moved over the whole history, in hundredths, rounded down."""
    if len(history) < 2:
        return None
    first, last = history[0], history[-1]
    return (last.numerator_hundredths - first.numerator_hundredths) // (last.number - first.number)


def _walk(history: Sequence[Month]) -> _Walk | None:
    """The walk that the history is; months may be missing in it: a step over two of them varies twice."""
    if len(history) < LEAST_MONTHS:
        return None
    first, last = history[0], history[-1]
    months = last.number - first.number
    drift_n = (last.numerator_hundredths - first.numerator_hundredths) / WHOLE / months
    drift_d = (last.denominator - first.denominator) / months
    steps_n, steps_d = [], []  # what is left of each step beside the drift, as of one month
    for one, after in pairwise(history):
        span = after.number - one.number
        moved = (after.numerator_hundredths - one.numerator_hundredths) / WHOLE
        steps_n.append((moved - span * drift_n) / math.sqrt(span))
        steps_d.append((after.denominator - one.denominator - span * drift_d) / math.sqrt(span))
    freedom = len(steps_n) - 1
    wider = _wider(steps_n)
    return _Walk(
        n=last.numerator_hundredths / WHOLE,
        d=last.denominator,
        drift_n=drift_n,
        drift_d=drift_d,
        var_n=wider * max(_dot(steps_n, steps_n) / freedom, abs(drift_n), 1 / months),
        var_d=wider * _dot(steps_d, steps_d) / freedom,
        cov=wider * _dot(steps_n, steps_d) / freedom,
        months=months,
        t=t_quantile(freedom),
    )


def _wider(steps: Sequence[float]) -> float:
    """By how much the variance of a long way exceeds that of independent steps; never less than 1.

    The correlation of so few steps comes out too small by about (1 + 3c) / n; that is put back.
    """
    spread = _dot(steps, steps)
    if spread == 0:
        return 1.0
    correlation = _dot(steps[:-1], steps[1:]) / spread
    correlation += (1 + 3 * correlation) / len(steps)
    correlation = min(_MOST_CORRELATION, max(0.0, correlation))
    return (1 + correlation) / (1 - correlation)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def t_quantile(freedom: int) -> float:
    """Student's t at 0.90; beyond 30 degrees of freedom to three decimals, from the normal's."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    return _Z * (1 + (_Z * _Z + 1) / (4 * freedom))
