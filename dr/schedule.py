"""When points are due, whether they fit into the window, and what may be lost until the next. Pure.

A schedule is a grid in Beijing time without any chance in it: the same policy is due at the same moments on
every installation, and a moment is counted, never walked to. Whoever was down for a month catches up with
one point and knows how many were missed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from cloudctl.clock import BEIJING
from dr.levels import DAY_S, reaches

_SUNDAY = datetime(1970, 1, 4, tzinfo=BEIJING)  # weekly points are of Sundays
_AT_RISK_PER_CENT = 70
_MISSES = 2  # one late point is a risk, two are a violation


@dataclass(frozen=True)
class Window:
    """The part of the day in which points may begin, in seconds after midnight in Beijing."""

    opens_s: int = 0
    length_s: int = DAY_S

    @classmethod
    def read(cls, stored: Mapping[str, str]) -> "Window":
        """`{"from": "22:00", "until": "06:00"}`; empty is the whole day. ValueError for what is no time."""
        if not stored:
            return cls()
        opens_s, closes_s = _seconds(stored["from"]), _seconds(stored["until"])
        return cls(opens_s, (closes_s - opens_s) % DAY_S or DAY_S)

    def is_open(self, moment: datetime) -> bool:
        """Whether a point may begin now."""
        return self._since_opening(moment) < self.length_s

    def next_opening(self, moment: datetime) -> datetime:
        """The moment itself while the window is open, else when it opens next."""
        since = self._since_opening(moment)
        return moment if since < self.length_s else moment + timedelta(seconds=DAY_S - since)

    def _since_opening(self, moment: datetime) -> float:
        return ((moment - _SUNDAY).total_seconds() - self.opens_s) % DAY_S


@dataclass(frozen=True)
class Grid:
    """The moments at which points are due: every so often, inside the window.

    `every_s` divides a day or is a number of days: `is_regular` says so, and nothing else is to be used.
    """

    every_s: int
    window: Window = Window()

    @property
    def is_regular(self) -> bool:
        """Whether the moments are the same every day, or every so many days."""
        return self.every_s > 0 and (DAY_S % self.every_s == 0 or self.every_s % DAY_S == 0)

    @property
    def gaps_s(self) -> list[int]:
        """The times from one due point to the next, over one turn of the grid."""
        offsets = [*self._offsets, self._cycle_s]
        return [later - earlier for earlier, later in pairwise(offsets)]

    @property
    def longest_gap_s(self) -> int:
        """The longest time between two due points: nights count, however often the days."""
        return max(self.gaps_s)

    def after(self, moment: datetime) -> datetime:
        """The first moment later than this one at which a point is due."""
        return self._moment_of(self._count_until(moment))

    def due(self, next_at: datetime, now: datetime) -> "Due":
        """Whether a point shall begin now, when the next one was due at `next_at`.

        What was missed is caught up with one point, as soon as the window is open.
        """
        if now < next_at:
            return Due(False, 0, next_at)
        missed = max(0, self._count_until(now) - self._count_until(next_at))
        return Due(self.window.is_open(now), missed, self.after(now))

    @property
    def _cycle_s(self) -> int:
        return max(DAY_S, self.every_s)

    @property
    def _offsets(self) -> range:
        return range(0, self.window.length_s if self.every_s < DAY_S else 1, self.every_s)

    def _count_until(self, moment: datetime) -> int:
        """How many due moments lie between the beginning of all and this one, itself included."""
        turns, rest = divmod((moment - self._first).total_seconds(), self._cycle_s)
        return int(turns) * len(self._offsets) + min(len(self._offsets), int(rest // self.every_s) + 1)

    def _moment_of(self, number: int) -> datetime:
        turns, index = divmod(number, len(self._offsets))
        return self._first + timedelta(seconds=turns * self._cycle_s + self._offsets[index])

    @property
    def _first(self) -> datetime:
        return _SUNDAY + timedelta(seconds=self.window.opens_s)


@dataclass(frozen=True)
class Due:
    """Whether a point begins now, how many were missed since it was due, and when the next one is due."""

    is_due: bool
    missed: int
    next_at: datetime


# -- the line


@dataclass(frozen=True)
class Fit:
    """Whether so many bytes get through the line while the window is open."""

    needed_s: int
    given_s: int

    @property
    def is_fitting(self) -> bool:
        return self.needed_s <= self.given_s


def fit(grid: Grid, forecast_bytes: int, line_mbit: int | None) -> Fit:
    """How long the bytes take on the line, beside the time there is; a line of None takes no time.

    The time there is ends with the window, or when the next point is due.
    """
    given_s = min(grid.window.length_s if grid.every_s >= DAY_S else grid.every_s, DAY_S)
    needed_s = 0 if line_mbit is None else -(-forecast_bytes * 8 // (line_mbit * 1_000_000))
    return Fit(needed_s, given_s)


# -- what may be lost


@dataclass(frozen=True)
class Loss:
    """How much is lost when the source is lost (RPA): at the worst moment, and on average."""

    worst_s: int
    mean_s: int


def loss(grid: Grid, delay_s: int) -> Loss:
    """Worst P + D and mean P/2 + D, for a point of which all counts `delay_s` after it was taken.

    Where the gaps differ, a random moment falls into a long one more often: the mean is over moments.
    """
    gaps = grid.gaps_s
    mean_s = sum(gap * gap for gap in gaps) // (2 * sum(gaps))
    return Loss(max(gaps) + delay_s, mean_s + delay_s)


class Health(StrEnum):
    """How a member of a policy stands. Stored nowhere; JSON contract."""

    SEEDING = "seeding"  # no point of it counts yet
    PROTECTED = "protected"
    AT_RISK = "rpo_at_risk"  # more than 70 % of what may be lost
    VIOLATED = "rpo_violated"
    SUSPENDED = "suspended"


class Proved(Protocol):
    """A point as the gauge asks for it; `level` is what it is proved to."""

    @property
    def taken_at(self) -> datetime: ...

    @property
    def level(self) -> str | None: ...


@dataclass(frozen=True)
class Objective:
    """How old the newest point may be: that was read back (`copied_s`), and that is proved as demanded."""

    level: str
    copied_s: int
    proved_s: int


def objective(grid: Grid, level: str, prove_every_s: int) -> Objective:
    """What a policy promises: one point or proof that comes late is a risk, two are a violation."""
    copied_s = _MISSES * grid.longest_gap_s
    is_read_back_only = reaches("L1", level)
    return Objective(level, copied_s, copied_s if is_read_back_only else copied_s + _MISSES * prove_every_s)


@dataclass(frozen=True)
class Gauge:
    """What would be lost now. None: everything, for there is no such point.

    `rpo_s` is the age of the newest point of the level demanded, `copied_rpo_s` that of the newest one of
    which every byte was read back.
    """

    rpo_s: int | None
    copied_rpo_s: int | None
    used_per_cent: int | None  # of what may be lost: the worse of both
    health: Health


def gauge(now: datetime, protected: Iterable[Proved], wanted: Objective) -> Gauge:
    """The gauge of a member over its PROTECTED points; points of any other state are not to be given."""
    points: Sequence[Proved] = list(protected)
    copied = _age_s(now, points)
    proved = _age_s(now, [point for point in points if reaches(point.level, wanted.level)])
    if copied is None or proved is None:
        return Gauge(proved, copied, None, Health.SEEDING)
    used = max(copied * 100 // wanted.copied_s, proved * 100 // wanted.proved_s)
    health = Health.PROTECTED
    if copied > wanted.copied_s or proved > wanted.proved_s:
        health = Health.VIOLATED
    elif used > _AT_RISK_PER_CENT:
        health = Health.AT_RISK
    return Gauge(proved, copied, used, health)


def _age_s(now: datetime, points: Sequence[Proved]) -> int | None:
    newest = max((point.taken_at for point in points), default=None)
    return None if newest is None else max(0, int((now - newest).total_seconds()))


def _seconds(text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (0 <= int(hours) < 24 and 0 <= int(minutes) < 60 and len(minutes) == 2):
        raise ValueError(text)
    return int(hours) * 3600 + int(minutes) * 60
