"""The ladder of fences: the agents' word, then what storage, compute and network of the old site read back,
and last the end of the agents' lease.

A rung that reaches the old site's writers acts and reads back what it did. The first that proves is enough,
since each stands for every writer of the group. What is only waited for comes last, and never in a planned
move: there somebody can say that the writers stand still, so somebody has to.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from cloudctl.errors import (
    CloudctlError,
    CloudUnavailable,
    Conflict,
    LeaseLost,
    StoreUnavailable,
    WitnessUnavailable,
)
from cloudctl.lifecycle import Later
from cloudctl.operations import Run
from dr.alarm import raise_alarm
from dr.failover import timing
from dr.failover.cutting import NETWORK
from dr.failover.job import SUBJECT, MoveJob, remember
from dr.failover.off import COMPUTE, without_agent
from dr.failover.protocols import Cutting, Fence, Proof, Voting, Waiting

WORD, LEASE, GLASS = "agents", "lease", "broken_glass"
LEFT = "fence_left"  # in `made`: what could not be taken back
_LOOK_S, _LIFT_S = 1.0, 5.0
_PATIENCE = timedelta(minutes=10)
_CHANGEABLE = (COMPUTE, NETWORK)
_STAYS = "what was cut off at {site} for {plan} could not be given back: {why}"


class AgentsWord:
    """The agents of the old site said, after the epoch was made, that their writers stand still."""

    rung = WORD
    is_positive = True

    def __init__(self, witness: Voting) -> None:
        self._witness = witness

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        row = job.failover
        enrolled = self._witness.servers(job.group, row.from_site_id)
        if not enrolled or without_agent(run, job.document, row.from_site_id, enrolled):
            return None  # the word of some is not the word of all
        word = self._witness.read_stopped(job.group, row.from_site_id)
        if word is None or not word.is_proof(row.base_epoch + 1):
            return Waiting("the agents to say that their writers stand still", _LOOK_S)
        return Proof(WORD, {"epoch": word.epoch, "seen": word.seen, "at": word.at})

    def forget(self, run: Run, job: MoveJob) -> None:
        """It keeps nothing."""


class LeaseOver:
    """Whoever wrote under the last lease can do so no more: its time is over by our own monotonic clock.

    What was waited is known to this process alone. After a crash, or in other hands, it begins anew.
    """

    rung = LEASE
    is_positive = False

    def __init__(self, witness: Voting, monotonic: Callable[[], float]) -> None:
        self._witness = witness
        self._monotonic = monotonic
        self._since: dict[tuple[int, str], float] = {}

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        row = job.failover
        if not job.is_glass_broken and not self._has_agents(run, job):
            return None  # nobody stops writers that no agent holds: waiting proves nothing
        needed = timing.wait_s(self._lease_s(job))
        since = self._since.setdefault((row.id, run.owner), self._monotonic())
        waited = self._monotonic() - since
        if waited < needed:
            return Waiting(f"the last lease to end: {needed - waited:.0f} s", min(_LOOK_S, needed - waited))
        self._since.pop((row.id, run.owner))
        rung = LEASE if not job.is_glass_broken else GLASS
        return Proof(rung, {"waited_s": round(waited, 3), "needed_s": round(needed, 3)})

    def forget(self, run: Run, job: MoveJob) -> None:
        """Waited for anew: the register was closed only now."""
        self._since.pop((job.failover.id, run.owner), None)

    def _lease_s(self, job: MoveJob) -> float:
        """The longest that may still be held: the plan may have been edited since agents were installed."""
        planned = float(job.document.lease_s)
        try:
            return max(planned, self._witness.lease_s(job.group, job.failover.from_site_id))
        except WitnessUnavailable:
            if not job.is_glass_broken:
                raise
            return planned

    def _has_agents(self, run: Run, job: MoveJob) -> bool:
        """Whether every server that can write there has one."""
        old = job.failover.from_site_id
        enrolled = self._witness.servers(job.group, old)
        return bool(enrolled) and not without_agent(run, job.document, old, enrolled)


def climb(run: Run, job: MoveJob, rungs: Sequence[Fence]) -> Proof | Waiting:
    """The first proof there is; else what is waited for, with all that was said on the way."""
    waits: list[Waiting] = []
    said: dict[str, str] = {}
    for one in rungs:
        if job.is_planned and not one.is_positive and not job.is_glass_broken:
            continue
        try:
            found = one.prove(run, job)
        except (LeaseLost, StoreUnavailable):
            raise
        except CloudctlError as error:  # a rung that does not hold keeps nobody from the next
            said[one.rung] = error.text()
            continue
        if isinstance(found, Proof):
            return found
        if found is not None:
            waits.append(found)
            if found.is_under_way:
                break
    if not waits:
        return Waiting(_why(said), 5.0)
    return Waiting("; ".join(one.why for one in waits), min(one.seconds for one in waits))


def ask_again(run: Run, job: MoveJob, rungs: Sequence[Fence]) -> Proof | Waiting | None:
    """What is seen now by a rung that reads what anybody may change; None where the proof stays as it is.

    A site that was lost may go on falling apart: in an unplanned move its silence takes no proof back.
    """
    rung = (job.failover.fence or {}).get("rung")
    if rung not in _CHANGEABLE:
        return None
    try:
        return next(one.prove(run, job) for one in rungs if one.rung == rung)
    except CloudUnavailable:
        if job.is_planned:
            raise
        return None


def lift(run: Run, job: MoveJob, rungs: Sequence[Fence]) -> Later | None:
    """What rungs did to the old site is taken back before it may write again; None then.

    A part of it that does not answer for long is left to people, who are told once: the register is not
    kept from a site because of one server there.
    """
    left = []
    for one in rungs:
        if not isinstance(one, Cutting):
            continue
        try:
            wait = one.lift(run, job)
        except (LeaseLost, StoreUnavailable, Conflict):
            raise
        except CloudctlError as error:
            left.append(f"{one.rung}: {error.text()}")
            continue
        if wait is not None:
            left.append(wait.why)
    if not left:
        return None
    since = datetime.fromisoformat((job.failover.times or {})[job.state])
    if run.clock.now() < since + _PATIENCE:
        return Later(_LIFT_S, "; ".join(left))
    if not job.made.get(LEFT):
        site = job.failover.from_site_id
        params = {"plan": job.group, "site": site, "why": "; ".join(left)}
        with run.write() as (uow, _operation):
            raise_alarm(uow, run.clock, site, _STAYS, params, (SUBJECT, job.failover.id))
        remember(run, job.failover.id, **{LEFT: left})
    return None


def _why(said: Mapping[str, str]) -> str:
    told = "; ".join(f"{rung}: {why}" for rung, why in said.items())
    return f"nothing shows that the old site's writers stand still {told}".strip()
