"""What a move needs of others: ways for data, fences for writers, steering for people, and answers.

Everything here may be asked again after any crash, looks first at what is there, and raises errors of
cloudctl/errors.py; those that may pass are tried again. Nothing holds a transaction across a call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from cloudctl.errors import Fault
from cloudctl.lifecycle import Later
from cloudctl.operations import Run
from cloudctl.ports import Agents, Witness
from dr.failover.job import MoveJob
from dr.isolated.checks import Check
from dr.plans.document import Part


class Voting(Witness, Agents, Protocol):
    """The register, and who counts as a writer's agent."""


@dataclass(frozen=True)
class Proof:
    """That the writers of the old site stand still, or can write no more. `rung`: how that is known."""

    rung: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Waiting:
    """No proof yet: for what it waits, and when there is use in looking again."""

    why: str
    seconds: float = 1.0
    is_under_way: bool = False  # what was begun takes its time: the next rung is not tried meanwhile


class Fence(Protocol):
    """One way to keep the old site's writers from writing, with what shows that it did."""

    rung: str
    is_positive: bool  # something was read back; a planned move takes nothing else

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        """Do what it can and read it back; None when this rung does not reach the old site's writers."""

    def forget(self, run: Run, job: MoveJob) -> None:
        """What it saw of this move so far counts no more."""


@runtime_checkable
class Cutting(Fence, Protocol):
    """A fence that does something to the old site."""

    def lift(self, run: Run, job: MoveJob) -> Later | None:
        """Take back what it did for this move; nothing where it did nothing. Asked before the register is
        given back, through `job.must_be_mine` right before each change."""


class DataWay(Protocol):
    """How the data of some parts gets to the other site."""

    def precheck(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Fault]:
        """All that keeps it from coming; nothing is changed."""

    def final_sync(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Mapping[str, Any] | Later:
        """Planned moves, after the fence: what was written last arrives; what shows it, read there."""

    def restore(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """What can be made ready while everything can still be given back."""

    def promote(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The data at the target is what is written from now on; no way back."""

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        """The servers of one part stand at the target; their addresses by name then."""

    def let_go(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The old site's storage takes writes again; only before `promote`, while the register is ours and
        closed, and asked through `job.must_be_mine` right before each change."""

    def undo(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> int:
        """What was made here goes again; how much is still there. Only before `promote`."""

    def reprotect(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The data goes the other way from now on."""


class Steering(Protocol):
    """What brings people to a site. A plan without steering needs none of it."""

    def drain(self, run: Run, job: MoveJob) -> Later | None:
        """No new people at the old site; None when that is done."""

    def bring(self, run: Run, job: MoveJob) -> Later | None:
        """People are at the new site; None when that is done."""

    def give_back(self, run: Run, job: MoveJob) -> Later | None:
        """People are at the old site again; None when that is done."""


class Answering(Protocol):
    """Whether something works, asked from where people are."""

    def ask(self, site_id: str, check: Check, address: str) -> tuple[bool, str]:
        """Whether the check passes at the address, and what was seen; never raises for what is silent."""


class NoSteering:
    """People find the system by themselves."""

    def drain(self, run: Run, job: MoveJob) -> Later | None:
        return None

    def bring(self, run: Run, job: MoveJob) -> Later | None:
        return None

    def give_back(self, run: Run, job: MoveJob) -> Later | None:
        return None


class WithoutData:
    """Parts that keep nothing: their servers stand ready at the other site, or people see to them."""

    def precheck(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Fault]:
        return []

    def final_sync(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Mapping[str, Any] | Later:
        return {}

    def restore(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        return None

    def promote(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        return None

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        return {}

    def let_go(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        return None

    def undo(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> int:
        return 0

    def reprotect(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        return None
