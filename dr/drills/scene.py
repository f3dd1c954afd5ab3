"""What a drill puts on the stage: which servers of a plan come out of a point, and what the probe asks. Pure.

The servers keep their names and addresses; flavors and volume types are those that the plan's mapping names
for the site where it is rehearsed, on the way there and on the way back. Servers that no part names are not
started.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import Fault
from cloudctl.ports import Room
from dr import graph
from dr.drills.parts import Asking
from dr.isolated import plan as isolated
from dr.isolated import probe
from dr.isolated.checks import Check
from dr.isolated.plan import Offer, Plan
from dr.isolated.probe import Errand, Question, Target
from dr.plans.document import Document
from dr.plans.known import bare, mapping_between
from dr.sentinels import reading

Topology = Mapping[str, Any]


@dataclass(frozen=True)
class Scene:
    """Everything that is made, and the servers of each part by the name they are made under."""

    plan: Plan
    servers: Mapping[str, tuple[str, ...]]  # part -> names; empty: nothing of it is there

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(part for part, servers in self.servers.items() if not servers)


@dataclass(frozen=True)
class Questions:
    """What the probe is told to ask: for each part, for the whole, and for the sentinels."""

    errand: Errand
    parts: Mapping[str, tuple[Question, ...]]
    whole: tuple[Question, ...]
    lost: tuple[Check, ...]  # checks of servers that are not there

    def of(self, document: Document, scene: Scene) -> list[Asking]:
        """The parts as they are started."""
        return [Asking(one, scene.servers[one.name], self.parts[one.name]) for one in document.parts]


def mapped(topology: Topology, document: Document, site_id: str) -> dict[str, Any]:
    """The topology with what the plan says for the site, and only with the servers of its parts."""
    mapping = mapping_between(document, str(topology.get("site", "")), site_id)
    flavors = mapping.get("flavors", {})
    named = {bare(name) for part in document.parts for name in part.names}
    servers = [
        {**row, "flavor": flavors.get(str(row.get("flavor")), row.get("flavor"))}
        for row in topology.get("servers") or ()
        if named & _names(row)
    ]
    return {**topology, "servers": servers}


def volume_types(topology: Topology, document: Document, site_id: str) -> list[dict[str, Any]]:
    """The volumes whose type is another one at the site, as a restore is told of it; [] for none."""
    types = mapping_between(document, str(topology.get("site", "")), site_id).get("types", {})
    rows = [row for row in topology.get("volumes") or () if str(row.get("type")) in types]
    if not rows:
        return []
    return [
        {"position": row["position"], **({"type": types[str(row["type"])]} if row in rows else {})}
        for row in topology["volumes"]
    ]


def draw(
    topology: Topology, document: Document, site_id: str, offer: Offer, forbidden: Sequence[str]
) -> tuple[Scene | None, list[Fault]]:
    """The scene at a site, or everything that is in its way, the graph of the parts included."""
    ours = mapped(topology, document, site_id)
    drawn, faults = isolated.draw(ours, offer, forbidden)
    faults = [*_faults_of(document), *faults]
    if drawn is None or faults:
        return None, faults
    made = {one.name for one in drawn.servers}
    servers = {
        part.name: tuple(
            str(row["name"])
            for row in ours["servers"]
            if row["name"] in made and _names(row) & {bare(name) for name in part.names}
        )
        for part in document.parts
    }
    return Scene(drawn, servers), []


def questions(document: Document, scene: Scene, targets: Sequence[Target]) -> Questions:
    """What the probe asks, each question once however many want to know."""
    parts: dict[str, tuple[Question, ...]] = {}
    lost: list[Check] = []
    for part in document.parts:
        own = [one for one in targets if one.name in scene.servers[part.name]]
        asked, missing = probe.questions(part.checks, own)
        parts[part.name] = tuple(asked)
        lost += missing if own else ()
    whole, missing = probe.questions(document.checks, targets)
    lost += missing
    more: list[Question] = []
    if document.sentinels is not None:
        check = reading.check_of(document.sentinels, [one.name for one in targets])
        more, _ = probe.questions([check], targets)
    every = {one.id: one for one in (*(q for asked in parts.values() for q in asked), *whole, *more)}
    errand = Errand(tuple(targets), tuple(every.values()), scene.plan.forbidden)
    return Questions(errand, parts, tuple(whole), tuple(lost))


def short_of(needed: Amounts, capacity: Mapping[Kind, Room]) -> list[Fault]:
    """What the site has too little of for this, as it told itself; a kind that nobody tells is no fault."""
    template = "the site has {free} left, and the drill needs {needed}"
    hint = "drill when less runs there, or make room"
    return [
        Fault(f"capacity.{kind.value}", "no_room", template,
              {"free": capacity[kind].free, "needed": needed[kind]}, hint)
        for kind in needed
        if kind in capacity and needed[kind] > capacity[kind].free
    ]  # fmt: skip


def amounts(scene: Scene, topology: Topology) -> Amounts:
    """What the drill's project may use: each volume also once more while it is read back, and the probe."""
    sizes = [int(row.get("size_gib") or 0) for row in topology.get("volumes") or ()]
    return scene.plan.room(2 * len(sizes), 2 * sum(sizes))


def only(scene: Scene, names: Sequence[str]) -> Plan:
    """The plan with these servers alone."""
    return replace(scene.plan, servers=tuple(one for one in scene.plan.servers if one.name in names))


def _names(row: Mapping[str, Any]) -> set[str]:
    """What a plan may call the server: also after a move, which puts something behind its name."""
    return {bare(str(row[key])) for key in ("name", "label") if row.get(key)}


def _faults_of(document: Document) -> list[Fault]:
    needs = {one.name: one.needs for one in document.parts}
    faults = [
        Fault(f"parts.{name}.needs", "unknown", "'{text}' is not known here", {"text": one})
        for name, wanted in needs.items()
        for one in wanted
        if one not in needs
    ]
    return faults + [
        Fault(f"parts.{way[0]}.needs", "cycle", "parts wait for each other: {parts}",
              {"parts": ", ".join((*way, way[0]))})
        for way in graph.cycles(needs)
    ]  # fmt: skip
