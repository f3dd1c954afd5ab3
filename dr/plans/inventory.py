"""What a plan rests on at both sites, each thing with what matters of it: any change un-verifies. Pure.

A drill proves a plan for servers, flavors, volumes, networks, groups and images as they were. What is not
known at the moment, since a site does not answer, is left out and is no change.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from cloudctl.amounts import Kind
from dr.plans.document import Document, Way
from dr.plans.known import Known, ServerFacts, flavor_at, is_made_anew, mapping_to, network_at
from provisioning.zone_rules import rules

Items = dict[str, Any]
SITES = "sites"  # under which the sites are kept that answered


def take(document: Document, known: Known) -> Items:
    """The inventory: `kind name@site` -> what matters of it, as plain JSON."""
    found = dict(_here(document, known))
    cloud = known.site(known.target).cloud
    if cloud is not None and not cloud.problem:
        found |= dict(_there(document, known))
    return {key: json.loads(json.dumps(found[key], ensure_ascii=False)) for key in sorted(found)}


def sha256_of(items: Mapping[str, Any]) -> str:
    """Of the inventory in canonical form; empty for an empty one."""
    if not items:
        return ""
    text = json.dumps(dict(items), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is other now: `what` (kind name@site), `change` (added, gone, changed), `before`, `after`.

    Where a site told nothing at one of the two moments, its things are not compared.
    """
    told = _sites(before) & _sites(after)
    rows = []
    for what in sorted({*before, *after}):
        if what.rpartition("@")[2] not in told:
            continue
        old, new = before.get(what), after.get(what)
        if old != new:
            change = "added" if what not in before else "gone" if what not in after else "changed"
            rows.append({"what": what, "change": change, "before": old, "after": new})
    return rows


def _sites(items: Mapping[str, Any]) -> set[str]:
    return {what.rpartition("@")[2] for what in items}


def _here(document: Document, known: Known) -> Iterator[tuple[str, Any]]:
    """The servers as they stand at the source, with their volumes."""
    for part in document.parts:
        for server in known.servers_of(part):
            yield f"server {server.name}@{known.source}", _server(server)
            if part.way is not Way.NONE:
                for volume in server.volumes:
                    told = {"size_gib": volume.size_gib, "type": volume.type, "server": server.name}
                    yield f"volume {volume.name}@{known.source}", told


def _server(server: ServerFacts) -> Items:
    return {
        "flavor": server.flavor,
        "zone": server.zone,
        "image": server.image,
        "addresses": sorted(server.addresses),
    }


def _there(document: Document, known: Known) -> Iterator[tuple[str, Any]]:
    """What the target has of all that the servers will need."""
    target = known.site(known.target)
    cloud = target.cloud
    assert cloud is not None
    level = known.system.mlps_level if known.system is not None else 0
    yield f"project {document.system}@{target.id}", known.project
    for name in sorted(set(mapping_to(document, target.id).get("types", {}).values())):
        at_site = target.at_site("volume_type", name)
        yield f"volume_type {at_site}@{target.id}", at_site in cloud.types
    for part in document.parts:
        if not is_made_anew(part):
            continue
        for server in known.servers_of(part):
            flavor = target.at_site("flavor", flavor_at(document, known, server))
            details = cloud.flavors.get(flavor, {})
            told = {key: details.get(key) for key in (Kind.VCPUS.value, Kind.RAM_MIB.value)}
            yield f"flavor {flavor}@{target.id}", told
            zone, network = network_at(document, known, server)
            if network is not None:
                yield f"network {network}@{target.id}", sorted(cloud.networks.get(network, ()))
            yield f"security_group {zone}@{target.id}", [repr(one) for one in rules(zone, level)]
            if part.way is Way.NONE and server.image:
                image = target.at_site("image", server.image)
                yield f"image {image}@{target.id}", cloud.images.get(image)
