"""Applying a plan: everything in one transaction, or nothing."""

from collections.abc import Iterable

from cloudctl.actors import Actor
from cloudctl.amounts import Kind
from cloudctl.clock import Clock
from cloudctl.core import Core
from cloudctl.errors import Fault, Refused, StalePlan
from cloudctl.models import Project, Resource, TopologyVersion
from cloudctl.store import UnitOfWork
from tenants.limits import LimitChange, set_limits
from tenants.recount import recount
from tenants.topology import load, state
from tenants.topology.plan import CHANGE, RETIRE, Change, Plan, altered, make
from tenants.topology.systems import SystemHistory
from tenants.topology.tables import TABLES, Attributes


def apply(core: Core, actor: Actor, plan: Plan, allow_destroy: bool = False) -> None:
    """Make the rows what the plan says. A plan without changes does nothing.

    StalePlan when rows have moved since it was made; BadInput when it is not what planning gives; Refused
    when it takes something away without `allow_destroy`, or something that is still in use.
    """
    actor.must("topology.apply")
    topology = load.recheck(plan.document)
    with core.store.write() as uow:
        _lock(uow)
        now = make(uow, topology)
        if now.base != plan.base:
            raise StalePlan("the topology has changed since the plan was made", hint="plan again")
        if now.changes != plan.changes:
            raise altered()
        _refuse(now, allow_destroy)
        if now.is_empty:
            return
        history = SystemHistory(uow, now.changes)
        _write_objects(uow, core.clock, now.changes)
        history.write(uow, core, actor)
        _follow_moves(uow, now.changes)
        _write_limits(uow, now.changes)
        _record(uow, core, actor, now)


def _lock(uow: UnitOfWork) -> None:
    """One apply at a time: the newest version is the row to queue for (SQLite has one writer anyway)."""
    newest = uow.first(TopologyVersion, order_by=[TopologyVersion.id.desc()])
    if newest is not None:
        uow.for_update(TopologyVersion, newest.id)


def _refuse(plan: Plan, allow_destroy: bool) -> None:
    if plan.blocked:
        raise Refused("something is still in use", faults=plan.blocked)
    if plan.destroys and not allow_destroy:
        faults = [Fault(f"{one.kind} {one.id}", "destroys", _loss(one)) for one in plan.destroys]
        raise Refused("the plan destroys", faults=faults, hint="say --allow-destroy if that is meant")


def _loss(change: Change) -> str:
    return "would be retired" if change.action == RETIRE else "would be pointed at another cloud"


# -- rows


def _write_objects(uow: UnitOfWork, clock: Clock, changes: Iterable[Change]) -> None:
    now = clock.now()
    for change in changes:
        table = TABLES.get(change.kind)
        if table is None:
            continue
        row = uow.first(table.model, *table.conditions(change.id))
        if change.after is None:
            assert row is not None
            row.retired_at = now
        elif row is None:
            uow.add(table.model(**table.keys(change.id), **table.values(change.after)))
        else:
            row.retired_at = None
            for column, value in table.values(change.after).items():
                setattr(row, column, value)
    uow.flush()


def _follow_moves(uow: UnitOfWork, changes: Iterable[Change]) -> None:
    """What a system holds goes with it to its new department; the ledger is counted anew after any move."""
    has_moved = False
    for change in changes:
        if change.action != CHANGE or not {"department", "division"} & set(change.differing()):
            continue
        has_moved = has_moved or change.kind in ("department", "system")
        if change.kind == "system" and change.after is not None:
            owner = change.after["department"]
            uow.update(Project, Project.system_id == change.id, department_id=owner)
            uow.update(Resource, Resource.system_id == change.id, department_id=owner)
    if has_moved:
        recount(uow)


def _write_limits(uow: UnitOfWork, changes: Iterable[Change]) -> None:
    limits: list[LimitChange] = []
    for change in changes:
        if change.kind == "quota":
            limits += _limits(uow, change.before, change.after)
    set_limits(uow, limits)


def _limits(uow: UnitOfWork, before: Attributes | None, after: Attributes | None) -> Iterable[LimitChange]:
    """Every kind that either side names; what the new side does not name has no limit any more."""
    named = after or before
    assert named is not None
    scope_kind, scope_id = state.quota_key(uow, named["scope"])
    old, new = _cells(before), _cells(after)
    for kind in sorted({*old, *new}):
        if old.get(kind) != new.get(kind):
            limit, guarantee = new.get(kind, (None, 0))
            yield LimitChange(scope_kind, scope_id, named["site"], Kind(kind), limit, guarantee)


def _cells(entry: Attributes | None) -> dict[str, tuple[int | None, int]]:
    if entry is None:
        return {}
    limits, guarantees = entry["limits"], entry["guarantees"]
    return {kind: (limits.get(kind), guarantees.get(kind, 0)) for kind in {*limits, *guarantees}}


# -- record


def _record(uow: UnitOfWork, core: Core, actor: Actor, plan: Plan) -> None:
    document = dict(plan.document)
    sha256 = state.digest(document)
    version = uow.add(
        TopologyVersion(
            sha256=sha256, document=document, applied_at=core.clock.now(), applied_by=actor.user_id
        )
    )
    counts: dict[str, int] = {}
    for change in plan.changes:
        counts[change.action] = counts.get(change.action, 0) + 1
        details = {"before": change.before, "after": change.after, "version": version.id}
        action = f"topology.{change.action}"
        core.audit.record(uow, actor.user_id, action, change.kind, change.id, details, actor.trace_id)
    summary = {"sha256": sha256, "changes": counts, "base": plan.base}
    core.audit.record(uow, actor.user_id, "topology.apply", "topology", version.id, summary, actor.trace_id)
