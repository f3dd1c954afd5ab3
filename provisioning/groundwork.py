"""The order in which the ground of a build is laid: what does not wait for something goes side by side."""

from collections.abc import Callable
from typing import Any

from cloudctl.models import Project
from cloudctl.operations import Run
from cloudctl.ports import Cloud, Named
from provisioning import project_setup
from provisioning.job import Job
from provisioning.lanes import Lanes, worst


class Groundwork:
    """Lays the ground; may be begun again at any point."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    def prepare(self, run: Run, job: Job, cloud: Cloud) -> dict[str, Any]:
        """Everything the build refers to, as ids: flavor, image, network, types, group, key."""
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
        return {**ids.as_json(), **self._inside(run, job, cloud, project)}

    def _inside(self, run: Run, job: Job, cloud: Cloud, project: Project) -> dict[str, str | None]:
        """Access and quotas, then what is made inside the project."""
        external = project.external_id
        assert external is not None
        first: list[Callable[[], Any]] = [
            lambda: cloud.ensure_own_access(external),
            lambda: project_setup.push_quota(run, cloud, project, external),
        ]
        pushed = self._lanes.must(job.site.id, job.site.slots, first)[1]
        inside = cloud.in_project(external)
        zone, level = job.request.zone, job.system.mlps_level
        second: list[Callable[[], Any]] = [lambda: project_setup.read_back(run, cloud, project, pushed)]
        if job.request.kind == "vm" and zone is not None:
            key = job.request.draft.get("ssh_key")
            second.append(lambda: project_setup.ensure_group(inside, zone, level))
            second.append(lambda: project_setup.ensure_key(inside, key))
        made = self._lanes.must(job.site.id, job.site.slots, second)
        _, group, key_name = (*made, None, None)[:3]
        return {"group": group, "key": key_name}
