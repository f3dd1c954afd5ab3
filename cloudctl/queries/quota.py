"""Reads of the quota ledger: rows with what they leave, and the truth that counters are counted from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.engine import CursorResult

from cloudctl.actors import INSTALLATION, Actor
from cloudctl.amounts import Amounts, Kind, Limited, room
from cloudctl.lifecycle import HoldState, RequestState, ResourceState
from cloudctl.models import (
    ANY_SITE,
    Department,
    Division,
    Hold,
    InformationSystem,
    PlanReserve,
    Project,
    QuotaRow,
    Resource,
    ServiceRequest,
)
from cloudctl.store import UnitOfWork

Scope = tuple[str, str]
_OWNERS = (InformationSystem.id, InformationSystem.department_id)
_BEING_MADE = (RequestState.BUILDING, RequestState.CANCELLING)
COUNTED = (
    ResourceState.BUILDING,
    ResourceState.ACTIVE,
    ResourceState.ERROR,
    ResourceState.RELEASING,
    ResourceState.MISSING,
)


def rows(
    uow: UnitOfWork,
    actor: Actor,
    scope: str | None = None,
    site: str | None = None,
    kind: str | None = None,
) -> list[dict[str, Any]]:
    """Limits and counters the actor may see; `free` is what the tightest level leaves, null without limit."""
    conditions: list[Any] = []
    if scope:
        scope_kind, _, scope_id = scope.partition(":")
        conditions += [QuotaRow.scope_kind == scope_kind, QuotaRow.scope_id == scope_id]
    if site:
        conditions.append(QuotaRow.site == site)
    if kind:
        conditions.append(QuotaRow.kind == kind)
    parents = parent_scopes(uow)
    found = [row for row in uow.all(QuotaRow, *conditions) if _may_see(actor, row, parents)]
    levels = _levels(uow, found, parents)
    order = {one.value: index for index, one in enumerate(Kind)}
    found.sort(key=lambda row: (row.scope_kind, row.scope_id, row.site, order[row.kind]))
    return [_as_json(row, _free(row, parents, levels)) for row in found]


def parent_scopes(uow: UnitOfWork) -> dict[Scope, Scope]:
    """The scope above each project, department and division."""
    parents: dict[Scope, Scope] = {}
    for code, parent in uow.session.execute(select(Division.code, Division.parent_code)):
        if parent is not None:
            parents["division", code] = ("division", parent)
    for department, code in uow.session.execute(select(Department.id, Department.division_code)):
        parents["department", department] = ("division", code)
    owners = {row.id: row.department_id for row in uow.session.execute(select(*_OWNERS))}
    for project in uow.column(QuotaRow.scope_id, QuotaRow.scope_kind == "project"):
        if (owner := owners.get(project.split("/")[0])) is not None:  # a limit may come before the project
            parents["project", project] = ("department", owner)
    for project, department in uow.session.execute(select(Project.id, Project.department_id)):
        parents["project", project] = ("department", department)
    return parents


def chain_of(scope: Scope, parents: dict[Scope, Scope]) -> list[Scope]:
    """The scope and all above it."""
    chain = [scope]
    while chain[-1] in parents:
        chain.append(parents[chain[-1]])
    return chain


def lock_counters(uow: UnitOfWork) -> None:
    """Lock every counter, in the one order of all writers: by level from the project up, then by row id."""
    lock = select(QuotaRow.id).order_by(QuotaRow.id).with_for_update(of=QuotaRow)
    for scope_kind in ("project", "department"):
        uow.session.execute(lock.where(QuotaRow.scope_kind == scope_kind)).all()
    for level in ("township", "county", "city", "province"):
        codes = uow.column(Division.code, Division.level == level)
        here = (QuotaRow.scope_kind == "division", QuotaRow.scope_id.in_(codes))
        uow.session.execute(lock.where(*here)).all()


def lock_rows(uow: UnitOfWork, row_ids: Iterable[int]) -> dict[int, Limited]:
    """Lock these counters by row id; limit, guarantee and load of each, as of now."""
    columns = (QuotaRow.id, QuotaRow.limit, QuotaRow.guarantee, QuotaRow.load)
    statement = select(*columns).where(QuotaRow.id.in_(list(row_ids)))
    found = uow.session.execute(statement.order_by(QuotaRow.id).with_for_update())
    return {row_id: (limit, guarantee, load) for row_id, limit, guarantee, load in found}


def add_to_rows(uow: UnitOfWork, parts: Mapping[int, tuple[int, int, int]], is_grant: bool) -> int:
    """Add (held, used, load) to counters in one guarded update; how many it was right for.

    With `is_grant` a load only grows where it stays within the limit.
    """
    held, used, load = (
        case({row_id: part[index] for row_id, part in parts.items()}, value=QuotaRow.id, else_=0)
        for index in range(3)
    )
    statement = update(QuotaRow).where(QuotaRow.id.in_(list(parts)))
    if is_grant:
        fits = or_(QuotaRow.limit.is_(None), load <= 0, QuotaRow.load + load <= QuotaRow.limit)
        statement = statement.where(fits)
    statement = statement.values(
        held=QuotaRow.held + held, used=QuotaRow.used + used, load=QuotaRow.load + load
    )
    result = uow.session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def counters(uow: UnitOfWork, *conditions: Any) -> list[tuple[Any, ...]]:
    """Counters that meet the conditions, as tuples of the columns named here; never from memory."""
    columns = (
        QuotaRow.id, QuotaRow.scope_kind, QuotaRow.scope_id, QuotaRow.site, QuotaRow.kind,
        QuotaRow.limit, QuotaRow.guarantee, QuotaRow.held, QuotaRow.used, QuotaRow.load,
    )  # fmt: skip
    statement = select(*columns).where(*conditions).order_by(QuotaRow.id)
    return [tuple(row) for row in uow.session.execute(statement)]


def held_amounts(uow: UnitOfWork) -> dict[tuple[str, str], Amounts]:
    """What open requests and the reserves of protection plans hold, by project and site."""
    by_requests = (
        select(Hold.project_id, Hold.site_id, Hold.kind, func.sum(Hold.amount))
        .where(Hold.state == HoldState.HELD)
        .group_by(Hold.project_id, Hold.site_id, Hold.kind)
    )
    one = PlanReserve
    by_plans = select(one.project_id, one.site_id, one.kind, func.sum(one.amount)).group_by(
        one.project_id, one.site_id, one.kind
    )
    found: dict[tuple[str, str], Amounts] = {}
    for project, site, kind, amount in (*uow.session.execute(by_requests), *uow.session.execute(by_plans)):
        found[project, site] = found.get((project, site), Amounts()) + Amounts({kind: int(amount)})
    return found


def used_amounts(uow: UnitOfWork, project_id: str | None = None) -> dict[tuple[str, str], Amounts]:
    """What the resources of projects count, by project and site.

    What an open request is making is not in it: that is still held.
    """
    statement = (
        select(Resource.project_id, Project.site_id, Resource.amounts)
        .join(Project, Project.id == Resource.project_id)
        .outerjoin(ServiceRequest, ServiceRequest.id == Resource.request_id)
        .where(Resource.state.in_(COUNTED))
        .where(or_(ServiceRequest.id.is_(None), ServiceRequest.state.not_in(_BEING_MADE)))
    )
    if project_id is not None:
        statement = statement.where(Resource.project_id == project_id)
    found: dict[tuple[str, str], Amounts] = {}
    for project, site, amounts in uow.session.execute(statement):
        key = (str(project), site)
        found[key] = found.get(key, Amounts()) + Amounts(amounts)
    return found


def _may_see(actor: Actor, row: QuotaRow, parents: dict[Scope, Scope]) -> bool:
    seen = actor.scopes("quota.see")
    above = chain_of((row.scope_kind, row.scope_id), parents)
    return INSTALLATION in seen or ("site", row.site) in seen or not seen.isdisjoint(above)


def _levels(
    uow: UnitOfWork, found: Sequence[QuotaRow], parents: dict[Scope, Scope]
) -> dict[tuple[str, str, str, str], Limited]:
    wanted = {scope for row in found for scope in chain_of((row.scope_kind, row.scope_id), parents)}
    kinds = {row.kind for row in found}
    above = uow.all(QuotaRow, QuotaRow.scope_id.in_({key for _, key in wanted}), QuotaRow.kind.in_(kinds))
    return {
        (row.scope_kind, row.scope_id, row.site, row.kind): (row.limit, row.guarantee, row.load)
        for row in above
    }


def _free(
    row: QuotaRow, parents: dict[Scope, Scope], levels: dict[tuple[str, str, str, str], Limited]
) -> int | None:
    """What the tightest level leaves, at the row's site and over all sites."""
    chain = chain_of((row.scope_kind, row.scope_id), parents)
    left = [
        room(levels.get((*scope, site, row.kind), (None, 0, 0)) for scope in chain)
        for site in dict.fromkeys((row.site, ANY_SITE))
    ]
    known = [n for n in left if n is not None]
    return min(known) if known else None


def _as_json(row: QuotaRow, free: int | None) -> dict[str, Any]:
    scope = f"{row.scope_kind}:{row.scope_id}"
    return {
        "id": row.id,
        "name": f"{scope}@{row.site}/{row.kind}",
        "state": None,
        "scope": scope,
        "site": row.site,
        "kind": row.kind,
        "limit": row.limit,
        "guarantee": row.guarantee,
        "held": row.held,
        "used": row.used,
        "load": row.load,
        "free": free,
        "over": 0 if row.limit is None else max(0, row.load - row.limit),
    }
