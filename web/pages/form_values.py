"""Between the fields of a page, the form of a request, and a draft that was stored. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

_PLACE = ("system", "environment", "site", "approval_number", "payer", "reason")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "vm": (
        *_PLACE, "zone", "count", "flavor", "image", "boot_size", "volume_type",
        "data_total", "data_volumes_per_vm", "data_volumes", "ssh_key",
    ),
    "volume": (*_PLACE, "volumes", "volume_type", "attach_to"),
    "project": _PLACE,
    "backup": (*_PLACE, "tier"),
    "release": ("system", "environment", "reason", "resources", "with_volumes"),
}  # fmt: skip
_LISTS = ("data_volumes", "volumes")


def form_sent(kind: str, fields: "MultiDict[str, str]") -> dict[str, Any]:
    """The form of a request from the fields of the page; what is empty is left out."""
    form: dict[str, Any] = {"kind": kind}
    for name in FIELDS[kind]:
        if name == "resources":
            form[name] = [one for one in fields.getlist(name) if one]
        elif name == "with_volumes":
            form[name] = fields.get(name) == "true"
        elif text := fields.get(name, "").strip():
            form[name] = _sizes(text) if name in _LISTS else text
    if not form.get("data_total"):
        form.pop("data_volumes_per_vm", None)
    return form


def values_of(form: Mapping[str, Any]) -> dict[str, Any]:
    """A form as the fields of the page show it."""
    return {name: _shown(name, value) for name, value in form.items()}


def form_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The form that asks for what a stored request asks for."""
    draft: Mapping[str, Any] = request["draft"]
    place = ("system", "environment", "site", "zone", "approval_number", "payer", "reason")
    form: dict[str, Any] = {"kind": request["kind"], **{key: request[key] for key in place if request[key]}}
    if request["kind"] == "vm":
        form |= {key: draft[key] for key in ("flavor", "image", "ssh_key")}
        form |= {"count": len(draft["servers"]), "boot_size": f"{draft['boot_gib']}GiB"}
        form |= {"volume_type": draft["boot_type"], **_data_of(draft["servers"])}
    elif request["kind"] == "volume":
        form |= {"volumes": [_disk(one) for one in draft["volumes"]], "attach_to": draft["attach_to"]}
    elif request["kind"] == "backup":
        form |= {"tier": draft["tier"]}
    elif request["kind"] == "release":
        form |= {"resources": list(draft["resources"]), "with_volumes": draft.get("with_volumes", False)}
    return form


def _data_of(servers: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The same volumes on each VM as a list, otherwise a total that is spread again."""
    disks = [one["data_volumes"] for one in servers]
    if not disks or not disks[0]:
        return {}
    total = sum(disk["size_gib"] for server in disks for disk in server)
    if any(server != disks[0] for server in disks) or len(disks[0]) > 1:
        return {"data_total": f"{total}GiB", "data_volumes_per_vm": len(disks[0])}
    return {"data_volumes": [_disk(one) for one in disks[0]]}


def _disk(disk: Mapping[str, Any]) -> str:
    return f"{disk['size_gib']}GiB"


def _sizes(text: str) -> list[str]:
    return [part for part in re.split(r"[,，、;；\s]+", text) if part]


def _shown(name: str, value: Any) -> Any:
    if name in _LISTS and isinstance(value, list):
        return ", ".join(one["size"] if isinstance(one, Mapping) else str(one) for one in value)
    if name == "ssh_key" and "PRIVATE KEY" in str(value):
        return ""  # refused, and never sent back: a page may be cached or printed
    if name in ("resources", "with_volumes"):
        return value
    return "" if value is None else str(value)
