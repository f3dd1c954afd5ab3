"""What a cloud has against what is on record: pure comparison of rows with one listing of everything.

Ours but unknown is an orphan; known but gone is missing; neither of these is ever deleted by a rule.
What carries no tag of this installation and is on no row is foreign: counted, listed, left alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.lifecycle import ResourceState as State
from cloudctl.ports import (
    TAG_INSTALLATION,
    TAG_REQUEST,
    TAG_RESOURCE,
    TAG_RESTORE,
    Port,
    Server,
    Tags,
    Volume,
)
from provisioning.desired import PORT, SERVER, VOLUME

SETTLED = (State.ACTIVE, State.ERROR, State.MISSING, State.ORPHANED)
_BROKEN = ("ERROR", "error")
_UNTOLD = "UNKNOWN"  # a server in a cell of Nova that is down: it is there, and nothing else is known


@dataclass(frozen=True)
class Known:
    """A row as far as the comparison needs it."""

    id: str
    kind: str
    name: str
    external_id: str | None
    state: str
    origin: str = "made"
    project: str | None = None  # the project's id at the site
    request_id: int | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    amounts: Amounts = field(default_factory=Amounts)
    is_still: bool = True  # the row was the same before the listing began


@dataclass(frozen=True)
class There:
    """A server, volume or port as the cloud shows it; no amounts where it does not tell them."""

    kind: str
    external_id: str
    name: str
    project: str
    tags: Tags
    status: str
    amounts: Amounts
    facts: Mapping[str, Any] = field(default_factory=dict)  # flavor | size_gib, type: comparable with a spec


@dataclass(frozen=True)
class Restores:
    """Restores and proofs that go on: their numbers, and the ids of the volumes that they have made.

    By id as well, since Cinder writes the tags of the volume that was backed up onto the one restored to.
    """

    numbers: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()

    def have(self, thing: There, installation: str) -> bool:
        """Whether the thing is there for the time of one of them."""
        is_ours = thing.tags.get(TAG_INSTALLATION) == installation
        return thing.external_id in self.volumes or (is_ours and thing.tags.get(TAG_RESTORE) in self.numbers)


@dataclass(frozen=True)
class Drift:
    """A known resource that is not as recorded, and why that can be."""

    id: str
    name: str
    what: str
    was: object
    is_now: object
    cause: str


@dataclass(frozen=True)
class Comparison:
    """Everything that one listing told. `moves` are state changes of rows, by resource id."""

    seen: frozenset[str]  # ids of the rows that are there
    moves: Mapping[str, tuple[str, State]]  # from, to
    drifts: tuple[Drift, ...]
    recounted: Mapping[str, Amounts]  # what rows must count from now on
    orphans: tuple[There, ...]  # ours, on no row
    revenants: Mapping[str, There]  # ours, on a row that says it was released
    foreign: tuple[There, ...]
    foreign_inside: tuple[There, ...]  # those of them in projects that are ours


def compare(
    installation: str,
    known: Sequence[Known],
    there: Sequence[There],
    busy_requests: frozenset[int] = frozenset(),
    our_projects: frozenset[str] = frozenset(),
    restores: Restores = Restores(),
) -> Comparison:
    """Compare. What belongs to a request or restore with an open operation is left to that operation."""
    rows = {(row.kind, row.external_id): row for row in known if row.external_id}
    rows_by_id = {row.id: row for row in known}
    matched: dict[str, There] = {}
    orphans: list[There] = []
    revenants: dict[str, There] = {}
    foreign: list[There] = []
    for thing in there:
        row = rows.get((thing.kind, thing.external_id))
        if row is None and restores.have(thing, installation):
            continue
        row = row or _by_tag(rows_by_id, thing, installation)
        if row is not None and row.state == State.RELEASED:
            if row.is_still and not _is_busy(thing, busy_requests, installation):
                revenants[row.id] = thing
        elif row is not None:
            matched[row.id] = thing
        elif thing.tags.get(TAG_INSTALLATION) != installation:
            foreign.append(thing)
        elif not _is_busy(thing, busy_requests, installation):
            orphans.append(thing)
    quiet = [row for row in known if _is_quiet(row, busy_requests)]
    pairs = [(row, matched[row.id]) for row in quiet if row.id in matched]
    return Comparison(
        seen=frozenset(matched),
        moves=_moves(quiet, matched),
        drifts=tuple(drift for row, thing in pairs for drift in _drifts(row, thing, installation)),
        recounted={row.id: thing.amounts for row, thing in pairs if _counts_else(row, thing)},
        orphans=tuple(orphans),
        revenants=revenants,
        foreign=tuple(foreign),
        foreign_inside=tuple(thing for thing in foreign if thing.project in our_projects),
    )


def _by_tag(rows: Mapping[str, Known], thing: There, installation: str) -> Known | None:
    """The row that the thing names in its tag; for rows that never learned the external id."""
    row = rows.get(thing.tags.get(TAG_RESOURCE, ""))
    is_ours = row is not None and thing.tags.get(TAG_INSTALLATION) == installation
    if row is None or not is_ours or row.kind != thing.kind:
        return None
    return row if row.external_id in (None, thing.external_id) else None


def _is_busy(thing: There, busy_requests: frozenset[int], installation: str) -> bool:
    request = thing.tags.get(TAG_REQUEST, "")
    ours = thing.tags.get(TAG_INSTALLATION) == installation
    return ours and request.isdigit() and int(request) in busy_requests


def _is_quiet(row: Known, busy_requests: frozenset[int]) -> bool:
    """Whether the row stands still: no flow works on it."""
    return row.is_still and row.state in SETTLED and row.request_id not in busy_requests


def _moves(rows: Iterable[Known], matched: Mapping[str, There]) -> dict[str, tuple[str, State]]:
    moves: dict[str, tuple[str, State]] = {}
    for row in rows:
        target = _target(row, matched.get(row.id))
        if target is not None and target != row.state:
            moves[row.id] = (row.state, target)
    return moves


def _target(row: Known, thing: There | None) -> State | None:
    if row.state == State.ORPHANED:
        return None if thing is not None else State.RELEASED  # somebody removed it: nothing is left of it
    if thing is None:
        return State.MISSING
    if thing.status == _UNTOLD:
        return None
    return State.ERROR if thing.status in _BROKEN else State.ACTIVE


def _drifts(row: Known, thing: There, installation: str) -> list[Drift]:
    if row.state == State.ORPHANED or thing.status == _UNTOLD:
        return []
    changes = [
        (key, row.spec[key], now, _CAUSES[key])
        for key, now in thing.facts.items()
        if now and row.spec.get(key) not in (None, now)
    ]
    if row.project and thing.project and row.project != thing.project:
        changes.append(("project", row.project, thing.project, "transferred to another project"))
    if _counts_else(row, thing) and not changes:
        changes.append(
            ("amounts", row.amounts.as_json(), thing.amounts.as_json(), "the flavor itself was changed")
        )
    if row.origin == "made" and thing.tags.get(TAG_INSTALLATION) != installation:
        changes.append(("tags", installation, thing.tags.get(TAG_INSTALLATION), "its tags were removed"))
    return [Drift(row.id, row.name, what, was, now, cause) for what, was, now, cause in changes]


def _counts_else(row: Known, thing: There) -> bool:
    return bool(row.amounts) and bool(thing.amounts) and row.amounts != thing.amounts


_CAUSES = {
    "flavor": "resized outside cloudctl",
    "size_gib": "extended outside cloudctl",
    "type": "retyped outside cloudctl",
}


# -- the cloud's listings as things ---------------------------------------------------------------------


def things(
    servers: Iterable[Server],
    volumes: Iterable[Volume],
    ports: Iterable[Port],
    flavors: Mapping[str, str] | None = None,
    types: Mapping[str, str] | None = None,
) -> list[There]:
    """All three listings as one; names of flavors and volume types turned into the catalogue's."""
    return [
        *(of_server(one, flavors or {}) for one in servers),
        *(of_volume(one, types or {}) for one in volumes),
        *(of_port(one) for one in ports),
    ]


def of_server(one: Server, flavors: Mapping[str, str]) -> There:
    """A server; some clouds and cells tell nothing of its flavor."""
    sizes = {Kind.INSTANCES: 1, Kind.VCPUS: one.vcpus, Kind.RAM_MIB: one.ram_mib}
    amounts = Amounts(sizes if one.vcpus else {})
    facts = {"flavor": flavors.get(one.flavor, one.flavor)}
    return There(SERVER, one.id, one.name, one.project_id, one.tags, one.status, amounts, facts)


def of_volume(one: Volume, types: Mapping[str, str]) -> There:
    """A volume, its type by the catalogue's name."""
    amounts = Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: one.size_gib})
    facts = {"size_gib": one.size_gib, "type": types.get(one.type, one.type)}
    return There(VOLUME, one.id, one.name, one.project_id, one.tags, one.status, amounts, facts)


def of_port(one: Port) -> There:
    """A port: nothing of it can drift."""
    return There(PORT, one.id, one.name, one.project_id, one.tags, one.status, Amounts({Kind.PORTS: 1}))
