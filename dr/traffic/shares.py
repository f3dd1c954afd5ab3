"""Shares of a name as records of the name service, and back. Pure.

Beside the addresses stands a TXT record under `_shares.`, the marker: which site has which share, and which
operation wrote it. What is in the name service is read there, also by a cloudctl whose database knows nothing
of it. All records change in one update, so the one cannot be true without the others; and since each
operation puts its own name there, a slow one that was overtaken finds another marker than it read, and
changes nothing.

With shares, a script of PowerDNS gives each asker one address by the hash of where it asks from. The sites
keep their order, so a share that grows moves people one way only, and both families lead to one site. An
asker is a resolver, or the subnet it hands on: people behind one resolver move together. Without shares a
name has the addresses of one site, or of several that count the same.
"""

import ipaddress
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudctl.ports import RecordSet
from cloudctl.ports.dns import LUA

A, AAAA, TXT = "A", "AAAA", "TXT"
WHOLE = 100
_FAMILIES = {4: A, 6: AAAA}
_VERSION, _BY = "v=1", "by="
_SITE = re.compile(r"(?P<site>[^=\s\"]+)=(?P<weight>\d{1,3}):(?P<addresses>[0-9A-Fa-f.:,]+)")

Weights = Mapping[str, int]  # site -> 0 to 100


@dataclass(frozen=True)
class Named:
    """A name and the addresses at which each site answers under it."""

    name: str  # fully qualified, with the dot at its end
    ttl_s: int
    addresses: Mapping[str, tuple[str, ...]]  # site -> IPv4 and IPv6
    gives_shares: bool = True


@dataclass(frozen=True)
class Standing:
    """What the name service has. `weights` None: the name is not there. `strange`: it is not cloudctl's."""

    weights: Weights | None = None
    sets: tuple[RecordSet, ...] = ()  # what a change has to find there
    strange: str = ""
    by: str = ""  # the operation that wrote it


def marker_of(name: str) -> str:
    """Where the shares of a name are written."""
    return f"_shares.{name}"


def is_even(weights: Weights) -> bool:
    """Whether all sites that serve count the same, by a point."""
    serving = [weight for weight in weights.values() if weight]
    return bool(serving) and max(serving) - min(serving) <= 1


def record_sets(named: Named, weights: Weights, by: str) -> tuple[RecordSet, ...]:
    """The records that give these shares, the marker first. `by`: the operation, one word."""
    serving = sorted(site for site, weight in weights.items() if weight)
    marker = RecordSet(marker_of(named.name), TXT, named.ttl_s, (_marker(named, weights, by),))
    if named.gives_shares and len(serving) > 1:
        scripts = [
            f'{kind} "pickwhashed({{{_picks(named, weights, kind)}}})"'
            for kind in (A, AAAA)
            if _of_kind(named, serving, kind)
        ]
        return marker, RecordSet(named.name, LUA, named.ttl_s, tuple(scripts))
    plain = [(kind, _of_kind(named, serving, kind)) for kind in (A, AAAA)]
    return marker, *(RecordSet(named.name, kind, named.ttl_s, found) for kind, found in plain if found)


def standing(named: Named, found: Mapping[str, RecordSet | None]) -> Standing:
    """What the records of the name say; `found` has those of A, AAAA and, under TXT, of the marker."""
    marker = found.get(TXT)
    plain = tuple(one for kind in (A, AAAA) if (one := found.get(kind)) is not None)
    if marker is None:
        return _unmarked(named, plain)
    read = _read_marker(named, marker)
    if read is None:
        return Standing(strange="the record of its shares cannot be read")
    told, weights, by = read
    sets = record_sets(told, weights, by)
    wanted = tuple(one for one in sets if one.type in {A, AAAA})
    if [(one.type, one.values) for one in wanted] != [(one.type, one.values) for one in plain]:
        return Standing(strange="its addresses are not those of its shares")
    return Standing(weights, sets, by=by)


def _unmarked(named: Named, plain: tuple[RecordSet, ...]) -> Standing:
    """A name that was there before cloudctl: taken over where it is one site's, whole."""
    if not plain:
        return Standing()
    values = _in_order(value for one in plain for value in one.values)
    for site, own in named.addresses.items():
        if values == _in_order(own):
            return Standing({one: WHOLE if one == site else 0 for one in named.addresses}, plain)
    return Standing(strange="it has addresses of no site of the plan")


def _marker(named: Named, weights: Weights, by: str) -> str:
    words = [
        f'"{site}={weights.get(site, 0)}:{",".join(_in_order(named.addresses[site]))}"'
        for site in sorted(named.addresses)
    ]
    return " ".join((f'"{_VERSION}"', f'"{_BY}{by}"', *words))


def _read_marker(named: Named, marker: RecordSet) -> tuple[Named, Weights, str] | None:
    """The name as it was when the marker was written; None for what is no marker."""
    if len(marker.values) != 1:
        return None
    version, by, *words = (*re.findall(r'"([^"]*)"', marker.values[0]), "", "")
    rows = [_SITE.fullmatch(word) for word in words if word]
    if version != _VERSION or not by.startswith(_BY) or not rows:
        return None
    addresses: dict[str, tuple[str, ...]] = {}
    weights: dict[str, int] = {}
    for row in rows:
        if row is None:
            return None
        addresses[row["site"]] = tuple(row["addresses"].split(","))
        weights[row["site"]] = int(row["weight"])
    return Named(named.name, marker.ttl_s, addresses, named.gives_shares), weights, by.removeprefix(_BY)


def _picks(named: Named, weights: Weights, kind: str) -> str:
    """What the script chooses from: the share of a site is spread over its addresses, in whole numbers."""
    counts = {site: len(_of_kind(named, [site], kind)) for site in named.addresses}
    scale = math.lcm(*(count for count in counts.values() if count))
    picks = [
        f"{{{weights.get(site, 0) * scale // counts[site]},'{address}'}}"
        for site in sorted(named.addresses)
        if weights.get(site, 0) and counts[site]
        for address in _of_kind(named, [site], kind)
    ]
    return ",".join(picks)


def _of_kind(named: Named, sites: list[str], kind: str) -> tuple[str, ...]:
    found = [one for site in sites for one in named.addresses[site] if family(one) == kind]
    return tuple(_in_order(found))


def _in_order(addresses: Iterable[str]) -> list[str]:
    return sorted({str(ipaddress.ip_address(one)) for one in addresses})


def family(address: str) -> str:
    """The type of the record of an address. ValueError when it is none."""
    return _FAMILIES[ipaddress.ip_address(address).version]
