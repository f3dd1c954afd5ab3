"""How far a long copy, check or restore is, written down every few seconds; and when it has to stop.

What moves the bytes does so in threads of its own. None of them may end in an error of ours: when the lease
is lost the meter says stop, and the pass that started them learns it at its next commit.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from cloudctl.clock import monotonic
from cloudctl.errors import LeaseLost, StoreUnavailable
from cloudctl.models import Operation
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.points.format import Progress

EVERY_S = 3.0
Write = Callable[[UnitOfWork, Operation, Progress], None]


class Meter:
    """Handed to whatever reports a Progress and asks whether to stop."""

    def __init__(self, run: Run, write: Write, every_s: float = EVERY_S) -> None:
        self._run = run
        self._write = write
        self._every_s = every_s
        self._next_at = monotonic() + every_s
        self._lock = threading.Lock()
        self._is_lost = False

    def on_progress(self, progress: Progress) -> None:
        """Write it down when the last time is long enough ago."""
        if monotonic() < self._next_at or not self._lock.acquire(blocking=False):
            return
        try:
            self._next_at = monotonic() + self._every_s
            with suppress(StoreUnavailable), self._run.write() as (uow, operation):
                self._write(uow, operation, progress)
        except LeaseLost:
            self._is_lost = True
        finally:
            self._lock.release()

    def stop(self) -> bool:
        """Whether to end at the next good place: the worker stops, or another has the operation."""
        return self._is_lost or self._run.stopping.is_set()
