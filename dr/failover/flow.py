"""The flow of a move: one way of going for planned and unplanned ones, as docs/model/failover.pml has it.

Each pass looks at the state that is recorded, does or repeats the one act that leads on from it, and
records it. An act is such that doing it twice changes nothing. Before the intent to promote everything can
be given back, through the register as it was taken; after it the move only goes forward, whatever it meets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudctl.audit import Audit
from cloudctl.clock import monotonic
from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError, Conflict, Refused, WitnessUnavailable, restored
from cloudctl.lifecycle import Done, Failed, FailoverState, Later, Outcome
from cloudctl.models import ProtectionPlan
from cloudctl.operations import Run
from dr.agents.bringing import Bringing
from dr.alarm import raise_alarm
from dr.failover import closing, fences, homes, starting
from dr.failover.approving import enough
from dr.failover.binding import Binding
from dr.failover.data import Data
from dr.failover.fences import AgentsWord, LeaseOver
from dr.failover.glass import Glass
from dr.failover.holding import Holding, Standing
from dr.failover.job import ABORT, LOSE, OPENED_AT, RETURNABLE, SUBJECT, TAKEN, MoveJob, enter, load
from dr.failover.protocols import Answering, DataWay, Fence, NoSteering, Proof, Steering, Voting, Waiting
from dr.plans.document import Way
from provisioning.turning_back import failed, turn_back

S = FailoverState
_AGAIN_S = 15.0
_STUCK = "the move of {plan} to {site} cannot go on and cannot go back: {why}"
Stage = Callable[[Run, MoveJob], Later | None]


class Move:
    """Flow of the operations that move a system to another site."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a move stands on, as bootstrap wires it
        self,
        settings: Settings,
        witness: Voting,
        ways: Mapping[Way, DataWay],
        answering: Answering,
        steering: Steering | None = None,
        rungs: Sequence[Fence] = (),
        clock_s: Callable[[], float] = monotonic,
        audit: Audit | None = None,
        bringing: Bringing | None = None,
    ) -> None:
        self._settings = settings
        self._audit = audit
        self._witness = witness
        self._holding = Holding(witness)
        self._data = Data(ways)
        self._steering = steering or NoSteering()
        self._starting = starting.Starting(self._data, answering, settings, Binding(witness, bringing))
        self._rungs = (AgentsWord(witness), *rungs, LeaseOver(witness, clock_s))
        self._glass = Glass(self._holding, self._rungs)
        self._stages: Mapping[FailoverState, Stage] = {
            S.APPROVED: self._reserve,
            S.RESERVED: self._drain_or_seize,
            S.DRAINED: self._seize,
            S.SEIZED: self._fence,
            S.FENCED: self._sync_or_restore,
            S.SYNCED: self._restore,
            S.PROMOTING: self._promote,
            S.PROMOTED: self._open,
            S.OPENED: self._start,
            S.STARTED: self._validate,
            S.VALIDATED: self._shift,
            S.GIVING_BACK: self._give_back,
        }

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation, self._audit)
            if job.state == S.ABORTED:
                return _ended(job)
            if job.state in RETURNABLE and job.is_undoing:  # whoever turned it died before the record of that
                self._turn(run, job, failed(job.operation).error)
                continue
            if job.state in RETURNABLE and job.operation.cancel_asked_at is not None:
                raise Cancelled("the move was stopped")
            wait = self._glass.mend(run, job)
            if wait is not None:
                if wait.seconds > 0:
                    return wait
                continue
            stage = self._stages.get(job.state)
            if stage is None:  # people are at the new site; somebody commits
                return Later(_AGAIN_S, "the witness to answer") if self._glass.is_behind(run, job) else Done()
            wait = stage(run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """Before the intent to promote: all is given back. After it: people are told, and it is tried on."""
        job = load(run, self._settings.installation, self._audit)
        if job.state in RETURNABLE:
            wait = turn_back(run, error, ("move", "failed"), "giving it back")
            self._turn(run, job, error)
            return wait
        if job.state == S.ABORTED:
            turn_back(run, error, ("move", "failed"), "nothing of it is left")
            return _ended(load(run, self._settings.installation, self._audit))
        if job.state == S.GIVING_BACK:
            return turn_back(run, error, ("move", "failed"), "giving it back")
        self._tell(run, job, error)
        return Later(_AGAIN_S, error.text())

    # -- before anything is taken from the old site

    def _reserve(self, run: Run, job: MoveJob) -> Later | None:
        """Two people meant this very plan, and its data can get there."""
        if job.document.sha256 != job.failover.plan_sha256 or not enough(job):
            raise Refused("what was approved for {plan} is not what would be done", plan=job.group)
        self._data.precheck(run, job)
        return self._go_on(run, job, "reserve")

    def _drain_or_seize(self, run: Run, job: MoveJob) -> Later | None:
        if not job.is_planned:
            return self._seize(run, job)
        return self._go_on(run, job, "drain", self._steering.drain(run, job))

    # -- the register, then the fence

    def _seize(self, run: Run, job: MoveJob) -> Later | None:
        """The next epoch is ours and closed: nobody at the old site can renew."""
        said: dict[str, Any] = {}
        try:
            found = self._holding.seize(run, job)
            said = {TAKEN: job.failover.base_epoch + 1}
        except WitnessUnavailable:
            if not job.is_glass_broken:
                raise
            found = Standing.MINE  # two people answer for it
        if found == Standing.LOST:
            return self._lose(run, job)
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, "seize")
            if row is not None:
                row.epoch, row.made = row.base_epoch + 1, {**(row.made or {}), **said}
        return None

    def _fence(self, run: Run, job: MoveJob) -> Later | None:
        """Proof that the old site's writers stand still, or their lease is over."""
        found = fences.climb(run, self._watched(run, job), self._rungs)
        if not isinstance(found, Proof):
            return Later(found.seconds, found.why)
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, "fence", found.rung)
            if row is not None:
                row.fence = {"rung": found.rung, "proof": dict(found.details)}
        return None

    # -- the data

    def _sync_or_restore(self, run: Run, job: MoveJob) -> Later | None:
        """Planned moves: what was written last has arrived, and the register is still ours."""
        if not job.is_planned:
            return self._restore(run, job)
        standing = self._standing(job)
        if standing == Standing.LOST:
            return self._go_on(run, job, ABORT)
        marker = self._data.final_sync(run, self._watched(run, job))
        if isinstance(marker, Later):
            return marker
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, "sync")
            if row is not None:
                row.marker, row.rpo_s = marker, 0.0
        return None

    def _restore(self, run: Run, job: MoveJob) -> Later | None:
        """All that can be given back is made ready; then the intent, from which there is no way back."""
        wait = self._data.restore(run, job)
        if wait is None:
            self._look_again(run, job)
        return self._go_on(run, job, "promote", wait)

    def _look_again(self, run: Run, job: MoveJob) -> None:
        """Refused where a server that was off is on again: nothing keeps it off but people."""
        found = fences.ask_again(run, job, self._rungs)
        if isinstance(found, Waiting):
            raise Refused("{site} may be writing again: {why}", site=job.failover.from_site_id, why=found.why)

    def _promote(self, run: Run, job: MoveJob) -> Later | None:
        if self._standing(job) == Standing.LOST:
            return self._lose(run, job)
        return self._go_on(run, job, "promoted", self._data.promote(run, self._watched(run, job)))

    # -- the new site

    def _open(self, run: Run, job: MoveJob) -> Later | None:
        """Only now may the agent of the new site take the lease; from here on the system runs there."""
        said: dict[str, Any] = {}
        try:
            found = self._must_not_be_old(job, self._holding.open(run, job))
            said = {OPENED_AT: run.clock.now().isoformat()}
        except WitnessUnavailable:
            if not job.is_glass_broken:
                raise
            found = Standing.MINE
        if found == Standing.LOST:
            return self._lose(run, job)
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, "open")
            if row is not None:
                row.made = {**(row.made or {}), **said}
                plan = uow.for_update(ProtectionPlan, row.plan_id)
                plan.active_site_id, plan.epoch = row.to_site_id, row.base_epoch + 1
        return None

    def _start(self, run: Run, job: MoveJob) -> Later | None:
        wait = self._starting.start(run, job)
        homes.settle(run, job, self._witness)  # before that no copied agent lets anything run
        return self._go_on(run, job, "start", wait)

    def _validate(self, run: Run, job: MoveJob) -> Later | None:
        return self._go_on(run, job, "validate", self._starting.validate(run, job))

    def _shift(self, run: Run, job: MoveJob) -> Later | None:
        """People are there; how long it took and what was lost is known now."""
        wait = self._steering.bring(run, job)
        if wait is None:
            closing.close(run, job, self._settings.commit_window_s)
        return wait

    # -- the way back

    def _give_back(self, run: Run, job: MoveJob) -> Later | None:
        """While the register is ours, the old site's storage; then the register, so that it may write again;
        then what was made here goes. Where the register is not ours, the storage is another's to turn."""
        may_be_seized = S.RESERVED in (job.failover.times or {})  # the act comes before its record
        has_register = self._holding.has_witness or not job.is_glass_broken
        if may_be_seized and has_register:
            if self._holding.is_closed(job):
                watched = self._watched(run, job)
                wait = self._data.let_go(run, watched) or fences.lift(run, watched, self._rungs)
                if wait is not None:
                    return wait
            if not self._holding.give_back(run, job):
                return Later(1.0, "the register to be given back")
        wait = self._steering.give_back(run, job) if job.is_planned else None
        if wait is not None:
            return wait
        left = self._data.undo(run, job)
        if left:
            return Later(self._settings.poll_s, f"{left} things to go")
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, "return", "nothing of it is left")
            if row is not None:
                row.ended_at = run.clock.now()
        return None

    # -- the pieces

    def _standing(self, job: MoveJob) -> Standing:
        """MINE or LOST. While no witness answers, two people answer for it."""
        try:
            return self._must_not_be_old(job, self._holding.standing(job))
        except WitnessUnavailable:
            if not job.is_glass_broken:
                raise
            return Standing.MINE

    @staticmethod
    def _must_not_be_old(job: MoveJob, found: Standing) -> Standing:
        """Conflict where the register does not know the move, or not yet: the glass is taken past nothing
        that answers, so the next pass takes the register first."""
        is_untaken = job.is_glass_broken and TAKEN not in job.made
        if found == Standing.OLD or (found == Standing.LOST and is_untaken):
            template = "the witness does not say that {site} holds {plan}"
            raise Conflict(template, site=job.site.id, plan=job.group)
        return found

    def _turn(self, run: Run, job: MoveJob, error: CloudctlError) -> None:
        """It is given back from now on, and why."""
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, ABORT, error.text())
            if row is not None:
                row.error_code, row.error_message = error.code, error.in_full()

    def _watched(self, run: Run, job: MoveJob) -> MoveJob:
        """The job for acts at a storage, which ask before each that it is still theirs to do."""

        def must_be_mine() -> None:
            run.must_hold()
            if self._standing(job) != Standing.MINE:
                raise Conflict("another move was faster")
            run.must_hold()

        return replace(job, must_be_mine=must_be_mine)

    def _go_on(self, run: Run, job: MoveJob, event: str, wait: Later | None = None) -> Later | None:
        """Enter the next state, unless something is waited for."""
        if wait is None:
            with run.write() as (uow, _operation):
                enter(uow, run, job, event)
        return wait

    def _lose(self, run: Run, job: MoveJob) -> Later | None:
        """Somebody else made the next epoch: nothing here may be written to, and nothing is given back."""
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, LOSE, "another move was faster")
            if row is not None:
                row.ended_at = run.clock.now()
                row.error_code, row.error_message = Conflict.code, "another move was faster"
        return None

    def _tell(self, run: Run, job: MoveJob, error: CloudctlError) -> None:
        """Once for each state in which it is stuck."""
        row = job.failover
        if self._is_told(job):
            return
        params = {"plan": job.group, "site": row.to_site_id, "why": error.text()}
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, "told": row.state}
            raise_alarm(uow, run.clock, row.to_site_id, _STUCK, params, (SUBJECT, row.id))

    def _is_told(self, job: MoveJob) -> bool:
        return bool((job.operation.scratch or {}).get("told") == job.failover.state)


def _ended(job: MoveJob) -> Failed:
    """What ended it, as an error again."""
    row = job.failover
    return Failed(restored(row.error_code or Conflict.code, row.error_message or "it was given back"))
