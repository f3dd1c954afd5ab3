"""What is told of a system where it runs: its servers, and the volumes they have. Only reads.

Its newest recovery point there tells it, or the move that brought it as it was, when none is newer:
replicated volumes are in no point of their new site until somebody takes one, and may have to move before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.lifecycle import PointState
from cloudctl.models import PointVolume, PolicyMember, RecoveryPoint, Restore
from cloudctl.store import UnitOfWork
from dr.members import SYSTEM
from dr.plans.known import Portrait
from dr.plans.likeness import is_called
from dr.restore_job import ADOPTING


@dataclass(frozen=True)
class Told:
    """A point that describes the system, in the words of the point's own site, and by position Cinder's id
    of each volume at the site where the system runs."""

    point: RecoveryPoint
    ids: Mapping[int, str]

    @property
    def servers(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = (self.point.topology or {}).get("servers", ())
        return found

    def volumes_of(self, servers: Collection[str]) -> dict[int, str]:
        """The volumes of these servers, by position."""
        chosen = [
            one
            for one in self.servers
            if any(is_called(str(one["name"]), one.get("label"), name) for name in servers)
        ]
        return {position: self.ids[position] for one in chosen for position in self.positions(one)}

    def positions(self, server: Mapping[str, Any]) -> list[int]:
        """Of its volumes that are there; one that boots from its own disk has no boot volume."""
        said = (server.get("boot"), *(server.get("data") or ()))
        return [int(one) for one in said if one is not None and int(one) in self.ids]


def newest(uow: UnitOfWork, system: str, site: str) -> Told | None:
    """None where nothing tells of it; a point of one volume tells too little."""
    whole = uow.column(PolicyMember.id, PolicyMember.kind == SYSTEM, PolicyMember.system_id == system)
    here = (
        RecoveryPoint.member_id.in_(whole),
        RecoveryPoint.site_id == site,
        RecoveryPoint.state == PointState.PROTECTED,
    )
    point = uow.first(RecoveryPoint, *here, order_by=[RecoveryPoint.taken_at.desc()])
    moved = _moved(uow, system, site)
    if moved is not None and not (point is not None and _is_of_now(point, moved)):
        ids = {int(position): str(one["volume"]) for position, one in moved.made.items()}
        return Told(uow.need(RecoveryPoint, moved.point_id), ids)
    if point is None:
        return None
    rows = uow.all(PointVolume, PointVolume.point_id == point.id)
    return Told(point, {row.position: row.volume_id for row in rows})


def read(uow: UnitOfWork, system: str, site: str) -> Portrait | None:
    """The same for decisions; None where nothing tells of it."""
    told = newest(uow, system, site)
    if told is None:
        return None
    volumes = {
        str(one["name"]): frozenset(told.ids[position] for position in told.positions(one))
        for one in told.servers
    }
    return Portrait(volumes, {str(one["name"]): str(one.get("label") or "") for one in told.servers})


def _is_of_now(point: RecoveryPoint, moved: Restore) -> bool:
    """Whether the point was taken after the move, and when its servers stood."""
    if point.taken_at is None or moved.ended_at is None or not (point.topology or {}).get("servers"):
        return False
    return point.taken_at >= moved.ended_at


def _moved(uow: UnitOfWork, system: str, site: str) -> Restore | None:
    """The newest move that brought replicated volumes of the system there."""
    points = uow.column(RecoveryPoint.id, RecoveryPoint.system_id == system)
    done = (Restore.purpose == ADOPTING, Restore.to_site_id == site, Restore.state == "done")
    return uow.first(Restore, Restore.point_id.in_(points), *done, order_by=[Restore.ended_at.desc()])
