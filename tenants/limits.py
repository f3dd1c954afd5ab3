"""Limits and guarantees: set them, explain what they leave, and put counters right that have drifted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor, Scope
from cloudctl.amounts import Kind, room
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.models import QuotaRow, Site
from cloudctl.queries import quota
from cloudctl.store import UnitOfWork
from tenants import recount as counting
from tenants.counters import ensure_rows, read_counters, scope_chain
from tenants.ledger_math import ANY_SITE, Chain, Counter, Place, Shortage, guarantee_faults, over_quota

MOST = 1_000_000_000  # two of them still fit a counter's column


@dataclass(frozen=True)
class LimitChange:
    """A limit (none: no limit at this level) and a guarantee to be set at a scope, site and kind."""

    scope_kind: str
    scope_id: str
    site: str
    kind: Kind
    limit: int | None
    guarantee: int = 0


def set_limits(uow: UnitOfWork, rows: Sequence[LimitChange]) -> None:
    """Set limits and guarantees together, in the caller's transaction, and the loads that follow.

    A limit may go below what is taken: the level is `over` then and cannot grow. BadInput when guarantees
    do not fit under a limit; OverQuota when a new guarantee would fill a level beyond its limit.
    """
    if not rows:
        return
    wanted = {_place(uow, row): row for row in rows}
    chains = [Place(node, row.site, row.kind) for row in rows for node in _chain(uow, row)]
    ensure_rows(uow, chains)
    quota.lock_counters(uow)
    ids, before, _, parents = counting.loads_anew(uow)
    for place, row in wanted.items():
        uow.update(QuotaRow, QuotaRow.id == ids[place], limit=row.limit, guarantee=row.guarantee)
    _, now, right, _ = counting.loads_anew(uow)
    known = {str(fault) for fault in guarantee_faults(before, parents)}
    faults = [fault for fault in guarantee_faults(now, parents) if str(fault) not in known]
    if faults:
        raise BadInput("the guarantees do not fit", faults=faults)
    short = [
        Shortage(place, counter.limit, now[place].load, counter.load - now[place].load)
        for place, counter in right.items()
        if counter.limit is not None and counter.load > max(counter.limit, now[place].load)
    ]
    if short:
        raise over_quota(short)
    for place, counter in right.items():
        if counter.load != now[place].load:
            uow.update(QuotaRow, QuotaRow.id == ids[place], load=counter.load)


def set_limit(
    core: Core,
    actor: Actor,
    scope: Scope | str,
    site: str,
    kind: str,
    limit: int | None,
    guarantee: int | None = None,
) -> None:
    """Set one limit (None: none at this level) and, when given, the guarantee. Needs quota.set."""
    with core.store.write() as uow:
        actor.must("quota.set")
        where = parse_scope(scope)
        _check(uow, where, site, kind, limit, guarantee)
        place = Place(scope_chain(uow, where)[0], site, Kind(kind))
        was = read_counters(uow, [place])[place]
        new = LimitChange(*where, site, Kind(kind), limit, was.guarantee if guarantee is None else guarantee)
        set_limits(uow, [new])
        details = {
            "site": site,
            "kind": kind,
            "limit": limit,
            "guarantee": new.guarantee,
            "limit_before": was.limit,
            "guarantee_before": was.guarantee,
        }
        core.audit.record(uow, actor.user_id, "quota.set", "quota", ":".join(where), details, actor.trace_id)


def explain(core: Core, actor: Actor, scope: Scope | str, site: str = ANY_SITE) -> dict[str, Any]:
    """For each kind: every level from the scope up, at the site and over all sites, and which is tightest."""
    where = parse_scope(scope)
    with core.store.read() as uow:
        chain = scope_chain(uow, where)
        actor.must("quota.see", _path(uow, chain, site))
        sites = tuple(dict.fromkeys((site, ANY_SITE)))
        wanted = [Place(node, one, kind) for node in chain for one in sites for kind in Kind]
        counters = read_counters(uow, wanted)
    return {
        "scope": ":".join(where),
        "site": site,
        "kinds": [_explain_kind(kind, chain, sites, counters) for kind in Kind],
    }


def drift(core: Core, actor: Actor | None = None) -> list[dict[str, Any]]:
    """Every number that is not what holds and resources make it, and sites' quotas below what is used."""
    if actor is not None:
        actor.must("quota.repair")
    with core.store.read() as uow:
        return [*counting.differences(uow), *counting.pushed_differences(uow)]


def repair(core: Core, actor: Actor) -> list[dict[str, Any]]:
    """Count the whole ledger anew and write what was wrong; what that was. Needs quota.repair."""
    with core.store.write() as uow:
        actor.must("quota.repair")
        wrong = counting.recount(uow)
        details = {"numbers": [(row["id"], row["is"], row["must_be"]) for row in wrong]}
        core.audit.record(uow, actor.user_id, "quota.repair", "quota", "*", details, actor.trace_id)
        return wrong


def parse_scope(scope: Scope | str) -> Scope:
    """`department:gx-finance` as a scope; BadInput for anything that can have no limit."""
    kind, _, key = scope.partition(":") if isinstance(scope, str) else (scope[0], ":", scope[1])
    if kind not in ("project", "department", "division") or not key:
        fault = Fault(
            "scope",
            "bad_scope",
            "'{scope}' is no scope",
            {"scope": str(scope)},
            "write department:gx-finance",
        )
        raise BadInput("the scope cannot be read", faults=[fault])
    return kind, key


def _check(
    uow: UnitOfWork, where: Scope, site: str, kind: str, limit: int | None, guarantee: int | None
) -> None:
    faults: list[Fault] = []
    try:
        scope_chain(uow, where)
    except NotFound as error:
        faults.append(Fault("scope", "unknown_scope", error.template, error.params))
    if site != ANY_SITE and uow.get(Site, site) is None:
        faults.append(Fault("site", "unknown_site", "there is no site '{site}'", {"site": site}))
    if kind not in list(Kind):
        known = ", ".join(one.value for one in Kind)
        params = {"kind": kind, "known": known}
        faults.append(Fault("kind", "unknown_kind", "'{kind}' cannot be counted", params, "one of {known}"))
    for name, n in (("limit", limit), ("guarantee", guarantee)):
        if n is not None and not 0 <= n <= MOST:
            faults.append(Fault(name, "out_of_range", "must be from 0 to {most}", {"most": MOST}))
    if faults:
        raise BadInput("the limit cannot be set", faults=faults)


def _place(uow: UnitOfWork, row: LimitChange) -> Place:
    return Place(_chain(uow, row)[0], row.site, row.kind)


def _chain(uow: UnitOfWork, row: LimitChange) -> Chain:
    return scope_chain(uow, (row.scope_kind, row.scope_id))


def _path(uow: UnitOfWork, chain: Chain, site: str) -> list[Scope]:
    path: list[Scope] = [(node.scope_kind, node.scope_id) for node in chain]
    return path if site == ANY_SITE else [*path, ("site", site)]


def _explain_kind(
    kind: Kind, chain: Chain, sites: Sequence[str], counters: Mapping[Place, Counter]
) -> dict[str, Any]:
    levels = [_level(Place(node, site, kind), counters) for node in chain for site in sites]
    rooms = [room(counters[Place(node, site, kind)].limited for node in chain) for site in sites]
    known = [n for n in rooms if n is not None]
    limited = [level for level in levels if level["left"] is not None]
    return {
        "kind": kind.value,
        "free": min(known) if known else None,
        "tightest": min(limited, key=lambda level: int(level["left"]))["scope"] if limited else None,
        "levels": levels,
    }


def _level(place: Place, counters: Mapping[Place, Counter]) -> dict[str, Any]:
    counter = counters[place]
    return {
        "scope": str(place.node),
        "site": place.site,
        "limit": counter.limit,
        "guarantee": counter.guarantee,
        "held": counter.held,
        "used": counter.used,
        "load": counter.load,
        "left": None if counter.limit is None else max(0, counter.limit - counter.load),
        "over": counter.over,
    }
