"""What applying a topology would change, like Terraform's plan: a pure difference bound to what it saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault
from cloudctl.models import QuotaRow
from cloudctl.store import UnitOfWork
from tenants.topology import retirement, state
from tenants.topology.document import Topology
from tenants.topology.state import KINDS, State
from tenants.topology.tables import Attributes

FORMAT = 1
CREATE, CHANGE, RETIRE, RESTORE = "create", "change", "retire", "restore"


@dataclass(frozen=True)
class Change:
    """One object that would be created, changed, retired, or restored after it had been retired."""

    action: str
    kind: str
    id: str
    before: Attributes | None
    after: Attributes | None

    @property
    def is_destroying(self) -> bool:
        """Whether it takes something away, or points a site at another cloud."""
        if self.action == RETIRE:
            return self.kind != "quota"
        return self.kind == "site" and self.action == CHANGE and "cloud" in self.differing()

    def differing(self) -> list[str]:
        """The attributes that are not the same before and after."""
        before, after = self.before or {}, self.after or {}
        return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))

    def as_json(self) -> dict[str, Any]:
        named = self.after or self.before or {}
        return {
            "id": self.id,
            "name": named.get("name") or named.get("title") or self.id,
            "state": None,
            "action": self.action,
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "differing": self.differing(),
            "is_destroying": self.is_destroying,
        }


@dataclass(frozen=True)
class Plan:
    """The changes, the document they lead to, and the fingerprint of the rows they start from.

    `over` names limits that the plan would set below what is taken already: allowed, and growth stops.
    `blocked` names what stands in the way of a retirement.
    """

    base: str
    document: Mapping[str, Any]
    changes: tuple[Change, ...]
    over: tuple[Mapping[str, Any], ...] = ()
    blocked: tuple[Fault, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def destroys(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.is_destroying)

    def as_json(self) -> dict[str, Any]:
        """The plan as it travels: to the one who asked, and back with `apply`."""
        changes = [change.as_json() for change in self.changes]
        document = dict(self.document)
        return {
            "format": FORMAT,
            "base": self.base,
            "digest": _digest(self.base, document, changes),
            "document": document,
            "changes": changes,
            "over": [dict(one) for one in self.over],
            "blocked": [{"place": fault.place, "message": fault.text()} for fault in self.blocked],
            "destroys": [f"{change.kind} {change.id}" for change in self.destroys],
        }


def plan(core: Core, topology: Topology) -> Plan:
    """What would change if this topology were applied now. Changes nothing."""
    with core.store.read() as uow:
        return make(uow, topology)


def make(uow: UnitOfWork, topology: Topology) -> Plan:
    """The plan against the rows of this transaction."""
    now, wanted = state.current(uow), state.wanted(topology)
    kept = state.of_register(uow, wanted)
    changes = difference(now, wanted.without_systems(kept))
    blocked = tuple(
        retirement.blockers(uow, [(one.kind, one.id, one.action, one.differing()) for one in changes])
    )
    base = state.fingerprint(now, kept)
    return Plan(base, topology.as_document(), changes, tuple(_over(uow, changes)), blocked)


def difference(now: State, wanted: State) -> tuple[Change, ...]:
    """Every object that is not as wanted: made and changed in the order of KINDS, then retired backwards."""
    made = [change for kind in KINDS for change in _made(kind, now, wanted)]
    gone = [
        Change(RETIRE, kind, id_, now.of(kind)[id_], None)
        for kind in reversed(KINDS)
        for id_ in sorted(now.of(kind).keys() - wanted.of(kind).keys(), reverse=True)
    ]
    return (*made, *gone)


def _made(kind: str, now: State, wanted: State) -> Iterable[Change]:
    was, retired = now.of(kind), now.retired.get(kind, frozenset())
    for id_, after in sorted(wanted.of(kind).items(), key=lambda item: _order(kind, item[0])):
        if id_ not in was:
            yield Change(RESTORE if id_ in retired else CREATE, kind, id_, None, after)
        elif was[id_] != after:
            yield Change(CHANGE, kind, id_, was[id_], after)


def _order(kind: str, id_: str) -> tuple[int, str]:
    """The order of the file (the first volume type is the usual one); divisions from the top down, for
    their rows point upward.
    """
    if kind != "division":
        return 0, ""
    return len(id_) * 10 - len(id_) + len(id_.rstrip("0")), id_


def read(data: Any) -> Plan:
    """A plan that has travelled. BadInput when it is none, or not what it was when it was made."""
    try:
        changes = tuple(
            Change(one["action"], one["kind"], one["id"], one["before"], one["after"])
            for one in data["changes"]
        )
        made = Plan(str(data["base"]), dict(data["document"]), changes)
        is_whole = data["format"] == FORMAT and data["digest"] == _digest(
            made.base, dict(made.document), [change.as_json() for change in changes]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        fault = Fault("plan", "not_a_plan", "is not a plan", hint="make one: cloudctl topology plan")
        raise BadInput("the plan cannot be read", faults=[fault]) from error
    if not is_whole:
        raise altered()
    return made


def altered() -> BadInput:
    """The refusal of a plan that says something else than planning says."""
    fault = Fault("plan", "plan_altered", "was changed after it was made", hint="plan again")
    return BadInput("the plan was altered", faults=[fault])


def _digest(base: str, document: Mapping[str, Any], changes: list[dict[str, Any]]) -> str:
    return state.digest([FORMAT, base, document, changes])


def _over(uow: UnitOfWork, changes: Iterable[Change]) -> Iterable[dict[str, Any]]:
    for change in changes:
        if change.kind != "quota" or change.after is None:
            continue
        scope_kind, scope_id = state.quota_key(uow, change.after["scope"])
        site, limits = change.after["site"], change.after["limits"]
        rows = uow.all(
            QuotaRow,
            QuotaRow.scope_kind == scope_kind,
            QuotaRow.scope_id == scope_id,
            QuotaRow.site == site,
            order_by=[QuotaRow.kind],
        )
        for row in rows:
            limit = limits.get(row.kind)
            if limit is not None and row.load > limit:
                found = {"scope": change.after["scope"], "site": site, "kind": row.kind}
                yield {**found, "limit": limit, "load": row.load, "over": row.load - limit}
