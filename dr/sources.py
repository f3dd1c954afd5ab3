"""Where the objects of a point come from: Cinder's backups of volumes, or a department's bucket."""

from collections.abc import Mapping
from typing import Protocol

from cloudctl.models import Operation
from cloudctl.operations import Run
from cloudctl.ports import ObjectStore, Stores
from cloudctl.store import UnitOfWork
from dr import drafting
from dr.point_job import PointJob, volumes_of
from dr.points.replication import Draft


class Sources(Protocol):
    """What copying has to know of a point; the same in every run once it is settled."""

    def settle(self, uow: UnitOfWork, run: Run, operation: Operation, job: PointJob) -> None:
        """Write down, once, what nothing may change any more; the point is then `copying`."""

    def draft(self, run: Run, job: PointJob) -> Draft:
        """The point as replication wants it."""

    def natives(self, run: Run, job: PointJob) -> Mapping[int, ObjectStore]:
        """The bucket of each part by its position."""

    def stamp(self, job: PointJob) -> str:
        """Other words when the objects of the point are numbered anew."""


class VolumeSources:
    """Implements Sources for a system or a volume."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def settle(self, uow: UnitOfWork, run: Run, operation: Operation, job: PointJob) -> None:
        is_full = not any(row.is_incremental for row in volumes_of(uow, job.point.id))
        drafting.settle(uow, run, operation, job, is_full)

    def draft(self, run: Run, job: PointJob) -> Draft:
        return drafting.draft(job, [drafting.part_of(row) for row in job.volumes])

    def natives(self, run: Run, job: PointJob) -> Mapping[int, ObjectStore]:
        return {
            row.position: self._stores.native(job.site.id, str(row.spec["container"])) for row in job.volumes
        }

    def stamp(self, job: PointJob) -> str:
        return ""
