"""Checks of quotas: scopes that exist, limits above guarantees, guarantees that fit within the parent."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tenants.topology.codes import ENVIRONMENTS, QuotaScope, parent_of, scope_of
from tenants.topology.document import QuotaEntry, Topology
from tenants.topology.faults import Finding, Path, dangling
from tenants.topology.remainder import Lost

Cell = tuple[str, str]  # site and kind
Key = tuple[str, str, str]  # scope, site, kind


@dataclass
class _Stated:
    """What the file says of one (scope, site, kind), and where."""

    path: Path
    limit: int | None = None
    guarantee: int = 0


def check(topology: Topology, lost: Lost) -> Iterator[Finding]:
    """Every quota that cannot hold."""
    stated: dict[Key, _Stated] = {}
    for index, entry in enumerate(topology.quotas):
        scope = scope_of(entry.scope)
        if scope is None:
            yield _bad_scope(index, entry)
            continue
        yield from _references(index, entry, scope, topology, lost)
        yield from _state(index, entry, stated)
    yield from _within_parents(topology, stated)


def _bad_scope(index: int, entry: QuotaEntry) -> Finding:
    template = "'{scope}' is no scope"
    hint = "division:CODE, department:CODE or project:SYSTEM/ENVIRONMENT@SITE"
    return Finding(("quotas", index, "scope"), "bad_scope", template, {"scope": entry.scope}, hint)


def _references(
    index: int, entry: QuotaEntry, scope: QuotaScope, topology: Topology, lost: Lost
) -> Iterator[Finding]:
    path: Path = ("quotas", index, "scope")
    sites = {site.name for site in topology.sites}
    section = {"division": "divisions", "department": "departments", "project": "systems"}[scope.kind]
    known = {one.code for one in getattr(topology, section)}
    what = "system" if scope.kind == "project" else scope.kind
    if scope.id not in known and not lost.has(section, scope.id):
        yield dangling(path, what, scope.id, known | lost.names(section))
    if scope.kind == "project":
        if scope.environment not in ENVIRONMENTS:
            yield dangling(path, "environment", scope.environment, set(ENVIRONMENTS))
        if scope.site not in sites and not lost.has("sites", scope.site):
            yield dangling(path, "site", scope.site, sites)
        elif entry.site not in ("*", scope.site):
            template = "the project lies at '{site}', so its quota does too"
            yield Finding(("quotas", index, "site"), "wrong_site", template, {"site": scope.site})
    elif entry.site != "*" and entry.site not in sites and not lost.has("sites", entry.site):
        yield dangling(("quotas", index, "site"), "site", entry.site, sites)


def _state(index: int, entry: QuotaEntry, stated: dict[Key, _Stated]) -> Iterator[Finding]:
    if not entry.limits and not entry.guarantees:
        yield Finding(("quotas", index), "no_amounts", "has neither limits nor guarantees")
    for kind in sorted({*entry.limits, *entry.guarantees}):
        section = "limits" if kind in entry.limits else "guarantees"
        path: Path = ("quotas", index, section, kind)
        key = (entry.scope, entry.site, str(kind))
        if key in stated:
            template = "{kind} of {scope} at {site} is said twice"
            params = {"kind": kind, "scope": entry.scope, "site": entry.site}
            yield Finding(path, "not_unique", template, params, None, True)
            continue
        limit, guarantee = entry.limits.get(kind), entry.guarantees.get(kind, 0)
        stated[key] = _Stated(("quotas", index, "guarantees", kind), limit, guarantee)
        if limit is not None and guarantee > limit:
            template = "the guarantee {guarantee} is above the limit {limit}"
            amounts: dict[str, object] = {"guarantee": guarantee, "limit": limit}
            yield Finding(("quotas", index, "guarantees", kind), "over_limit", template, amounts)


def _within_parents(topology: Topology, stated: dict[Key, _Stated]) -> Iterator[Finding]:
    """Sum up what is guaranteed below each scope, from the leaves to the province."""
    parents = _parents(topology)
    for scope in {key[0] for key in stated}:  # projects hang below their department
        parsed = scope_of(scope)
        if parsed is not None and parsed.kind == "project":
            owner = next((one.department for one in topology.systems if one.code == parsed.id), None)
            if owner:
                parents[scope] = f"department:{owner}"
    cells: set[Cell] = {(site, kind) for _scope, site, kind in stated}
    order = sorted(parents, key=lambda scope: -_depth(scope, parents))
    for site, kind in sorted(cells):
        promised: dict[str, int] = defaultdict(int)
        for scope in order:
            own = stated.get((scope, site, kind))
            below = promised[scope]
            bound = (own.guarantee or own.limit) if own else None
            if own and bound is not None and below > bound:
                template = "the guarantees below {scope} add up to {sum} {kind} at {site}: more than {bound}"
                params = {"scope": scope, "sum": below, "kind": kind, "site": site, "bound": bound}
                section = "guarantees" if own.guarantee else "limits"
                path = (*own.path[:2], section, kind)
                yield Finding(path, "guarantees_exceed", template, params)
            parent = parents[scope]
            if parent:
                promised[parent] += max(own.guarantee if own else 0, below)


def _parents(topology: Topology) -> dict[str, str | None]:
    known = {one.code for one in topology.divisions}
    parents: dict[str, str | None] = {}
    for division in topology.divisions:
        above = parent_of(division.code)
        parents[f"division:{division.code}"] = f"division:{above}" if above in known else None
    for department in topology.departments:
        inside = department.division in known
        parents[f"department:{department.code}"] = f"division:{department.division}" if inside else None
    return parents


def _depth(scope: str, parents: dict[str, str | None]) -> int:
    depth, at = 0, parents.get(scope)
    while at is not None:
        depth, at = depth + 1, parents.get(at)
    return depth
