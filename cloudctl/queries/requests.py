"""Reads of requests: what a person may see, the whole of one, what waits for them, who could decide."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, or_, select

from cloudctl.actors import INSTALLATION, Actor, Role, Scope
from cloudctl.errors import NotFound
from cloudctl.lifecycle import RequestState
from cloudctl.models import (
    Approval,
    Department,
    Division,
    Hold,
    InformationSystem,
    Project,
    Resource,
    RoleGrant,
    ServiceRequest,
    User,
)
from cloudctl.queries import scopes
from cloudctl.queries.moments import iso
from cloudctl.store import UnitOfWork


def rows(
    uow: UnitOfWork,
    actor: Actor,
    state: str | None = None,
    mine: bool = False,
    department: str | None = None,
    limit: int | None = None,
    marker: int | None = None,
) -> list[dict[str, Any]]:
    """Requests the actor may see, the newest first; `marker` is the id of the last one already shown."""
    conditions: list[Any] = [_visible(uow, actor)]
    if state:
        conditions.append(ServiceRequest.state == state)
    if mine:
        conditions.append(ServiceRequest.requested_by == actor.user_id)
    if department:
        conditions.append(ServiceRequest.department_id == department)
    if marker is not None:
        conditions.append(ServiceRequest.id < int(marker))
    found = uow.all(ServiceRequest, *conditions, order_by=[ServiceRequest.id.desc()], limit=limit)
    names = _Names(uow, found)
    return [_as_json(row, names) for row in found]


def show(uow: UnitOfWork, actor: Actor, request_id: int) -> dict[str, Any]:
    """The whole of one request; NotFound when there is none that the actor may see."""
    row = uow.first(ServiceRequest, ServiceRequest.id == int(request_id), _visible(uow, actor))
    if row is None:
        raise NotFound("request {id} does not exist", id=request_id)
    names = _Names(uow, [row])
    return {
        **_as_json(row, names),
        "draft": row.draft,
        "reason": row.reason,
        "stages": _stages(uow, row),
        "approvals": _approvals(uow, row.id),
        "holds": _holds(uow, row.id),
        "resources": _resources(uow, row),
        "delivered": row.delivered,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "cloud_request_id": row.cloud_request_id,
    }


def inbox(uow: UnitOfWork, actor: Actor) -> list[dict[str, Any]]:
    """The requests whose present stage the actor could decide, those that have waited longest first."""
    waiting = uow.all(
        ServiceRequest,
        ServiceRequest.state == RequestState.AWAITING_APPROVAL,
        ServiceRequest.requested_by != actor.user_id,
        order_by=[ServiceRequest.changed_at, ServiceRequest.id],
    )
    mine = [row for row in waiting if _is_for(uow, actor, row)]
    names = _Names(uow, mine)
    return [{**_as_json(row, names), "stages": _stages(uow, row)} for row in mine]


def people_for(uow: UnitOfWork, role: Role, scope: Scope, but: Iterable[str] = ()) -> list[User]:
    """Who holds the role at the scope or anywhere above it, by name; nobody who is disabled."""
    path = {*stage_path(uow, scope), INSTALLATION}
    statement = select(RoleGrant.user_id, RoleGrant.scope_kind, RoleGrant.scope_id)
    holders = {
        user
        for user, kind, key in uow.session.execute(statement.where(RoleGrant.role == role.value))
        if (kind, key) in path
    }
    users = uow.all(User, User.id.in_(holders - set(but)), User.disabled_at.is_(None))
    return sorted(users, key=lambda user: user.id)


def stage_path(uow: UnitOfWork, scope: Scope) -> list[Scope]:
    """The scope of a stage and everything it lies in."""
    kind, key = scope
    if kind == "department":
        return scopes.department_path(uow, key)
    if kind == "division":
        return scopes.division_path(uow, key)
    return [scope]


def round_of(uow: UnitOfWork, request_id: int) -> int:
    """The round of approvals a request is in: one more than how often it was returned."""
    returned = (Approval.request_id == request_id, Approval.verdict == "returned")
    return 1 + uow.count(Approval, *returned)


def approvers(uow: UnitOfWork, request_id: int) -> set[str]:
    """Who has approved a stage in the present round."""
    now = (Approval.request_id == request_id, Approval.round == round_of(uow, request_id))
    return set(uow.column(Approval.decided_by, *now, Approval.verdict == "approved"))


def _is_for(uow: UnitOfWork, actor: Actor, row: ServiceRequest) -> bool:
    stage = row.stages[row.stage]
    path = stage_path(uow, (stage["scope_kind"], stage["scope_id"]))
    return actor.has(Role(stage["role"]), path) and actor.user_id not in approvers(uow, row.id)


def _visible(uow: UnitOfWork, actor: Actor) -> Any:
    """The condition that a request is the actor's own or lies where they may look."""
    seen = actor.scopes("request.see")
    if INSTALLATION in seen:
        return ServiceRequest.id.is_not(None)
    departments = {key for kind, key in seen if kind == "department"}
    divisions = _with_divisions_below(uow, {key for kind, key in seen if kind == "division"})
    below = select(Department.id).where(Department.division_code.in_(divisions))
    return or_(
        ServiceRequest.requested_by == actor.user_id,
        ServiceRequest.department_id.in_(departments),
        ServiceRequest.department_id.in_(below),
        ServiceRequest.site_id.in_({key for kind, key in seen if kind == "site"}),
    )


def _with_divisions_below(uow: UnitOfWork, codes: set[str]) -> set[str]:
    found, edge = set(codes), set(codes)
    while edge:
        edge = set(uow.column(Division.code, Division.parent_code.in_(edge))) - found
        found |= edge
    return found


class _Names:
    """What people read for the ids in rows."""

    def __init__(self, uow: UnitOfWork, found: list[ServiceRequest]) -> None:
        def names(model: Any, ids: set[str]) -> dict[str, str]:
            return {row.id: row.name for row in uow.all(model, model.id.in_(ids))}

        self.departments = names(Department, {row.department_id for row in found})
        self.systems = names(InformationSystem, {row.system_id for row in found})
        self.people = names(User, {row.requested_by for row in found})
        projects = uow.all(Project, Project.id.in_({row.project_id for row in found}))
        self.environments = {row.id: row.environment for row in projects}


def _as_json(row: ServiceRequest, names: _Names) -> dict[str, Any]:
    stage = row.stages[row.stage] if row.state == RequestState.AWAITING_APPROVAL and row.stages else None
    return {
        "id": row.id,
        "name": title(row.kind, row.draft),
        "state": row.state,
        "kind": row.kind,
        "department": row.department_id,
        "department_name": names.departments.get(row.department_id),
        "system": row.system_id,
        "system_name": names.systems.get(row.system_id),
        "environment": names.environments.get(row.project_id),
        "project": row.project_id,
        "site": row.site_id,
        "zone": row.zone,
        "needed": row.needed,
        "waits_for": stage["title"] if stage else None,
        "stage": row.stage,
        "approval_number": row.approval_number,
        "payer": row.payer,
        "requested_by": row.requested_by,
        "requested_by_name": names.people.get(row.requested_by),
        "created_at": row.created_at.isoformat(),
        "changed_at": row.changed_at.isoformat(),
        "expires_at": iso(row.expires_at),
        "ended_at": iso(row.ended_at),
        "operation_id": row.operation_id,
        "version": row.version,
    }


def title(kind: str, draft: dict[str, Any]) -> str:
    """A request in a few words that need no translation: `3 x gov.medium`."""
    if kind == "vm":
        return f"{len(draft.get('servers', ()))} x {draft.get('flavor')}"
    if kind == "volume":
        volumes = draft.get("volumes", ())
        return f"{len(volumes)} x volume, {sum(one['size_gib'] for one in volumes)} GiB"
    if kind == "backup":
        return f"backup {draft.get('tier')}"
    if kind == "release":
        return f"release {len(draft.get('resources', ()))}"
    return kind


def _stages(uow: UnitOfWork, row: ServiceRequest) -> list[dict[str, Any]]:
    """Each stage with where it stands, and for those still open who could decide."""
    decided = set() if row.state == RequestState.RETURNED else approvers(uow, row.id)
    stages = []
    for index, stage in enumerate(row.stages):
        is_open = index >= row.stage and row.state == RequestState.AWAITING_APPROVAL
        people = []
        if is_open:
            scope = (stage["scope_kind"], stage["scope_id"])
            people = people_for(uow, Role(stage["role"]), scope, {row.requested_by, *decided})
        state = "approved" if index < row.stage else "waiting" if is_open and index == row.stage else "open"
        who = [{"id": user.id, "name": user.name} for user in people]
        stages.append({**stage, "state": state, "who": who})
    return stages


def _approvals(uow: UnitOfWork, request_id: int) -> list[dict[str, Any]]:
    statement = (
        select(Approval, User.name)
        .join(User, User.id == Approval.decided_by)
        .where(Approval.request_id == request_id)
        .order_by(Approval.id)
    )
    return [
        {
            "id": one.id,
            "name": one.stage_name,
            "state": one.verdict,
            "round": one.round,
            "stage": one.stage,
            "opinion": one.opinion,
            "by": one.decided_by,
            "by_name": name,
            "at": one.decided_at.isoformat(),
        }
        for one, name in uow.session.execute(statement)
    ]


def _holds(uow: UnitOfWork, request_id: int) -> list[dict[str, Any]]:
    return [
        {"id": hold.id, "name": hold.kind, "state": hold.state, "kind": hold.kind, "amount": hold.amount}
        for hold in uow.all(Hold, Hold.request_id == request_id, order_by=[Hold.id])
    ]


def _resources(uow: UnitOfWork, row: ServiceRequest) -> list[dict[str, Any]]:
    mine = Resource.request_id == row.id
    if row.kind == "release":
        mine = Resource.id.in_(row.draft.get("resources", ()))
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "site": one.site_id,
            "external_id": one.external_id,
            "name": one.name,
            "state": one.state,
            "addresses": one.addresses,
        }
        for one in uow.all(Resource, mine, order_by=[Resource.kind.desc(), Resource.name])
    ]


def count_by_state(uow: UnitOfWork, actor: Actor) -> dict[str, int]:
    """How many requests the actor may see in each state."""
    statement = select(ServiceRequest.state, func.count()).where(_visible(uow, actor))
    return dict(uow.session.execute(statement.group_by(ServiceRequest.state)).all())
