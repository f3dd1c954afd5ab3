"""From what people write to a protection plan that can be kept, or to all its faults at once. Pure.

Lengths of time are written as `15m` or `4h`; a field in seconds with `_s` behind its name says the same, so
that what `Document.as_json` gives reads back as well. What a plan names is looked up later, in
dr/plans/validate.py.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from cloudctl.actors import RIGHTS
from cloudctl.errors import Fault
from dr import graph
from dr.isolated import checks
from dr.isolated.checks import Check
from dr.plans import databases
from dr.plans.document import Document, Fencing, Part, Sentinels, Serving, Steering, Way
from dr.plans.fields import Fields, is_address

MOST_PARTS, MOST_SERVERS, MOST_PLANS = 200, 200, 200
DAY_S = 86_400
MAPPED = ("networks", "addresses", "flavors", "types", "groups", "keys")
_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+", re.IGNORECASE)
_PLAYBOOK = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}(?:\.yml)?")
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}\.service")
_PROGRAM = re.compile(r"(?:/[A-Za-z0-9_.+@-]{1,100}){2,20}")
_PLAN = (
    "name", "system", "home", "recovery", "rpo", "rpo_s", "rto", "rto_s", "parts", "mapping", "checks",
    "playbook_checks", "steering", "sentinels", "policy", "verified_for", "verified_for_s", "approvers",
    "evicts", "lease", "lease_s", "fence",
)  # fmt: skip
_PART = (
    "name", "servers", "needs", "way", "serving", "checks", "patience", "patience_s", "critical",
    "is_critical", "writers", "database",
)  # fmt: skip
_STEERING = ("name", "ttl", "ttl_s", "addresses")
_SENTINELS = ("write_url", "read_url", "every", "every_s")
_APPROVERS = tuple(sorted(role.value for role in RIGHTS["dr.approve"]))


def read(given: object, place: str = "") -> tuple[Document | None, list[Fault]]:
    """The plan, or everything that is wrong with what is written; places begin with `place`."""
    faults: list[Fault] = []
    told = Fields(given, place, faults, _PLAN)
    if not told.given:
        return None, faults or [Fault(place, "missing", "is missing")]
    parts = _parts(told)
    document = Document(
        name=_name(told),
        system=told.text("system", None),
        home=told.text("home", None),
        recovery=told.text("recovery", None),
        rpo_s=told.whole_span("rpo", None, 0, 30 * DAY_S),
        rto_s=told.whole_span("rto", None, 1, 30 * DAY_S),
        parts=parts,
        mapping=_mapping(told),
        checks=_checks(told),
        playbook_checks=_playbooks(told),
        steering=_steering(told),
        sentinels=_sentinels(told),
        policy=told.text("policy"),
        verified_for_s=told.whole_span("verified_for", _default("verified_for_s"), DAY_S, 366 * DAY_S),
        approvers=_approvers(told),
        evicts=told.texts("evicts"),
        lease_s=told.whole_span("lease", _default("lease_s"), 5, 600),
        fence=_fence(told),
    )
    _places(told, document)
    return (None if faults else document), faults


def _default(name: str) -> Any:
    [found] = [one.default for one in fields(Document) if one.name == name]
    assert found is not MISSING
    return found


def _name(told: Fields) -> str:
    """Is the group at the witness and the name of a file as well, so only plain letters."""
    name = told.text("name", None)
    if name and not _NAME.fullmatch(name):
        told.fault("name", "bad_name", "must be small letters, digits and dashes, at most {most}", most=63)
    return name


def _places(told: Fields, document: Document) -> None:
    """What of two fields does not go together."""
    if document.home and document.home == document.recovery:
        told.fault("recovery", "same_site", "is the home site: a plan needs another one")
    if document.name and document.name in document.evicts:
        told.fault("evicts", "itself", "a plan cannot give way to itself")
    if document.steering is not None:
        for site in sorted(set(document.steering.addresses) - {document.home, document.recovery}):
            template = "'{given}' is none of: {choices}"
            params = {"given": site, "choices": f"{document.home}, {document.recovery}"}
            told.fault(f"steering.addresses.{site}", "unknown_word", template, **params)
    databases.check_sites(told, document)
    servers = {server for part in document.parts for server in part.servers}
    for index, check in enumerate(document.checks):
        if check.server and check.server not in servers:
            _unknown_server(told.faults, told.at(f"checks[{index}].server"), check.server, servers)


# -- parts


def _parts(told: Fields) -> tuple[Part, ...]:
    if "parts" not in told.given:
        told.fault("parts", "missing", "is missing", "the servers that are started together")
        return ()
    rows = told.each("parts", MOST_PARTS)
    found = [_part(told, place, row) for place, row in rows]
    if not rows and isinstance(told.given["parts"], list | tuple):
        told.fault("parts", "missing", "is missing", "the servers that are started together")
    names = [one.name for one in found]
    seen: dict[str, str] = {}
    for index, part in enumerate(found):
        if part.name and part.name in names[:index]:
            told.fault(f"parts[{index}].name", "twice", "is named twice")
        for number, need in enumerate(part.needs):
            if need not in names:
                near = next(iter(get_close_matches(need, names, 1)), None)
                hint = "did you mean {near}?" if near else None
                params = {"given": need, "near": near}
                told.fault(f"parts[{index}].needs[{number}]", "unknown_part", "there is no part '{given}'",
                           hint, **params)  # fmt: skip
        for number, server in enumerate(part.servers):
            if server in seen:
                template = "is in the part {other} already"
                told.fault(f"parts[{index}].servers[{number}]", "twice", template, other=seen[server])
            seen.setdefault(server, part.name)
    for way in graph.cycles({one.name: one.needs for one in found}):
        told.fault("parts", "cycle", "wait for each other: {way}", way=" → ".join((*way, way[0])))
    return tuple(found)


def _part(told: Fields, place: str, row: object) -> Part:
    one = Fields(row, place, told.faults, _PART)
    if not one.given:
        return Part("", ())
    serving = Serving(one.word("serving", tuple(Serving), Serving.ONE_SITE.value))
    usual = Way.NONE if serving is Serving.STATELESS else Way.POINTS
    part = Part(
        name=one.text("name", None),
        servers=one.texts("servers", None, MOST_SERVERS),
        needs=one.texts("needs", (), MOST_PARTS),
        way=Way(one.word("way", tuple(Way), usual.value)),
        serving=serving,
        checks=_checks(one),
        patience_s=one.whole_span("patience", 600, 1, 7 * DAY_S),
        is_critical=one.flag("critical", True),
        writers=_writers(one),
        database=databases.read(one),
    )
    _serving(one, part)
    databases.check(one, part)
    for index, check in enumerate(part.checks):
        if check.server and check.server not in part.servers:
            place = one.at(f"checks[{index}].server")
            _unknown_server(told.faults, place, check.server, set(part.servers))
    return part


def _writers(one: Fields) -> tuple[str, ...]:
    """Units by their whole names, or one program by its path: they go into a script that runs as root."""
    writers = one.texts("writers", (), MOST_PARTS)
    for index, name in enumerate(writers):
        if not _UNIT.fullmatch(name) and not _PROGRAM.fullmatch(name):
            template = "'{given}' is no unit of systemd and no path of a program"
            hint = "write app.service, or /usr/local/sbin/writers"
            one.fault(f"writers[{index}]", "bad_unit", template, hint, given=name[:60])
    if len(writers) > 1 and any(name.startswith("/") for name in writers):
        one.fault("writers", "contradiction", "a program starts and stops all that writes: name it alone")
    return writers


def _serving(one: Fields, part: Part) -> None:
    """How a part serves has to go with how its data gets to the other site."""
    params = {"serving": part.serving.value, "way": part.way.value}
    if part.serving is Serving.STATELESS and part.way is not Way.NONE:
        one.fault("way", "contradiction", "a part that keeps nothing has no data to bring: `none`", **params)
    if part.serving in (Serving.READ_ANYWHERE, Serving.MULTI_WRITER) and part.way is not Way.APPLICATION:
        template = "a part that serves as {serving} at both sites has data by the application, not by {way}"
        one.fault("way", "contradiction", template, **params)


def _unknown_server(faults: list[Fault], place: str, given: str, known: set[str]) -> None:
    near = next(iter(get_close_matches(given, sorted(known), 1)), None)
    hint = "did you mean {near}?" if near else None
    faults.append(Fault(place, "unknown_server", "no part has a server '{given}'",
                        {"given": given, "near": near}, hint))  # fmt: skip


def _checks(told: Fields) -> tuple[Check, ...]:
    if "checks" not in told.given:
        return ()
    found, faults = checks.read(told.given["checks"], told.at("checks"))
    told.faults += faults
    return found


# -- the rest


def _mapping(told: Fields) -> Mapping[str, Mapping[str, str]]:
    if "mapping" not in told.given:
        return {}
    rows = Fields(told.given["mapping"], told.at("mapping"), told.faults, MAPPED)
    found = {key: rows.names(key, _address if key == "addresses" else None) for key in MAPPED}
    for key, pairs in found.items():
        twice = {other for other in pairs.values() if list(pairs.values()).count(other) > 1}
        if key == "addresses" and twice:
            rows.fault(key, "twice", "is named twice")
        if key == "addresses":
            for address in pairs:
                _address(rows, f"{key}.{address}", address)
    return {key: pairs for key, pairs in found.items() if pairs}


def _address(told: Fields, key: str, text: str) -> None:
    if not is_address(text):
        told.fault(key, "bad_address", "'{given}' is no address", given=text[:60])


def _playbooks(told: Fields) -> tuple[str, ...]:
    names = told.texts("playbook_checks")
    for index, name in enumerate(names):
        if not _PLAYBOOK.fullmatch(name):
            told.fault(f"playbook_checks[{index}]", "bad_name", "is no name of a playbook")
    return names


def _steering(told: Fields) -> Steering | None:
    if "steering" not in told.given:
        return None
    one = Fields(told.given["steering"], told.at("steering"), told.faults, _STEERING)
    if not one.given:
        return None
    name = one.text("name", None)
    name = name if not name or name.endswith(".") else f"{name}."
    if name and (not _HOST.fullmatch(name) or len(name) > 254):
        one.fault("name", "bad_name", "is no fully qualified name")
    rows = one.given.get("addresses", {})
    addresses: dict[str, tuple[str, ...]] = {}
    if not isinstance(rows, Mapping):
        one.fault("addresses", "bad_shape", "must be a mapping of {known}", known="sites")
        rows = {}
    listed = Fields(rows, one.at("addresses"), told.faults, tuple(str(key) for key in rows))
    for site in listed.given:
        addresses[site] = listed.texts(site)
        for index, address in enumerate(addresses[site]):
            _address(listed, f"{site}[{index}]", address)
    return Steering(name, one.whole_span("ttl", 30, 1, DAY_S), addresses)


def _fence(told: Fields) -> Fencing:
    if "fence" not in told.given:
        return Fencing()
    one = Fields(told.given["fence"], told.at("fence"), told.faults, ("stop_servers",))
    return Fencing(one.flag("stop_servers", False))


def _sentinels(told: Fields) -> Sentinels | None:
    if "sentinels" not in told.given:
        return None
    one = Fields(told.given["sentinels"], told.at("sentinels"), told.faults, _SENTINELS)
    if not one.given:
        return None
    urls = {key: one.text(key, None) for key in ("write_url", "read_url")}
    for key, url in urls.items():
        if url and not _is_url(url):
            one.fault(key, "bad_url", "is no address of a page: http or https, and no password in it")
    return Sentinels(urls["write_url"], urls["read_url"], one.span("every", 10.0, 0.1, DAY_S))


def _is_url(url: str) -> bool:
    try:
        told = urlsplit(url)
        return told.scheme in ("http", "https") and bool(told.hostname) and told.password is None
    except ValueError:
        return False


def _approvers(told: Fields) -> tuple[str, ...]:
    named = told.texts("approvers", _default("approvers"))
    for index, role in enumerate(named):
        if role not in _APPROVERS:
            params = {"given": role[:60], "choices": ", ".join(_APPROVERS)}
            template = "'{given}' is none of: {choices}"
            told.fault(f"approvers[{index}]", "unknown_word", template, **params)
    if not named:
        told.fault("approvers", "missing", "is missing", "the roles that may approve a move")
    return named
