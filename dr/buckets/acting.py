"""What people do with points of buckets beyond what they do with any point: bring one back as of a time."""

from datetime import UTC, datetime
from typing import Any

from cloudctl import operations
from cloudctl.actors import Actor
from cloudctl.clock import BEIJING, Clock
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound, Refused
from cloudctl.models import InformationSystem, PointCopy, PolicyMember, RecoveryPoint, Restore, Site
from cloudctl.queries import backups as reads
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from dr import starting
from dr.acting import find_point
from dr.members import BUCKET
from dr.policy_form import is_bucket_name

Json = dict[str, Any]
MODE = "bucket"  # of the restore
_LONGEST = 40  # characters of the old name in the new one


def is_of_bucket(core: Core, actor: Actor, key: str) -> bool:
    """Whether the point is one of a bucket, or `key` names a bucket (NAME@SITE). NotFound."""
    with core.store.read() as uow:
        if "@" in key:
            return True
        return uow.need(PolicyMember, find_point(uow, actor, key).member_id).kind == BUCKET


def moment_of(text: str) -> datetime | None:
    """A time as people write it, in Beijing where it names no zone; None for nothing. BadInput."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        hint = "write 2026-11-20T08:00"
        raise BadInput(
            "the input has faults", faults=[Fault("as_of", "bad_moment", "is no date and time", hint=hint)]
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=BEIJING)


def restore(
    core: Core,
    actor: Actor,
    key: str,
    to_site: str | None = None,
    bucket: str | None = None,
    as_of: datetime | None = None,
    from_site: str | None = None,
) -> Json:
    """Bring a bucket back as it was: into a new bucket, or one that is there and empty.

    `key`: a point, or NAME@SITE with `as_of`; then the first point taken at that time or later is read, which
    has all that was there. Nothing is written over, so one person may do it. BadInput, NotFound, Refused.
    Needs backup.restore where the bucket shall be.
    """
    with core.store.write() as uow:
        point = _of_time(uow, actor, key, as_of) if "@" in key else find_point(uow, actor, key)
        member = uow.need(PolicyMember, point.member_id)
        if member.kind != BUCKET:
            raise Refused("point {point} is not one of a bucket", point=point.id)
        place = to_site or point.site_id
        if uow.get(Site, place) is None:
            raise NotFound("{what} '{key}' does not exist", what="site", key=place)
        owner = uow.need(InformationSystem, point.system_id).department_id
        actor.must("backup.restore", scopes.department_path(uow, owner, place))
        _must_be_sound(bucket, as_of, point)
        source = from_site or _vault_for(uow, point, place)
        made = begin_restore(uow, core.clock, point, source, place, actor.user_id, bucket, as_of)
        name, told = made.plan["bucket"], dict(made.plan)
        operation_id = made.operation_id
        if operation_id is not None:
            uow.after_commit(lambda: core.bell.ring(operation_id))
        details = {"system": point.system_id, "site": point.site_id, "sequence": point.sequence, "to": place,
                   "vault": source, "restore": made.id, **told}  # fmt: skip
        subject = (starting.POINT_SUBJECT, point.id)
        core.audit.record(uow, actor.user_id, "backup.restore", *subject, details, actor.trace_id)
        return {"id": made.id, "name": point.id, "state": made.state, "site": place, "project": "",
                "bucket": name, "vault": source, "operation_id": operation_id}  # fmt: skip


def begin_restore(  # noqa: PLR0913, PLR0917  # what goes where, as the edges name it
    uow: UnitOfWork,
    clock: Clock,
    point: RecoveryPoint,
    from_site: str,
    to_site: str,
    by: str,
    bucket: str | None = None,
    as_of: datetime | None = None,
) -> Restore:
    """The rows of it, in the transaction of the caller; a name is found where none is given."""
    starting.hold(uow, point, from_site)
    row = uow.add(
        Restore(
            point_id=point.id, from_site_id=from_site, to_site_id=to_site, to_project="", purpose="restore",
            mode=MODE, state="asked", asked_at=clock.now(), asked_by=by,
        )
    )  # fmt: skip
    old = uow.need(PolicyMember, point.member_id).name[:_LONGEST].rstrip(".-")
    moment = as_of.astimezone(UTC).isoformat() if as_of else None
    row.plan = {"bucket": bucket or f"{old}-restored-{row.id}", "as_of": moment}
    kind = starting.work_of(uow, starting.RESTORE, point.member_id)
    subject = (starting.RESTORE_SUBJECT, row.id)
    work = operations.start(uow, clock, kind, subject, to_site, starting.RESTORE_DEADLINE_S)
    row.operation_id = work.id
    uow.flush()
    return row


def _of_time(uow: UnitOfWork, actor: Actor, key: str, as_of: datetime | None) -> RecoveryPoint:
    """The first point of the bucket that was taken at the time or later; the newest where none is named."""
    name, _, site = key.partition("@")
    mine = (PolicyMember.kind == BUCKET, PolicyMember.name == name, PolicyMember.site_id == site)
    members = uow.column(PolicyMember.id, *mine)
    known = (RecoveryPoint.member_id.in_(members), RecoveryPoint.state.in_(starting.READABLE))
    conditions: list[Any] = [*known, *reads.may_see(uow, actor)]
    order = RecoveryPoint.taken_at.desc()
    if as_of is not None:
        conditions.append(RecoveryPoint.taken_at >= as_of.astimezone(UTC))
        order = RecoveryPoint.taken_at.asc()
    found = uow.first(RecoveryPoint, *conditions, order_by=[order])
    if found is None:
        hint = "take a point first: cloudctl backup run; or name an older point"
        template = "the bucket {bucket} has no point that was taken then or later"
        raise NotFound(template, hint=hint, bucket=key[:200])
    return found


def _must_be_sound(bucket: str | None, as_of: datetime | None, point: RecoveryPoint) -> None:
    faults = []
    if bucket is not None and not is_bucket_name(bucket):
        hint = "3 to 63 small letters, digits, dots and dashes"
        faults.append(Fault("bucket", "bad_bucket", "is no name of a bucket", hint=hint))
    if as_of is not None and point.taken_at is not None and as_of > point.taken_at:
        params = {"point": point.id[:8], "taken_at": point.taken_at}
        template = "point {point} was taken at {taken_at}: what came later is not in it"
        faults.append(Fault("as_of", "too_late", template, params))
    if faults:
        raise BadInput("the input has faults", faults=faults)


def _vault_for(uow: UnitOfWork, point: RecoveryPoint, near: str) -> str:
    """The vault to read from: at the site named if it has a copy, else one away from the data, else any."""
    sealed = (PointCopy.point_id == point.id, PointCopy.state == "sealed")
    sites = sorted(uow.column(PointCopy.site_id, *sealed), key=lambda one: (one == point.site_id, one))
    if not sites:
        raise Refused("no vault has a sealed copy of point {point}", point=point.id)
    return near if near in sites else str(sites[0])
