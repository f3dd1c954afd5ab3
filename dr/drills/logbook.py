"""Writing down how a drill goes on: its state, when that was, what was said of it, and who has to know."""

import logging
from collections.abc import Sequence

from cloudctl.errors import Fault
from cloudctl.models import Drill
from cloudctl.operations import Run
from dr.alarm import raise_alarm
from dr.drills import measuring, stopwatch, verdict
from dr.drills.job import SUBJECT, DrillJob, note, reach
from dr.drills.staging import Seen
from dr.drills.verdict import Verdict
from dr.proving import told

log = logging.getLogger(__name__)

_LEAKS = "drill {drill} of {plan} at {site} was not cut off: {answered} could be reached. It proves nothing"
_LINGERS = "drill {drill} of {plan} at {site} has left something behind, and goes on clearing: {left}"


class Logbook:
    """Every method is one transaction, and needs the lease."""

    def __init__(self, reading: stopwatch.Reading) -> None:
        self._reading = reading

    def at_s(self, run: Run, job: DrillJob) -> tuple[float, bool]:
        """Seconds since the drill began, and whether one monotonic clock says so."""
        anchor = job.seen.get("anchor")
        if anchor is None:
            return 0.0, True
        return stopwatch.since(stopwatch.of_json(anchor), self._reading(run.clock))

    def begin(self, run: Run, job: DrillJob) -> None:
        """From here on time is measured."""
        anchor = stopwatch.as_json(self._reading(run.clock))
        with run.write() as (uow, operation):
            note(reach(uow, operation, job.drill.id, "begin", 0.0), anchor=anchor, is_one_clock=True)

    def reach(self, run: Run, job: DrillJob, event: str) -> None:
        """The next state of the table."""
        at_s = self.at_s(run, job)[0]
        with run.write() as (uow, operation):
            row = reach(uow, operation, job.drill.id, event, at_s)
            run.journal(uow, row.state, "done")

    def conclude(self, run: Run, job: DrillJob, said: Verdict, faults: Sequence[Fault] = ()) -> None:
        """It is over: a verdict that was said before stands, and everything goes."""
        with run.write() as (uow, operation):
            row = reach(uow, operation, job.drill.id, "clean", self.at_s(run, job)[0])
            if row.verdict is None:
                row.verdict, row.why = said.word, said.why
                note(row, faults=told(faults))
            run.journal(uow, "verdict", "failed", row.why)

    def has_leaked(self, run: Run, job: DrillJob, seen: Seen) -> bool:
        """Whether something answered that must not; then the drill is over, and people have to look."""
        if not seen.leaks:
            return False
        answered = ", ".join(seen.leaks)
        params = {**self._names(job), "answered": answered}
        log.error("drill %s was not cut off: %s", job.drill.id, answered)
        said = verdict.breach(seen.leaks)
        with run.write() as (uow, operation):
            row = reach(uow, operation, job.drill.id, "clean", self.at_s(run, job)[0])
            row.verdict, row.why = said.word, said.why
            note(row, **measuring.told(None, seen, run.clock.now()))
            raise_alarm(uow, run.clock, job.site.id, _LEAKS, params, (SUBJECT, job.drill.id))
            run.journal(uow, "isolation", "failed", answered)
        return True

    def linger(self, run: Run, job: DrillJob, left: Sequence[str], why: str = "") -> None:
        """Something does not go: it is on record what, and people are told once."""
        words = ", ".join(left)
        with run.write() as (uow, operation):
            row = reach(uow, operation, job.drill.id, "linger", self.at_s(run, job)[0])
            row.left_behind = list(left)
            run.journal(uow, "clean", "failed", why or words)
            if not job.seen.get("is_told"):
                note(row, is_told=True)
                params = {**self._names(job), "left": words}
                raise_alarm(uow, run.clock, job.site.id, _LINGERS, params, (SUBJECT, job.drill.id))

    def cleaned(self, run: Run, job: DrillJob) -> None:
        """Nothing of it is left."""
        with run.write() as (uow, _operation):
            row = uow.need(Drill, job.drill.id)
            row.left_behind, row.ended_at = [], row.ended_at or run.clock.now()
            run.journal(uow, "clean", "done", "nothing of it is left")

    def _names(self, job: DrillJob) -> dict[str, object]:
        return {"drill": job.drill.id, "plan": job.plan.name, "site": job.site.id}
