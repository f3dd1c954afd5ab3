"""Running playbooks inside servers over SSH; one contract suite for every implementation.

The private key is the implementation's own: nothing that asks for a play ever holds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class Host:
    """A server as the target of a playbook."""

    name: str  # in results and logs; of letters, digits, dots, dashes and underscores
    address: str  # IPv4 or IPv6, as SSH reaches it
    identity: str  # what its host key is remembered by: the server's id at its site, since addresses wander
    user: str = "cloudctl"
    port: int = 22
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Play:
    """A playbook, the servers it is for, and how long it may take."""

    playbook: str  # its name without .yml
    hosts: tuple[Host, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)
    is_check: bool = False  # say what would change, and change nothing
    timeout_s: float = 900.0
    idle_s: float = 300.0  # without any news for so long it is over


class Ending(StrEnum):
    """How a play ended."""

    DONE = "done"
    FAILED = "failed"  # at one server at least, or before it reached any
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"


@dataclass(frozen=True)
class HostResult:
    """What became of a play at one server; the numbers count tasks."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    is_reached: bool = True
    task: str = ""  # the one that failed
    message: str = ""  # what it said
    told: Mapping[str, Any] = field(default_factory=dict)  # what the playbook found out about the server

    @property
    def is_fine(self) -> bool:
        return self.is_reached and not self.failed


@dataclass(frozen=True)
class PlayResult:
    """What became of a play; every server of it is in `hosts`."""

    ending: Ending
    hosts: Mapping[str, HostResult]
    message: str = ""  # why, where no server says it
    seconds: float = 0.0

    @property
    def is_fine(self) -> bool:
        return self.ending is Ending.DONE and all(host.is_fine for host in self.hosts.values())

    @property
    def changed(self) -> int:
        return sum(host.changed for host in self.hosts.values())


OnTask = Callable[[str, str, str], None]  # server, task, and how it went: ok, changed, failed, unreachable


def _heed_nothing(_host: str, _task: str, _outcome: str) -> None:
    """Progress nobody watches."""


def _never() -> bool:
    return False


class Plays(Protocol):
    """Runs the playbooks that come with cloudctl. What goes wrong at a server is a result, never an error."""

    def run(
        self, play: Play, on_task: OnTask = _heed_nothing, is_stopped: Callable[[], bool] = _never
    ) -> PlayResult:
        """Run it to its end, or to its timeout. Again is always safe: a second run changes nothing.

        NotFound: there is no such playbook. Misconfigured: nothing can be run here.
        """

    def reaches(self, host: Host) -> bool:
        """Whether SSH answers and lets us in; takes seconds at most, changes nothing.

        Misconfigured: nothing can be reached from here, whatever the servers do (no ssh, a broken key).
        """

    def public_key(self) -> str:
        """The key that servers must let in, as a line of authorized_keys. Made when there is none yet."""
