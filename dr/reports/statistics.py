"""Figures over several drills. Pure. A drill that failed stays in: it took longer than anybody waited.

With n drills all within T, 95 % confidence only carries so far as that a move is within T with probability
0.05^(1/n) at least: 59 drills for 95 %. With failures the bound is that of Clopper and Pearson.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Try:
    """How long one drill or move took; `is_censored`: it was given up then, and had not recovered."""

    seconds: float
    is_censored: bool = False


@dataclass(frozen=True)
class Statistics:
    """Over all tries. A quantile is None where it falls on a try that never recovered."""

    n: int
    failed: int
    median_s: float | None
    p90_s: float | None
    max_s: float | None
    objective_s: float
    within: int
    demonstrated: float  # the probability that is shown at least, 0 to 1

    def as_json(self) -> dict[str, Any]:
        """As a report keeps it."""
        return dict(vars(self))


def over(tries: Sequence[Try], objective_s: float) -> Statistics:
    """The figures over these tries beside the objective."""
    times = sorted(math.inf if one.is_censored else one.seconds for one in tries)
    within = sum(one <= objective_s for one in times)
    shown = demonstrated(len(times), within)
    failed = sum(one.is_censored for one in tries)
    return Statistics(
        len(times), failed, quantile(times, 0.5), quantile(times, 0.9), quantile(times, 1.0), objective_s,
        within, shown,
    )  # fmt: skip


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that the share of all does not exceed; None without one, or when it is infinite."""
    if not ordered:
        return None
    found = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
    return None if math.isinf(found) else found


def demonstrated(n: int, within: int) -> float:
    """The lower bound, at 95 %, of the probability to be within, after `within` of `n`; rounded down."""
    if n == 0 or within == 0:
        return 0.0
    if within == n:
        return _down((1 - CONFIDENCE) ** (1 / n))
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_least(n, within, middle) < 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return _down(low)


def _at_least(n: int, k: int, p: float) -> float:
    """The probability of k or more out of n."""
    return sum(math.comb(n, one) * p**one * (1 - p) ** (n - one) for one in range(k, n + 1))


def _down(share: float) -> float:
    return math.floor(share * 10_000) / 10_000
