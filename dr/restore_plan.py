"""What a restore would make and where, by a point's topology and what the other site has. Pure.

volumes  new volumes beside what is there
system   the servers as well, under new names and with new addresses: beside what is there, or elsewhere
over     the servers of the system get the volumes of the point; theirs are kept beside, under other names
back     undoes `over`: the servers get the volumes again that they had
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import Fault

VOLUMES, SYSTEM, OVER, BACK = "volumes", "system", "over", "back"
MODES = (VOLUMES, SYSTEM, OVER)
BY_TWO = (OVER, BACK)  # what takes something from people who work with it: a second person decides

Json = dict[str, Any]


@dataclass(frozen=True)
class PointVolumeFacts:
    """A volume of the point; `original` is the row of the volume that was taken, while it stands."""

    position: int
    name: str
    size_gib: int
    type: str
    original: str | None = None


@dataclass(frozen=True)
class Standing:
    """A server that stands now, as far as `over` needs it: rows by id."""

    row: str
    name: str
    boot: str | None
    data: tuple[str, ...]  # with those attached later
    has_port: bool
    flavor: str


@dataclass(frozen=True)
class Place:
    """What a site has: names at the site by the catalogue's, and what the cloud told; None: not asked."""

    site: str
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (kind, catalogue name) -> there
    networks: Mapping[str, str] = field(default_factory=dict)  # zone -> network
    flavors: Mapping[str, Amounts] = field(default_factory=dict)  # of the catalogue: what one counts
    types_there: tuple[str, ...] | None = None
    flavors_there: tuple[str, ...] | None = None
    networks_there: tuple[str, ...] | None = None

    def at_site(self, kind: str, name: str) -> str:
        return self.names.get((kind, name), name)


@dataclass(frozen=True)
class Wish:
    """What somebody asks for. `volumes`: position or name, `name` and `type` where they shall differ."""

    mode: str = VOLUMES
    volumes: tuple[Mapping[str, Any], ...] = ()
    flavors: Mapping[str, str] = field(default_factory=dict)  # instead of the one in the point
    types: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What would be made, all that is wrong with that, and what people should know."""

    volumes: tuple[Json, ...]
    servers: tuple[Json, ...]
    needed: Amounts
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]


def draw(
    wish: Wish,
    volumes: Sequence[PointVolumeFacts],
    servers: Sequence[Mapping[str, Any]],
    place: Place,
    standing: Sequence[Standing] = (),
) -> Plan:
    """The plan, with every fault at once. `servers` are those of the point's topology."""
    faults: list[Fault] = []
    notes: list[Fault] = []
    chosen = _chosen(wish, volumes, faults)
    rows = [_volume(wish, one, more, place, notes) for one, more in chosen]
    made: list[Json] = []
    if wish.mode == SYSTEM:
        positions = {one["position"] for one in rows}
        made = [_server(wish, one, positions, place, faults, notes) for one in servers]
        if not made:
            faults.append(Fault("mode", "no_servers", "the point knows of no server"))
    elif wish.mode == OVER:
        made = _touched([one for one, _ in chosen], standing, faults)
    needed = sum((_of_volume(row["size_gib"]) for row in rows), Amounts())
    if wish.mode == SYSTEM:
        needed = sum((_of_server(place, row["flavor"]) for row in made), needed)
    return Plan(tuple(rows), tuple(made), needed, tuple(faults), tuple(notes))


def type_at(wanted: str, there: Sequence[str]) -> str:
    """The volume type that is used: as wanted, else the first the site has; it decides no byte."""
    return wanted if wanted in there or not there else there[0]


def flavor_at(server: Mapping[str, Any], flavors: Mapping[str, Amounts]) -> str:
    """The flavor of the point where the catalogue has it, else the smallest that is not smaller."""
    name, vcpus, ram_mib = str(server.get("flavor") or ""), server.get("vcpus"), server.get("ram_mib")
    if name in flavors or not vcpus or not ram_mib:
        return name
    sizes = [(size[Kind.RAM_MIB], size[Kind.VCPUS], one) for one, size in flavors.items()]
    return min((one for one in sizes if one[0] >= ram_mib and one[1] >= vcpus), default=(0, 0, name))[2]


# -- volumes


def _chosen(
    wish: Wish, volumes: Sequence[PointVolumeFacts], faults: list[Fault]
) -> list[tuple[PointVolumeFacts, Mapping[str, Any]]]:
    """The volumes that are wanted, each once, in the order of the point."""
    by_position = {one.position: one for one in volumes}
    found: dict[int, Mapping[str, Any]] = {}
    if wish.volumes and not volumes:
        hint = "take the point up again where its escrow key is: cloudctl backup rebuild"
        faults.append(Fault("volumes", "unknown", "what is in the point is not known here", hint=hint))
        return []
    for index, one in enumerate(wish.volumes):
        place, position = f"volumes[{index}]", one.get("position")
        if position is None:
            named = [each.position for each in volumes if each.name == one.get("volume")]
            if len(named) != 1:
                params = {"name": str(one.get("volume"))[:80], "count": len(named)}
                template = "{count} volumes of the point are called '{name}'"
                faults.append(Fault(f"{place}.volume", "unknown_word", template, params))
                continue
            position = named[0]
        if not isinstance(position, int) or position not in by_position:
            params = {"least": 0, "most": max(by_position)}
            template = "must be a number from {least} to {most}"
            faults.append(Fault(f"{place}.position", "out_of_range", template, params))
        elif position in found:
            faults.append(Fault(place, "twice", "is named twice"))
        else:
            found[position] = one
    if not wish.volumes:
        found = {position: {} for position in by_position}
    return [(by_position[position], found[position]) for position in sorted(found)]


def _volume(
    wish: Wish, one: PointVolumeFacts, more: Mapping[str, Any], place: Place, notes: list[Fault]
) -> Json:
    asked = more.get("type") or wish.types.get(one.type)
    wanted = asked or place.at_site("volume_type", one.type)
    used = wanted if place.types_there is None else type_at(wanted, place.types_there)
    if used != wanted:
        params = {"wanted": wanted, "site": place.site, "used": used}
        template = "{site} has no volume type '{wanted}': '{used}' is used"
        notes.append(Fault(f"volumes.{one.position}", "other_type", template, params))
    return {
        "position": one.position,
        "volume": one.name,
        "name": more.get("name"),
        "size_gib": one.size_gib,
        "type_was": one.type,
        "type": used,
        "original": one.original,
    }


# -- servers that are made


def _server(
    wish: Wish,
    one: Mapping[str, Any],
    positions: set[int],
    place: Place,
    faults: list[Fault],
    notes: list[Fault],
) -> Json:
    name, where = str(one["name"]), f"servers.{one['name']}"
    flavor_was, zone_was = str(one.get("flavor") or ""), str(one.get("zone") or "")
    flavor = wish.flavors.get(flavor_was) or flavor_at(one, place.flavors)
    if flavor != flavor_was and flavor_was not in wish.flavors:
        template = "the catalogue has no flavor '{was}': '{used}' is not smaller, and is used"
        notes.append(Fault(where, "other_flavor", template, {"was": flavor_was, "used": flavor}))
    at_site = place.at_site("flavor", flavor)
    params = {"name": at_site, "site": place.site, "was": flavor_was}
    if place.flavors_there is not None and at_site not in place.flavors_there:
        hint = "name another: --flavor {was}=NAME"
        faults.append(Fault(where, "no_flavor", "{site} has no flavor '{name}'", params, hint))
    zone = wish.zones.get(zone_was, zone_was)
    network = place.networks.get(zone)
    zone_params = {"zone": zone, "site": place.site, "was": zone_was, "network": network}
    if network is None:
        hint = "name another: --zone {was}=ZONE"
        faults.append(
            Fault(where, "no_network", "{site} has no network for zone '{zone}'", zone_params, hint)
        )
    elif place.networks_there is not None and network not in place.networks_there:
        template = "the network '{network}' of zone '{zone}' is not at {site}"
        faults.append(Fault(where, "no_network", template, zone_params))
    needs = [one.get("boot"), *(one.get("data") or ())]
    if one.get("boot") is None:
        faults.append(Fault(where, "no_boot", "the server boots from no volume of the point"))
    elif missing := [n for n in needs if n not in positions]:
        listed = {"positions": ", ".join(str(n) for n in missing)}
        faults.append(Fault(where, "no_volume", "the server needs the volumes {positions} as well", listed))
    return {
        "name": name,
        "flavor_was": flavor_was,
        "flavor": flavor,
        "zone_was": zone_was,
        "zone": zone,
        "network": network,
        "addresses_were": dict(one.get("addresses") or {}),
        "boot": one.get("boot"),
        "data": list(one.get("data") or ()),
        "label": one.get("label"),
        "login": one.get("login"),
        "ssh_key": one.get("ssh_key"),
    }


# -- servers that get their volumes exchanged


def _touched(
    chosen: Sequence[PointVolumeFacts], standing: Sequence[Standing], faults: list[Fault]
) -> list[Json]:
    """The servers that stop and start again; each has to be one that cloudctl can make anew."""
    given = set()
    for one in chosen:
        if one.original is None:
            hint = "bring it back as a new volume, without --over"
            template = "the volume '{name}' that was taken does not stand any more"
            faults.append(Fault(f"volumes.{one.position}", "gone", template, {"name": one.name}, hint))
        else:
            given.add(one.original)
    found = [server for server in standing if given & {server.boot, *server.data}]
    for server in found:
        if server.boot is None or not server.has_port or not server.flavor:
            template = "'{name}' was not made here, so it cannot be made anew"
            faults.append(Fault(f"servers.{server.name}", "not_made_here", template, {"name": server.name}))
    return [{"name": one.name, "row": one.row, "flavor": one.flavor} for one in found]


def _of_volume(size_gib: int) -> Amounts:
    return Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: size_gib})


def _of_server(place: Place, flavor: str) -> Amounts:
    return place.flavors.get(flavor, Amounts()) + Amounts({Kind.INSTANCES: 1, Kind.PORTS: 1})
