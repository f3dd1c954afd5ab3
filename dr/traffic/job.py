"""What one pass of a shift works on: its rows, read in one short transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.lifecycle import SHIFT, TRAFFIC, ShiftState, TrafficState, move
from cloudctl.models import Operation, Shift, Traffic
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.traffic.limits import Watch, read_watch
from dr.traffic.shares import Named, Weights

KIND, SUBJECT = "shift", "shift"
NAME = "traffic"  # what notices are about: the name
ENDED = (ShiftState.DONE, ShiftState.ROLLED_BACK)


@dataclass(frozen=True)
class ShiftJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    shift: Shift
    traffic: Traffic

    @property
    def state(self) -> ShiftState:
        return ShiftState(self.shift.state)

    @property
    def by(self) -> str:
        """Under what name this operation writes into the name service."""
        return f"{self.installation}/{self.operation.id}"

    @property
    def is_mine(self) -> bool:
        """Whether the shift is still this operation's; a halted one that goes on gets another."""
        return self.shift.operation_id == self.operation.id

    @property
    def step(self) -> Weights:
        """The shares of the step at hand."""
        return dict(self.shift.steps[self.shift.position])

    @property
    def expected(self) -> Weights:
        """The shares from which it goes there."""
        at = self.shift.position
        return dict(self.shift.steps[at - 1]) if at else dict(self.shift.before)

    @property
    def is_last(self) -> bool:
        return self.shift.position == len(self.shift.steps) - 1

    @property
    def watch(self) -> Watch | None:
        return read_watch(self.traffic.limits or {})


def load(run: Run, installation: str) -> ShiftJob:
    """Read everything the shift is about."""
    with run.store.read() as uow:
        operation = uow.need(Operation, run.operation_id)
        shift = uow.need(Shift, int(operation.subject_id))
        return ShiftJob(installation, operation, shift, uow.need(Traffic, shift.traffic_id))


def named(traffic: Traffic, gives_shares: bool) -> Named:
    """The name as its row says."""
    addresses = {site: tuple(ones) for site, ones in traffic.addresses.items()}
    return Named(traffic.name, traffic.ttl_s, addresses, gives_shares)


def enter(uow: UnitOfWork, run: Run, job: ShiftJob, event: str, note: str = "") -> Shift | None:
    """Take the shift along its table, in the caller's transaction; None when somebody else did meanwhile."""
    row = uow.for_update(Shift, job.shift.id)
    if row.state != job.shift.state or row.operation_id != run.operation_id:
        return None
    go(row, event)
    run.journal(uow, f"{row.state} {row.position + 1}", "done", note)
    return row


def go(row: Shift, event: str) -> None:
    """The next state of a shift by the table. WrongState where there is none."""
    row.state = move(SHIFT, ShiftState(row.state), event)


def go_traffic(row: Traffic, event: str) -> None:
    """The next state of a name by the table. WrongState where there is none."""
    row.state = move(TRAFFIC, TrafficState(row.state), event)


def rest(row: Traffic) -> None:
    """The name is at rest: at one site, or at several."""
    serving = [site for site, weight in (row.weights or {}).items() if weight]
    go_traffic(row, "balance" if len(serving) > 1 else "gather")


def plain(weights: Mapping[str, Any]) -> dict[str, int]:
    """Weights as they are kept: whole numbers, by site in order."""
    return {site: int(weights[site]) for site in sorted(weights)}
