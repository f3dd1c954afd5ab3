"""The flow that makes what an approved request asks for.

Every pass reads the rows, looks at the cloud where something is open, and does all that can be done now.
What it is about to ask for is on disk before it asks; after a crash the next pass looks for that first.
Nothing here sleeps, and nothing is remembered outside of rows.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudBusy, CloudConflict, CloudctlError, CloudQuotaExceeded
from cloudctl.lifecycle import Done, Later, Outcome, ResourceState
from cloudctl.models import Operation, Resource
from cloudctl.operations import Run
from cloudctl.ports import CloudInProject, Clouds, Plays, Port
from cloudctl.store import UnitOfWork
from provisioning import delivery, desired, project_setup
from provisioning.desired import PORT, SERVER, Asked
from provisioning.dropping import dropper
from provisioning.groundwork import Ground, Groundwork, rest
from provisioning.guests import Guests
from provisioning.job import Job, flavor_amounts, load, write_rows
from provisioning.lanes import Lanes, Result, worst
from provisioning.look import addresses, look
from provisioning.making import Made, attacher, kept, maker, outcome_of, tagger
from provisioning.reconcile import Change, Next, Seen, decide, extras, kinds_to_list
from provisioning.teardown import Drop
from provisioning.turning_back import turn_back
from provisioning.undo import Undo

PLAN, GROUND, CREATE, GUESTS, DELIVERED = "", "ground", "create", "guests", "delivered"
BATCHES = 2  # things started in one pass, by slot of the site; then it looks whether servers can start
BESIDE_SERVERS = 3  # times as many while servers are started: a pass waits for all, and Nova is slow


class Build:
    """Flow of the operations that build: new projects, VMs, volumes. Undoes all of it when it cannot."""

    def __init__(
        self, clouds: Clouds, settings: Settings, lanes: Lanes | None = None, plays: Plays | None = None
    ) -> None:
        self._clouds = clouds
        self._settings = settings
        self._lanes = lanes or Lanes()
        self._ground_flow = Groundwork(self._lanes)
        self._guests = Guests(plays, settings)
        self._undo = Undo(clouds, settings, self._lanes)

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            if job.is_undoing:
                return self._undo.advance(run, job)
            if job.operation.cancel_asked_at is not None:
                raise Cancelled("the request was cancelled")
            stages = {PLAN: self._plan, GROUND: self._ground, CREATE: self._create, GUESTS: self._inside}
            stage = stages.get(job.operation.step)
            if stage is None:
                return Done()
            wait = stage(run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        job = load(run, self._settings.installation)
        is_made = job.operation.step == GUESTS and not job.is_undoing and not isinstance(error, Cancelled)
        if is_made and self._guests.may_go_without(job):
            return self._guests.go_without(run, job, error, DELIVERED)
        return turn_back(run, error, ("undo", "started"), "undoing what was made")

    # -- plan: the rows of everything that has to exist

    def _plan(self, run: Run, job: Job) -> Outcome | None:
        with run.write() as (uow, operation):
            wanted = desired.wanted(_asked(uow, job))
            uow.insert_missing(Resource, [_new_row(run, job, one) for one in wanted])
            if uow.count(Resource, Resource.id.in_([one.id for one in wanted])) != len(wanted):
                raise CloudConflict("a resource with a name of this request is on record already")
            operation.step = GROUND
            operation.progress_total = len(wanted) + 1
            run.journal(uow, "plan", "done", f"{len(wanted)} things")
        return None

    # -- ground: domain, project, access, quota, group, key, and the ids of what is referred to

    def _ground(self, run: Run, job: Job) -> Outcome | None:
        ground = self._ground_flow.prepare(run, job, self._clouds.at(job.site.id))
        ground |= self._guests.ground(job)
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, "ground": ground}
            operation.progress_done = 1
            operation.step = CREATE
            run.journal(uow, "ground", "done")
        return None

    # -- create: start what is ready to be started, adopt what is there already

    def _create(self, run: Run, job: Job) -> Outcome | None:
        cloud = self._clouds.at(job.site.id)
        inside = cloud.in_project(job.external_project)
        rows, ground = job.rows(), rest(run, job, cloud)
        kinds = kinds_to_list(rows) if self._is_look_due(run, job) else frozenset()
        seen = look(self._lanes, job.site, inside, kinds)
        step = decide(rows, seen, run.clock.now(), not ground)
        if step.is_complete and not ground:
            return self._verify(run, job, inside, seen, step)
        has_servers = any(row.kind == SERVER for row in rows if row.id in step.start)
        batch = BATCHES * job.site.slots * (BESIDE_SERVERS if has_servers else 1)
        is_more, step = len(step.start) > batch, replace(step, start=step.start[:batch])
        self._intend(run, job, step, has_looked=bool(kinds))
        if step.failure is not None:
            raise step.failure
        job = load(run, self._settings.installation)
        error = worst(self._start(run, job, inside, step, seen, ground))
        if isinstance(error, CloudQuotaExceeded):
            return self._push_again(run, load(run, self._settings.installation), error)
        if error is not None:
            raise error
        return Later(0 if is_more or step.is_complete else self._next_look_s(run), step.why)

    def _next_look_s(self, run: Run) -> float:
        """Looks are a poll apart, whatever was started in between; the first one is due at once."""
        at = load(run, self._settings.installation).scratch.get("looked_at")
        if at is None:
            return 0
        since = (run.clock.now() - datetime.fromisoformat(at)).total_seconds()
        return max(0.0, self._settings.poll_s - since)

    def _is_look_due(self, run: Run, job: Job) -> bool:
        """While there is more to start than fits in a pass, passes follow each other without a look."""
        at = job.scratch.get("looked_at")
        horizon = run.clock.now() - timedelta(seconds=self._settings.poll_s)
        return at is None or datetime.fromisoformat(at) <= horizon

    def _intend(self, run: Run, job: Job, step: Next, has_looked: bool = True) -> None:
        """Write what the look said and what is about to be asked for."""
        now = run.clock.now().isoformat()
        columns = {row_id: _columns(change) for row_id, change in step.changes.items()}
        for row_id in step.start:
            had = columns.setdefault(row_id, {})
            had["spec"] = {**had.get("spec", {}), "tried_at": now, "is_refused": False}
        if not columns and not has_looked:
            return
        with run.write() as (uow, operation):
            write_rows(uow, columns)
            _count_ready(uow, job, operation)
            operation.why = step.why
            if has_looked:
                operation.scratch = {**operation.scratch, "looked_at": now}

    def _start(
        self, run: Run, job: Job, inside: CloudInProject, step: Next, seen: Seen, ground: Ground
    ) -> list[Result[Any]]:
        """Everything of one pass side by side; what was made is written in one commit."""
        by_id = {row.id: row for row in job.resources}
        group: Future[str] = Future()
        if "group" in job.scratch["ground"]:
            group.set_result(job.scratch["ground"]["group"])
        calls = [(name, kept(group, call) if name == "group" else call) for name, call in ground]
        calls += [(row_id, maker(run, job, inside, by_id[row_id], group)) for row_id in step.start]
        for row_id in step.attach:
            server_id = _server_of(run, by_id[row_id])
            calls.append((row_id, attacher(run, inside, by_id[row_id], server_id)))
        calls += [("", _remover(run, inside, kind, one)) for kind, one in step.drop]
        calls += [(row.id, tagger(run, job, inside, row)) for row in _untagged(job, seen)]
        results = self._lanes.all(job.site.id, job.site.slots, [call for _, call in calls])
        named = [(name, result) for (name, _), result in zip(calls, results, strict=True) if name]
        laid = {name: result.value for name, result in named[: len(ground)] if result.error is None}
        columns = {row_id: outcome_of(result) for row_id, result in named[len(ground) :]}
        if laid or any(columns.values()):
            with run.write() as (uow, operation):
                write_rows(uow, columns)
                _count_ready(uow, job, operation)
                had = {**operation.scratch["ground"], **laid}
                operation.scratch = {**operation.scratch, "ground": had}
        return results

    def _push_again(self, run: Run, job: Job, error: CloudctlError) -> Outcome:
        """Somebody lowered the quota at the cloud: put it right, once.

        Neutron also refuses for a moment what would fit, while it counts several ports at a time: as long
        as its own numbers leave room, that is trouble that passes.
        """
        cloud, tries = self._clouds.at(job.site.id), int(job.scratch.get("quota_again", 0))
        if tries and not project_setup.has_room(cloud, job):
            raise error
        if not tries:
            project_setup.push_quota(run, cloud, job.project, job.external_project)
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, "quota_again": tries + 1}
            run.journal(uow, "quota again", "done", error.text(), error.cloud_request_id)
        return Later(self._settings.poll_s, "the site's quota was short; looked after")

    # -- verify and deliver: exactly what was asked for, and how to use it

    def _verify(self, run: Run, job: Job, inside: CloudInProject, seen: Seen, step: Next) -> Outcome | None:
        """The last look, at every kind: nothing missing, nothing twice."""
        self._intend(run, job, step)
        job = load(run, self._settings.installation)
        rows = job.rows()
        full = look(self._lanes, job.site, inside, {row.kind for row in rows}, seen)
        last = decide(rows, full, run.clock.now())
        too_many = extras(rows, full)
        calls = [_remover(run, inside, kind, one) for kind, one in too_many]
        calls += [tagger(run, job, inside, row) for row in _untagged(job, full)]
        error = worst(self._lanes.all(job.site.id, job.site.slots, calls))
        if error is not None:
            raise error
        if too_many or not last.is_complete:
            self._intend(run, job, last)
            return Later(self._settings.poll_s, last.why or f"{len(too_many)} too many are being removed")
        with run.write() as (uow, operation):
            self._deliver(run, uow, operation, job, full)
        return None

    def _deliver(self, run: Run, uow: UnitOfWork, operation: Operation, job: Job, full: Seen) -> None:
        """Addresses, times, and what the request shows; the last commit before the end."""
        resources = uow.all(Resource, Resource.request_id == job.request.id, order_by=[Resource.name])
        ports = {one.id: one for one in full.by_kind.get(PORT, ()) if isinstance(one, Port)}
        by_id = {row.id: row for row in resources}
        for row in resources:
            row.active_at = row.active_at or run.clock.now()
            if row.kind == PORT and row.external_id in ports:
                row.addresses = addresses(ports[row.external_id])
        for row in resources:
            if row.kind == SERVER:
                row.addresses = dict(by_id[row.spec["port"]].addresses)
        people = delivery.contact(uow, job.site.id)
        operation.scratch = {**operation.scratch, "delivered": delivery.delivered(job, resources, people)}
        operation.step = GUESTS if self._guests.is_asked(job) else DELIVERED
        operation.progress_done = operation.progress_total
        run.journal(uow, "deliver", "done")

    # -- inside the servers, where the site wants it

    def _inside(self, run: Run, job: Job) -> Outcome | None:
        return self._guests.advance(run, job, DELIVERED)


def _asked(uow: UnitOfWork, job: Job) -> Asked:
    request = job.request
    flavor = flavor_amounts(uow, request.draft.get("flavor"))
    return Asked(
        job.installation, job.site.id, job.system.id, request.id, request.kind, request.zone, request.draft,
        flavor,
    )  # fmt: skip


def _new_row(run: Run, job: Job, one: desired.Wanted) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "name": one.name,
        "spec": dict(one.spec),
        "amounts": one.amounts.as_json(),
        "site_id": job.site.id,
        "project_id": job.project.id,
        "system_id": job.system.id,
        "department_id": job.request.department_id,
        "request_id": job.request.id,
        "state": ResourceState.INTENDED.value,
        "origin": "made",
        "addresses": {},
        "created_at": run.clock.now(),
    }


def _columns(change: Change) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if change.note:
        spec["note"] = change.note
    if change.attempt is not None:
        spec["attempt"] = change.attempt
    if change.not_before is not None:
        spec["not_before"] = change.not_before.isoformat()
    columns: dict[str, Any] = {"state": change.state, "external_id": change.external_id}
    return {**columns, "spec": spec} if spec else columns


def _count_ready(uow: UnitOfWork, job: Job, operation: Operation) -> None:
    ready = uow.count(Resource, Resource.request_id == job.request.id, Resource.state == ResourceState.ACTIVE)
    operation.progress_done = 1 + ready


def _server_of(run: Run, row: Resource) -> str:
    """The external id of the server that a lone volume is attached to."""
    with run.store.read() as uow:
        server = uow.need(Resource, row.spec["attach_to"])
        if server.external_id is None or server.state == ResourceState.RELEASED:
            raise CloudConflict("server {name} is no longer there", name=server.name)
        return server.external_id


def _remover(run: Run, inside: CloudInProject, kind: str, external_id: str) -> Callable[[], Made]:
    """Deletes what is broken or too many; what is busy is looked at again in the next pass."""
    delete = dropper(run, inside, Drop(kind, external_id))

    def call() -> Made:
        try:
            delete()
        except CloudBusy:
            return {}
        return {}

    return call


def _untagged(job: Job, seen: Seen) -> Sequence[Resource]:
    """Rows of ports that an older Neutron made, and a crash left, without their tags."""
    bare = {one.id for one in seen.by_kind.get(PORT, ()) if not one.tags}
    return [row for row in job.resources if row.kind == PORT and row.external_id in bare]
