"""Whether a plan can be carried out at all, by what both sites have; every fault at once. Pure.

What is wrong only today (room, lag, age of the proof) is not here but in dr/plans/readiness.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address, ip_network

from cloudctl.errors import Fault
from cloudctl.ports.replication import ReplicaState
from dr.plans import databases
from dr.plans.document import Document, Part, Serving, Way
from dr.plans.known import (
    CloudFacts,
    Known,
    ServerFacts,
    flavor_at,
    is_made_anew,
    mapping_to,
    network_at,
)

NO_ANSWER = "no_answer"  # the code of a site that tells nothing: nothing can be said, good or bad


def validate(document: Document, known: Known) -> list[Fault]:
    """All that keeps the plan from being used, each with its place in the document."""
    faults = [*_register(document, known)]
    if any(one.place in ("system", "home", "recovery") for one in faults):
        return faults
    return [
        *faults,
        *_servers(document, known),
        *_data(document, known),
        *_objectives(document, known),
        *_place(document, known),
        *_addresses(document, known),
        *_others(document, known),
    ]


def is_undecided(faults: Iterable[Fault]) -> bool:
    """Whether a site did not answer, so that another look may find nothing wrong."""
    return any(one.code == NO_ANSWER for one in faults)


def _register(document: Document, known: Known) -> Iterator[Fault]:
    params = {"system": document.system}
    if known.system is None:
        yield Fault("system", "unknown_system", "there is no system '{system}'", params)
    elif known.system.is_classified:
        template = "the system {system} is classified: nothing of it is ever copied"
        yield Fault("system", "system_classified", template, params)
    elif known.system.is_retired:
        template = "the system {system} is no longer in the register"
        yield Fault("system", "system_retired", template, params)
    for place, site in (("home", document.home), ("recovery", document.recovery)):
        if site not in known.sites:
            near = next(iter(get_close_matches(site, sorted(known.sites), 1)), None)
            hint = "did you mean {near}?" if near else None
            words = "there is no site '{site}'"
            yield Fault(place, "unknown_site", words, {"site": site, "near": near}, hint)
        elif known.sites[site].mode == "observe":
            template = "the site {site} is only observed: nothing can be made there"
            yield Fault(place, "observe_only", template, {"site": site})


def _servers(document: Document, known: Known) -> Iterator[Fault]:
    names = sorted({one.name for one in known.servers} | {one.label for one in known.servers if one.label})
    taken = {_name_of(known, name): plan for name, plan in known.taken_servers.items()}
    called = {name for part in document.parts for name in part.names_at(known.source)}
    seen: dict[str, str] = {}  # by its name, how the plan called it
    for index, part in enumerate(document.parts):
        for number, server in enumerate(part.names_at(known.source)):
            place = f"parts[{index}].servers[{number}]"
            found = known.server(server)
            if found is not None and server not in {found.name, found.label} and found.name in called:
                found = None  # alike but for the mark of a restore: that one is in the plan by its own name
            if found is not None and found.name in seen:
                both = {"name": server, "other": seen[found.name]}
                yield Fault(place, "twice", "'{name}' is the server that is called '{other}' as well", both)
            elif found is not None:
                seen[found.name] = server
            else:
                near = next(iter(get_close_matches(server, names, 1)), None)
                hint = "did you mean {near}?" if near else None
                params = {"system": document.system, "name": server, "site": known.source, "near": near}
                template = "the system {system} has no server '{name}' at {site}"
                yield Fault(place, "unknown_server", template, params, hint)
            if plan := taken.get(_name_of(known, server)):
                params = {"name": server, "plan": plan}
                yield Fault(place, "taken", "'{name}' is protected by the plan {plan} already", params)
    yield from databases.missing(document, known.target, known.standing)


def _name_of(known: Known, called: str) -> str:
    """The name of the server that is called so, at the source."""
    found = known.server(called)
    return found.name if found is not None else called


# -- how the data gets there


def _data(document: Document, known: Known) -> Iterator[Fault]:
    for index, part in enumerate(document.parts):
        if part.way is Way.POINTS:
            yield from _points(document, known, f"parts[{index}].way")
        elif part.way is Way.REPLICATION:
            yield from _replication(part, known, f"parts[{index}].way")
        elif part.way is Way.NONE and is_made_anew(part):
            yield from _images(document, part, known, f"parts[{index}]")


def _points(document: Document, known: Known, place: str) -> Iterator[Fault]:
    params = {"system": document.system, "site": known.source, "policy": document.policy}
    found = [one for one in known.policies if document.policy in ("", one.name)]
    if document.policy and not found:
        template = "the policy '{policy}' does not have the whole system {system} at {site}"
        yield Fault("policy", "unknown_policy", template, params)
    elif not found:
        hint = "put it into one: cloudctl backup policy apply FILE"
        template = "no backup policy has the whole system {system} at {site}"
        yield Fault(place, "no_policy", template, params, hint)
    elif not any(set(one.vaults) - {known.source} for one in found):
        template = "the points of {system} are kept at {site} alone, where the data is"
        yield Fault(place, "not_offsite", template, params, "name another vault in the backup policy")


def _replication(part: Part, known: Known, place: str) -> Iterator[Fault]:
    if known.replication_problem:
        template = "the storage does not tell what it copies: {reason}"
        yield Fault(place, NO_ANSWER, template, {"reason": known.replication_problem})
        return
    for server in known.servers_of(part):
        for volume in server.volumes:
            replica = known.replicas.get(volume.external_id)
            if replica is None or replica.state is ReplicaState.ABSENT:
                template = "the volume '{name}' ({type}) is not copied to {site} by the storage"
                params = {"name": volume.name, "type": volume.type, "site": known.target}
                hint = "retype it to a type that is replicated"
                yield Fault(place, "not_replicated", template, params, hint)


def _images(document: Document, part: Part, known: Known, place: str) -> Iterator[Fault]:
    """Servers without data of their own are made from their image."""
    cloud = known.site(known.target).cloud
    for server in known.servers_of(part):
        if not server.image:
            template = "it is not known from which image '{name}' was made"
            yield Fault(f"{place}.servers", "no_image", template, {"name": server.name})
        elif cloud is not None and not cloud.problem:
            name = known.site(known.target).at_site("image", server.image)
            params = {"site": known.target, "name": name}
            if name not in cloud.images:
                yield Fault(f"{place}.servers", "no_image", "{site} has no image '{name}'", params)
            elif cloud.images[name] != "active":
                words = {**params, "status": cloud.images[name]}
                template = "the image '{name}' at {site} is {status}"
                yield Fault(f"{place}.servers", "image_inactive", template, words)


def _objectives(document: Document, known: Known) -> Iterator[Fault]:
    if document.rpo_s:
        return
    waits = [part.name for part in document.parts if part.way is not Way.NONE]
    voted = [part.name for part in document.parts if part.serving is Serving.MULTI_WRITER]
    if set(waits) - set(voted):
        template = "two sites with asynchronous data cannot lose nothing: {parts} arrive later than written"
        params = {"parts": ", ".join(sorted(set(waits) - set(voted)))}
        yield Fault("rpo", "rpo_not_zero", template, params)


# -- what stands for what at the other site


def _place(document: Document, known: Known) -> Iterator[Fault]:
    target = known.site(known.target)
    cloud = target.cloud
    if cloud is not None and cloud.problem:
        params = {"site": known.target, "reason": cloud.problem}
        yield Fault("recovery", NO_ANSWER, "{site} does not tell what it has: {reason}", params)
        return
    if not known.project and any(is_made_anew(part) for part in document.parts):
        hint = "ask for one: cloudctl request create project --system {system} --site {site}"
        params = {"site": known.target, "system": document.system}
        yield Fault("recovery", "no_project", "there is no project at {site} to restore into", params, hint)
    yield from _mapped_names(document, known, cloud)
    for index, part in enumerate(document.parts):
        if not is_made_anew(part):
            continue
        for number, name in enumerate(part.servers):
            server, place = known.server(name), f"parts[{index}].servers[{number}]"
            if server is None:
                continue
            yield from _flavor(document, known, server, cloud, place)
            yield from _network(document, known, server, cloud, place)


def _flavor(
    document: Document, known: Known, server: ServerFacts, cloud: CloudFacts | None, place: str
) -> Iterator[Fault]:
    wanted = known.site(known.target).at_site("flavor", flavor_at(document, known, server))
    if cloud is not None and wanted not in cloud.flavors:
        params = {"site": known.target, "name": wanted, "was": server.flavor}
        hint = "say under mapping.flavors which stands for {was}"
        yield Fault(place, "no_flavor", "{site} has no flavor '{name}'", params, hint)


def _network(
    document: Document, known: Known, server: ServerFacts, cloud: CloudFacts | None, place: str
) -> Iterator[Fault]:
    zone, network = network_at(document, known, server)
    params = {"site": known.target, "zone": zone, "network": network}
    if network is None:
        hint = "say under mapping.networks which zone stands for it"
        yield Fault(place, "no_network", "{site} has no network for zone '{zone}'", params, hint)
    elif cloud is not None and network not in cloud.networks:
        template = "the network '{network}' of zone '{zone}' is not at {site}"
        yield Fault(place, "no_network", template, params)


def _mapped_names(document: Document, known: Known, cloud: CloudFacts | None) -> Iterator[Fault]:
    """A type or group that somebody names has to be there: what is left to us is chosen by us."""
    pairs = mapping_to(document, known.target)
    target = known.site(known.target)
    for was, name in pairs.get("types", {}).items():
        at_site = target.at_site("volume_type", name)
        if cloud is not None and at_site not in cloud.types:
            params = {"site": known.target, "name": at_site}
            yield Fault(f"mapping.types.{was}", "no_type", "{site} has no volume type '{name}'", params)
    for was, zone in pairs.get("groups", {}).items():
        if zone not in target.zones:
            params = {"site": known.target, "zone": zone}
            template = "{site} has no network zone '{zone}', whose security group this would be"
            yield Fault(f"mapping.groups.{was}", "no_group", template, params)


def _addresses(document: Document, known: Known) -> Iterator[Fault]:
    """Addresses that are wanted lie in a network of the target, and nobody else has them."""
    pairs, cloud = mapping_to(document, known.target).get("addresses", {}), known.site(known.target).cloud
    here = {address for server in known.servers for address in server.addresses}
    ranges = [] if cloud is None else [one for subnets in cloud.networks.values() for one in subnets]
    for was, address in pairs.items():
        place = f"mapping.addresses.{was}"
        params: Mapping[str, object] = {"address": address, "site": known.target, "was": was}
        if was not in here:
            template = "no server of the system has the address {was}"
            yield Fault(place, "unknown_address", template, params)
        if cloud is None or cloud.problem:
            continue
        if not any(_lies_in(address, one) for one in ranges):
            template = "the address {address} lies in no network of {site}"
            yield Fault(place, "no_subnet", template, params)
        if address in cloud.taken:
            yield Fault(place, "address_taken", "the address {address} is taken at {site}", params)
    if document.steering is not None and not document.steering.addresses.get(known.target):
        template = "there is no address for {site}: nobody could be led there"
        params = {"site": known.target}
        yield Fault(f"steering.addresses.{known.target}", "missing", template, params)


def _lies_in(address: str, subnet: str) -> bool:
    try:
        return ip_address(address) in ip_network(subnet, strict=False)
    except ValueError:
        return False


def _others(document: Document, known: Known) -> Iterator[Fault]:
    for index, name in enumerate(document.evicts):
        if name not in known.other_plans:
            near = next(iter(get_close_matches(name, sorted(known.other_plans), 1)), None)
            hint = "did you mean {near}?" if near else None
            params = {"given": name, "near": near}
            yield Fault(f"evicts[{index}]", "unknown_plan", "there is no plan '{given}'", params, hint)
