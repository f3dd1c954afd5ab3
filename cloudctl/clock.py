"""Time and ids as things that are passed in, so that tests decide them."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as time_of_day
from typing import Protocol

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")  # one zone, no summer time: days are its days


class Clock(Protocol):
    """Tells the time; every moment in the database comes from one."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""

    def ticks(self) -> float:
        """Seconds that never go back, whoever sets the clock; for what is held for so long, never stored."""

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        """Wait up to `seconds`; `woken(seconds)` is an event's wait. True when woken early."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def ticks(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        return woken(seconds)


class FrozenClock:
    """A clock that moves only when told to; waiting moves it at once."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at or datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
        self._ticks = 0.0

    def now(self) -> datetime:
        return self._at

    def ticks(self) -> float:
        return self._ticks

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._ticks += seconds

    def set_back(self, seconds: float) -> None:
        """Somebody sets the clock: it tells an earlier time, and none has passed."""
        self._at -= timedelta(seconds=seconds)

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        self.advance(seconds)
        return woken(0)


def local_day(moment: datetime) -> date:
    """The day of the moment as offices count it, in Beijing time."""
    return moment.astimezone(BEIJING).date()


def end_of_day(day: date) -> datetime:
    """The first moment after the day, in UTC: what held on a day is what held just before it."""
    return datetime.combine(day + timedelta(days=1), time_of_day(), BEIJING).astimezone(UTC)


def new_id() -> str:
    """A new id, unique everywhere: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def monotonic() -> float:
    """Seconds that never go back; for measuring spans, never stored."""
    return time.monotonic()
