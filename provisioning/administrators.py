"""Whom to tell about a site or a department: the people who hold a role there."""

from collections.abc import Sequence

from cloudctl.actors import INSTALLATION, Role, Scope
from cloudctl.models import RoleGrant
from cloudctl.store import UnitOfWork


def holders(uow: UnitOfWork, roles: Sequence[Role], scope: Scope) -> list[str]:
    """The user ids that hold one of the roles at exactly this scope."""
    kind, scope_id = scope
    return uow.column(
        RoleGrant.user_id,
        RoleGrant.role.in_([role.value for role in roles]),
        RoleGrant.scope_kind == kind,
        RoleGrant.scope_id == scope_id,
    )


def of_site(uow: UnitOfWork, site_id: str) -> list[str]:
    """The cloud administrators of a site; those of the province where it has none."""
    own = holders(uow, [Role.CLOUD_ADMIN], ("site", site_id))
    return own or holders(uow, [Role.PROVINCE_ADMIN, Role.CLOUD_ADMIN], INSTALLATION)
