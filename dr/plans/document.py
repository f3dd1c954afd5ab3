"""A protection plan as values: what people write as YAML, and what approvals and proofs are bound to. Pure.

The parts of a system are a graph: a part is started when every part it needs has answered, whatever the
others do.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dr.isolated.checks import Check, from_json


class Way(StrEnum):
    """How the data of a part gets to the other site."""

    POINTS = "points"  # recovery points: any cloud
    REPLICATION = "replication"  # the storage copies the volumes
    APPLICATION = "application"  # the application does, for instance PostgreSQL streaming
    NONE = "none"  # it has no data of its own; its servers are built from an image or stand ready


class Serving(StrEnum):
    """Where a part answers people while nothing is wrong."""

    ONE_SITE = "one_site"
    STATELESS = "stateless"  # at both, nothing is kept
    READ_ANYWHERE = "read_anywhere"  # read at both, written at one
    MULTI_WRITER = "multi_writer"  # written at both; a third site votes on each write


@dataclass(frozen=True)
class Database:
    """A PostgreSQL that has a server at each of the two sites: one writes, the other follows it."""

    servers: Mapping[str, str]  # site -> its server there, by name or label
    port: int = 5432
    directory: str = ""  # of its data; empty: the only one that the server has
    kind: str = "postgresql"


@dataclass(frozen=True)
class Part:
    """Servers that are started together, when what they need has answered."""

    name: str
    servers: tuple[str, ...]  # their names at the home site
    needs: tuple[str, ...] = ()
    way: Way = Way.POINTS
    serving: Serving = Serving.ONE_SITE
    checks: tuple[Check, ...] = ()  # that it works; empty: its servers answer
    patience_s: int = 600  # from the start of its servers until it has to answer
    is_critical: bool = True  # without it the move has failed
    #: What writes on its servers, for their agents: units of systemd, or one program that is told
    #: start | stop | kill | runs (exit code 1 when nothing runs).
    writers: tuple[str, ...] = ()
    database: Database | None = None  # what a move turns round; the part is its server alone then

    def names_at(self, site: str) -> tuple[str, ...]:
        """Its servers as they are called at a site where they stand without a move."""
        if self.database is None or site not in self.database.servers:
            return self.servers
        return (self.database.servers[site],)

    @property
    def names(self) -> frozenset[str]:
        """Whatever its servers are called anywhere."""
        return frozenset((*self.servers, *(self.database.servers.values() if self.database else ())))


@dataclass(frozen=True)
class Steering:
    """What brings people to the site where the system runs."""

    name: str  # fully qualified
    ttl_s: int = 30
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # site -> IPv4 and IPv6


@dataclass(frozen=True)
class Sentinels:
    """How a record is written and read back through the application itself, to see what a loss costs."""

    write_url: str  # POST with the record as body
    read_url: str  # GET gives all records, or those of the last day
    every_s: float = 10.0  # while nothing is rehearsed or moved; at least one each second then


@dataclass(frozen=True)
class Fencing:
    """What cloudctl itself may do to the old site where no agents stop its writers; nothing unless told."""

    stop_servers: bool = False  # its servers are shut down, and started again when the move is given back


@dataclass(frozen=True)
class Document:
    """One plan. `mapping` has, for each of networks, addresses, flavors, types, groups and keys, what stands
    for it at the recovery site; what is not named stays as it is.
    """

    name: str
    system: str
    home: str
    recovery: str
    rpo_s: int
    rto_s: int
    parts: tuple[Part, ...]
    mapping: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()  # of the whole, asked when every part has answered
    playbook_checks: tuple[str, ...] = ()  # playbooks that only look
    steering: Steering | None = None
    sentinels: Sentinels | None = None
    policy: str = ""  # the backup policy whose points are used; empty: any of the system
    verified_for_s: int = 90 * 86400  # a drill proves it for so long
    approvers: tuple[str, ...] = ("cloud_admin", "province_admin")  # roles; two people, never whoever asked
    evicts: tuple[str, ...] = ()  # plans whose systems give way at the recovery site, in this order
    lease_s: int = 30  # how long the writers of a site may go on without asking the witness
    fence: Fencing = field(default_factory=Fencing)

    def as_json(self) -> dict[str, Any]:
        """As it is kept: every field, lists for tuples."""
        row: dict[str, Any] = _plain(self)
        return row

    @property
    def sha256(self) -> str:
        """Of the document in canonical form: another value for any change of it."""
        text = json.dumps(self.as_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def of_json(row: Mapping[str, Any]) -> Document:
    """The document as `as_json` gave it."""
    steering, sentinels = row.get("steering"), row.get("sentinels")
    values = {key: _tuple(value) for key, value in row.items()}
    values["parts"] = tuple(_part(one) for one in row["parts"])
    values["checks"] = from_json(row.get("checks") or ())
    values["steering"] = _steering(steering) if steering else None
    values["sentinels"] = Sentinels(**sentinels) if sentinels else None
    values["fence"] = Fencing(**(row.get("fence") or {}))
    return Document(**values)


def _part(row: Mapping[str, Any]) -> Part:
    values = {key: _tuple(value) for key, value in row.items()}
    values["way"], values["serving"] = Way(row["way"]), Serving(row["serving"])
    values["checks"] = from_json(row.get("checks") or ())
    values["database"] = Database(**row["database"]) if row.get("database") else None
    return Part(**values)


def _steering(row: Mapping[str, Any]) -> Steering:
    addresses = {site: tuple(ones) for site, ones in row["addresses"].items()}
    return Steering(str(row["name"]), int(row["ttl_s"]), addresses)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Check):
        return value.as_json()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    return value
