"""OpenStack's JSON as the values of the ports; pure. Older and half-answering clouds may lack fields."""

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudctl.errors import CloudRejected
from cloudctl.ports import (
    Backup,
    BackupRecord,
    CloudProject,
    Named,
    Port,
    Rule,
    Server,
    Snapshot,
    Tags,
    Volume,
)

Json = Mapping[str, Any]

_PREFIX = "cloudctl:"
# Nova and older Neutrons take 60 characters a tag; what is longer stays in the metadata alone.
TAG_MAX = 60
_ANYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


def tag_strings(tags: Tags) -> list[str]:
    """Tags as the words `key=value` that Nova and Neutron take; what neither would take is left out."""
    words = (f"{key}={value}" for key, value in tags.items())
    return sorted(word for word in words if len(word) <= TAG_MAX and not set(word) & set("/,"))


def tags_of(words: Iterable[str] = (), metadata: Json | None = None) -> dict[str, str]:
    """Our tags among tag words and metadata."""
    found = dict(word.split("=", 1) for word in words if word.startswith(_PREFIX) and "=" in word)
    found.update({k: str(v) for k, v in (metadata or {}).items() if k.startswith(_PREFIX)})
    return found


def project(row: Json) -> CloudProject:
    return CloudProject(
        row["id"], row["name"], row.get("domain_id") or "", frozenset(row.get("tags") or ()),
        bool(row.get("enabled", True)),
    )  # fmt: skip


def volume(row: Json, project_id: str = "") -> Volume:
    """A volume; `project_id` is that of the caller, for answers that leave it out."""
    return Volume(
        id=row["id"],
        name=row.get("name") or "",
        status=row.get("status") or "",
        size_gib=int(row.get("size") or 0),
        project_id=row.get("os-vol-tenant-attr:tenant_id") or project_id,
        type=row.get("volume_type") or "",
        tags=tags_of(metadata=row.get("metadata")),
        server_ids=tuple(a["server_id"] for a in row.get("attachments") or () if a.get("server_id")),
    )


def snapshot(row: Json, project_id: str = "") -> Snapshot:
    """A snapshot of a volume."""
    return Snapshot(
        id=row["id"],
        name=row.get("name") or "",
        status=row.get("status") or "",
        volume_id=row.get("volume_id") or "",
        size_gib=int(row.get("size") or 0),
        project_id=row.get("os-extended-snapshot-attributes:project_id") or project_id,
        tags=tags_of(metadata=row.get("metadata")),
    )


def backup(row: Json, project_id: str = "") -> Backup:
    """A backup. Only an administrator is told whose it is."""
    return Backup(
        id=row["id"],
        name=row.get("name") or "",
        status=row.get("status") or "",
        volume_id=row.get("volume_id") or "",
        size_gib=int(row.get("size") or 0),
        project_id=row.get("os-backup-project-attr:project_id") or project_id,
        is_incremental=bool(row.get("is_incremental")),
        has_dependents=bool(row.get("has_dependent_backups")),
        tags=tags_of(metadata=row.get("metadata")),
        snapshot_id=row.get("snapshot_id"),
        container=row.get("container"),
        object_count=int(row.get("object_count") or 0),
        data_at=_moment(row.get("data_timestamp")),
        error=row.get("fail_reason"),
    )


def record_id(record: BackupRecord) -> str:
    """The id of the backup that a record is of. CloudRejected when it is none of Cinder's."""
    try:
        found = json.loads(base64.b64decode(record.url, validate=True))["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise CloudRejected("the record is none that a Cinder has exported") from error
    return str(found)


def _moment(text: str | None) -> datetime | None:
    """Cinder tells UTC and does not say so."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def port(row: Json) -> Port:
    return Port(
        id=row["id"],
        name=row.get("name") or "",
        status=row.get("status") or "",
        project_id=row.get("project_id") or row.get("tenant_id") or "",
        network_id=row.get("network_id") or "",
        addresses=tuple(ip["ip_address"] for ip in row.get("fixed_ips") or ()),
        tags=tags_of(row.get("tags") or ()),
        device_id=row.get("device_id") or "",
        is_up=row.get("admin_state_up") is not False,
    )


def server(row: Json, flavors: Mapping[str, Named] | None = None) -> Server:
    """A server. Before Nova 2.47 the flavor is an id only: `flavors` tells the rest.

    A cell that is down gives `id`, `status` UNKNOWN and little more.
    """
    name, vcpus, ram_mib = _flavor(row.get("flavor") or {}, flavors or {})
    fault = row.get("fault") or {}
    addresses = (ip["addr"] for ips in (row.get("addresses") or {}).values() for ip in ips)
    return Server(
        id=row["id"],
        name=row.get("name") or "",
        status=row.get("status") or "UNKNOWN",
        project_id=row.get("tenant_id") or "",
        flavor=name,
        tags=tags_of(row.get("tags") or (), row.get("metadata")),
        addresses=tuple(addresses),
        volume_ids=tuple(v["id"] for v in row.get("os-extended-volumes:volumes_attached") or ()),
        error=str(fault.get("message") or "no reason given") if row.get("status") == "ERROR" else None,
        vcpus=vcpus,
        ram_mib=ram_mib,
    )


def _flavor(row: Json, flavors: Mapping[str, Named]) -> tuple[str, int, int]:
    if "original_name" in row:
        return str(row["original_name"]), int(row.get("vcpus") or 0), int(row.get("ram") or 0)
    known = flavors.get(str(row.get("id", "")))
    if known is None:
        return str(row.get("id", "")), 0, 0
    return known.name, int(str(known.details["vcpus"])), int(str(known.details["ram_mib"]))


def rule_of(row: Json, group_id: str) -> Rule | None:
    """A rule of Neutron's as ours; None for one that ours cannot say (another group, a prefix list)."""
    if row.get("remote_address_group_id"):
        return None
    group = row.get("remote_group_id")
    if group not in (None, group_id):
        return None
    family = str(row["ethertype"])
    remote = None if group else row.get("remote_ip_prefix") or _ANYWHERE[family]
    return Rule(
        str(row["direction"]),
        family,
        protocol_word(row.get("protocol"), family),
        row.get("port_range_min"),
        row.get("port_range_max"),
        remote,
    )


def protocol_word(protocol: object, family: str) -> str | None:
    """One word for a protocol: Neutron stores ICMP of IPv6 under three names."""
    if protocol in (None, "any", "0", 0):
        return None
    word = str(protocol).lower()
    return "ipv6-icmp" if family == "IPv6" and word in ("icmp", "icmpv6", "58") else word


def rule_body(rule: Rule, group_id: str) -> dict[str, object]:
    """Our rule as Neutron takes it."""
    return {
        "security_group_id": group_id,
        "direction": rule.direction,
        "ethertype": rule.family,
        "protocol": protocol_word(rule.protocol, rule.family),
        "port_range_min": rule.port_min,
        "port_range_max": rule.port_max,
        **({"remote_group_id": group_id} if rule.remote is None else {"remote_ip_prefix": rule.remote}),
    }
