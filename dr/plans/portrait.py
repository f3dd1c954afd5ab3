"""What the newest recovery point tells of a system: its servers, and the volumes they had. Only reads."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cloudctl.lifecycle import PointState
from cloudctl.models import PointVolume, PolicyMember, RecoveryPoint
from cloudctl.store import UnitOfWork
from dr.members import SYSTEM
from dr.plans.known import Portrait
from dr.plans.likeness import is_called


def newest(uow: UnitOfWork, system: str, site: str) -> RecoveryPoint | None:
    """The newest point of the whole system where it runs; a point of one volume tells too little."""
    whole = uow.column(PolicyMember.id, PolicyMember.kind == SYSTEM, PolicyMember.system_id == system)
    here = (
        RecoveryPoint.member_id.in_(whole),
        RecoveryPoint.site_id == site,
        RecoveryPoint.state == PointState.PROTECTED,
    )
    return uow.first(RecoveryPoint, *here, order_by=[RecoveryPoint.taken_at.desc()])


def read(uow: UnitOfWork, system: str, site: str) -> Portrait | None:
    """By the newest point; None when there is none."""
    point = newest(uow, system, site)
    if point is None:
        return None
    ids = _ids(uow, point)
    servers = _servers(point)
    volumes = {str(one["name"]): frozenset(ids[position] for position in _of(one)) for one in servers}
    return Portrait(volumes, {str(one["name"]): str(one.get("label") or "") for one in servers})


def volumes_of(uow: UnitOfWork, point: RecoveryPoint, servers: Collection[str]) -> dict[int, str]:
    """Cinder's id at the point's site of each volume of these servers, by its position in the point."""
    ids = _ids(uow, point)
    chosen = [
        one
        for one in _servers(point)
        if any(is_called(str(one["name"]), one.get("label"), name) for name in servers)
    ]
    return {position: ids[position] for one in chosen for position in _of(one)}


def _ids(uow: UnitOfWork, point: RecoveryPoint) -> dict[int, str]:
    rows = uow.all(PointVolume, PointVolume.point_id == point.id)
    return {row.position: row.volume_id for row in rows}


def _servers(point: RecoveryPoint) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (point.topology or {}).get("servers", ())
    return found


def _of(server: Mapping[str, Any]) -> list[int]:
    """Positions of its volumes; one that boots from its own disk has no boot volume."""
    return [int(one) for one in (server.get("boot"), *(server.get("data") or ())) if one is not None]
