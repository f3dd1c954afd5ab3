"""What a system looked like when its point was taken: what a stranger needs to build it again. Only reads."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from cloudctl.models import InformationSystem, PolicyMember, Project, Resource, SiteZone
from cloudctl.store import UnitOfWork
from dr.members import Holding
from provisioning.zone_rules import rules

_SIZES = ("vcpus", "ram_mib")  # where a site has no flavor of that name, one that is not smaller does
_OF_SERVERS = ("flavor", "image", "zone", "login", "label", "ssh_key")


def describe(
    uow: UnitOfWork, member: PolicyMember, volumes: Sequence[Holding], holdings: Iterable[Holding]
) -> dict[str, Any]:
    """The topology of the member as plain JSON; it goes into the sealed manifest, never into the clear."""
    system = uow.need(InformationSystem, member.system_id)
    positions = {one.id: position for position, one in enumerate(volumes)}
    projects = uow.all(Project, Project.system_id == system.id, Project.site_id == member.site_id)
    zones = uow.all(SiteZone, SiteZone.site_id == member.site_id, SiteZone.retired_at.is_(None))
    ports = uow.all(
        Resource, Resource.system_id == system.id, Resource.site_id == member.site_id, Resource.kind == "port"
    )
    by_id = {row.id: row for row in ports}
    return {
        "system": {
            "id": system.id,
            "name": system.name,
            "department": system.department_id,
            "mlps_level": system.mlps_level,
        },
        "site": member.site_id,
        "checks": list(member.checks or ()),
        "projects": [
            {
                "name": row.name,
                "environment": row.environment,
                "external_id": row.external_id,
                "quota": dict(row.quota_pushed),
            }
            for row in projects
        ],
        "networks": {row.zone: {"network": row.network, "ipv4": row.ipv4, "ipv6": row.ipv6} for row in zones},
        "security_groups": {
            row.zone: [asdict(one) for one in rules(row.zone, system.mlps_level)] for row in zones
        },
        "servers": [
            _server(one, volumes, positions, by_id)
            for one in sorted(holdings, key=lambda each: each.name)
            if one.kind == "server"
        ],
        "volumes": [
            {"position": position, "name": one.name, "size_gib": one.size_gib, "type": one.type}
            for position, one in enumerate(volumes)
        ],
    }


def _server(
    server: Holding, volumes: Sequence[Holding], positions: dict[str, int], ports: dict[str, Resource]
) -> dict[str, Any]:
    port = ports.get(str(server.spec.get("port") or ""))
    attached = [one.id for one in volumes if one.server == server.id and one.id != server.boot]
    return {
        "name": server.name,
        **{word: server.spec.get(word) for word in _OF_SERVERS},
        **{word: server.amounts.get(word) for word in _SIZES},
        "boot": positions.get(server.boot),
        "data": [positions[one] for one in dict.fromkeys((*server.data, *attached)) if one in positions],
        "addresses": dict(port.addresses) if port else {},
    }
