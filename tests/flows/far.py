"""What a test holds in its own process, used by workers in processes of their own, over a socket.

The fakes stay in the process of the test, so that killing a worker takes nothing from the clouds: a call that
had arrived has happened, one that had not has not. The test is told before and after each call, and of
everything else that a worker says it is about to do or has done.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from multiprocessing.connection import Client as connect
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

_OPENERS = frozenset({"at", "in_project", "vault", "native", "bucket", "restored"})
_NO_OPERATION = 0

Opened = tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...]


class GoOn(StrEnum):
    """What the test answers at a point."""

    YES = "yes"
    DEAD = "dead"  # who asked is gone
    UNHEARD = "unheard"  # it has happened, and who asked does not hear so


@dataclass(frozen=True)
class Point:
    """A worker is about to do something, or has done it."""

    pid: int
    operation: int  # whose thread it is; 0 where that cannot be told
    when: str  # before, after
    what: str

    def __str__(self) -> str:
        return f"{self.when} {self.what}"


@dataclass(frozen=True)
class _Question:
    operation: int
    root: str
    opened: Opened
    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]


@dataclass(frozen=True)
class _Told:
    operation: int
    when: str
    what: str


class Line:
    """The worker's end; a connection for each of its threads."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._of_thread = threading.local()

    def ask(self, question: object) -> Any:
        """What the other process answers; a worker without its test ends."""
        try:
            connection = self._connection()
            connection.send(question)
            is_error, answer = connection.recv()
        except (EOFError, OSError):
            os._exit(1)
        if is_error:
            raise answer
        return answer

    def tell(self, when: str, what: str) -> GoOn:
        """Something of the worker's own."""
        return GoOn(self.ask(_Told(_operation(), when, what)))

    def _connection(self) -> "Connection[Any, Any]":
        made: Connection[Any, Any] | None = getattr(self._of_thread, "made", None)
        if made is None:
            made = self._of_thread.made = connect(self._address, family="AF_UNIX")
            made.send(os.getpid())
        return made


class Far:
    """An object of the test's process; what it opens (a site, a project, a bucket) is as far away."""

    def __init__(self, line: Line, root: str, opened: Opened = ()) -> None:
        self._line, self._root, self._opened = line, root, opened

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "bucket" and self._opened:  # of a store of objects: its name
            return self._ask(name)
        return partial(self._open if name in _OPENERS else self._ask, name)

    def _open(self, name: str, *args: Any, **named: Any) -> "Far":
        return Far(self._line, self._root, (*self._opened, (name, args, named)))

    def _ask(self, name: str, *args: Any, **named: Any) -> Any:
        args = tuple(list(one) if isinstance(one, Iterator) else one for one in args)
        return self._line.ask(_Question(_operation(), self._root, self._opened, name, args, named))


def _operation() -> int:
    """The operation whose thread this is, by the name that the crew gives it."""
    name, _, number = threading.current_thread().name.rpartition("-")
    return int(number) if name == "operation" else _NO_OPERATION


@dataclass
class Held:
    """The test's end: its objects by name, and who is asked at each point."""

    folder: Path
    roots: Mapping[str, object]
    at: Callable[[Point], GoOn]
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.address = str(self.folder / "held")
        self._listener = Listener(self.address, family="AF_UNIX", backlog=64)
        threading.Thread(target=self._accept, name="held", daemon=True).start()

    def close(self) -> None:
        """Nobody is answered any more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="held", daemon=True).start()

    def _serve(self, connection: "Connection[Any, Any]") -> None:
        try:
            pid = int(connection.recv())
            while self._answer(connection, pid):
                pass
        except (EOFError, OSError):
            return
        finally:
            connection.close()

    def _answer(self, connection: "Connection[Any, Any]", pid: int) -> bool:
        asked = connection.recv()
        if isinstance(asked, _Told):
            answer = self.at(Point(pid, asked.operation, asked.when, asked.what))
            if answer is not GoOn.DEAD:
                connection.send((False, answer.value))
            return answer is not GoOn.DEAD
        if self.at(Point(pid, asked.operation, "before", asked.name)) is GoOn.DEAD:
            return False
        found = self._do(asked)
        if self.at(Point(pid, asked.operation, "after", asked.name)) is GoOn.DEAD:
            return False
        connection.send(found)
        return True

    def _do(self, asked: _Question) -> tuple[bool, Any]:
        try:
            target: Any = self.roots[asked.root]
            for name, args, named in asked.opened:
                target = getattr(target, name)(*args, **named)
            found = getattr(target, asked.name)
            found = found(*asked.args, **asked.named) if callable(found) else found
            return False, list(found) if isinstance(found, Iterator) else found
        except Exception as error:  # whatever it is, it is raised where it was asked for
            return True, error
