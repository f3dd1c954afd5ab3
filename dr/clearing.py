"""What a point made at its site and does not need (any more): found by tag, deleted, looked at until gone."""

from collections.abc import Collection
from datetime import datetime, timedelta

from cloudctl.clock import Clock
from cloudctl.errors import CloudBusy, CloudNotFound
from cloudctl.operations import Run
from cloudctl.ports import Cloud
from dr import marks
from dr.capture import PATIENCE, dropper
from dr.capturing import Kind, Part, Thing
from dr.point_job import PointJob
from provisioning.lanes import Lanes, worst


def clear(
    run: Run, job: PointJob, cloud: Cloud, lanes: Lanes, kind: Kind, keep: Collection[str | None] = ()
) -> int:
    """Ask for the deletion of every snapshot or backup of the point but `keep`; how many are still there.

    What is busy waits for the next pass: a parent for its increments, a snapshot for whoever reads it.
    """
    things = [one for one in look(job, cloud, kind) if one.id not in keep]
    due = [one for one in things if one.status != "deleting"]
    hanging = {part.position for part in job.parts if _is_hanging(part, run.clock.now())}
    calls = [
        dropper(run, cloud, kind, one, one.status == "creating" and marks.position_of(one.tags) in hanging)
        for one in due
    ]
    results = lanes.all(job.site.id, job.site.slots, calls)
    error = worst([one for one in results if not isinstance(one.error, CloudBusy)])
    if error is not None:
        raise error
    return len(things)


def look(job: PointJob, cloud: Cloud, kind: Kind) -> list[Thing]:
    """What carries the tag of the point, in all projects in which it can be; gone projects have nothing."""
    found: list[Thing] = []
    for project in job.projects:
        inside = cloud.in_project(project)
        try:
            listing = inside.list_snapshots() if kind == "snapshot" else inside.list_backups()
        except CloudNotFound:
            continue
        found += listing
    return [one for one in found if marks.is_of(one.tags, job.installation, marks.TAG_POINT, job.point.id)]


def _is_hanging(part: Part, now: datetime) -> bool:
    """Whether a backup of the volume that is still being made will never be."""
    since = part.tried_at("backup")
    return since is not None and now - since > PATIENCE["backup"]


def may_still_arrive(job: PointJob, clock: Clock, timeout_s: float) -> bool:
    """Whether a create whose answer nobody has may still take effect."""
    horizon = clock.now() - timedelta(seconds=timeout_s)
    kinds: tuple[Kind, ...] = ("snapshot", "backup")
    return any(
        part.ids[kind] is None and (at := part.tried_at(kind)) is not None and at > horizon
        for part in job.parts
        for kind in kinds
    )
