"""The way back of a build: everything it made goes, found by rows and by tag; it never gives up.

It ends only when a look shows nothing left and no call of the build can still be on its way.
"""

from datetime import datetime, timedelta

from cloudctl.config import Settings
from cloudctl.errors import CloudNotFound, CloudRejected
from cloudctl.lifecycle import Later, Outcome, RequestState, ResourceState
from cloudctl.models import Project, Resource, ServiceRequest
from cloudctl.operations import Run
from cloudctl.ports import Cloud, CloudInProject, Clouds
from cloudctl.store import UnitOfWork
from provisioning import naming, project_setup, teardown
from provisioning.dropping import drop
from provisioning.job import Job
from provisioning.lanes import Lanes
from provisioning.look import ALL_KINDS, look
from provisioning.reconcile import Seen, Thing, belongs
from provisioning.turning_back import failed


class Undo:
    """Moves an operation in state `undoing` on, until it can end as failed."""

    def __init__(self, clouds: Clouds, settings: Settings, lanes: Lanes) -> None:
        self._clouds = clouds
        self._settings = settings
        self._lanes = lanes

    def advance(self, run: Run, job: Job) -> Outcome:
        cloud = self._clouds.at(job.site.id)
        external = self._project(run, job, cloud)
        if external is None:
            return self._end(run, job)
        inside = cloud.in_project(external)
        seen = look(self._lanes, job.site, inside, ALL_KINDS)
        drops = teardown.decide(_ours(job, seen))
        if not drops.is_gone:
            drop(run, job, inside, drops, self._lanes)
            return Later(self._settings.poll_s, drops.why)
        if self._may_still_arrive(run, job):
            return Later(self._settings.poll_s, "a call of the build may still be on its way")
        is_empty = not any(seen.by_kind[kind] for kind in ALL_KINDS)
        if is_empty:
            self._remove_project(run, job, cloud, external)
        return self._end(run, job)

    def _project(self, run: Run, job: Job, cloud: Cloud) -> str | None:
        """The project's id at the site, with access to it; None when there is none (any more)."""
        external = job.project.external_id
        if external is None:
            found = project_setup.existing(cloud, job)
            if found is None:
                return None
            external = found.id
            project_setup.bind(run, job, found)
        try:
            if "ground" not in job.scratch:
                cloud.ensure_own_access(external)
            elif job.project.state == project_setup.REMOVING:
                cloud.get_project(external)
        except CloudNotFound:
            self._unbind(run, job)
            return None
        return external

    def _may_still_arrive(self, run: Run, job: Job) -> bool:
        """Whether a create whose answer nobody has may still take effect."""
        horizon = run.clock.now() - timedelta(seconds=self._settings.cloud_timeout_s)
        return any(
            row.external_id is None
            and not row.spec.get("is_refused")
            and "tried_at" in row.spec
            and datetime.fromisoformat(row.spec["tried_at"]) > horizon
            for row in job.resources
        )

    # -- the project that this request made

    def _remove_project(self, run: Run, job: Job, cloud: Cloud, external: str) -> None:
        """Delete the project if this request made it and nobody else uses it; else leave it."""
        label = naming.labels({"cloudctl:request": str(job.request.id)})
        if job.project.origin != "made" or not label <= cloud.get_project(external).tags:
            return
        with run.write() as (uow, _operation):
            if _is_used_by_others(uow, job):
                return
            uow.update(Project, Project.id == job.project.id, state=project_setup.REMOVING)
        try:
            self._delete_groups(cloud.in_project(external))
            cloud.delete_project(external)
        except CloudRejected as error:
            with run.write() as (uow, _operation):
                uow.update(Project, Project.id == job.project.id, state="active")
                run.journal(uow, "project removed", "failed", error.text(), error.cloud_request_id)
            return
        self._unbind(run, job)

    def _delete_groups(self, inside: CloudInProject) -> None:
        for group in inside.list_security_groups():
            if group.name != "default":  # Neutron's own; it goes with the project
                inside.delete_security_group(group.id)

    def _unbind(self, run: Run, job: Job) -> None:
        with run.write() as (uow, _operation):
            uow.update(
                Project,
                Project.id == job.project.id,
                external_id=None,
                external_domain_id=None,
                state="planned",
                quota_pushed={},
                quota_pushed_at=None,
            )
            run.journal(uow, "project removed", "done")

    # -- the end

    def _end(self, run: Run, job: Job) -> Outcome:
        with run.write() as (uow, _operation):
            uow.update(
                Resource,
                Resource.request_id == job.request.id,
                Resource.state != ResourceState.RELEASED,
                state=ResourceState.RELEASED,
                ended_at=run.clock.now(),
            )
            run.journal(uow, "undo", "done", "nothing of it is left")
        return failed(job)


def _is_used_by_others(uow: UnitOfWork, job: Job) -> bool:
    """Whether another request builds in the project, or something else lives there."""
    building = uow.count(
        ServiceRequest,
        ServiceRequest.project_id == job.project.id,
        ServiceRequest.id != job.request.id,
        ServiceRequest.state.in_((RequestState.BUILDING, RequestState.CANCELLING)),
    )
    living = uow.count(
        Resource,
        Resource.project_id == job.project.id,
        (Resource.request_id != job.request.id) | (Resource.request_id.is_(None)),
        Resource.state != ResourceState.RELEASED,
    )
    return bool(building or living)


def _ours(job: Job, seen: Seen) -> dict[str, list[Thing]]:
    """What the look shows of this request: by row, and by the request's tag."""
    rows = job.rows()
    return {
        kind: [
            thing
            for thing in things
            if naming.is_of(thing.tags, job.installation, job.request.id)
            or any(row.kind == kind and (row.external_id == thing.id or belongs(thing, row)) for row in rows)
        ]
        for kind, things in seen.by_kind.items()
    }
