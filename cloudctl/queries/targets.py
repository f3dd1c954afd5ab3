"""Reads around targets: the scopes there are, where they lie, their people, and targets with their notes."""

from collections.abc import Iterable
from typing import Any

from cloudctl.actors import INSTALLATION, Role, Scope
from cloudctl.models import Department, Division, RoleGrant, Site, Target, TargetNote, User
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork

Json = dict[str, Any]


def known_scopes(uow: UnitOfWork) -> dict[str, str]:
    """Every scope that figures can be of, with what it is called; what was retired is not among them."""
    found: dict[str, str] = {}
    for code, name in uow.tuples((Division.code, Division.name), Division.retired_at.is_(None)):
        found[f"division:{code}"] = name
        found[f"own:{code}"] = f"{name}本级"
    for id_, name in uow.tuples((Department.id, Department.name), Department.retired_at.is_(None)):
        found[f"department:{id_}"] = name
    return found


def path_of(uow: UnitOfWork, scope: str) -> list[Scope]:
    """Where a right over the scope may be held: the department, its divisions upward, and their clouds."""
    kind, _, key = scope.partition(":")
    path = scopes.department_path(uow, key) if kind == "department" else scopes.division_path(uow, key)
    codes = [code for what, code in path if what == "division"]
    sites = uow.column(Site.id, Site.division_code.in_(codes), Site.retired_at.is_(None))
    return [*path, *(("site", site) for site in sorted(sites))]


def lies_in(uow: UnitOfWork, wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What each scope lies in, itself first: a department in the own level of its division, and so on up."""
    homes = {str(id_): code for id_, code in uow.tuples((Department.id, Department.division_code))}
    parents = dict(uow.tuples((Division.code, Division.parent_code)))
    found = {}
    for scope in wanted:
        kind, _, key = scope.partition(":")
        path = [scope]
        code = homes.get(key) if kind == "department" else key
        if kind == "department":
            path.append(f"own:{code}")
        if kind == "division":
            code = parents.get(key)
        while code is not None:
            path.append(f"division:{code}")
            code = parents.get(code)
        found[scope] = tuple(path)
    return found


def parts_below(uow: UnitOfWork, scope: str, to: str) -> list[str]:
    """The scopes that together are the whole of this one: `divisions` one level below and its own level, or
    `departments` inside it."""
    kind, _, key = scope.partition(":")
    if to == "divisions":
        below = (Division.parent_code == key, Division.retired_at.is_(None))
        codes = uow.column(Division.code, *below) if kind == "division" else []
        return [f"own:{key}", *(f"division:{code}" for code in sorted(codes))] if codes else []
    ids = uow.column(Department.id, Department.retired_at.is_(None))
    paths = lies_in(uow, [f"department:{id_}" for id_ in sorted(ids)])
    return [one for one, path in paths.items() if scope in path and one != scope]


def people_of(uow: UnitOfWork, scope: str) -> set[str]:
    """Who answers for the scope: a department's approvers, a division's reviewers, the province's people."""
    kind, _, key = scope.partition(":")
    if kind == "department":
        return _holders(uow, Role.DEPARTMENT_APPROVER, [("department", key)])
    found = _holders(uow, Role.DIVISION_REVIEWER, [("division", key)])
    division = uow.get(Division, key)
    if division is not None and division.parent_code is None:
        found |= _holders(uow, Role.PROVINCE_ADMIN, [INSTALLATION])
    if kind == "own":
        inside = uow.column(Department.id, Department.division_code == key, Department.retired_at.is_(None))
        found |= _holders(uow, Role.DEPARTMENT_APPROVER, [("department", id_) for id_ in inside])
    return found


def notes(uow: UnitOfWork, target_id: int) -> list[Json]:
    """What was urged and reported about a target, the newest first."""
    rows = uow.all(TargetNote, TargetNote.target_id == target_id, order_by=[TargetNote.id.desc()])
    names = {user.id: user.name for user in uow.all(User, User.id.in_({row.by for row in rows}))}
    return [
        {
            "id": row.id,
            "name": row.text,
            "state": row.kind,
            "figures": row.figures,
            "at": row.at,
            "by": row.by,
            "by_name": names.get(row.by),
        }
        for row in rows
    ]


def list_targets(
    uow: UnitOfWork, scope: str | None, measure: str | None, is_open: bool, parent: int | None
) -> list[Target]:
    """Targets by day, measure and scope."""
    conditions: list[Any] = [Target.closed_at.is_(None)] if is_open else []
    for column, value in ((Target.scope, scope), (Target.measure, measure), (Target.parent_id, parent)):
        if value is not None:
            conditions.append(column == value)
    return uow.all(Target, *conditions, order_by=[Target.due_on, Target.measure, Target.scope, Target.id])


def _holders(uow: UnitOfWork, role: Role, where: list[Scope]) -> set[str]:
    """Who holds the role at exactly one of these scopes; nobody who is disabled."""
    wanted = set(where)
    held = uow.tuples(
        (RoleGrant.user_id, RoleGrant.scope_kind, RoleGrant.scope_id), RoleGrant.role == role.value
    )
    ids = {user for user, kind, key in held if (kind, key) in wanted}
    return set(uow.column(User.id, User.id.in_(ids), User.disabled_at.is_(None)))
