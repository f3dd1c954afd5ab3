"""Reads of drills and of the calendar by which plans are rehearsed.

Whoever sees a plan sees its drills. Times of a drill are seconds since it began, as it wrote them down.
"""

from typing import Any

from sqlalchemy import select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.lifecycle import DrillState
from cloudctl.models import Drill, DrillCalendar, ProtectionPlan, RecoveryPoint, Step
from cloudctl.queries.plans import find_plan, may_see
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
PAGE = 100
_STATES = [state.value for state in DrillState]


def list_drills(
    uow: UnitOfWork,
    actor: Actor,
    plan: str | None = None,
    state: str | None = None,
    limit: int = PAGE,
    marker: int | None = None,
) -> list[Json]:
    """The newest first, after the drill `marker`."""
    conditions: list[Any] = [Drill.plan_id.in_(select(ProtectionPlan.id).where(*may_see(uow, actor)))]
    if plan is not None:
        conditions.append(Drill.plan_id == find_plan(uow, actor, plan).id)
    if state is not None:
        conditions.append(Drill.state == state)
    if marker is not None:
        conditions.append(Drill.id < marker)
    found = uow.all(Drill, *conditions, order_by=[Drill.id.desc()], limit=limit)
    return [_row(one) for one in found]


def find_drill(uow: UnitOfWork, actor: Actor, drill_id: int) -> Drill:
    """The drill; NotFound when there is none of a plan that the actor sees."""
    row = uow.get(Drill, drill_id)
    seen = (ProtectionPlan.id == row.plan_id, *may_see(uow, actor)) if row is not None else ()
    if row is None or not uow.count(ProtectionPlan, *seen):
        raise NotFound("{what} '{key}' does not exist", what="drill", key=str(drill_id))
    return row


def show_drill(uow: UnitOfWork, actor: Actor, drill_id: int) -> Json:
    """One drill with its parts, checks, isolation and timeline."""
    row = find_drill(uow, actor, drill_id)
    seen, document = row.seen or {}, row.plan
    stands = seen.get("parts") or {}
    steps = uow.all(Step, Step.operation_id == row.operation_id, order_by=[Step.id])
    point = uow.get(RecoveryPoint, row.point_id) if row.point_id is not None else None
    return {
        **_row(row),
        "plan_sha256": row.plan_sha256,
        "point_taken_at": point.taken_at if point is not None else None,
        "fault_at": row.fault_at,
        "reason": row.reason,
        "objectives": {"rpo_s": document["rpo_s"], "rto_s": document["rto_s"]},
        "parts": [_part(one, stands.get(one["name"]), row.made or {}) for one in document["parts"]],
        "checks": [
            {"name": key, "is_passed": bool(one[0]), "saw": one[1]}
            for key, one in (seen.get("checks") or {}).items()
        ],
        "isolation": seen.get("isolation") or {},
        "timeline": [
            {"name": name, "at_s": at_s}
            for name, at_s in sorted(
                (seen.get("times") or {}).items(), key=lambda one: (one[1], _order(one[0]))
            )
        ],
        "is_one_clock": bool(seen.get("is_one_clock")),
        "recovery_time": seen.get("recovery_time"),
        "faults": seen.get("faults") or [],
        "steps": [{"name": one.name, "state": one.state, "note": one.note} for one in steps],
    }


def list_calendar(uow: UnitOfWork, actor: Actor) -> list[Json]:
    """When each plan is rehearsed by itself; of a random one the moment is told to nobody."""
    plans = {row.id: row for row in uow.all(ProtectionPlan, *may_see(uow, actor))}
    rows = uow.all(DrillCalendar, DrillCalendar.plan_id.in_(list(plans)))
    return sorted((_entry(row, plans[row.plan_id]) for row in rows), key=lambda row: str(row["name"]))


def show_calendar(uow: UnitOfWork, plan: ProtectionPlan) -> Json:
    """The entry of one plan."""
    return _entry(uow.need(DrillCalendar, plan.id), plan)


def _entry(row: DrillCalendar, plan: ProtectionPlan) -> Json:
    return {
        "id": row.plan_id,
        "name": plan.name,
        "state": "on" if row.is_on else "off",
        "plan_state": plan.state,
        "every_s": row.every_s,
        "window": dict(row.window or {}),
        "is_random": row.is_random,
        "hold_s": row.hold_s,
        "next_at": None if row.is_random or not row.is_on else row.next_at,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
    }


def _row(row: Drill) -> Json:
    return {
        "id": row.id,
        "name": row.plan.get("name"),
        "state": row.state,
        "plan_id": row.plan_id,
        "system": row.plan.get("system"),
        "site": row.site_id,
        "point": row.point_id,
        "verdict": row.verdict,
        "why": row.why,
        "rpo_s": row.rpo_s,
        "rto_s": row.rto_s,
        "left_behind": list(row.left_behind or ()),
        "hold_until": row.hold_until,
        "begun_at": row.begun_at,
        "begun_by": row.begun_by,
        "ended_at": row.ended_at,
        "report_sha256": row.report_sha256,
        "operation_id": row.operation_id,
    }


def _part(part: Json, stand: Json | None, made: Json) -> Json:
    stand = stand or {}
    servers: list[str] = (made.get("parts") or {}).get(part["name"]) or part["servers"]
    return {
        "id": part["name"],
        "name": part["name"],
        "state": stand.get("progress", "waiting"),
        "needs": list(part["needs"]),
        "servers": list(servers),
        "is_critical": part["is_critical"],
        "begun_s": stand.get("begun_s"),
        "active_s": stand.get("active_s"),
        "answered_s": stand.get("answered_s"),
        "why": stand.get("why", ""),
    }


def _order(name: str) -> int:
    return _STATES.index(name) if name in _STATES else len(_STATES)
