"""The flow that moves people: each step told to the name service, watched from outside, then the next.

What stands at the master is read before anything is put there, and what is not what this shift left there is
never written over: the shift halts and says what it found. A step that is there already is taken as done.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError, Refused
from cloudctl.lifecycle import Done, Failed, Later, Outcome, ShiftState
from cloudctl.models import Shift, Traffic, User
from cloudctl.notices import tell
from cloudctl.operations import Run
from cloudctl.ports import Dns
from cloudctl.ports.outside import Outside
from cloudctl.store import UnitOfWork
from dr.traffic import at_master, watching
from dr.traffic.job import NAME, ShiftJob, enter, go_traffic, load, named, plain, rest
from dr.traffic.limits import limits_of
from dr.traffic.shares import WHOLE, Named, Standing, Weights
from dr.traffic.watching import Tally, Verdict
from provisioning.administrators import of_site

_ASK_S = 3.0  # how long one address has to answer
_OTHERS = "other shares than this shift left there: {found}"


class ShiftPeople:
    """Flow of the operations that change shares."""

    def __init__(self, dns: Dns, outside: Outside, settings: Settings) -> None:
        self._dns = dns
        self._outside = outside
        self._settings = settings

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            if not job.is_mine:
                return Done()  # it was halted, and another operation has gone on with it
            if job.state in {ShiftState.ASKED, ShiftState.RAMPING}:
                wait = self._ramp(run, job)
            elif job.state == ShiftState.SOAKING:
                wait = self._soak(run, job)
            elif job.state == ShiftState.ROLLING_BACK:
                wait = self._back(run, job)
            else:
                return _end(job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """People stay where they are, and a person decides: what the name service refuses cannot be undone
        there either."""
        job = load(run, self._settings.installation)
        if job.is_mine and job.state not in {ShiftState.DONE, ShiftState.ROLLED_BACK, ShiftState.HALTED}:
            self._halt(run, job, error.text())
        return Failed(error)

    # -- the stages

    def _ramp(self, run: Run, job: ShiftJob) -> Outcome | None:
        """The intent, the name service, the record."""
        if job.state == ShiftState.ASKED:
            with run.write() as (uow, _operation):
                enter(uow, run, job, "ramp")
            return None
        name = self._named(job)
        found = at_master.read(self._dns, name)
        if not job.shift.before and found.weights and not found.strange and found.by != job.by:
            return self._take_over(run, job, found.weights)
        if found.strange or plain(found.weights or {}) not in (plain(job.step), plain(job.expected)):
            return self._halt(run, job, found.strange or _told(found))
        run.must_hold()
        if other := at_master.put(self._dns, name, found, job.step, job.by):
            return self._halt(run, job, other)
        now = run.clock.now()
        soak_s = max(job.shift.soak_s, job.traffic.ttl_s) if any(job.shift.before.values()) else 0
        with run.write() as (uow, operation):
            traffic = uow.for_update(Traffic, job.traffic.id)
            traffic.weights, traffic.changed_at = plain(job.step), now
            if (row := enter(uow, run, job, "soak", _words(job.step))) is not None:
                row.soak_until = now + timedelta(seconds=soak_s)
                row.seen = {**(row.seen or {}), "now": {}}
                operation.progress_done, operation.progress_total = row.position, len(row.steps)
        return None

    def _take_over(self, run: Run, job: ShiftJob, weights: Weights) -> Outcome | None:
        """A name that is there already stays as it is; its records are cloudctl's from now on."""
        theirs = plain({site: weights.get(site, 0) for site in job.traffic.addresses})
        if sum(theirs.values()) != WHOLE:
            return self._halt(run, job, _OTHERS.format(found=_words(weights)))
        with run.write() as (uow, _operation):
            row = uow.for_update(Shift, job.shift.id)
            row.before = row.after = theirs
            row.steps = [theirs]
        return None

    def _soak(self, run: Run, job: ShiftJob) -> Outcome | None:
        """Look from outside until the time is over; then the next step, or the end."""
        seen = self._look(job)
        towards = watching.growing(job.shift.before, job.shift.after)
        verdict, failing = watching.judge(seen, towards, limits_of(job.traffic.limits or {}).errors_percent)
        rows = {site: tally.as_json() for site, tally in seen.items()}
        why = "; ".join(f"{site}: {detail}" for site, detail in sorted(failing.items()))
        if verdict is not Verdict.GOOD:
            event = "roll_back" if verdict is Verdict.BACK else "halt"
            return self._turn(run, job, event, why, rows)
        now = run.clock.now()
        left_s = ((job.shift.soak_until or now) - now).total_seconds()
        if job.watch is not None and any(job.shift.before.values()) and not watching.has_seen(seen, seen):
            left_s = max(left_s, self._settings.poll_s)
        with run.write() as (uow, _operation):
            row = uow.for_update(Shift, job.shift.id)
            row.seen = _with(row.seen, job.shift.position, rows)
            if left_s <= 0 and job.is_last:
                self._finish(uow, run, job)
            elif left_s <= 0 and enter(uow, run, job, "ramp") is not None:
                row.position += 1
        if left_s > 0:
            return Later(min(self._settings.poll_s, left_s), f"watched for {left_s:.0f} s more")
        return None

    def _back(self, run: Run, job: ShiftJob) -> Outcome | None:
        """People to where they were, in one change: it is written even where the shares are those already,
        so that a worker that was overtaken on the way here changes nothing more."""
        name = self._named(job)
        before = plain({site: weight for site, weight in job.shift.before.items() if site in name.addresses})
        found = at_master.read(self._dns, name)
        mine = [before, *(plain(one) for one in job.shift.steps)]
        if found.strange or plain(found.weights or {}) not in mine:
            return self._halt(run, job, found.strange or _told(found))
        run.must_hold()
        if other := at_master.put(self._dns, name, found, before, job.by):
            return self._halt(run, job, other)
        with run.write() as (uow, _operation):
            traffic = uow.for_update(Traffic, job.traffic.id)
            traffic.weights, traffic.changed_at = before, run.clock.now()
            self._finish(uow, run, job)
        return None

    # -- the pieces

    def _named(self, job: ShiftJob) -> Named:
        return named(job.traffic, self._dns.gives_shares(job.traffic.name))

    def _look(self, job: ShiftJob) -> dict[str, Tally]:
        """The tallies with one more answer of each site: every address of it has to be well."""
        seen = watching.read((job.shift.seen or {}).get("now") or {})
        if job.watch is None:
            return seen
        for site in watching.to_ask(job.shift.before, job.step):
            asked = [job.watch.question(one, job.traffic.name) for one in job.traffic.addresses[site]]
            answers = [self._outside.ask(question, _ASK_S) for question in asked]
            wrong = [one.detail for one in answers if not one.is_well]
            seen[site] = seen.get(site, Tally()).and_one(not wrong, "; ".join(wrong)[:200])
        return seen

    def _halt(self, run: Run, job: ShiftJob, why: str) -> Outcome | None:
        return self._turn(run, job, "halt", why, None)

    def _turn(
        self, run: Run, job: ShiftJob, event: str, why: str, rows: Mapping[str, Any] | None
    ) -> Outcome | None:
        """It does not go on as it was meant to; whoever has to know is told."""
        with run.write() as (uow, _operation):
            row = enter(uow, run, job, event, why)
            if row is None:
                return None
            row.why = why
            if rows is not None:
                row.seen = _with(row.seen, row.position, rows)
            if event == "halt":
                go_traffic(uow.for_update(Traffic, row.traffic_id), "halt")
            words = "the shift of {name} does not go on: {why}"
            if event == "roll_back":
                words = "the shift of {name} is taken back: {why}"
            params = {"name": job.traffic.name, "why": why}
            people = {one for site in job.traffic.addresses for one in of_site(uow, site)}
            if uow.get(User, row.asked_by) is not None:
                people.add(row.asked_by)
            tell(uow, run.clock, people, words, params, (NAME, job.traffic.name), needs_action=True)
        return None

    def _finish(self, uow: UnitOfWork, run: Run, job: ShiftJob) -> None:
        row = enter(uow, run, job, "finish")
        if row is None:
            return
        row.ended_at = run.clock.now()
        rest(uow.for_update(Traffic, row.traffic_id))


def _end(job: ShiftJob) -> Outcome:
    """How the operation ends: well when it did what it was begun for."""
    if job.state == ShiftState.HALTED:
        template = "the shift was halted: {why}"
        return Failed(Refused(template, why=job.shift.why))
    if job.state == ShiftState.ROLLED_BACK and job.shift.why:
        template = "the shift was taken back: {why}"
        return Failed(Cancelled(template, why=job.shift.why))
    return Done()


def _with(seen: Mapping[str, Any] | None, position: int, rows: Mapping[str, Any]) -> dict[str, Any]:
    """What was seen, with the tallies of the step at hand; those of earlier steps stay."""
    steps = {**((seen or {}).get("steps") or {}), str(position): dict(rows)}
    return {**(seen or {}), "now": dict(rows), "steps": steps}


def _words(weights: Mapping[str, int]) -> str:
    return ", ".join(f"{site} {weights[site]} %" for site in sorted(weights))


def _told(found: Standing) -> str:
    return _OTHERS.format(found=_words(found.weights or {}) or "-")
