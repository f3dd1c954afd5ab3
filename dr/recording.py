"""Restored volumes become rows of the project they are in, and count there like any other."""

from cloudctl.clock import Clock, new_id
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Project, Resource
from cloudctl.store import UnitOfWork
from dr.restore_job import RestoreJob
from tenants import ledger


def record_volumes(uow: UnitOfWork, clock: Clock, job: RestoreJob) -> None:
    """A row for each new volume, where the project is one of ours; again changes nothing.

    It may make levels of the quota `over`: what had to be brought back is not refused for that.
    """
    bound = (Project.site_id == job.site.id, Project.external_id == job.restore.to_project)
    project = uow.first(Project, *bound)
    if project is None:
        return
    for made in job.made.values():
        known = (
            Resource.site_id == job.site.id,
            Resource.kind == "volume",
            Resource.external_id == made["volume"],
        )
        row = uow.first(Resource, *known)
        if row is None:
            row = _row(clock, job, project, made)
            same = (Resource.site_id == row.site_id, Resource.kind == row.kind, Resource.name == row.name)
            row.name += f"-r{job.restore.id}" if uow.count(Resource, *same) else ""
            uow.add(row)
        row.state, row.ended_at, row.active_at = ResourceState.ACTIVE, None, row.active_at or clock.now()
    uow.flush()
    ledger.count_used(uow, project.id)


def _row(clock: Clock, job: RestoreJob, project: Project, made: dict[str, object]) -> Resource:
    size_gib = int(str(made["size_gib"]))
    return Resource(
        id=new_id(),
        kind="volume",
        site_id=job.site.id,
        project_id=project.id,
        system_id=project.system_id,
        department_id=project.department_id,
        name=made["name"],
        external_id=made["volume"],
        state=ResourceState.ACTIVE,
        origin="made",
        spec={"size_gib": size_gib, "type": made["type"], "role": "data", "restored_from": job.point.id},
        amounts={"volumes": 1, "volume_gib": size_gib},
        created_at=clock.now(),
    )
