"""Rules across the objects of a topology. Pure: a document comes in, findings go out, all of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tenants.topology import guarantees, networks
from tenants.topology.codes import level_of, parent_of, resolve
from tenants.topology.document import DivisionEntry, Flavor, Image, SiteEntry, Stage, Topology, VolumeType
from tenants.topology.faults import Finding, Path, dangling
from tenants.topology.remainder import Lost


def check(topology: Topology, lost: Lost | None = None) -> list[Finding]:
    """Every rule that the document breaks; `lost` are parts that were refused before."""
    lost = lost or Lost()
    rules = (_unique, _sites, _divisions, _served, _zones, _catalogue, _departments, _systems, _stages)
    found = [finding for rule in rules for finding in rule(topology, lost)]
    return [*found, *networks.check(topology), *guarantees.check(topology, lost)]


# -- names


def _unique(topology: Topology, _lost: Lost) -> Iterator[Finding]:
    catalogue = topology.catalogue
    yield from _twice("sites", "name", (one.name for one in topology.sites))
    yield from _twice("sites", "cloud", (one.cloud for one in topology.sites))
    yield from _twice("divisions", "code", (one.code for one in topology.divisions))
    yield from _twice("departments", "code", (one.code for one in topology.departments))
    yield from _twice("systems", "code", (one.code for one in topology.systems))
    yield from _twice("approvals", "name", (one.name for one in topology.approvals))
    yield from _twice("divisions", "name", ((parent_of(one.code), one.name) for one in topology.divisions))
    yield from _twice("departments", "name", ((one.division, one.name) for one in topology.departments))
    yield from _twice("systems", "name", ((one.department, one.name) for one in topology.systems))
    for kind, names in (
        ("flavors", [one.name for one in catalogue.flavors]),
        ("images", [one.name for one in catalogue.images]),
        ("volume_types", [one.name for one in catalogue.volume_types]),
    ):
        yield from _twice(("catalogue", kind), "name", names)


def _twice(section: str | tuple[str, str], key: str, values: Iterable[object]) -> Iterator[Finding]:
    seen: set[object] = set()
    for index, value in enumerate(values):
        if value in seen:
            path: Path = (*([section] if isinstance(section, str) else section), index, key)
            shown = value[-1] if isinstance(value, tuple) else value
            yield Finding(path, "not_unique", "'{value}' is here twice", {"value": shown})
        seen.add(value)


# -- sites and divisions


def _sites(topology: Topology, lost: Lost) -> Iterator[Finding]:
    provinces = [index for index, site in enumerate(topology.sites) if site.role == "province"]
    if not provinces and not lost.touches("sites"):
        yield Finding(("sites",), "no_province", "no site has the role province", hint="exactly one has it")
    for index in provinces[1:]:
        first = topology.sites[provinces[0]].name
        template = "a second site with the role province, beside '{first}'"
        yield Finding(("sites", index, "role"), "two_provinces", template, {"first": first}, "write city")
    for index, site in enumerate(topology.sites):
        yield from _site(index, site, topology, lost)


def _site(index: int, site: SiteEntry, topology: Topology, lost: Lost) -> Iterator[Finding]:
    codes = {division.code for division in topology.divisions}
    path: Path = ("sites", index, "division")
    if site.division not in codes:
        if not lost.has("divisions", site.division):
            yield dangling(path, "division", site.division, codes | lost.names("divisions"))
    elif level_of(site.division) != site.role:
        params = {"role": site.role, "code": site.division, "level": level_of(site.division)}
        yield Finding(path, "wrong_level", "a {role} site cannot be of {code}, which is a {level}", params)
    if site.domain_policy == "single" and site.domain is None:
        template = "the domain policy 'single' needs the key 'domain'"
        yield Finding(("sites", index, "domain_policy"), "missing", template)
    if site.domain_policy == "per-department" and site.domain is not None:
        template = "only the domain policy 'single' has a domain"
        yield Finding(("sites", index, "domain"), "not_used", template, hint="leave it out")


def _divisions(topology: Topology, lost: Lost) -> Iterator[Finding]:
    codes = {division.code for division in topology.divisions}
    tops = [index for index, one in enumerate(topology.divisions) if parent_of(one.code) is None]
    if not tops and not lost.touches("divisions"):
        template = "there is no province among the divisions"
        yield Finding(("divisions",), "no_province", template, hint="its code ends with 0000")
    for index in tops[1:]:
        params = {"first": topology.divisions[tops[0]].code}
        template = "a second province beside {first}; one file describes one province"
        yield Finding(("divisions", index, "code"), "two_provinces", template, params)
    for index, division in enumerate(topology.divisions):
        parent = parent_of(division.code)
        if parent is not None and parent not in codes and not lost.has("divisions", parent):
            params = {"code": division.code, "level": level_of(division.code), "parent": parent}
            template = "{code} is a {level} of {parent}, which is not in the file"
            yield Finding(("divisions", index, "code"), "no_parent", template, params)


def _served(topology: Topology, lost: Lost) -> Iterator[Finding]:
    sites = {site.name: site for site in topology.sites}
    resolved = resolve({one.code: one.served_by for one in topology.divisions})
    for index, division in enumerate(topology.divisions):
        yield from _servers(("divisions", index, "served_by"), division, sites, lost)
        if not resolved[division.code] and not lost.touches("divisions"):
            template = "no site serves {code}, nor anything above it"
            hint = "write served_by here or above"
            yield Finding(("divisions", index), "not_served", template, {"code": division.code}, hint)


def _servers(
    path: Path, division: DivisionEntry, sites: dict[str, SiteEntry], lost: Lost
) -> Iterator[Finding]:
    served_by = division.served_by or []
    if division.served_by == []:
        template = "the list is empty: no site would serve it"
        yield Finding(path, "not_served", template, hint="leave the key out to inherit from above")
    for at, name in enumerate(served_by):
        if name not in sites:
            if not lost.has("sites", name):
                yield dangling((*path, at), "site", name, {*sites, *lost.names("sites")})
        elif at == 0 and sites[name].mode == "observe":
            template = "'{site}' is only observed: nothing can be built there by default"
            yield Finding((*path, at), "observed_default", template, {"site": name})
        if name in served_by[:at]:
            yield Finding((*path, at), "not_unique", "'{value}' is here twice", {"value": name})


def _zones(topology: Topology, _lost: Lost) -> Iterator[Finding]:
    model = next((site.zones for site in topology.sites if site.role == "province"), {})
    for index, site in enumerate(topology.sites):
        if site.role == "province" and not site.zones:
            yield Finding(("sites", index, "zones"), "no_zones", "the province's site has no zones")
        if site.mode == "managed":
            for zone in sorted(set(model) - set(site.zones)):
                template = "the zone '{zone}' of the province's site is missing here"
                yield Finding(("sites", index, "zones"), "zone_missing", template, {"zone": zone})
        for zone in sorted(set(site.zones) - set(model)) if model else ():
            template = "the province's site has no zone '{zone}'"
            yield Finding(
                ("sites", index, "zones", zone), "zone_unknown", template, {"zone": zone}, None, True
            )


# -- catalogue, departments, systems


def _catalogue(topology: Topology, lost: Lost) -> Iterator[Finding]:
    sites = {site.name for site in topology.sites}
    catalogue = topology.catalogue
    sections: tuple[tuple[str, Sequence[Flavor | Image | VolumeType]], ...] = (
        ("flavors", catalogue.flavors),
        ("images", catalogue.images),
        ("volume_types", catalogue.volume_types),
    )
    for section, items in sections:
        for index, item in enumerate(items):
            for site in item.site_names:
                if site not in sites and not lost.has("sites", site):
                    path: Path = ("catalogue", section, index, "site_names", site)
                    finding = dangling(path, "site", site, sites | lost.names("sites"))
                    yield replace(finding, at_key=True)


def _departments(topology: Topology, lost: Lost) -> Iterator[Finding]:
    codes = {division.code for division in topology.divisions}
    wanted = [department.division for department in topology.departments]
    yield from _unknown("departments", "division", wanted, codes, lost)


def _systems(topology: Topology, lost: Lost) -> Iterator[Finding]:
    codes = {department.code for department in topology.departments}
    wanted = [system.department for system in topology.systems]
    yield from _unknown("systems", "department", wanted, codes, lost)


def _unknown(section: str, key: str, wanted: Sequence[str], codes: set[str], lost: Lost) -> Iterator[Finding]:
    """Entries whose `key` names a code that no entry of that kind has."""
    for index, code in enumerate(wanted):
        if code not in codes and not lost.has(f"{key}s", code):
            yield dangling((section, index, key), key, code, codes | lost.names(f"{key}s"))


# -- approvals

_WHERE = {
    "department_approver": {"department"},
    "division_reviewer": {"township", "county", "city", "province"},
    "cloud_admin": {"site"},
    "province_admin": {"installation"},
}


def _stages(topology: Topology, lost: Lost) -> Iterator[Finding]:
    sites = {site.name for site in topology.sites}
    for index, stage in enumerate(topology.approvals):
        if stage.at not in _WHERE[stage.role]:
            params = {"role": stage.role, "where": ", ".join(sorted(_WHERE[stage.role]))}
            template = "the role {role} decides at: {where}"
            yield Finding(("approvals", index, "at"), "wrong_level", template, params)
        yield from _conditions(index, stage, sites, lost)


def _conditions(index: int, stage: Stage, sites: set[str], lost: Lost) -> Iterator[Finding]:
    for number, when in enumerate(stage.when):
        path: Path = ("approvals", index, "when", number)
        if not any((when.kinds, when.sites, when.zones, when.department_levels, when.over)):
            yield Finding(path, "no_condition", "names no condition", hint="leave `when` out for always")
        for at, site in enumerate(when.sites):
            if site not in sites and not lost.has("sites", site):
                yield dangling((*path, "sites", at), "site", site, sites | lost.names("sites"))
