"""Where something lies in the tree: its path of scopes, and what lies below a scope."""

from cloudctl.actors import Scope
from cloudctl.models import Department, Division
from cloudctl.store import UnitOfWork


def project_id(system_id: str, environment: str, site_id: str) -> str:
    """The id of a system's project for an environment at a site, made or not: quotas name it so."""
    return f"{system_id}/{environment}@{site_id}"


def division_path(uow: UnitOfWork, code: str | None) -> list[Scope]:
    """The division and all above it, the narrowest first."""
    path: list[Scope] = []
    while code is not None:
        path.append(("division", code))
        code = uow.need(Division, code).parent_code
    return path


def department_path(uow: UnitOfWork, department_id: str, site_id: str | None = None) -> list[Scope]:
    """The department, its divisions upward, and the site if one is named."""
    department = uow.need(Department, department_id)
    path: list[Scope] = [("department", department_id), *division_path(uow, department.division_code)]
    return [*path, ("site", site_id)] if site_id else path
