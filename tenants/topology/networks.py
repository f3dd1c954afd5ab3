"""Checks of the zones' networks: valid, of the right family, apart from each other everywhere."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from tenants.topology.document import SiteEntry, Topology
from tenants.topology.faults import Finding, Path

Network = IPv4Network | IPv6Network


def check(topology: Topology) -> Iterator[Finding]:
    """Every network that cannot be, or that lies in another of the province."""
    ranges: list[tuple[Network, str, Path]] = []
    for index, site in enumerate(topology.sites):
        yield from _shared_networks(index, site)
        for zone, mapped in site.zones.items():
            path: Path = ("sites", index, "zones", zone)
            if mapped.ipv4 is None and mapped.ipv6 is None:
                yield Finding(path, "no_addresses", "has neither ipv4 nor ipv6", hint="write both if you can")
            for family, text in ((4, mapped.ipv4), (6, mapped.ipv6)):
                if text is None:
                    continue
                place: Path = (*path, f"ipv{family}")
                read = _read(text, family, place)
                if isinstance(read, Finding):
                    yield read
                else:
                    ranges.append((read, f"{site.name} {zone}", place))
    yield from _overlaps(ranges)


def _read(text: str, family: int, path: Path) -> Network | Finding:
    params: dict[str, object] = {"text": text, "family": family}
    example = {4: "10.20.0.0/20", 6: "fd00:1:1::/64"}[family]
    try:
        found = ip_network(text)
    except ValueError:
        try:
            inside = ip_network(text, strict=False)
        except ValueError:
            hint = "like {example}"
            return Finding(
                path,
                "bad_network",
                "'{text}' is no IPv{family} network",
                {**params, "example": example},
                hint,
            )
        template = "'{text}' is an address inside the network {inside}"
        return Finding(path, "bad_network", template, {**params, "inside": inside}, "write {inside}")
    if found.version != family:
        return Finding(path, "bad_network", "'{text}' is no IPv{family} network", params)
    if "/" not in text:
        template = "'{text}' is a single address; a network has a length"
        return Finding(path, "bad_network", template, {**params, "example": example}, "like {example}")
    return found


def _overlaps(ranges: list[tuple[Network, str, Path]]) -> Iterator[Finding]:
    for version in (4, 6):
        family = sorted(
            (one for one in ranges if one[0].version == version),
            key=lambda one: (int(one[0].network_address), one[0].prefixlen),
        )
        widest: tuple[Network, str, Path] | None = None
        for one in family:
            if widest is not None and int(one[0].network_address) <= int(widest[0].broadcast_address):
                params = {"network": one[0], "other": widest[0], "where": widest[1]}
                template = "{network} overlaps {other} of {where}"
                yield Finding(one[2], "overlap", template, params)
                if int(one[0].broadcast_address) <= int(widest[0].broadcast_address):
                    continue
            widest = one


def _shared_networks(index: int, site: SiteEntry) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for zone, mapped in site.zones.items():
        other = first.setdefault(mapped.network, zone)
        if other != zone:
            params = {"network": mapped.network, "other": other}
            template = "the zone '{other}' is on the network '{network}' too; zones are kept apart"
            yield Finding(("sites", index, "zones", zone, "network"), "not_unique", template, params)
