"""Killing a worker at a chosen point: before or after any call to the cloud and any commit.

A point is a number in the order of a run. A dead process does nothing any more: once killed, every
further call and commit of that process dies as well, in whatever thread.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cloudctl.models import Operation
from cloudctl.store import Store, UnitOfWork
from provisioning.drivers.fake_state import Call


class Killed(BaseException):
    """What kill -9 is to the code: nothing catches it."""


@dataclass
class Executioner:
    """Counts points and kills at one of them; with `at=0` it only counts."""

    at: int = 0
    points: list[str] = field(default_factory=list)
    is_dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_point(self, name: str) -> None:
        with self.lock:
            if self.is_dead:
                raise Killed(f"{name}, in a dead process")
            self.points.append(name)
            if len(self.points) == self.at:
                self.is_dead = True
                raise Killed(name)

    def before(self, call: Call) -> None:
        self.pass_point(f"before {call.name}")

    def after(self, call: Call) -> None:
        self.pass_point(f"after {call.name}")


class MortalStore(Store):
    """The store of the process that dies: points right before and right after each commit."""

    def __init__(self, url: str, executioner: Executioner) -> None:
        super().__init__(url)
        self._executioner = executioner

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        with super().write() as uow:
            yield uow
            self._executioner.pass_point("before commit")
        self._executioner.pass_point("after commit")


OnEnd = Callable[[UnitOfWork, Operation], None]
