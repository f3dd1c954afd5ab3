"""The order in which the ground of a build is laid: what does not wait for something goes side by side.

First what everything needs: project, access, quota. The security group and the key are made while the
first volumes are: only ports and servers need them.
"""

from collections.abc import Callable
from typing import Any

from cloudctl.amounts import Amounts
from cloudctl.models import Project
from cloudctl.operations import Run
from cloudctl.ports import Cloud, Named
from provisioning import project_setup
from provisioning.job import Job
from provisioning.lanes import Lanes, worst

Ground = list[tuple[str, Callable[[], Any]]]  # key of the ground, and the call that makes it


class Groundwork:
    """Lays the first part of the ground; may be begun again at any point."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    def prepare(self, run: Run, job: Job, cloud: Cloud) -> dict[str, Any]:
        """What must be there before anything can be made; flavor, image, network and types as ids."""
        names = project_setup.names_at_site(run, job)
        asks: list[Callable[[], Any]] = [
            lambda: project_setup.ensure_project(cloud, job),
            *project_setup.lookups(cloud, names),
        ]
        results = self._lanes.all(job.site.id, job.site.slots, asks)
        if results[0].error is None and job.project.external_id is None:
            project_setup.bind(run, job, results[0].unwrap())
        error = worst(results)
        if error is not None:
            raise error
        listings: dict[str, list[Named]] = dict(result.unwrap() for result in results[1:])
        ids = project_setup.resolve(names, listings, job.site.id)
        with run.store.read() as uow:
            project = uow.need(Project, job.project.id)
        external = project.external_id
        assert external is not None
        access: list[Callable[[], Any]] = [
            lambda: cloud.ensure_own_access(external),
            lambda: project_setup.push_quota(run, cloud, project, external),
        ]
        pushed = self._lanes.must(job.site.id, job.site.slots, access)[1]
        return {**ids.as_json(), "pushed": pushed.as_json()}


def rest(run: Run, job: Job, cloud: Cloud) -> Ground:
    """What nobody has to wait for while volumes are made, as far as it is not done: by key of the ground."""
    ground, zone, level = job.scratch["ground"], job.request.zone, job.system.mlps_level
    inside = cloud.in_project(job.external_project)
    calls: dict[str, Callable[[], Any]] = {
        "is_read_back": lambda: project_setup.read_back(run, cloud, job, Amounts(ground["pushed"])),
    }
    if job.request.kind == "vm" and zone is not None:
        key = job.request.draft.get("ssh_key")
        calls["group"] = lambda: project_setup.ensure_group(inside, zone, level)
        calls["key"] = lambda: project_setup.ensure_key(inside, key)
    return [(name, call) for name, call in calls.items() if name not in ground]
