"""What can be read about people: accounts, roles and tokens, as the asking person may see them."""

from datetime import datetime
from typing import Any

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import Department, RoleGrant, Token, User
from cloudctl.store import UnitOfWork

Rows = list[dict[str, Any]]


def list_users(
    uow: UnitOfWork,
    actor: Actor,
    now: datetime,
    department: str | None = None,
    limit: int = 100,
    marker: str | None = None,
) -> Rows:
    """Accounts by id, after `marker`. NotAllowed without `user.see`."""
    actor.must("user.see")
    conditions = []
    if department is not None:
        conditions.append(User.department_id == department)
    if marker is not None:
        conditions.append(User.id > marker)
    users = uow.all(User, *conditions, order_by=[User.id], limit=limit)
    grants = _roles(uow, [user.id for user in users])
    return [{**_user(user, now), "roles": grants.get(user.id, [])} for user in users]


def show_user(uow: UnitOfWork, actor: Actor, now: datetime, user_id: str) -> dict[str, Any]:
    """One account. NotFound when there is none, or for others without `user.see`."""
    user = uow.get(User, user_id)
    if user is None or not (actor.may("user.see") or actor.user_id == user_id):
        raise NotFound("user '{key}' does not exist", key=user_id)
    return {**_user(user, now), "roles": _roles(uow, [user_id]).get(user_id, [])}


def who_am_i(uow: UnitOfWork, actor: Actor, now: datetime) -> dict[str, Any]:
    """The asking person with department and roles."""
    user = uow.need(User, actor.user_id)
    department = uow.get(Department, user.department_id) if user.department_id else None
    return {
        **_user(user, now),
        "department_name": department.name if department is not None else None,
        "roles": _roles(uow, [user.id]).get(user.id, []),
    }


def list_tokens(uow: UnitOfWork, actor: Actor, now: datetime) -> Rows:
    """One's own tokens, the newest first; never their values."""
    own = uow.all(Token, Token.user_id == actor.user_id, order_by=[Token.created_at.desc(), Token.id])
    return [_token(token, now) for token in own]


def names_of(uow: UnitOfWork, user_ids: set[str]) -> dict[str, str]:
    """What people are called, by id; who is not a user is left out."""
    return {user.id: user.name for user in uow.all(User, User.id.in_(user_ids))} if user_ids else {}


def units_of(uow: UnitOfWork, user_ids: set[str]) -> dict[str, str]:
    """The names of the departments people belong to, by person; who has none is left out."""
    people = uow.all(User, User.id.in_(user_ids), User.department_id.is_not(None))
    names = {
        row.id: row.name
        for row in uow.all(Department, Department.id.in_({one.department_id for one in people}))
    }
    return {one.id: names[one.department_id] for one in people if one.department_id in names}


def _user(user: User, now: datetime) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "state": _state(user, now),
        "department": user.department_id,
        "phone": user.phone,
        "language": user.language,
        "must_change_password": user.must_change_password,
        "locked_until_at": user.locked_until,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
    }


def _state(user: User, now: datetime) -> str:
    if user.disabled_at is not None:
        return "disabled"
    return "locked" if user.locked_until is not None and user.locked_until > now else "active"


def _roles(uow: UnitOfWork, user_ids: list[str]) -> dict[str, Rows]:
    by_user: dict[str, Rows] = {}
    for row in uow.all(RoleGrant, RoleGrant.user_id.in_(user_ids), order_by=[RoleGrant.id]):
        by_user.setdefault(row.user_id, []).append(
            {
                "id": row.id,
                "name": row.role,
                "state": None,
                "scope": f"{row.scope_kind}:{row.scope_id}",
                "granted_by": row.granted_by,
                "granted_at": row.granted_at,
            }
        )
    return by_user


def _token(token: Token, now: datetime) -> dict[str, Any]:
    if token.revoked_at is not None:
        state = "revoked"
    else:
        state = "expired" if token.expires_at <= now else "active"
    return {
        "id": token.id,
        "name": token.name,
        "state": state,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
