"""The rows of the quota ledger: which a change touches, made where missing, and moved in one lock order.

Every writer takes counters by level from the project up and, inside a level, by row id: nobody can wait
in a circle, and the province, which everybody needs, is taken last.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudctl.actors import Scope
from cloudctl.amounts import Limited
from cloudctl.errors import Conflict, NotFound, OverQuota
from cloudctl.models import Department, Division, InformationSystem, Project, QuotaRow
from cloudctl.queries import quota, scopes
from cloudctl.store import UnitOfWork
from tenants.ledger_math import (
    Chain,
    Change,
    Counter,
    Node,
    Nudge,
    Place,
    over_quota,
    places,
    shortage,
    simulate,
    wave,
)

RANKS = {"project": 0, "department": 1, "township": 2, "county": 3, "city": 4, "province": 5}


def division_chain(uow: UnitOfWork, code: str) -> Chain:
    """The division and those above it."""
    found = [uow.need(Division, scope[1]) for scope in scopes.division_path(uow, code)]
    return tuple(Node(RANKS[row.level], "division", row.code) for row in found)


def department_chain(uow: UnitOfWork, department_id: str) -> Chain:
    """The department and its divisions upward."""
    department = uow.need(Department, department_id)
    here = Node(RANKS["department"], "department", department_id)
    return (here, *division_chain(uow, department.division_code))


def project_chain(uow: UnitOfWork, project_id: str, department_id: str) -> Chain:
    """The project, made or not, then its department and divisions."""
    return (Node(RANKS["project"], "project", project_id), *department_chain(uow, department_id))


def scope_chain(uow: UnitOfWork, scope: Scope) -> Chain:
    """The chain from any scope upward; NotFound when there is no such scope."""
    kind, key = scope
    if kind == "division":
        return division_chain(uow, key)
    if kind == "department":
        return department_chain(uow, key)
    if kind == "project":
        project = uow.get(Project, key)
        if project is not None:
            return project_chain(uow, key, project.department_id)
        system = uow.get(InformationSystem, key.split("/")[0])  # a limit may come first
        if system is not None and "/" in key and "@" in key:
            return project_chain(uow, key, system.department_id)
    raise NotFound("{what} '{key}' does not exist", what=kind, key=key)


def read_counters(uow: UnitOfWork, wanted: Iterable[Place]) -> dict[Place, Counter]:
    """The counters as they stand, leaf first; one without a row has no limit and counts nothing."""
    asked = list(wanted)
    rows = _rows(uow, asked)
    return {place: Counter(*rows[_key(place)][5:]) if _key(place) in rows else Counter() for place in asked}


def ensure_rows(uow: UnitOfWork, wanted: Iterable[Place]) -> dict[Place, int]:
    """A row for each of the places, made where missing; their ids."""
    asked = list(dict.fromkeys(wanted))
    rows = _rows(uow, asked)
    missing = [place for place in asked if _key(place) not in rows]
    if missing:
        uow.insert_missing(QuotaRow, [_new(place) for place in sorted(missing)])
        rows = _rows(uow, asked)
    return {place: rows[_key(place)][0] for place in asked}


def move(uow: UnitOfWork, changes: Sequence[Change], *, is_grant: bool) -> None:
    """Write the changes at every level. A grant that does not fit raises OverQuota naming each shortage.

    After OverQuota the transaction holds half a change and must be rolled back.
    """
    if not changes:
        return
    uow.flush()
    touched = [place for change in changes for place in places(change.chain, change.site, [change.kind])]
    ids = ensure_rows(uow, touched)
    done: list[Nudge] = []
    run = wave(changes)
    try:
        level = next(run)
        while True:
            now = quota.lock_rows(uow, [ids[nudge.place] for nudge in level])
            if is_grant and any(shortage(nudge, now[ids[nudge.place]]) for nudge in level):
                raise _explained(uow, changes, ids, done)
            parts = {ids[place]: (held, used, load) for place, held, used, load in level}
            if quota.add_to_rows(uow, parts, is_grant) != len(parts):
                raise Conflict("the quota has changed meanwhile; try again")
            done += level
            level = run.send({nudge.place: _after(now[ids[nudge.place]], nudge) for nudge in level})
    except StopIteration:
        return


def _after(now: Limited, nudge: Nudge) -> tuple[int, int]:
    _, guarantee, load = now
    return load + nudge.load, guarantee


def _explained(
    uow: UnitOfWork, changes: Sequence[Change], ids: Mapping[Place, int], done: Iterable[Nudge]
) -> OverQuota:
    """What is short at all levels together, as if nothing of this transaction had been written."""
    counters = read_counters(uow, ids)
    for place, held, used, load in done:
        was = counters[place]
        counters[place] = Counter(was.limit, was.guarantee, was.held - held, was.used - used, was.load - load)
    return over_quota(simulate(counters, changes)[1])


def _rows(uow: UnitOfWork, asked: Sequence[Place]) -> dict[tuple[str, str, str, str], tuple[Any, ...]]:
    found = quota.counters(
        uow,
        QuotaRow.scope_id.in_({place.node.scope_id for place in asked}),
        QuotaRow.site.in_({place.site for place in asked}),
        QuotaRow.kind.in_({place.kind.value for place in asked}),
    )
    return {row[1:5]: row for row in found}


def _key(place: Place) -> tuple[str, str, str, str]:
    return place.node.scope_kind, place.node.scope_id, place.site, place.kind.value


def _new(place: Place) -> dict[str, object]:
    scope_kind, scope_id, site, kind = _key(place)
    counters = {"guarantee": 0, "held": 0, "used": 0, "load": 0}
    return {"scope_kind": scope_kind, "scope_id": scope_id, "site": site, "kind": kind, **counters}
