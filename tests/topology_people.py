"""Who may apply a topology, and who may not."""

from cloudctl.actors import INSTALLATION, Actor, Grant, Role, Scope


def somebody(user_id: str, *grants: tuple[Role, Scope], department_id: str | None = None) -> Actor:
    """A person with these roles."""
    held = frozenset(Grant(role, scope) for role, scope in grants)
    return Actor(user_id, user_id, department_id, held)


def province_admin() -> Actor:
    """The one who may apply."""
    return somebody("dave", (Role.PROVINCE_ADMIN, INSTALLATION))
