"""Reads of exemptions (不宜上云): those of systems one sees, and those one asked for oneself."""

from typing import Any

from sqlalchemy import or_, select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import Department, Exemption, InformationSystem, User
from cloudctl.queries.register import CLASSIFIED_NAME
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
PAGE = 100


def list_exemptions(
    uow: UnitOfWork,
    actor: Actor,
    state: str | None = None,
    system: str | None = None,
    limit: int = PAGE,
    marker: int | None = None,
) -> Rows:
    """The newest first, before `marker`."""
    conditions = [_visible(uow, actor)]
    for column, value in ((Exemption.state, state), (Exemption.system_id, system)):
        if value is not None:
            conditions.append(column == value)
    if marker is not None:
        conditions.append(Exemption.id < marker)
    return _rows(uow, uow.all(Exemption, *conditions, order_by=[Exemption.id.desc()], limit=limit))


def show_exemption(uow: UnitOfWork, actor: Actor, exemption_id: int) -> Json:
    """One; NotFound when there is none that the actor may see."""
    row = uow.first(Exemption, Exemption.id == exemption_id, _visible(uow, actor))
    if row is None:
        raise NotFound("exemption {id} does not exist", id=exemption_id)
    return _rows(uow, [row])[0]


def count_to_decide(uow: UnitOfWork, actor: Actor) -> int:
    """How many wait for this person's decision."""
    if not actor.may("migration.decide"):
        return 0
    return uow.count(Exemption, Exemption.state == "asked", Exemption.asked_by != actor.user_id)


def _visible(uow: UnitOfWork, actor: Actor) -> Any:
    departments = select(Department.id).where(*Sight(uow, actor, "system.see").departments())
    systems = select(InformationSystem.id).where(InformationSystem.department_id.in_(departments))
    return or_(Exemption.system_id.in_(systems), Exemption.asked_by == actor.user_id)


def _rows(uow: UnitOfWork, found: list[Exemption]) -> Rows:
    systems = {
        row.id: row
        for row in uow.all(InformationSystem, InformationSystem.id.in_({one.system_id for one in found}))
    }
    owners = {
        row.id: row.name
        for row in uow.all(Department, Department.id.in_({one.department_id for one in systems.values()}))
    }
    people = {one.asked_by for one in found} | {one.decided_by for one in found if one.decided_by}
    names = {user.id: user.name for user in uow.all(User, User.id.in_(people))}
    return [_row(one, systems[one.system_id], owners, names) for one in found]


def _row(one: Exemption, system: InformationSystem, owners: dict[str, str], names: dict[str, str]) -> Json:
    return {
        "id": one.id,
        "name": CLASSIFIED_NAME if system.is_classified else system.name,
        "state": one.state,
        "system": one.system_id,
        "department": system.department_id,
        "department_name": owners.get(system.department_id),
        "clause": one.clause,
        "document": one.document,
        "until": one.until,
        "reason": one.reason,
        "asked_by": one.asked_by,
        "asked_by_name": names.get(one.asked_by),
        "asked_at": one.asked_at,
        "decided_by": one.decided_by,
        "decided_by_name": names.get(one.decided_by or ""),
        "decided_at": one.decided_at,
        "opinion": one.opinion,
    }
