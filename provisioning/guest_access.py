"""How cloudctl comes into servers: the user it has there, and which server is which host of a play. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.models import Resource
from cloudctl.ports import Host
from provisioning.desired import SERVER, VOLUME

USER = "cloudctl"


@dataclass(frozen=True)
class Target:
    """A server of a request, and the data volumes that belong there."""

    server: Resource
    volumes: tuple[Mapping[str, Any], ...]

    def host(self, level: int) -> Host | None:
        """The server as a play wants it; None while nobody knows an address."""
        address = first_address(self.server.addresses or {})
        if address is None or self.server.external_id is None:
            return None
        variables = {"baseline_level": level, "volumes": list(self.volumes)}
        return Host(self.server.name, address, self.server.external_id, USER, variables=variables)


def user_data(public_key: str) -> str:
    """What cloud-init makes of a new server besides what the image says: cloudctl's user, with its key only.

    The document is JSON, which is YAML: cloud-init reads it, and so does a small image with nothing but JSON.
    `restrict` leaves of SSH what a play needs: no forwarding, no terminal.
    """
    user = {
        "name": USER,
        "gecos": USER,
        "lock_passwd": True,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": [f"restrict {public_key}"],
    }
    return "#cloud-config\n" + json.dumps({"users": ["default", user]}) + "\n"


def first_address(addresses: Mapping[str, Sequence[str]]) -> str | None:
    """The address that SSH is asked at: IPv4 before IPv6."""
    return next(iter([*addresses.get("ipv4", ()), *addresses.get("ipv6", ())]), None)


def targets(resources: Sequence[Resource], others: Mapping[str, Resource], system_id: str) -> list[Target]:
    """The servers that a request's plays are for.

    `resources` are the request's own; `others` servers by id to which its volumes are attached.
    """
    by_id = {row.id: row for row in resources}
    found = [
        Target(row, tuple(_volume(by_id[one], n) for n, one in enumerate(row.spec["data"], 1)))
        for row in resources
        if row.kind == SERVER
    ]
    for server in others.values():
        alone = [row for row in resources if row.kind == VOLUME and row.spec.get("attach_to") == server.id]
        names = [row.name.removeprefix(f"{system_id}-") for row in alone]
        volumes = (_entry(row, f"/srv/{name}", name) for row, name in zip(alone, names, strict=True))
        found.append(Target(server, tuple(volumes)))
    return found


def _volume(row: Resource, number: int) -> dict[str, Any]:
    """The nth data volume of a server: /srv/data, /srv/data2, ..."""
    return _entry(row, f"/srv/data{number if number > 1 else ''}", f"data{number}")


def _entry(row: Resource, path: str, label: str) -> dict[str, Any]:
    """A volume that this request made may be formatted, when it is blank; nobody was given it yet."""
    return {"id": row.external_id, "path": path, "label": label[:16], "is_new": True}
