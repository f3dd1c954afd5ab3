"""A move whose glass two people broke: past a witness that does not answer, and back to it once it does.

Who may write is decided by the register alone, and the old site's agents may reach it when this site does
not: until the register is ours, its lease is renewed, and no wait of ours proves that it is over. So the
register is taken as soon as it answers, in whatever state the move is by then, and the lease is waited for
anew before anything else is done. Agents here start no writer before the entry is open, so there is one
writer in that case too, though what each site has by then may differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.errors import Conflict, Refused, WitnessUnavailable
from cloudctl.lifecycle import FailoverState, Later
from cloudctl.models import Failover, ProtectionPlan
from cloudctl.operations import Run
from dr.failover import fences
from dr.failover.holding import Holding, Standing
from dr.failover.job import OPENED_AT, TAKEN, MoveJob
from dr.failover.protocols import Fence, Proof

S = FailoverState
LATE = "register_taken_late"  # in `made`: until its fence is proved
_OPENED = (S.OPENED, S.STARTED, S.VALIDATED, S.SHIFTED, S.COMMITTED)
_HELD = (S.SEIZED, S.FENCED, S.PROMOTING, S.PROMOTED, *_OPENED)
_LOOK_S = 15.0


class Glass:
    """Takes the register late, with its fence, and opens it where the system runs already."""

    def __init__(self, holding: Holding, rungs: Sequence[Fence]) -> None:
        self._holding = holding
        self._rungs = rungs

    def mend(self, run: Run, job: MoveJob) -> Later | None:
        """None when the move may go on as it is: its register is ours, or still does not answer."""
        if not job.is_glass_broken or job.state not in _HELD or _is_over(run, job):
            return None
        try:
            return self._take(run, job) or self._fence(run, job) or self._open(run, job)
        except WitnessUnavailable:
            return None

    def is_behind(self, run: Run, job: MoveJob) -> bool:
        """Whether the register has still to be taken or opened, and there is one that may answer."""
        may_come = job.is_glass_broken and self._holding.has_witness and OPENED_AT not in job.made
        return may_come and not _is_over(run, job)

    # -- the pieces

    def _take(self, run: Run, job: MoveJob) -> Later | None:
        if TAKEN in job.made:
            return None
        if self._holding.seize(run, job) != Standing.MINE:
            raise Conflict("the register of {group} has changed since it was read", group=job.group)
        for one in self._rungs:  # what was waited before proves nothing: the old site could renew
            one.forget(run, job)
        is_late = job.state != S.SEIZED
        with run.write() as (uow, _operation):
            row = _noted(uow.for_update(Failover, job.failover.id), {LATE: True} if is_late else {})
            row.epoch = row.base_epoch + 1
            if job.state in _OPENED:
                uow.for_update(ProtectionPlan, row.plan_id).epoch = row.base_epoch + 1
            run.journal(uow, "register", "done", f"taken in state {row.state}: epoch {row.epoch}")
        return Later(0, "the register was taken")

    def _fence(self, run: Run, job: MoveJob) -> Later | None:
        if not job.made.get(LATE):
            return None
        found = fences.climb(run, job, self._rungs)
        if not isinstance(found, Proof):
            return Later(found.seconds, found.why)
        with run.write() as (uow, _operation):
            row = uow.for_update(Failover, job.failover.id)
            row.fence = {"rung": found.rung, "proof": dict(found.details)}
            row.made = {**(row.made or {}), LATE: False}
        return Later(0, "the fence was proved")

    def _open(self, run: Run, job: MoveJob) -> Later | None:
        if job.state not in _OPENED or OPENED_AT in job.made:
            return None
        if self._holding.open(run, job) != Standing.MINE:
            raise Refused("the witness says that another move of {plan} came after this one", plan=job.group)
        with run.write() as (uow, _operation):
            row = uow.for_update(Failover, job.failover.id)
            row.made = {**(row.made or {}), OPENED_AT: run.clock.now().isoformat()}
        return Later(0, "the register was opened")


def _noted(row: Failover, more: Mapping[str, Any]) -> Failover:
    row.made = {**(row.made or {}), TAKEN: row.base_epoch + 1, **more}
    return row


def _is_over(run: Run, job: MoveJob) -> bool:
    """Whether another move of the plan has begun since: the register is that one's to take."""
    later = (Failover.plan_id == job.plan.id, Failover.id > job.failover.id)
    with run.store.read() as uow:
        return uow.count(Failover, *later, Failover.operation_id.is_not(None)) > 0
