"""Whether a cloud fits what the topology says of it: every problem at once, in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudctl.errors import Fault
from cloudctl.ports import Inspection, Named, Right

OBSERVE, MANAGED = "observe", "managed"
OK, DEGRADED, UNREACHABLE = "ok", "degraded", "unreachable"
_NO_API = "network:"  # Neutron's default quotas are lines of its configuration
SKEW_LIMIT_S = 5.0  # a token is good for minutes, but log lines and audit events must be comparable


@dataclass(frozen=True)
class WantedItem:
    """A flavor, image or volume type of the catalogue, and what it is called at the site."""

    kind: str  # flavor, image, volume_type
    name: str
    name_there: str
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WantedZone:
    """A zone and the network it is mapped onto."""

    zone: str
    network: str  # name or id
    ranges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What the topology expects of a site."""

    mode: str = MANAGED
    items: tuple[WantedItem, ...] = ()
    zones: tuple[WantedZone, ...] = ()


@dataclass(frozen=True)
class Found:
    """What the cloud showed. `offers` goes by kind of the catalogue, and `network`; absent: not told."""

    inspection: Inspection
    rights: tuple[Right, ...] = ()
    offers: Mapping[str, Sequence[Named]] = field(default_factory=dict)


def problems(wanted: Wanted, found: Found) -> list[Fault]:
    """Everything that keeps the site from doing what its mode asks."""
    if not is_reachable(found.inspection):
        return _services(found.inspection)
    faults = [*_services(found.inspection), *_clock(found.inspection), *_rights(wanted.mode, found.rights)]
    if wanted.mode != OBSERVE:
        faults += _default_quotas(found.inspection)
        faults += [fault for item in wanted.items for fault in _item(item, found.offers)]
        faults += [fault for zone in wanted.zones for fault in _zone(zone, found.offers)]
    return faults


def state(found: Found, faults: Sequence[Fault]) -> str:
    """The state of the site that these problems make."""
    if not is_reachable(found.inspection):
        return UNREACHABLE
    return DEGRADED if faults else OK


def is_reachable(inspection: Inspection) -> bool:
    """Whether the cloud lets us in and any service besides answers."""
    return bool(inspection.user) and any(service.is_ok for service in inspection.services)


def missing_rights(mode: str, rights: Sequence[Right]) -> list[Right]:
    """The rights that the mode needs and the credential has not."""
    needed = {"observe"} if mode == OBSERVE else {"observe", "manage"}
    return [right for right in rights if right.needed_for in needed and not right.is_held]


def _services(inspection: Inspection) -> list[Fault]:
    return [
        Fault(f"service {service.name}", "service_down", "{detail}", {"detail": service.detail})
        for service in inspection.services
        if not service.is_ok
    ]


def _clock(inspection: Inspection) -> list[Fault]:
    ahead = inspection.clock_ahead_s
    if ahead is None or abs(ahead) <= SKEW_LIMIT_S:
        return []
    words = "its clock is {seconds} s ahead of ours" if ahead > 0 else "its clock is {seconds} s behind ours"
    return [Fault("clock", "clock_skew", words, {"seconds": abs(ahead)}, "set both with NTP")]


def _rights(mode: str, rights: Sequence[Right]) -> list[Fault]:
    return [
        Fault(
            f"right {right.name}", "right_missing", "is needed {why}: {detail}",
            {"why": right.why, "detail": right.detail or "refused"},
        )
        for right in missing_rights(mode, rights)
    ]  # fmt: skip


def _default_quotas(inspection: Inspection) -> list[Fault]:
    """A project that somebody makes beside cloudctl must not have a quota of its own."""
    return [
        _default_quota(name, limit, "run: cloudctl site check SITE --zero-default-quotas")
        for name, limit in inspection.default_quotas.items()
        if limit != 0 and not name.startswith(_NO_API)
    ]


def advice(wanted: Wanted, found: Found) -> list[Fault]:
    """What would be better and cannot be set through an API; it makes no site worse."""
    if wanted.mode == OBSERVE:
        return []
    return [
        _default_quota(name, limit, "set quota_{word} = 0 under [quotas] in neutron.conf")
        for name, limit in found.inspection.default_quotas.items()
        if limit != 0 and name.startswith(_NO_API)
    ]


def _default_quota(name: str, limit: int, hint: str) -> Fault:
    words = "is {limit}, not 0: projects made outside cloudctl could use it"
    params = {"limit": "unlimited" if limit < 0 else limit, "word": name.partition(":")[2]}
    return Fault(f"default quota {name}", "default_quota", words, params, hint)


def _item(item: WantedItem, offers: Mapping[str, Sequence[Named]]) -> list[Fault]:
    if item.kind not in offers:
        return []
    place = f"{item.kind} {item.name}"
    there = next((one for one in offers[item.kind] if item.name_there in (one.name, one.id)), None)
    if there is None:
        words = "the cloud has no {kind} '{name}'"
        return [Fault(place, f"{item.kind}_missing", words, {"kind": item.kind, "name": item.name_there})]
    differs = {
        key: (value, there.details[key])
        for key, value in item.spec.items()
        if key in ("vcpus", "ram_mib") and key in there.details and there.details[key] != value
    }
    faults = [
        Fault(
            place,
            "flavor_differs",
            "{key} is {there} there, {here} here",
            {"key": key, "there": b, "here": a},
        )
        for key, (a, b) in differs.items()
    ]
    if item.kind == "image" and there.details.get("status", "active") != "active":
        faults.append(Fault(place, "image_inactive", "is {status}", {"status": there.details["status"]}))
    return faults


def _zone(zone: WantedZone, offers: Mapping[str, Sequence[Named]]) -> list[Fault]:
    if "network" not in offers:
        return []
    place = f"zone {zone.zone}"
    there = next((one for one in offers["network"] if zone.network in (one.name, one.id)), None)
    if there is None:
        return [Fault(place, "network_missing", "the cloud has no network '{name}'", {"name": zone.network})]
    ranges = there.details.get("subnets", ())
    assert isinstance(ranges, list | tuple)
    return [
        Fault(
            place, "subnet_missing", "network '{name}' has no subnet {range}; it has {there}",
            {"name": zone.network, "range": one, "there": ", ".join(map(str, ranges)) or "-"},
        )
        for one in zone.ranges
        if one not in ranges
    ]  # fmt: skip
