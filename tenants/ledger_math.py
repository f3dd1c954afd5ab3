"""The arithmetic of quotas, without a database: how a change runs up the tree, and what is short or free.

At a leaf (a project) the load is what is held and used. Above, it is the sum over the children of
max(guarantee, load): growth inside a child's guarantee was counted when the guarantee was given.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from cloudctl.amounts import Kind, Limited
from cloudctl.errors import Fault, OverQuota

ANY_SITE = "*"


class Node(NamedTuple):
    """A scope that can have a limit. `rank` orders levels from the leaf up, the same for everyone."""

    rank: int
    scope_kind: str
    scope_id: str

    def __str__(self) -> str:
        return f"{self.scope_kind}:{self.scope_id}"


Chain = tuple[Node, ...]  # project, department, divisions upward


class Place(NamedTuple):
    """Where one counter stands."""

    node: Node
    site: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.node}@{self.site}"


@dataclass(frozen=True)
class Counter:
    """A limit and what counts against it."""

    limit: int | None = None
    guarantee: int = 0
    held: int = 0
    used: int = 0
    load: int = 0

    @property
    def over(self) -> int:
        """How much the load exceeds the limit; blocks growth and nothing else."""
        return 0 if self.limit is None else max(0, self.load - self.limit)

    @property
    def limited(self) -> Limited:
        """What `room` needs of it."""
        return self.limit, self.guarantee, self.load

    @property
    def weight(self) -> int:
        """What it counts as at its parent."""
        return max(self.guarantee, self.load)


@dataclass(frozen=True)
class Change:
    """More or less held and used of one kind at a leaf."""

    chain: Chain
    site: str
    kind: Kind
    held: int = 0
    used: int = 0


class Nudge(NamedTuple):
    """What a change means for one counter on its way up."""

    place: Place
    held: int
    used: int
    load: int


@dataclass(frozen=True)
class Shortage:
    """A level that has too little room: asked is what its load would grow by."""

    place: Place
    limit: int
    load: int
    asked: int

    @property
    def short(self) -> int:
        return self.load + self.asked - self.limit

    def as_fault(self) -> Fault:
        params = {
            "level": str(self.place.node),
            "site": self.place.site,
            "kind": self.place.kind.value,
            "limit": self.limit,
            "load": self.load,
            "asked": self.asked,
            "short": self.short,
        }
        template = (
            "{level} at site {site} is short of {short} {kind}: the limit is {limit}, {load} are taken, "
            "{asked} more are asked"
        )
        return Fault(str(self.place), "over_quota", template, params)

    def as_json(self) -> dict[str, object]:
        return {
            "scope": str(self.place.node),
            "site": self.place.site,
            "kind": self.place.kind.value,
            "limit": self.limit,
            "load": self.load,
            "asked": self.asked,
            "short": self.short,
        }


def places(chain: Chain, site: str, kinds: Iterable[Kind]) -> list[Place]:
    """All counters a change at this leaf touches: every level, at the site and at `*`, leaf first."""
    sites = (site,) if site == ANY_SITE else (site, ANY_SITE)
    wanted = tuple(kinds)
    return [Place(node, where, kind) for node in chain for where in sites for kind in wanted]


def wave(changes: Iterable[Change]) -> Generator[list[Nudge], Mapping[Place, tuple[int, int]], None]:
    """Run changes up the tree, level by level: yields what each counter of a level gets, and is sent
    (load after, guarantee) of each.

    Levels come in one order for everybody, from the leaf up. Whoever locks them as they come, and those
    of one level by row id, cannot deadlock with another.
    """
    parts: dict[Place, list[int]] = {}
    parents: dict[Place, Place] = {}

    def add(place: Place, held: int, used: int, load: int) -> None:
        part = parts.setdefault(place, [0, 0, 0])
        for index, n in enumerate((held, used, load)):
            part[index] += n

    for change in changes:
        for site in dict.fromkeys((change.site, ANY_SITE)):
            steps = [Place(node, site, change.kind) for node in change.chain]
            parents.update(pairwise(steps))
            add(steps[0], change.held, change.used, change.held + change.used)
    while parts:
        rank = min(place.node.rank for place in parts)
        level = [Nudge(place, *parts.pop(place)) for place in list(parts) if place.node.rank == rank]
        answers = yield level
        for nudge in level:
            if nudge.place in parents:
                after, guarantee = answers[nudge.place]
                passed_on = max(guarantee, after) - max(guarantee, after - nudge.load)
                add(parents[nudge.place], nudge.held, nudge.used, passed_on)


def simulate(
    counters: Mapping[Place, Counter], changes: Iterable[Change]
) -> tuple[dict[Place, Counter], tuple[Shortage, ...]]:
    """The counters after the changes, and every level at which growth exceeds its limit."""
    after = dict(counters)
    short: list[Shortage] = []
    run = wave(changes)
    try:
        level = next(run)
        while True:
            short += [one for nudge in level if (one := shortage(nudge, after[nudge.place].limited))]
            for nudge in level:
                after[nudge.place] = _nudged(after[nudge.place], nudge)
            level = run.send({place: (after[place].load, after[place].guarantee) for place, *_ in level})
    except StopIteration:
        return after, tuple(short)


def shortage(nudge: Nudge, now: Limited) -> Shortage | None:
    """What is short for this growth at a counter, if anything."""
    limit, _, load = now
    if nudge.load > 0 and limit is not None and load + nudge.load > limit:
        return Shortage(nudge.place, limit, load, nudge.load)
    return None


def _nudged(counter: Counter, nudge: Nudge) -> Counter:
    return replace(
        counter,
        held=counter.held + nudge.held,
        used=counter.used + nudge.used,
        load=counter.load + nudge.load,
    )


def over_quota(
    short: Sequence[Shortage], hint: str | None = None, params: Mapping[str, object] | None = None
) -> OverQuota:
    """The refusal that names every level and kind that is short; `params` are those of the hint."""
    return OverQuota(
        "the quota leaves too little at {count} places",
        faults=[shortage.as_fault() for shortage in short],
        hint=hint,
        cloud_request_id=None,
        **{"count": len(short), **(params or {})},
    )


def recount(
    counters: Mapping[Place, Counter],
    leaves: Mapping[Place, tuple[int, int]],
    parents: Mapping[Node, Node],
) -> dict[Place, Counter]:
    """All counters as they must be: `leaves` says what is held and used where, the rest follows."""
    sums: dict[Place, list[int]] = {place: [0, 0, 0] for place in counters}
    for place, (held, used) in leaves.items():
        for index, n in enumerate((held, used, held + used)):
            sums[place][index] += n
    right: dict[Place, Counter] = {}
    for place in sorted(counters, key=lambda place: place.node.rank):
        held, used, load = sums[place]
        right[place] = replace(counters[place], held=held, used=used, load=load)
        parent = parents.get(place.node)
        if parent is not None:
            above = sums[Place(parent, place.site, place.kind)]
            for index, n in enumerate((held, used, right[place].weight)):
                above[index] += n
    return right


def guarantee_faults(counters: Mapping[Place, Counter], parents: Mapping[Node, Node]) -> list[Fault]:
    """Every guarantee above its own limit, and every level whose children's guarantees do not fit within it.

    Within means: within its own guarantee where it has one, else within its limit.
    """
    faults: list[Fault] = []
    promised: dict[Place, int] = {}
    for place in sorted(counters, key=lambda place: place.node.rank):
        counter, below = counters[place], promised.get(place, 0)
        params: dict[str, object] = {"kind": place.kind.value, "guarantee": counter.guarantee, "total": below}
        if counter.limit is not None and counter.guarantee > counter.limit:
            template = "the guarantee of {guarantee} {kind} is above the limit of {limit}"
            faults.append(
                Fault(str(place), "guarantee_over_limit", template, {**params, "limit": counter.limit})
            )
        most = counter.guarantee or counter.limit
        if below and most is not None and below > most:
            template = "the guarantees below add up to {total} {kind}, above the {most} there are to give"
            faults.append(Fault(str(place), "guarantees_over_parent", template, {**params, "most": most}))
        parent = parents.get(place.node)
        if parent is not None:
            above = Place(parent, place.site, place.kind)
            promised[above] = promised.get(above, 0) + max(counter.guarantee, below)
    return faults
