"""The listings of buckets in the database; whoever calls has the transaction."""

from collections.abc import Iterable

from cloudctl.models import PointListing, RecoveryPoint
from cloudctl.store import UnitOfWork
from dr.points.listing import Entry, unpack


def write(uow: UnitOfWork, point_id: str, bodies: Iterable[bytes]) -> None:
    """Keep the listing of the point in the place of any that it had."""
    drop(uow, point_id)
    for number, body in enumerate(bodies):
        uow.session.add(PointListing(point_id=point_id, number=number, body=body))
    uow.flush()


def read(uow: UnitOfWork, point_id: str) -> tuple[Entry, ...] | None:
    """The listing of the point; None when none is kept (any more), as after a rebuild."""
    mine = PointListing.point_id == point_id
    rows = uow.tuples([PointListing.body], mine, order_by=[PointListing.number])
    return tuple(unpack(row[0] for row in rows)) if rows else None


def drop(uow: UnitOfWork, point_id: str) -> None:
    """Forget the listing of the point; again changes nothing."""
    uow.delete(PointListing, PointListing.point_id == point_id)


def drop_others(uow: UnitOfWork, member_id: int, point_id: str) -> None:
    """Forget the listings of all points of the member but this one."""
    points = uow.column(RecoveryPoint.id, RecoveryPoint.member_id == member_id, RecoveryPoint.id != point_id)
    for start in range(0, len(points), 500):
        uow.delete(PointListing, PointListing.point_id.in_(points[start : start + 500]))
