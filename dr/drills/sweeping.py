"""Taking everything of a drill away again, and what is still there.

All of it lies in a project that holds nothing else, so whatever is in it goes. Then the site is asked for
anything that carries the drill's tag, wherever it lies.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from cloudctl.errors import CloudBusy, CloudNotFound
from cloudctl.operations import Run
from cloudctl.ports import Cloud
from dr.drills.cloning import Cloning
from dr.drills.job import DrillJob
from dr.isolated import clearing, ground

_GOING = "deleting"


def sweep(run: Run, job: DrillJob, cloud: Cloud, cloning: Cloning | None) -> list[str]:
    """Ask for the deletion of everything; what is still there, in words. [] when nothing is left.

    Servers go before what they stand on, and the project last.
    """
    project = job.project or _project(job, cloud)
    if project:
        if clearing.clear(run, cloud, project):
            return in_project(cloud, project) or ["something that is busy"]
        left = _copies(run, job, cloning) + _drop_volumes(run, cloud, project)
        if left:
            return in_project(cloud, project) or [f"{left} copies"]
    elif left := _copies(run, job, cloning):
        return [f"{left} copies"]
    ground.remove(run, cloud, job.fence.plot)
    return tagged(job, cloud)


def in_project(cloud: Cloud, project: str) -> list[str]:
    """Everything the project holds, as `kind name`."""
    inside = cloud.in_project(project)
    try:
        rows: list[tuple[str, Iterable[Any]]] = [
            ("server", inside.list_servers()),
            ("port", inside.list_ports()),
            ("network", inside.list_own_networks()),
            ("security group", inside.list_security_groups()),
            ("backup", inside.list_backups()),
            ("snapshot", inside.list_snapshots()),
            ("volume", inside.list_volumes()),
        ]
    except CloudNotFound:
        return []
    return [
        f"{kind} {one.name or one.id}"
        for kind, found in rows
        for one in found
        if (kind, one.name) != ("security group", clearing.DEFAULT_GROUP)
    ]


def tagged(job: DrillJob, cloud: Cloud) -> list[str]:
    """Everything at the site that carries the drill's tag, its project included."""
    rows: list[tuple[str, Iterable[Any]]] = [
        ("server", cloud.list_all_servers()),
        ("volume", cloud.list_all_volumes()),
        ("port", cloud.list_all_ports()),
        ("backup", cloud.list_imported()),
    ]
    left = [
        f"{kind} {one.name or one.id}" for kind, found in rows for one in found if job.fence.are_on(one.tags)
    ]
    project = ground.find(cloud, job.fence.plot)
    return [*left, *([f"project {project.name}"] if project is not None else [])]


def _copies(run: Run, job: DrillJob, cloning: Cloning | None) -> int:
    return cloning.clear(run, job) if cloning is not None else 0


def _project(job: DrillJob, cloud: Cloud) -> str:
    """One whose id was never written down."""
    found = ground.find(cloud, job.fence.plot)
    if found is None:
        return ""
    cloud.ensure_own_access(found.id)
    return found.id


def _drop_volumes(run: Run, cloud: Cloud, project: str) -> int:
    """The probe's volume, and whatever else lies there."""
    inside = cloud.in_project(project)
    try:
        found = inside.list_volumes()
    except CloudNotFound:
        return 0
    for one in found:
        if one.status != _GOING:
            run.must_hold()
            with suppress(CloudBusy):
                inside.delete_volume(one.id)
    return len(found)
