"""How a shift begins: its row and its operation, in the transaction of the caller."""

from collections.abc import Mapping, Sequence

from cloudctl import operations
from cloudctl.clock import Clock
from cloudctl.core import Core
from cloudctl.models import Shift, Traffic
from cloudctl.store import UnitOfWork
from dr.traffic.job import KIND, SUBJECT, plain

_MORE_S = 3600  # beside the soak of each step, for a name service that is away


def begin(
    uow: UnitOfWork,
    clock: Clock,
    traffic: Traffic,
    after: Mapping[str, int],
    steps: Sequence[Mapping[str, int]],
    soak_s: int,
    by: str,
) -> Shift:
    """A new shift, asked for; nothing works on it yet."""
    return uow.add(
        Shift(
            traffic_id=traffic.id,
            before=plain(traffic.weights or {}),
            after=plain(after),
            steps=[plain(one) for one in steps],
            soak_s=soak_s,
            state="asked",
            asked_at=clock.now(),
            asked_by=by,
        )
    )


def start(uow: UnitOfWork, core: Core, shift: Shift) -> None:
    """An operation that works on the shift from now on; one before it does nothing more."""
    traffic = uow.need(Traffic, shift.traffic_id)
    soaks_s = len(shift.steps) * max(shift.soak_s, traffic.ttl_s)
    made = operations.start(uow, core.clock, KIND, (SUBJECT, shift.id), None, soaks_s + _MORE_S)
    shift.operation_id = operation_id = made.id
    uow.flush()
    uow.after_commit(lambda: core.bell.ring(operation_id))
