"""What one pass of a backup works on: the rows of one point, read in one short transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.lifecycle import POINT, OperationState, PointState, move
from cloudctl.models import (
    BackupPolicy,
    Operation,
    PointCopy,
    PointVolume,
    PolicyMember,
    RecoveryPoint,
    Site,
)
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr import marks
from dr.capturing import Part


@dataclass(frozen=True)
class PointJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    point: RecoveryPoint
    member: PolicyMember
    policy: BackupPolicy
    site: Site
    volumes: tuple[PointVolume, ...]
    copies: tuple[PointCopy, ...]

    @property
    def scratch(self) -> Mapping[str, Any]:
        return self.operation.scratch or {}

    @property
    def is_undoing(self) -> bool:
        return self.operation.state == OperationState.UNDOING

    @property
    def parts(self) -> list[Part]:
        """The volumes as the decisions want them."""
        return [as_part(row) for row in self.volumes]

    @property
    def projects(self) -> list[str]:
        """The projects at the site in which something of the point can be; none of one that was rebuilt."""
        return sorted({str(row.spec["project"]) for row in self.volumes if "project" in row.spec})

    def tags(self, position: int) -> dict[str, str]:
        return marks.of_point(self.installation, self.point.system_id, self.point.id, position)


def as_part(row: PointVolume) -> Part:
    return Part(
        row.position,
        row.name,
        row.volume_id,
        row.state,
        row.size_gib,
        row.is_incremental,
        {"snapshot": row.snapshot_id, "backup": row.backup_id},
        row.spec or {},
    )


def load(run: Run, installation: str) -> PointJob:
    """Read everything the operation is about."""
    with run.store.read() as uow:
        return read(uow, uow.need(Operation, run.operation_id), installation)


def read(uow: UnitOfWork, operation: Operation, installation: str) -> PointJob:
    """The rows of the operation's point, in the caller's transaction. NotFound when the point is gone."""
    point = uow.need(RecoveryPoint, operation.subject_id)
    return PointJob(
        installation,
        operation,
        point,
        uow.need(PolicyMember, point.member_id),
        uow.need(BackupPolicy, point.policy_id),
        uow.need(Site, point.site_id),
        volumes_of(uow, point.id),
        tuple(uow.all(PointCopy, PointCopy.point_id == point.id, order_by=[PointCopy.site_id])),
    )


def volumes_of(uow: UnitOfWork, point_id: str) -> tuple[PointVolume, ...]:
    """The volumes of a point in their order."""
    of_point = PointVolume.point_id == point_id
    return tuple(uow.all(PointVolume, of_point, order_by=[PointVolume.position]))


def chain_of(uow: UnitOfWork, point: RecoveryPoint) -> list[RecoveryPoint]:
    """The point and all it rests on, the full one first."""
    chain = [point]
    while chain[0].parent_id is not None:
        chain.insert(0, uow.need(RecoveryPoint, chain[0].parent_id))
    return chain


def write_volumes(uow: UnitOfWork, point_id: str, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Set columns of the point's volumes, by position; `spec` is merged into what is there."""
    for row in volumes_of(uow, point_id) if changes else ():
        for column, value in changes.get(row.position, {}).items():
            setattr(row, column, {**(row.spec or {}), **value} if column == "spec" else value)
    uow.flush()


def move_point(uow: UnitOfWork, point_id: str, event: str, **values: Any) -> RecoveryPoint:
    """Move the point along the state table and set the values."""
    point = uow.need(RecoveryPoint, point_id)
    point.state = move(POINT, PointState(point.state), event)
    for column, value in values.items():
        setattr(point, column, value)
    uow.flush()
    return point


def note_of(texts: Sequence[str]) -> str:
    """Notes as one line, each once."""
    return "; ".join(dict.fromkeys(text for text in texts if text))
