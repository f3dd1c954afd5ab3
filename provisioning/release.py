"""The flow that takes away what a release request names: servers with their boot volume and port, volumes.

Rows go to `releasing` before the cloud is asked, and to `released` when a look no longer shows the thing.
What is on the way out cannot be called back: a cancel that comes too late says so.
"""

from collections.abc import Iterable
from datetime import timedelta

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError, CloudRejected
from cloudctl.lifecycle import Done, Failed, Later, Outcome, ResourceState
from cloudctl.models import Resource
from cloudctl.operations import Run
from cloudctl.ports import Clouds
from cloudctl.store import UnitOfWork
from provisioning import teardown
from provisioning.desired import SERVER, VOLUME
from provisioning.dropping import drop
from provisioning.job import Job, load
from provisioning.lanes import Lanes
from provisioning.look import ALL_KINDS, look
from provisioning.reconcile import Seen
from provisioning.turning_back import failed, turn_back

PLAN, DELETE, GONE = "", "delete", "gone"
_PATIENCE_S = 60.0


class Release:
    """Flow of the operations that release resources."""

    def __init__(self, clouds: Clouds, settings: Settings, lanes: Lanes | None = None) -> None:
        self._clouds = clouds
        self._settings = settings
        self._lanes = lanes or Lanes()

    def advance(self, run: Run) -> Outcome:
        job = load(run, self._settings.installation)
        if job.is_undoing:
            return self._stop(run, job)
        if job.operation.step == PLAN:
            if job.operation.cancel_asked_at is not None:
                return Failed(Cancelled("the release was cancelled before it began"))
            self._plan(run, job)
        if job.operation.step != GONE:
            wait = self._delete(run, load(run, self._settings.installation))
            if wait is not None:
                return wait
        if job.operation.cancel_asked_at is not None:
            return Failed(Cancelled("the cancel came too late: everything had been released"))
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        return turn_back(run, error, ("release", "failed"), "finding out what is left")

    # -- the pieces

    def _plan(self, run: Run, job: Job) -> None:
        """Mark everything that goes."""
        draft = job.request.draft
        with run.write() as (uow, operation):
            going = _with_parts(uow, job, draft["resources"], bool(draft.get("with_volumes")))
            for row in going:
                row.state = ResourceState.RELEASING
            operation.scratch = {**operation.scratch, "going": sorted(row.id for row in going)}
            operation.step, operation.progress_total = DELETE, len(going)
            run.journal(uow, "plan", "done", f"{len(going)} things")

    def _delete(self, run: Run, job: Job) -> Outcome | None:
        """One look, what has gone is written down, what can go next is asked for."""
        going = self._going(run, job)
        external = job.project.external_id
        if external is None or not going:
            self._gone(run, job, going, Seen())
            return None
        inside = self._clouds.at(job.site.id).in_project(external)
        seen = look(self._lanes, job.site, inside, ALL_KINDS)
        self._gone(run, job, going, seen)
        drops = teardown.decide(teardown.doomed(seen, _by_kind(going)))
        if drops.is_gone:
            return None
        drop(run, load(run, self._settings.installation), inside, drops, self._lanes)
        return Later(self._settings.poll_s, drops.why)

    def _going(self, run: Run, job: Job) -> list[Resource]:
        with run.store.read() as uow:
            ids = list(job.scratch.get("going", ()))
            return uow.all(Resource, Resource.id.in_(ids), Resource.state == ResourceState.RELEASING)

    def _gone(self, run: Run, job: Job, going: Iterable[Resource], seen: Seen) -> None:
        """What the look no longer shows is released; all of it: the work is done."""
        there = {thing.id for things in seen.by_kind.values() for thing in things}
        gone = [row.id for row in going if row.external_id not in there]
        left = sum(row.external_id in there for row in going)
        if left and not gone:
            return
        with run.write() as (uow, operation):
            for row in uow.all(Resource, Resource.id.in_(gone)):
                row.state, row.ended_at = ResourceState.RELEASED, run.clock.now()
            _forget_servers(uow, gone)
            operation.progress_done = operation.progress_total - left
            if not left:
                operation.step = GONE
                run.journal(uow, "release", "done")

    def _stop(self, run: Run, job: Job) -> Outcome:
        """After a refusal: what is gone is released, what is left is as it was before."""
        external = job.project.external_id
        going = self._going(run, job)
        if external is not None and going:
            inside = self._clouds.at(job.site.id).in_project(external)
            seen = look(self._lanes, job.site, inside, ALL_KINDS)
            self._gone(run, job, going, seen)
            if self._is_under_way(run, job, seen):
                return Later(self._settings.poll_s, "what was asked for is still under way")
        with run.write() as (uow, _operation):
            uow.update(
                Resource,
                Resource.id.in_([row.id for row in going]),
                Resource.state == ResourceState.RELEASING,
                state=ResourceState.ACTIVE,
            )
        return failed(job)

    def _is_under_way(self, run: Run, job: Job, seen: Seen) -> bool:
        """Whether a deletion the cloud took a short while ago may still show its effect."""
        there = {thing.id for things in seen.by_kind.values() for thing in things}
        horizon = (run.clock.now() - timedelta(seconds=_PATIENCE_S)).isoformat()
        asked: dict[str, str] = job.scratch.get("dropped") or {}
        return any(key.split("/")[-1] in there and at > horizon for key, at in asked.items())


def _with_parts(uow: UnitOfWork, job: Job, ids: Iterable[str], with_volumes: bool) -> list[Resource]:
    """The named resources, and of servers what has no use without them."""
    named = [uow.need(Resource, one) for one in ids]
    wanted = {row.id: row for row in named}
    for row in named:
        if row.project_id != job.project.id:
            raise CloudRejected("{name} is not in the project of the request", name=row.name)
        if row.kind != SERVER:
            continue
        parts = [
            row.spec.get("boot"),
            row.spec.get("port"),
            *(row.spec.get("data", []) if with_volumes else []),
        ]
        for part in uow.all(Resource, Resource.id.in_([one for one in parts if one])):
            wanted[part.id] = part
    return [row for row in wanted.values() if row.state != ResourceState.RELEASED]


def _by_kind(rows: Iterable[Resource]) -> dict[str, frozenset[str]]:
    kinds: dict[str, set[str]] = {}
    for row in rows:
        if row.external_id is not None:
            kinds.setdefault(row.kind, set()).add(row.external_id)
    return {kind: frozenset(ids) for kind, ids in kinds.items()}


def _forget_servers(uow: UnitOfWork, gone: Iterable[str]) -> None:
    """Volumes that stay belong to no server any more."""
    names = set(gone)
    servers = uow.all(Resource, Resource.id.in_(names), Resource.kind == SERVER)
    for server in servers:
        for volume in uow.all(
            Resource, Resource.id.in_(server.spec.get("data", [])), Resource.kind == VOLUME
        ):
            volume.spec = {**volume.spec, "server": None, "attach_to": None}
