"""From an approved draft to the list of what has to exist. Pure: the same draft gives the same list.

The list is written as rows before any cloud is asked; what a thing needs is named by resource id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudctl.amounts import Amounts, Kind
from provisioning import naming

PORT, VOLUME, SERVER = "port", "volume", "server"


@dataclass(frozen=True)
class Asked:
    """What the list is made from: the request's columns and draft."""

    installation: str
    site_id: str
    system_id: str
    request_id: int
    kind: str
    zone: str | None
    draft: Mapping[str, Any]
    flavor: Amounts = field(default_factory=Amounts)  # what one server of the flavor counts


@dataclass(frozen=True)
class Wanted:
    """One thing that has to exist."""

    id: str
    kind: str
    name: str
    amounts: Amounts
    spec: Mapping[str, Any]


def wanted(asked: Asked) -> list[Wanted]:
    """Everything the request makes, what is needed first before what needs it."""
    if asked.kind == "vm":
        rows = [row for n, one in enumerate(asked.draft["servers"], 1) for row in _server(asked, n, one)]
        return sorted(rows, key=lambda row: (PORT, VOLUME, SERVER).index(row.kind))
    if asked.kind == "volume":
        return _volumes_alone(asked)
    return []


def _server(asked: Asked, number: int, one: Mapping[str, Any]) -> list[Wanted]:
    draft = asked.draft
    name = naming.server(asked.system_id, asked.request_id, number)
    own_id = _id(asked, SERVER, name)
    port = _make(
        asked, PORT, naming.port(name), Amounts({Kind.PORTS: 1}), {"server": own_id, "zone": asked.zone}
    )
    boot_spec = {"image": draft["image"], "role": "boot", "server": own_id}
    boot = _volume(asked, naming.boot_volume(name), draft["boot_gib"], draft["boot_type"], boot_spec)
    data = [
        _volume(
            asked,
            naming.data_volume(name, n),
            volume["size_gib"],
            volume["type"],
            {"role": "data", "server": own_id},
        )
        for n, volume in enumerate(one.get("data_volumes", ()), 1)
    ]
    spec = {
        "label": one.get("name") or name,
        "flavor": draft["flavor"],
        "image": draft["image"],
        "login": draft.get("login"),
        "ssh_key": draft.get("ssh_key"),
        "zone": asked.zone,
        "port": port.id,
        "boot": boot.id,
        "data": [volume.id for volume in data],
    }
    server = _make(asked, SERVER, name, asked.flavor + Amounts({Kind.INSTANCES: 1}), spec)
    return [port, boot, *data, server]


def _volumes_alone(asked: Asked) -> list[Wanted]:
    stem = naming.stem(asked.system_id, asked.request_id)
    spec = {"role": "data", "server": None, "attach_to": asked.draft.get("attach_to")}
    return [
        _volume(asked, naming.data_volume(stem, n), volume["size_gib"], volume["type"], spec)
        for n, volume in enumerate(asked.draft["volumes"], 1)
    ]


def _volume(asked: Asked, name: str, size_gib: int, volume_type: str, spec: Mapping[str, Any]) -> Wanted:
    amounts = Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: size_gib})
    return _make(asked, VOLUME, name, amounts, {"size_gib": size_gib, "type": volume_type, **spec})


def _make(asked: Asked, kind: str, name: str, amounts: Amounts, spec: Mapping[str, Any]) -> Wanted:
    return Wanted(_id(asked, kind, name), kind, name, amounts, spec)


def _id(asked: Asked, kind: str, name: str) -> str:
    return naming.resource_id(asked.installation, asked.site_id, kind, name)
