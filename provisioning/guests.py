"""The last stage of a build: servers get the baseline of their MLPS level, and their data volumes a place.

Only where the site says so (`guests` in the topology). With `managed` a server that cannot be reached, or a
task that fails, is noted on the request and changes nothing else; with `required` the build is not done
before all of it went well. Plays may be run again at any time, so a crash needs no care.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import CloudctlError, GuestNotReady
from cloudctl.lifecycle import Later, Outcome
from cloudctl.models import Resource
from cloudctl.operations import Run
from cloudctl.ports import Ending, Host, HostResult, Play, PlayResult, Plays
from provisioning import guest_access
from provisioning.guest_access import Target
from provisioning.job import Job

NONE, REQUIRED = "none", "required"
DONE, FAILED, UNREACHED = "done", "failed", "unreachable"
PLAYBOOKS = ("baseline", "volumes")
_ASK_AGAIN_S = 5.0
_TOLD_EVERY = timedelta(seconds=2)
_SPARE = timedelta(seconds=60)  # of the operation's time, kept for what comes after the waiting
_MOST_ASKED = 8


class Guests:
    """The stage, and what it needs the servers to be made with."""

    def __init__(self, plays: Plays | None, settings: Settings) -> None:
        self._plays = plays
        self._settings = settings

    def is_asked(self, job: Job) -> bool:
        """Whether the site wants anything done inside the servers of the request."""
        return self._plays is not None and job.site.guests != NONE and job.request.kind in {"vm", "volume"}

    def ground(self, job: Job) -> dict[str, Any]:
        """What servers are made with, so that cloudctl can come in later."""
        if self._plays is None or not self.is_asked(job):
            return {}
        return {"user_data": guest_access.user_data(self._plays.public_key())}

    def advance(self, run: Run, job: Job, next_step: str) -> Outcome | None:
        """Wait for SSH, run the plays, note what came of it; None once the operation is at the next step."""
        assert self._plays is not None
        targets = _targets(run, job)
        hosts = {target.server.id: target.host(job.system.mlps_level) for target in targets}
        known = [host for host in hosts.values() if host is not None]
        reached = self._reached(known)
        silent = sorted(target.server.name for target in targets if hosts[target.server.id] not in reached)
        if silent and not self._is_patience_over(run, job):
            return Later(_ASK_AGAIN_S, f"waiting for SSH of {', '.join(silent)}")
        found = {
            name: _note(UNREACHED, "SSH does not answer, or does not let cloudctl in") for name in silent
        }
        is_stopped, made = self._play(run, reached)
        if is_stopped:
            return Later(0, "the worker is being stopped")
        found |= made
        bad = {name: one for name, one in found.items() if one["state"] != DONE}
        if bad and not self.may_go_without(job):
            raise GuestNotReady(
                "{count} of {total} servers are not ready: {why}",
                count=len(bad),
                total=len(targets),
                why="; ".join(f"{name}: {one['message']}" for name, one in sorted(bad.items())),
            )
        self._write(run, found, next_step)
        return None

    def may_go_without(self, job: Job) -> bool:
        """Whether the request is delivered although this stage came to nothing."""
        return job.site.guests != REQUIRED

    def go_without(self, run: Run, job: Job, error: CloudctlError, next_step: str) -> Outcome:
        """Deliver all the same, with the reason on the request."""
        names = [target.server.name for target in _targets(run, job)]
        self._write(run, {name: _note(FAILED, error.text()) for name in names}, next_step)
        return Later(0, error.text())

    # -- the pieces

    def _reached(self, hosts: Sequence[Host]) -> list[Host]:
        """Those that let us in, asked side by side."""
        if not hosts:
            return []
        assert self._plays is not None
        with ThreadPoolExecutor(min(len(hosts), _MOST_ASKED), "ssh") as pool:
            answers = list(pool.map(self._plays.reaches, hosts))
        return [host for host, is_reached in zip(hosts, answers, strict=True) if is_reached]

    def _is_patience_over(self, run: Run, job: Job) -> bool:
        """Waiting ends by itself; the first look begins it."""
        since, now = job.scratch.get("guests_since"), run.clock.now()
        if since is None:
            with run.write() as (uow, operation):
                operation.scratch = {**operation.scratch, "guests_since": now.isoformat()}
                run.journal(uow, "guests", "started")
            return False
        end = datetime.fromisoformat(since) + timedelta(seconds=self._settings.guest_patience_s)
        if job.operation.deadline_at is not None:
            end = min(end, job.operation.deadline_at - _SPARE)
        return now >= end

    def _play(self, run: Run, hosts: Sequence[Host]) -> tuple[bool, dict[str, dict[str, Any]]]:
        """Run every playbook at the servers that the one before left well; what came of it, by server."""
        assert self._plays is not None
        found = {host.name: _note(DONE) for host in hosts}
        told = _Telling(run)
        for playbook in PLAYBOOKS:
            going = tuple(host for host in hosts if found[host.name]["state"] == DONE)
            if not going:
                break
            run.must_hold()
            play = Play(playbook, going, timeout_s=self._settings.guest_play_s)
            try:
                result = self._plays.run(play, told.task, run.stopping.is_set)
            except CloudctlError as error:
                result = PlayResult(Ending.FAILED, {host.name: HostResult() for host in going}, error.text())
            if result.ending is Ending.STOPPED:
                return True, {}
            for name, one in result.hosts.items():
                found[name] = _came_to(found[name], playbook, result, one)
        return False, found

    def _write(self, run: Run, found: Mapping[str, Mapping[str, Any]], next_step: str) -> None:
        bad = [f"{name}: {one['message']}" for name, one in sorted(found.items()) if one["state"] != DONE]
        with run.write() as (uow, operation):
            delivered = dict(operation.scratch.get("delivered") or {})
            servers = delivered.get("servers", [])
            delivered["servers"] = [
                {**one, "guest": dict(found[one["name"]])} if one["name"] in found else one for one in servers
            ]
            delivered["guests"] = {name: dict(one) for name, one in sorted(found.items())}
            operation.scratch = {**operation.scratch, "delivered": delivered}
            operation.step = next_step
            run.journal(uow, "guests", "failed" if bad else "done", "; ".join(bad)[:1000])


class _Telling:
    """Says on the operation which task is under way, not more often than somebody reads it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._next = run.clock.now()

    def task(self, host: str, task: str, _outcome: str) -> None:
        now = self._run.clock.now()
        if now >= self._next:
            self._next = now + _TOLD_EVERY
            with self._run.write() as (_uow, operation):
                operation.why = f"{host}: {task}"


def _targets(run: Run, job: Job) -> list[Target]:
    wanted = {row.spec.get("attach_to") for row in job.resources} - {None}
    with run.store.read() as uow:
        others = {row.id: row for row in uow.all(Resource, Resource.id.in_(wanted))} if wanted else {}
    return guest_access.targets(job.resources, others, job.system.id)


def _note(state: str, message: str = "") -> dict[str, Any]:
    return {"state": state, "message": message, "changed": 0, "notes": [], "paths": []}


def _came_to(before: Mapping[str, Any], playbook: str, result: PlayResult, one: HostResult) -> dict[str, Any]:
    """What is noted of a server after one more playbook."""
    after = {
        **before,
        "changed": before["changed"] + one.changed,
        "notes": [*before["notes"], *one.told.get("notes", ())],
        "paths": [*before["paths"], *one.told.get("paths", ())],
    }
    if one.is_fine and result.ending in {Ending.DONE, Ending.FAILED} and not result.message:
        return after
    said = one.message or result.message or result.ending.value
    what = f"{playbook}: {one.task}: {said}" if one.task else f"{playbook}: {said}"
    return {**after, "state": FAILED if one.is_reached else UNREACHED, "message": what}
