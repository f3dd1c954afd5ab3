"""The listings of an OpenStack cloud, and what about a site is asked once and remembered."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar, cast

from cloudctl.errors import CloudctlError
from cloudctl.ports import Named, Port, Server, Volume
from provisioning.drivers import openstack_json as parse
from provisioning.drivers.openstack_http import Caller, Params

T = TypeVar("T")

_EXPLAINED = 5  # so many broken volumes of one listing get their reason looked up
_PORT_FIELDS = (
    "id", "name", "status", "project_id", "network_id", "fixed_ips", "tags", "device_id", "device_owner",
    "admin_state_up",
)  # fmt: skip


class SiteFacts:
    """What does not change from call to call, asked with cloudctl's own token at first need."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller
        self._known: dict[str, object] = {}
        self._lock = threading.Lock()

    def network_extensions(self) -> frozenset[str]:
        return self._once("extensions", self._ask_extensions)

    def flavors(self) -> Mapping[str, Named]:
        """Flavors by id, the private ones too: for clouds that name a server's flavor by id only."""
        return self._once("flavors", lambda: {flavor.id: flavor for flavor in flavors(self._call)})

    def quota_words(self) -> frozenset[str]:
        """What this Neutron limits; an unknown word in a quota would be refused."""
        return self._once("quota_words", self._ask_quota_words)

    def roles(self) -> Mapping[str, str]:
        """Ids of roles by name."""
        return self._once("roles", self._ask_roles)

    def _ask_extensions(self) -> frozenset[str]:
        rows = self._call.get("network", "/extensions", "list extensions", {"fields": "alias"})["extensions"]
        return frozenset(row["alias"] for row in rows)

    def _ask_quota_words(self) -> frozenset[str]:
        path = f"/quotas/{self._call.project_id or 'default'}/default"
        return frozenset(self._call.get("network", path, "show its default quotas")["quota"])

    def _ask_roles(self) -> Mapping[str, str]:
        rows = self._call.get("identity", "/roles", "list roles")["roles"]
        return {row["name"]: row["id"] for row in rows}

    def _once(self, key: str, ask: Callable[[], T]) -> T:
        if key not in self._known:
            with self._lock:
                if key not in self._known:
                    self._known[key] = ask()
        return cast("T", self._known[key])


def servers(call: Caller, site: SiteFacts, query: Params) -> list[Server]:
    """Servers with their details, in one listing."""
    rows = call.pages("compute", "/servers/detail", "servers", "list servers", query)
    by_id = {} if call.service("compute").knows(2, 47) or not rows else site.flavors()
    return [parse.server(row, by_id) for row in rows if row.get("status") != "DELETED"]


def server(call: Caller, site: SiteFacts, server_id: str) -> Server:
    """One server with its details. CloudNotFound."""
    row = call.get("compute", f"/servers/{server_id}", f"show server {server_id}")["server"]
    return parse.server(row, {} if call.service("compute").knows(2, 47) else site.flavors())


def volumes(call: Caller, query: Params, project_id: str = "") -> list[Volume]:
    """Volumes with their details; the broken ones with Cinder's reason where it gives one."""
    rows = call.pages("block-storage", "/volumes/detail", "volumes", "list volumes", query)
    found = [parse.volume(row, project_id) for row in rows]
    broken = [volume for volume in found if volume.status.startswith("error")]
    reasons = {volume.id: _reason(call, volume) for volume in broken[:_EXPLAINED]}
    return [
        replace(volume, error=reasons.get(volume.id, volume.status)) if volume in broken else volume
        for volume in found
    ]


def _reason(call: Caller, volume: Volume) -> str:
    """Cinder tells why a volume broke as messages to the user (3.5 on); the newest is the best."""
    if not call.service("block-storage").knows(3, 5):
        return volume.status
    query: Params = {"resource_uuid": volume.id, "sort": "created_at:desc"}
    try:
        rows = call.get("block-storage", "/messages", "list messages", query)["messages"]
    except CloudctlError:
        return volume.status  # the reason is a courtesy; the listing itself is what was asked
    return str(rows[0]["user_message"]) if rows else volume.status


def ports(call: Caller, query: Params) -> list[Port]:
    """Ports in the order of their making, with only the fields that are used."""
    fields: Params = {"fields": list(_PORT_FIELDS), **query}
    rows = call.pages("network", "/ports", "ports", "list ports", fields)
    return [parse.port(row) for row in rows if _is_ours_to_see(str(row.get("device_owner") or ""))]


def _is_ours_to_see(owner: str) -> bool:
    """Ports of servers and of nobody; not those of routers and DHCP."""
    return not owner or owner.startswith("compute:")


def flavors(call: Caller) -> list[Named]:
    """All flavors, the private ones too where the credential may see them."""
    rows = call.pages("compute", "/flavors/detail", "flavors", "list flavors", {"is_public": "None"})
    return [
        Named(row["id"], row["name"], {"vcpus": row["vcpus"], "ram_mib": row["ram"], "disk_gib": row["disk"]})
        for row in rows
    ]


def images(call: Caller) -> list[Named]:
    """Every image that the credential can see."""
    rows = call.pages("image", "/images", "images", "list images")
    return [
        Named(row["id"], row.get("name") or "", {"min_disk_gib": row["min_disk"], "status": row["status"]})
        for row in rows
    ]


def volume_types(call: Caller) -> list[Named]:
    """Every volume type, private ones as well, with the backend its volumes lie in."""
    rows = call.pages("block-storage", "/types", "volume_types", "list volume types", {"is_public": "None"})
    found = []
    for row in rows:
        specs = row.get("extra_specs") or {}
        is_replicated = str(specs.get("replication_enabled", "")).lower() == "<is> true"
        details = {"backend": str(specs.get("volume_backend_name") or ""), "is_replicated": is_replicated}
        found.append(Named(row["id"], row["name"], details))
    return found


def networks(call: Caller) -> list[Named]:
    """Networks with the address ranges of their subnets: two listings."""
    cidrs: dict[str, list[str]] = {}
    for row in call.pages(
        "network", "/subnets", "subnets", "list subnets", {"fields": ["network_id", "cidr"]}
    ):
        cidrs.setdefault(row["network_id"], []).append(row["cidr"])
    query: Params = {"fields": ["id", "name", "shared"]}
    rows = call.pages("network", "/networks", "networks", "list networks", query)
    return [
        Named(
            row["id"], row["name"], {"subnets": sorted(cidrs.get(row["id"], [])), "is_shared": row["shared"]}
        )
        for row in rows
    ]
