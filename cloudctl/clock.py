"""Time and ids as things that are passed in, so that tests decide them."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; every moment in the database comes from one."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        """Wait up to `seconds`; `woken(seconds)` is an event's wait. True when woken early."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        return woken(seconds)


class FrozenClock:
    """A clock that moves only when told to; waiting moves it at once."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at or datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        self.advance(seconds)
        return woken(0)


def new_id() -> str:
    """A new id, unique everywhere: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def monotonic() -> float:
    """Seconds that never go back; for measuring spans, never stored."""
    return time.monotonic()
