"""A protection plan as people write it: what reads back to the same document. Pure."""

from collections.abc import Mapping
from typing import Any

from dr.isolated.checks import Check
from dr.plans import databases
from dr.plans.document import Document, Part, Serving, Way
from dr.plans.spans import span_of

Json = dict[str, Any]


def written(document: Document) -> Json:
    """The plan in the form of a file, for YAML: what is as it would be anyway is left out."""
    told: Json = {
        "name": document.name,
        "system": document.system,
        "home": document.home,
        "recovery": document.recovery,
        "rpo": span_of(document.rpo_s),
        "rto": span_of(document.rto_s),
        "policy": document.policy,
        "parts": [_part(one) for one in document.parts],
        "checks": _checks(document.checks),
        "playbook_checks": list(document.playbook_checks),
        "mapping": {key: dict(pairs) for key, pairs in document.mapping.items()},
    }
    if (steering := document.steering) is not None:
        addresses = {site: list(ones) for site, ones in steering.addresses.items()}
        told["steering"] = {"name": steering.name, "ttl": span_of(steering.ttl_s), "addresses": addresses}
    if (sentinels := document.sentinels) is not None:
        told["sentinels"] = {
            "write_url": sentinels.write_url,
            "read_url": sentinels.read_url,
            "every": span_of(sentinels.every_s),
        }
    usual = Document("", "", "", "", 0, 0, ())
    told["verified_for"] = span_of(document.verified_for_s)
    told["lease"] = span_of(document.lease_s)
    told["evicts"] = list(document.evicts)
    if document.fence != usual.fence:
        told["fence"] = {"stop_servers": document.fence.stop_servers}
    if document.approvers != usual.approvers:
        told["approvers"] = list(document.approvers)
    return _without_empty(told)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], place: str = "") -> Json:
    """What differs between two written plans: place -> [before, after]; parts are known by their name."""
    found: Json = {}
    for key in dict.fromkeys((*before, *after)):
        where = f"{place}.{key}" if place else str(key)
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if key == "parts" and isinstance(old, list) and isinstance(new, list):
            found |= differences(_by_name(old), _by_name(new), where)
            if [one["name"] for one in old] != [one["name"] for one in new] and not found:
                found[where] = [[one["name"] for one in old], [one["name"] for one in new]]
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= differences(old, new, where)
        else:
            found[where] = [old, new]
    return found


def _by_name(rows: list[Json]) -> Json:
    return {str(row["name"]): row for row in rows}


def _part(part: Part) -> Json:
    usual = Way.NONE if part.serving is Serving.STATELESS else Way.POINTS
    told: Json = {
        "name": part.name,
        "servers": list(part.servers),
        "needs": list(part.needs),
        "way": None if part.way is usual else part.way.value,
        "serving": None if part.serving is Serving.ONE_SITE else part.serving.value,
        "checks": _checks(part.checks),
        "patience": None if part.patience_s == 600 else span_of(part.patience_s),
        "critical": None if part.is_critical else False,
        "writers": list(part.writers),
        "database": databases.written(part.database),
    }
    return _without_empty(told)


def _checks(checks: tuple[Check, ...]) -> list[Json]:
    return [one.as_json() for one in checks]


def _without_empty(told: Json) -> Json:
    return {key: value for key, value in told.items() if value not in (None, "", [], {})}
