"""The database of a part that copies itself: read from a plan, written into one, and judged. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from cloudctl.errors import Fault
from dr.plans.document import Database, Document, Part, Serving, Way
from dr.plans.fields import Fields
from dr.plans.known import ServerFacts, named

POSTGRESQL = "postgresql"
_KEYS = ("kind", "servers", "port", "directory")
_DIRECTORY = re.compile(r"(/[A-Za-z0-9._-]+)+")  # goes into a play: no word of any language
_USUAL_PORT, _MOST_PORT = 5432, 65535


def read(told: Fields) -> Database | None:
    """What the part says of its database; faults are kept with their places."""
    if "database" not in told.given:
        return None
    one = Fields(told.given["database"], told.at("database"), told.faults, _KEYS)
    if not one.given:
        return None
    one.word("kind", (POSTGRESQL,), POSTGRESQL)
    if "servers" not in one.given:
        one.fault("servers", "missing", "is missing", "site: server, for both sites")
    port = one.given.get("port", _USUAL_PORT)
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= _MOST_PORT:
        one.fault("port", "out_of_range", "must be a number from {least} to {most}", least=1, most=_MOST_PORT)
        port = _USUAL_PORT
    directory = one.text("directory")
    if directory and (not _DIRECTORY.fullmatch(directory) or ".." in directory.split("/")):
        one.fault("directory", "bad_path", "is no absolute path of plain letters")
    return Database(one.names("servers"), port, directory)


def check(told: Fields, part: Part) -> None:
    """What of the part and its database does not go together."""
    if part.database is None:
        return
    params = {"serving": part.serving.value, "way": part.way.value}
    if part.way is not Way.APPLICATION:
        template = "only a part whose data goes by the application has a database here, not by {way}"
        told.fault("database", "contradiction", template, **params)
    elif part.serving in (Serving.MULTI_WRITER, Serving.STATELESS):
        template = "a database that follows another is written at one site, and does not serve as {serving}"
        told.fault("serving", "contradiction", template, **params)
    elif any(not one.startswith("/") for one in part.writers):
        template = (
            "a database that follows runs at both sites: name a program that leaves it alone, not units"
        )
        told.fault("writers", "contradiction", template)


def check_sites(told: Fields, document: Document) -> None:
    """A database has one server at each site of the plan, and the part is the one at home."""
    sites = [document.home, document.recovery]
    for index, part in enumerate(document.parts):
        if part.database is None or not all(sites):
            continue
        named, place = part.database.servers, f"parts[{index}].database.servers"
        for site in sorted(set(named) - set(sites)):
            params = {"given": site, "choices": ", ".join(sites)}
            told.fault(f"{place}.{site}", "unknown_word", "'{given}' is none of: {choices}", **params)
        for site in sites:
            if site not in named:
                told.fault(f"{place}.{site}", "missing", "is missing", "the server of the database there")
        home = named.get(document.home)
        if home is not None and part.servers != (home,):
            template = "the part has its database's server '{name}' alone: name others in a part of their own"
            told.fault(f"parts[{index}].servers", "contradiction", template, name=home)


def written(database: Database | None) -> dict[str, Any] | None:
    """What reads back to the same; what is as it would be anyway is left out."""
    if database is None:
        return None
    told: dict[str, Any] = {"kind": database.kind, "servers": dict(database.servers)}
    if database.port != _USUAL_PORT:
        told["port"] = database.port
    if database.directory:
        told["directory"] = database.directory
    return told


def missing(document: Document, target: str, standing: Sequence[ServerFacts]) -> Iterator[Fault]:
    """Databases whose server at the target is none of those that stand there."""
    for index, part in enumerate(document.parts):
        name = None if part.database is None else part.database.servers.get(target)
        if name is None or named(standing, name) is not None:
            continue
        near = next(iter(get_close_matches(name, [one.label or one.name for one in standing], 1)), None)
        hint = "did you mean {near}?" if near else None
        params = {"system": document.system, "name": name, "site": target, "near": near}
        template = "the system {system} has no server '{name}' at {site}"
        yield Fault(f"parts[{index}].database.servers.{target}", "unknown_server", template, params, hint)


def unmovable(document: Document) -> Iterator[Fault]:
    """Parts of which nobody says how their own copying is turned round."""
    for index, part in enumerate(document.parts):
        if part.way is Way.APPLICATION and part.database is None and part.serving is not Serving.MULTI_WRITER:
            template = "part {part} does not say which database it is: cloudctl cannot turn it round"
            hint = "say under database which server has it at each site"
            yield Fault(f"parts[{index}].database", "missing", template, {"part": part.name}, hint)


def of(document: Document) -> Mapping[str, Part]:
    """The parts with a database, by name."""
    return {part.name: part for part in document.parts if part.database is not None}
