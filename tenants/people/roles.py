"""Roles: who may hold what where, given and taken by somebody else."""

from collections.abc import Callable, Iterable, Mapping

from cloudctl.actors import INSTALLATION, Actor, Grant, Role, Scope
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound, Refused, SecondPersonNeeded
from cloudctl.models import Department, Division, RoleGrant, Site, User
from cloudctl.store import UnitOfWork

EXCLUSIVE = frozenset({Role.SYSTEM_ADMIN, Role.AUDITOR})
SCOPES: Mapping[Role, frozenset[str]] = {
    Role.REQUESTER: frozenset({"department"}),
    Role.DEPARTMENT_APPROVER: frozenset({"department"}),
    Role.DIVISION_REVIEWER: frozenset({"division"}),
    Role.CLOUD_ADMIN: frozenset({"site", "installation"}),
    Role.DR_OFFICER: frozenset({"site", "division", "installation"}),
    Role.PROVINCE_ADMIN: frozenset({"installation"}),
    Role.SYSTEM_ADMIN: frozenset({"installation"}),
    Role.AUDITOR: frozenset({"installation", "division", "department"}),
}


def role_faults(role: str, scope: Scope) -> list[Fault]:
    """What is wrong with a role at a scope in itself."""
    if role not in {known.value for known in Role}:
        known = {"known": ", ".join(known.value for known in Role)}
        return [Fault("role", "unknown_role", "is not a role", known, "known: {known}")]
    kinds = SCOPES[Role(role)]
    if scope[0] not in kinds:
        params = {"role": role, "kinds": ", ".join(sorted(kinds))}
        return [Fault("scope", "bad_scope", "the role {role} is held at: {kinds}", params)]
    if scope[0] == "installation" and scope != INSTALLATION:
        return [Fault("scope", "bad_scope", "the installation is written installation:*")]
    return []


def mix_refused(held: Iterable[str], new: Role) -> bool:
    """Whether the role may not be added to those held: who administers or audits does nothing else."""
    others = {Role(role) for role in held} - {new}
    return bool(others) and (new in EXCLUSIVE or bool(others & EXCLUSIVE))


def grant_role(core: Core, actor: Actor, user_id: str, role: str, scope: Scope) -> int:
    """Give a role at a scope; the grant's id. Held already changes nothing.

    SecondPersonNeeded for oneself; Refused when the roles must not be in one hand.
    """
    actor.must("user.change")
    if actor.user_id == user_id:
        raise SecondPersonNeeded("nobody gives themselves a role; another administrator must")
    faults = role_faults(role, scope)
    with core.store.write() as uow:
        if not faults and not _scope_exists(uow, scope):
            faults.append(Fault("scope", "unknown_scope", "there is no {scope}", {"scope": ":".join(scope)}))
        if faults:
            raise BadInput("the role cannot be given", faults=faults)
        user = uow.for_update(User, user_id)
        if user.disabled_at is not None:
            raise Refused("the account of {user} is closed", user=user_id)
        held = uow.all(RoleGrant, RoleGrant.user_id == user_id)
        for grant in held:
            if (grant.role, grant.scope_kind, grant.scope_id) == (role, *scope):
                return grant.id
        if mix_refused([grant.role for grant in held], Role(role)):
            raise Refused(
                "{role} cannot be held beside other roles: who administers or audits does nothing else",
                role=role,
            )
        return add_grant(core, uow, actor, user_id, Role(role), scope)


def revoke_role(core: Core, actor: Actor, user_id: str, grant_id: int) -> None:
    """Take a role away. NotFound when the user has no such grant."""
    actor.must("user.change")
    with core.store.write() as uow:
        grant = uow.first(RoleGrant, RoleGrant.id == grant_id, RoleGrant.user_id == user_id)
        if grant is None:
            raise NotFound("{user} holds no role number {grant}", user=user_id, grant=grant_id)
        if grant.role == Role.SYSTEM_ADMIN:
            keep_an_administrator(uow, user_id)
        details = {"role": grant.role, "scope": f"{grant.scope_kind}:{grant.scope_id}"}
        if uow.delete(RoleGrant, RoleGrant.id == grant_id):
            record_change(core, uow, actor, "role.revoke", user_id, details)


def actor_of(uow: UnitOfWork, user: User, trace_id: str | None = None) -> Actor:
    """The person with all roles held now."""
    grants = frozenset(
        Grant(Role(row.role), (row.scope_kind, row.scope_id))
        for row in uow.all(RoleGrant, RoleGrant.user_id == user.id)
    )
    return Actor(user.id, user.name, user.department_id, grants, trace_id)


def keep_an_administrator(uow: UnitOfWork, user_id: str) -> None:
    """Refused when this person is the last system administrator who can sign in."""
    admins = uow.all(RoleGrant, RoleGrant.role == Role.SYSTEM_ADMIN.value, order_by=[RoleGrant.id])
    holders = [uow.for_update(RoleGrant, grant.id).user_id for grant in admins]  # two at once would both pass
    left = [
        user for user in uow.all(User, User.id.in_(holders), User.disabled_at.is_(None)) if user.id != user_id
    ]
    if user_id in holders and not left:
        raise Refused("{user} is the last system administrator", user=user_id)


def add_grant(core: Core, uow: UnitOfWork, actor: Actor, user_id: str, role: Role, scope: Scope) -> int:
    """Write a grant with its event, in the caller's transaction."""
    grant = uow.add(
        RoleGrant(
            user_id=user_id,
            role=role.value,
            scope_kind=scope[0],
            scope_id=scope[1],
            granted_by=actor.user_id,
            granted_at=core.clock.now(),
        )
    )
    record_change(core, uow, actor, "role.grant", user_id, {"role": role.value, "scope": ":".join(scope)})
    return grant.id


_EXISTS: Mapping[str, Callable[[UnitOfWork, str], bool]] = {
    "department": lambda uow, key: is_current(uow.get(Department, key)),
    "division": lambda uow, key: is_current(uow.get(Division, key)),
    "site": lambda uow, key: is_current(uow.get(Site, key)),
    "installation": lambda _uow, key: key == "*",
}


def _scope_exists(uow: UnitOfWork, scope: Scope) -> bool:
    return _EXISTS[scope[0]](uow, scope[1])


def is_current(row: Department | Division | Site | None) -> bool:
    """Whether it is there and not retired."""
    return row is not None and row.retired_at is None


def record_change(
    core: Core,
    uow: UnitOfWork,
    actor: Actor,
    action: str,
    user_id: str,
    details: Mapping[str, object] | None = None,
) -> None:
    """Put on record what somebody did to an account or its roles."""
    core.audit.record(uow, actor.user_id, action, "user", user_id, details, actor.trace_id)
