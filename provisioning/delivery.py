"""What the people who asked get to know at the end: what is there, how to get in, whom to ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.actors import Role
from cloudctl.models import Resource, RoleGrant, User
from cloudctl.store import UnitOfWork
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.job import Job


def delivered(
    job: Job, resources: Sequence[Resource], contact: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Servers with addresses, user name and the command that opens a session; volumes; project; contact."""
    by_id = {row.id: row for row in resources}
    return {
        "site": job.site.id,
        "site_title": job.site.title,
        "project": {"name": job.project.name, "external_id": job.project.external_id},
        "servers": [_server(row, by_id) for row in resources if row.kind == SERVER],
        "volumes": [_volume(row, by_id) for row in resources if row.kind == VOLUME],
        "contact": [dict(one) for one in contact],
    }


def _server(row: Resource, by_id: Mapping[str, Resource]) -> dict[str, Any]:
    port = by_id.get(row.spec.get("port", ""))
    found = dict(port.addresses) if port is not None and port.kind == PORT else {}
    login = row.spec.get("login")
    first = next(iter([*found.get("ipv4", []), *found.get("ipv6", [])]), None)
    return {
        "name": row.name,
        "label": row.spec.get("label"),
        "external_id": row.external_id,
        "flavor": row.spec.get("flavor"),
        "image": row.spec.get("image"),
        "addresses": found,
        "login": login,
        "connect": f"ssh {login}@{first}" if login and first else None,
    }


def _volume(row: Resource, by_id: Mapping[str, Resource]) -> dict[str, Any]:
    server = by_id.get(row.spec.get("server") or "")
    return {
        "name": row.name,
        "external_id": row.external_id,
        "size_gib": row.spec.get("size_gib"),
        "type": row.spec.get("type"),
        "server": server.name if server is not None else row.spec.get("attach_to"),
    }


def contact(uow: UnitOfWork, site_id: str) -> list[dict[str, Any]]:
    """The administrators of the site's cloud who are still active."""
    grants = uow.all(
        RoleGrant,
        RoleGrant.role == Role.CLOUD_ADMIN.value,
        RoleGrant.scope_kind == "site",
        RoleGrant.scope_id == site_id,
    )
    ids = [grant.user_id for grant in grants]
    people = uow.all(User, User.id.in_(ids), User.disabled_at.is_(None), order_by=[User.id]) if ids else []
    return [{"name": person.name, "phone": person.phone} for person in people]
