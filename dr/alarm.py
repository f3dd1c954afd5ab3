"""Alarms: what somebody responsible for a site has to look at now, as a notice that wants something done."""

from collections.abc import Mapping
from typing import Any

from cloudctl import notices
from cloudctl.actors import Role
from cloudctl.clock import Clock
from cloudctl.models import RoleGrant, User
from cloudctl.store import UnitOfWork


def raise_alarm(
    uow: UnitOfWork,
    clock: Clock,
    site_id: str,
    template: str,
    params: Mapping[str, Any],
    subject: tuple[str, object],
) -> None:
    """Tell the administrators of the site's cloud, and those of the province, in the caller's transaction."""
    at_site = (RoleGrant.role == Role.CLOUD_ADMIN.value) & (RoleGrant.scope_id == site_id)
    grants = uow.all(RoleGrant, at_site | (RoleGrant.role == Role.PROVINCE_ADMIN.value))
    ids = {grant.user_id for grant in grants}
    people = uow.all(User, User.id.in_(ids), User.disabled_at.is_(None)) if ids else []
    notices.tell(uow, clock, [one.id for one in people], template, params, subject, needs_action=True)
