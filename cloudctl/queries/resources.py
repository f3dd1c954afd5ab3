"""Reads of servers, volumes, ports and whatever else there is on the clouds, as the actor may see.

A department sees its own, a division all inside it, a site's administrators everything at their site.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Resource
from cloudctl.queries.moments import iso
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
SHOWN_KINDS = ("server", "volume", "port", "security_group")


def list_resources(
    uow: UnitOfWork,
    actor: Actor,
    system: str | None = None,
    request: int | None = None,
    site: str | None = None,
    kind: str | None = None,
    with_released: bool = False,
) -> Rows:
    """What is there: the newest request first, servers before their volumes and ports."""
    conditions = [*may_see(uow, actor)]
    filters = (
        (Resource.system_id, system),
        (Resource.request_id, request),
        (Resource.site_id, site),
        (Resource.kind, kind),
    )
    conditions += [column == value for column, value in filters if value is not None]
    if not with_released and request is None:
        conditions.append(Resource.state != ResourceState.RELEASED)
    rows = uow.all(Resource, *conditions)
    order = {name: index for index, name in enumerate(SHOWN_KINDS)}
    rows.sort(key=lambda row: (-(row.request_id or 0), order.get(row.kind, len(order)), row.name))
    return [as_json(row) for row in rows]


def show_resource(uow: UnitOfWork, actor: Actor, key: str) -> Json:
    """One by its id, name or id at the cloud; NotFound when not seen, or when the name fits several."""
    named = or_(Resource.id == key, Resource.name == key, Resource.external_id == key)
    found = uow.all(Resource, *may_see(uow, actor), named)
    living = [row for row in found if row.state != ResourceState.RELEASED] or found
    if len(living) != 1:
        raise NotFound("{what} '{key}' does not exist", what="resource", key=key)
    row = living[0]
    server_id = row.spec.get("server") if row.kind != "server" else row.id
    parts = _parts(uow, server_id) if server_id else []
    return {**as_json(row), "spec": dict(row.spec), "amounts": dict(row.amounts), "parts": parts}


def of_request(uow: UnitOfWork, request_id: int) -> Rows:
    """The resources of one request, for whoever may see the request."""
    rows = uow.all(Resource, Resource.request_id == request_id, order_by=[Resource.name])
    return [as_json(row) for row in rows]


def as_json(row: Resource) -> Json:
    """The keys that scripts rely on."""
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "kind": row.kind,
        "site": row.site_id,
        "external_id": row.external_id,
        "addresses": dict(row.addresses or {}),
        "project": row.project_id,
        "system": row.system_id,
        "department": row.department_id,
        "request": row.request_id,
        "origin": row.origin,
        "size_gib": (row.spec or {}).get("size_gib"),
        "flavor": (row.spec or {}).get("flavor"),
        "created_at": iso(row.created_at),
        "active_at": iso(row.active_at),
        "ended_at": iso(row.ended_at),
    }


def may_see(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    """Conditions on resources; none for whoever sees everything."""
    return Sight(uow, actor, "resource.see").own(Resource.department_id.in_, Resource.site_id)


def _parts(uow: UnitOfWork, server_id: str) -> Rows:
    """The server and what belongs to it."""
    server = uow.get(Resource, server_id)
    if server is None or server.kind != "server":
        return []
    spec = server.spec or {}
    ids = [one for one in (server.id, spec.get("boot"), spec.get("port"), *spec.get("data", [])) if one]
    rows = uow.all(Resource, Resource.id.in_(ids), order_by=[Resource.name])
    return [{"id": row.id, "name": row.name, "state": row.state, "kind": row.kind} for row in rows]
