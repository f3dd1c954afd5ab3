"""Room for a restore in the project's quota at the cloud: pushed from the ledger where it is short."""

from cloudctl.amounts import Amounts
from cloudctl.models import Project, Resource, Restore
from cloudctl.operations import Run
from cloudctl.ports import Cloud
from dr.recording import ROWS, server_rows
from provisioning.project_setup import push_quota


def make_room(run: Run, cloud: Cloud, restore: Restore) -> None:
    """Push the quota of the project unless all that is not made yet fits already. Again changes nothing.

    A cloud that had more room than the ledger says keeps it: nobody asked to take anything away.
    """
    with run.store.read() as uow:
        bound = (Project.site_id == restore.to_site_id, Project.external_id == restore.to_project)
        project = uow.first(Project, *bound)
        ids = [*(restore.plan.get(ROWS) or {}).values(), *server_rows(restore)]
        rows = uow.all(Resource, Resource.id.in_(ids), Resource.external_id.is_(None))
        needed = sum((Amounts(row.amounts) for row in rows), Amounts())
    if project is None or not needed:
        return
    held, used = cloud.get_quota(restore.to_project), cloud.usage(restore.to_project)
    if all(used[kind] + needed[kind] <= held[kind] for kind in needed):
        return
    run.must_hold()
    push_quota(run, cloud, project, restore.to_project)
    pushed = cloud.get_quota(restore.to_project)
    with run.write() as (uow, _operation):
        values = {"quota_pushed": pushed.as_json(), "quota_pushed_at": run.clock.now()}
        uow.update(Project, Project.id == project.id, **values)
        run.journal(uow, "quota", "done", repr(pushed))
