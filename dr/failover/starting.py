"""Parts are started along the graph of the plan: each when all it needs has answered, whatever the others do.

What is begun and what has answered is on the row of the move, so whoever takes over goes on from there. A
part that is silent for longer than its patience holds up those that need it and nobody else; a critical one
is asked on, since there is nothing else to turn to, and people are told.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloudctl.config import Settings
from cloudctl.lifecycle import Later
from cloudctl.operations import Run
from dr import graph
from dr.alarm import raise_alarm
from dr.failover.binding import Binding
from dr.failover.data import Data
from dr.failover.job import SUBJECT, MoveJob, load, remember
from dr.failover.protocols import Answering
from dr.isolated.checks import Check
from dr.plans.document import Part

PARTS = "parts"  # in `made`: name -> begun_at, addresses, done_at, failed_at, saw
SLOTS = 16
_SILENT = "{part} of {plan} does not answer at {site}: {saw}"


class Starting:
    """Starts what is due, and asks what has been started."""

    def __init__(self, data: Data, answering: Answering, settings: Settings, binding: Binding) -> None:
        self._data = data
        self._answering = answering
        self._settings = settings
        self._binding = binding

    def start(self, run: Run, job: MoveJob) -> Later | None:
        """None when every critical part answers, and every other one does or has failed."""
        needs = {one.name: one.needs for one in job.document.parts}
        known: dict[str, dict[str, Any]] = {**job.made.get(PARTS, {})}
        due = graph.ready(needs, list(known), _with(known, "done_at"), _with(known, "failed_at"), SLOTS)
        if due:
            begun_at = run.clock.now().isoformat()
            known |= {name: {"begun_at": begun_at} for name in due}
            remember(run, job.failover.id, **{PARTS: known})
        by_name = {one.name: one for one in job.document.parts}
        open_ones = [
            name for name, row in known.items() if not row.get("done_at") and not row.get("failed_at")
        ]
        for name in open_ones:
            known[name] = self._bring_on(run, job, by_name[name], known[name])
        if open_ones:
            remember(run, job.failover.id, **{PARTS: known})
        return self._rest(needs, known)

    def validate(self, run: Run, job: MoveJob) -> Later | None:
        """None when the checks of the whole pass."""
        addresses: dict[str, Sequence[str]] = {}
        for row in job.made.get(PARTS, {}).values():
            addresses |= row.get("addresses") or {}
        passed, saw = self._ask(job, job.document.checks, addresses)
        remember(run, job.failover.id, checks=saw)
        if passed:
            return None
        silent = ", ".join(one["name"] for one in saw if not one["is_passed"])
        self._tell_late(run, job, "", silent)
        return Later(self._settings.poll_s, f"the system to answer: {silent}")

    # -- the pieces

    def _bring_on(self, run: Run, job: MoveJob, part: Part, row: dict[str, Any]) -> dict[str, Any]:
        """What is known of a begun part after another look."""
        now = run.clock.now()
        found = self._data.start(run, load(run, self._settings.installation), part)
        if isinstance(found, Later):
            passed, saw = False, found.why
        else:
            row = {"stood_at": now.isoformat(), **row}
            row["addresses"] = {name: list(ones) for name, ones in found.items()}
            unbound = self._binding.bind(run, job, part, datetime.fromisoformat(row["stood_at"]))
            passed, told = self._ask(job, part.checks, row["addresses"])
            row["checks"] = told
            silent = [f"{one['name']}: {one['saw']}" for one in told if not one["is_passed"]]
            passed, saw = passed and not unbound, "; ".join([*unbound, *silent])
        if passed:
            return {**row, "done_at": now.isoformat(), "saw": ""}
        row = {**row, "saw": saw}
        is_late = (now - datetime.fromisoformat(row["begun_at"])).total_seconds() > part.patience_s
        if is_late and not part.is_critical:
            return {**row, "failed_at": now.isoformat()}
        if is_late and not row.get("is_told"):
            self._tell_late(run, job, part.name, saw)
            row["is_told"] = True
        return row

    def _ask(
        self, job: MoveJob, checks: Sequence[Check], addresses: Mapping[str, Sequence[str]]
    ) -> tuple[bool, list[dict[str, Any]]]:
        """Every check at every server that it is about; where no server is known, where people come in."""
        told = []
        for check in checks:
            named = {name: ones for name, ones in addresses.items() if check.server in {"", name}}
            asked = [ones[0] for ones in named.values() if ones] or _entrance(job)
            answers = [self._answering.ask(job.site.id, check, one) for one in asked]
            is_passed = bool(answers) and all(passed for passed, _ in answers)
            saw = next((seen for passed, seen in answers if not passed), "")
            saw = saw or ("" if answers else "no address is known")
            told.append({"name": check.name, "is_passed": is_passed, "saw": saw})
        return all(one["is_passed"] for one in told), told

    def _rest(
        self, needs: Mapping[str, Sequence[str]], known: Mapping[str, Mapping[str, Any]]
    ) -> Later | None:
        done, failed = _with(known, "done_at"), _with(known, "failed_at")
        over = {*done, *failed, *graph.blocked(needs, failed)}
        waits = [name for name in needs if name not in over]
        if not waits:
            return None
        if graph.ready(needs, list(known), done, failed, SLOTS):
            return Later(0, "the next parts")
        why = "; ".join(f"{name} ({known[name].get('saw') or 'starting'})" for name in waits if name in known)
        return Later(self._settings.poll_s, f"{why or ', '.join(waits)} to answer")

    def _tell_late(self, run: Run, job: MoveJob, part: str, saw: str) -> None:
        """People are told once of each part."""
        told = list(job.made.get("told", ()))
        if part in told:
            return
        params = {"part": part or job.document.system, "plan": job.group, "site": job.site.id, "saw": saw}
        with run.write() as (uow, _operation):
            raise_alarm(uow, run.clock, job.site.id, _SILENT, params, (SUBJECT, job.failover.id))
        remember(run, job.failover.id, told=[*told, part])


def _with(known: Mapping[str, Mapping[str, Any]], key: str) -> list[str]:
    return [name for name, row in known.items() if row.get(key)]


def _entrance(job: MoveJob) -> list[str]:
    """The addresses under which people reach the new site, one of each kind."""
    steering = job.document.steering
    return list(steering.addresses.get(job.site.id, ())[:1]) if steering else []
