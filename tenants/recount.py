"""Counting the ledger anew from holds and resources: what the counters must be, and where they are not."""

from collections.abc import Iterable
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.models import Division, Project, QuotaRow
from cloudctl.queries import quota
from cloudctl.store import UnitOfWork
from tenants.counters import RANKS, ensure_rows
from tenants.ledger_math import ANY_SITE, Counter, Node, Place
from tenants.ledger_math import recount as count_anew

Counters = dict[Place, Counter]


def recount(uow: UnitOfWork) -> list[dict[str, Any]]:
    """Lock the whole ledger and write every counter as it must be; every number that was wrong.

    Needed after departments or divisions have moved in the tree, and when counters have drifted.
    """
    nodes = _Nodes(uow)
    ensure_rows(uow, nodes.with_ancestors(_places(uow, nodes)))
    quota.lock_counters(uow)
    nodes = _Nodes(uow)  # again: a project that came while we waited for the locks counts as well
    ids, now = _now(uow, nodes)
    right = count_anew(now, _leaves(uow, nodes), nodes.parents)
    wrong = _compared(now, right)
    for place in {place for place in now if now[place] != right[place]}:
        counter = right[place]
        uow.update(
            QuotaRow,
            QuotaRow.id == ids[place],
            held=counter.held,
            used=counter.used,
            load=counter.load,
        )
    return wrong


def compare(uow: UnitOfWork) -> tuple[Counters, Counters]:
    """All counters as they are and as they must be."""
    nodes = _Nodes(uow)
    _, now = _now(uow, nodes)
    leaves = _leaves(uow, nodes)
    everything = {place: now.get(place, Counter()) for place in nodes.with_ancestors([*now, *leaves])}
    return everything, count_anew(everything, leaves, nodes.parents)


def loads_anew(uow: UnitOfWork) -> tuple[dict[Place, int], Counters, Counters, dict[Node, Node]]:
    """Row ids, the counters as they are, with loads as limits and guarantees now make them, and the tree."""
    nodes = _Nodes(uow)
    ids, now = _now(uow, nodes)
    leaves = {place: (counter.held, counter.used) for place, counter in now.items() if place.node.rank == 0}
    return ids, now, count_anew(now, leaves, nodes.parents), nodes.parents


def differences(uow: UnitOfWork) -> list[dict[str, Any]]:
    """Every number of the ledger that is not what holds and resources make it."""
    return _compared(*compare(uow))


def pushed_differences(uow: UnitOfWork) -> list[dict[str, Any]]:
    """Projects whose quota at their site, as last read back, is below what they use there."""
    used = quota.used_amounts(uow)
    rows: list[dict[str, Any]] = []
    for project in uow.all(Project, Project.quota_pushed_at.is_not(None), order_by=[Project.id]):
        uses = used.get((project.id, project.site_id), Amounts())
        pushed = Amounts(project.quota_pushed)
        node = Node(RANKS["project"], "project", project.id)
        rows += [
            _difference(Place(node, project.site_id, kind), "pushed", pushed[kind], uses[kind])
            for kind in Kind
            if pushed[kind] < uses[kind]
        ]
    return rows


def _compared(now: Counters, right: Counters) -> list[dict[str, Any]]:
    return [
        _difference(place, number, getattr(now[place], number), getattr(right[place], number))
        for place in now
        for number in ("held", "used", "load")
        if getattr(now[place], number) != getattr(right[place], number)
    ]


def _difference(place: Place, number: str, is_now: int, must_be: int) -> dict[str, Any]:
    return {
        "id": f"{place}/{place.kind.value}/{number}",
        "name": str(place.node),
        "state": None,
        "scope": str(place.node),
        "site": place.site,
        "kind": place.kind.value,
        "number": number,
        "is": is_now,
        "must_be": must_be,
    }


class _Nodes:
    """The tree as ledger nodes."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._levels = {row.code: row.level for row in uow.all(Division)}
        scopes = quota.parent_scopes(uow)
        self.parents = {self.node(*scope): self.node(*above) for scope, above in scopes.items()}

    def node(self, scope_kind: str, scope_id: str) -> Node:
        level = self._levels.get(scope_id, "province") if scope_kind == "division" else scope_kind
        return Node(RANKS[level], scope_kind, scope_id)

    def with_ancestors(self, places: Iterable[Place]) -> list[Place]:
        found: dict[Place, None] = {}
        for place in places:
            node: Node | None = place.node
            while node is not None:
                found[Place(node, place.site, place.kind)] = None
                node = self.parents.get(node)
        return list(found)


def _places(uow: UnitOfWork, nodes: _Nodes) -> list[Place]:
    return [*_now(uow, nodes)[1], *_leaves(uow, nodes)]


def _now(uow: UnitOfWork, nodes: _Nodes) -> tuple[dict[Place, int], Counters]:
    ids: dict[Place, int] = {}
    counters: Counters = {}
    for row_id, scope_kind, scope_id, site, kind, *numbers in quota.counters(uow):
        place = Place(nodes.node(scope_kind, scope_id), site, Kind(kind))
        ids[place] = row_id
        counters[place] = Counter(*numbers)
    return ids, counters


def _leaves(uow: UnitOfWork, nodes: _Nodes) -> dict[Place, tuple[int, int]]:
    held, used = quota.held_amounts(uow), quota.used_amounts(uow)
    leaves: dict[Place, tuple[int, int]] = {}
    for project, site in {**held, **used}:
        for kind in Kind:
            amounts = held.get((project, site), Amounts())[kind], used.get((project, site), Amounts())[kind]
            if amounts != (0, 0):
                for where in (site, ANY_SITE):
                    leaves[Place(nodes.node("project", project), where, kind)] = amounts
    return leaves
