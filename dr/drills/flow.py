"""The flow of a drill: cut off, cloned, started part by part, asked, held, and always taken away again.

    requested  precheck  isolated  cloned  starting  validating  (holding)  cleaning  done

Whatever goes wrong, it ends in cleaning, and cleaning ends only when nothing with the drill's tag is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cloudctl.config import Settings
from cloudctl.errors import CloudctlError, Fault
from cloudctl.lifecycle import Done, DrillState, Later, Outcome
from cloudctl.models import Drill, ProtectionPlan
from cloudctl.operations import STAY_S, Run
from cloudctl.ports import Clouds
from dr.drills import measuring, parts, scene, stopwatch, sweeping, verdict
from dr.drills.cloning import Cloning
from dr.drills.ends import Ends, NothingFollows
from dr.drills.job import DRILLING, DrillJob, load, note, reach
from dr.drills.logbook import Logbook
from dr.drills.scene import Questions, Scene
from dr.drills.staging import Seen, Staging
from dr.drills.verdict import INCONCLUSIVE, PASSED, Verdict
from dr.plans.document import Way
from provisioning.lanes import Lanes
from tenants import reserves

LINGERS_S = 900  # so long things may take to go before people are told
MOST_POLL_S = 10.0
AGAIN_S = 60.0  # then it is tried so often
HOLD_S = 30.0  # how often what is held is looked at


class Rehearse:
    """Flow of the operations that rehearse a plan."""

    def __init__(
        self,
        clouds: Clouds,
        clonings: Mapping[Way, Cloning],
        settings: Settings,
        lanes: Lanes | None = None,
        ends: Ends | None = None,
        reading: stopwatch.Reading = stopwatch.read,
    ) -> None:
        self._settings = settings
        self._clonings = clonings
        self._staging = Staging(clouds, settings, lanes or Lanes())
        self._ends: Ends = ends or NothingFollows()
        self._log = Logbook(reading)
        self._stages: dict[DrillState, Callable[[Run, DrillJob], Outcome | None]] = {
            DrillState.REQUESTED: self._begin,
            DrillState.PRECHECK: self._isolate,
            DrillState.ISOLATED: self._clone,
            DrillState.CLONED: self._listen,
            DrillState.STARTING: self._start,
            DrillState.VALIDATING: self._validate,
            DrillState.HOLDING: self._hold,
            DrillState.CLEANING: self._clean,
            DrillState.CLEANUP_INCOMPLETE: self._clean_again,
        }

    def advance(self, run: Run) -> Outcome:
        while True:
            began_s = run.clock.ticks()
            job = load(run, self._settings.installation)
            if job.state is DrillState.DONE:
                return Done()
            who = job.options.get("aborted_by")
            if who and job.state in DRILLING:
                self._log.conclude(run, job, Verdict(INCONCLUSIVE, f"aborted by {who}"))
                continue
            wait = self._stages[job.state](run, job)
            if wait is not None:
                return _paced(wait, run.clock.ticks() - began_s)

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """What could not be made says nothing about the plan; what was made goes, however long it takes."""
        job = load(run, self._settings.installation)
        if job.state in DRILLING:
            self._log.conclude(run, job, Verdict(INCONCLUSIVE, error.text()), error.faults)
            return Later(0, error.text())
        if job.state is DrillState.CLEANING:
            left = [*job.drill.left_behind] or [error.text()]
            self._log.linger(run, job, left, error.text())
        return Later(AGAIN_S, error.text())

    # -- until it is cut off

    def _begin(self, run: Run, job: DrillJob) -> None:
        self._log.begin(run, job)

    def _isolate(self, run: Run, job: DrillJob) -> Outcome | None:
        """All that is in the way at once; then project, networks and ports, and the probe is asked for."""
        cloning = self._clonings.get(job.way)
        if cloning is None:
            fault = Fault("parts", "no_way", "nothing here copies what the storage replicates")
            self._impossible(run, job, [fault])
            return None
        cloning.begin(run, job)
        job = load(run, self._settings.installation)
        drawn = self._staging.draw(run, job, cloning)
        faults = drawn if isinstance(drawn, list) else self._short(run, job, drawn, cloning)
        if faults or isinstance(drawn, list):
            self._impossible(run, job, faults)
            return None
        while not self._staging.is_laid(job):
            self._staging.lay(run, job, drawn, cloning)
            job = load(run, self._settings.installation)
        self._staging.lay_eye(run, job, drawn, self._staging.questions(job, drawn))
        self._log.reach(run, job, "isolate")
        return None

    def _short(self, run: Run, job: DrillJob, drawn: Scene, cloning: Cloning) -> list[Fault]:
        """Too little room, once what other plans hold for themselves is left alone."""
        if job.project:
            return []  # it has been looked at, and by now the drill itself is in what is used
        needed = scene.amounts(drawn, cloning.topology(run, job))
        with run.store.read() as uow:
            kept = reserves.held_at(uow, job.site.id, but=job.plan.id)
        return scene.short_of(needed + kept, self._staging.cloud(job).capacity())

    def _impossible(self, run: Run, job: DrillJob, faults: Sequence[Fault]) -> None:
        why = "; ".join(str(one) for one in faults[:5])
        said = Verdict(INCONCLUSIVE, f"it cannot be rehearsed here: {why}")
        self._log.conclude(run, job, said, faults)

    def _clone(self, run: Run, job: DrillJob) -> Outcome | None:
        """The data comes, and the probe starts meanwhile."""
        cloning, drawn = self._needed(run, job)
        self._staging.lay_eye(run, job, drawn, self._staging.questions(job, drawn))
        wait = cloning.clone(
            run, job, scene.volume_types(cloning.topology(run, job), job.document, job.site.id)
        )
        if wait is None:
            self._staging.make_bootable(run, job, drawn, cloning)
            self._log.reach(run, job, "clone")
        return wait

    def _listen(self, run: Run, job: DrillJob) -> Outcome | None:
        """No server starts before the probe has said that nothing answers which must not."""
        _, drawn = self._needed(run, job)
        waits = self._staging.lay_eye(run, job, drawn, self._staging.questions(job, drawn))
        seen = self._staging.look(job)
        if self._log.has_leaked(run, job, seen):
            return None
        if not waits and seen.report is not None:
            self._log.reach(run, job, "start")
            return None
        if self._is_late(run, job, DrillState.CLONED):
            self._log.conclude(run, job, Verdict(INCONCLUSIVE, "the probe has said nothing"))
            return None
        return self._look_again(run, job, job.seen["times"]["cloned"], waits or "the probe to speak")

    # -- started and asked

    def _start(self, run: Run, job: DrillJob) -> Outcome | None:
        cloning, drawn = self._needed(run, job)
        seen = self._staging.look(job)
        if self._log.has_leaked(run, job, seen):
            return None
        move = self._step(run, job, drawn, self._staging.questions(job, drawn), seen)
        self._staging.boot(run, job, drawn, cloning, move.start)
        if move.is_over:
            self._log.reach(run, job, "answer")
            return None
        names = [name for name, one in move.stands.items() if one.progress in parts.OPEN]
        return self._look_again(run, job, measuring.last_s(move.stands), f"{', '.join(names[:5])} to answer")

    def _step(self, run: Run, job: DrillJob, drawn: Scene, questions: Questions, seen: Seen) -> parts.Move:
        """What the parts are now, written down before anything follows from it."""
        at_s, is_one_clock = self._log.at_s(run, job)
        states = {name: one.status for name, one in seen.servers.items()}
        errors = {name: one.error or "-" for name, one in seen.servers.items() if one.status == "ERROR"}
        look = parts.Look(states, seen.report, at_s, errors)
        before = job.stands
        move = parts.step(questions.of(job.document, drawn), before, look, job.site.slots)
        times = dict(job.seen["times"])
        if measuring.is_verified(job.document, move.stands, questions, seen.report):
            times.setdefault("verified", at_s)
        with run.write() as (uow, operation):
            row = uow.need(Drill, job.drill.id)
            stands = {name: one.as_json() for name, one in move.stands.items()}
            is_one = bool(job.seen.get("is_one_clock")) and is_one_clock
            said = measuring.told(questions, seen, run.clock.now())
            note(row, parts=stands, times=times, is_one_clock=is_one, **said)
            operation.progress_total = len(stands)
            operation.progress_done = sum(one.progress not in parts.OPEN for one in move.stands.values())
            for name, one in move.stands.items():
                if one.progress is not before.get(name, parts.Stand()).progress:
                    run.journal(uow, f"part {name}", measuring.STEP_OF[one.progress], one.why)
        return move

    def _validate(self, run: Run, job: DrillJob) -> Outcome | None:
        """The checks of the whole; where a part that counts is down they are not waited for."""
        _, drawn = self._needed(run, job)
        questions = self._staging.questions(job, drawn)
        seen = self._staging.look(job)
        if self._log.has_leaked(run, job, seen):
            return None
        self._step(run, job, drawn, questions, seen)
        job = load(run, self._settings.installation)
        wrong = parts.wrong(questions.whole, seen.report)
        is_late = self._is_late(run, job, DrillState.VALIDATING)
        if wrong and not is_late and not measuring.is_down(job.document, job.stands):
            return self._look_again(run, job, job.seen["times"]["validating"], f"the check {wrong[0]}")
        at_s = self._log.at_s(run, job)[0]
        figures = measuring.figures(job, at_s)
        lost = [one.name for one in questions.lost]
        said = verdict.conclude(job.document, job.stands, wrong, lost, figures.rpo_s, figures.rto_s)
        hold_s = int(job.options.get("hold_s") or 0)
        with run.write() as (uow, operation):
            row = reach(uow, operation, job.drill.id, "hold" if hold_s else "clean", at_s)
            row.rpo_s, row.rto_s = figures.rpo_s, figures.rto_s
            row.verdict, row.why = said.word, said.why
            row.hold_until = run.clock.now() + timedelta(seconds=hold_s) if hold_s else None
            note(row, lost=lost, recovery_time=figures.recovery_time)
            run.journal(uow, "verdict", "done" if said.word == PASSED else "failed", said.why or said.word)
        return None

    def _hold(self, run: Run, job: DrillJob) -> Outcome | None:
        """Kept for people to look at; and it stays cut off."""
        if self._log.has_leaked(run, job, self._staging.look(job)):
            return None
        until = job.drill.hold_until
        left_s = (until - run.clock.now()).total_seconds() if until is not None else 0.0
        if left_s > 0:
            return Later(min(HOLD_S, left_s), "held for people to look at")
        self._log.reach(run, job, "clean")
        return None

    # -- taken away

    def _clean(self, run: Run, job: DrillJob) -> Outcome | None:
        cloning = self._clonings.get(job.way)
        try:
            left = sweeping.sweep(run, job, self._staging.cloud(job), cloning)
        except CloudctlError as error:
            if not self._is_late(run, job, DrillState.CLEANING, LINGERS_S):
                raise
            left = [*job.drill.left_behind] or [error.text()]
        if left:
            why = f"{len(left)} things to be cleared away"
            if not self._is_late(run, job, DrillState.CLEANING, LINGERS_S):
                return self._look_again(run, job, job.seen["times"]["cleaning"], why)
            self._log.linger(run, job, left)
            return Later(AGAIN_S, why)
        self._log.cleaned(run, job)
        self._ends.report(run, job.drill.id)
        with run.write() as (uow, operation):
            row = reach(uow, operation, job.drill.id, "finish", self._log.at_s(run, job)[0])
            if row.verdict != INCONCLUSIVE:
                plan = uow.need(ProtectionPlan, row.plan_id)
                self._ends.verified(uow, run.clock, plan, row, row.verdict == PASSED)
        self._staging.forget(job)
        if cloning is not None:
            cloning.forget(job)
        return None

    def _clean_again(self, run: Run, job: DrillJob) -> None:
        self._log.reach(run, job, "clean")

    # -- the pieces

    def _needed(self, run: Run, job: DrillJob) -> tuple[Cloning, Scene]:
        """How the data comes, and what was drawn: again by a worker that takes over."""
        cloning = self._clonings[job.way]
        drawn = self._staging.draw(run, job, cloning)
        if isinstance(drawn, list):
            raise CloudctlError("it cannot be rehearsed here any more", faults=drawn)
        return cloning, drawn

    def _look_again(self, run: Run, job: DrillJob, since_s: float, why: str) -> Later:
        """What has not changed for long is looked at less often: a pause is 1/30 of it, 10 s at most."""
        quiet_s = self._log.at_s(run, job)[0] - since_s
        return Later(max(self._settings.poll_s, min(MOST_POLL_S, quiet_s / 30)), why)

    def _is_late(
        self, run: Run, job: DrillJob, since: DrillState, patience_s: float | None = None
    ) -> bool:  # fmt: skip
        """Whether more than this (default: the patience of proofs) has passed since it reached that state."""
        begun_s = float(job.seen["times"][since])
        limit_s = self._settings.proof_patience_s if patience_s is None else patience_s
        return self._log.at_s(run, job)[0] - begun_s > limit_s


def _paced(wait: Outcome, took_s: float) -> Outcome:
    """A look each so often, the time of the look itself counted in; a quarter of the pause stays, so that a
    cloud that answers slowly is not asked without end. A long pause, in which the worker does something else,
    stays as it is."""
    if not isinstance(wait, Later) or wait.seconds > STAY_S:
        return wait
    return replace(wait, seconds=max(wait.seconds / 4, wait.seconds - took_s))
