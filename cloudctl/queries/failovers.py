"""Reads of moves: each with who said yes, what was lost, when each state was reached, and what is made.

Whoever may see disaster recovery of a system (dr.see) sees its plans and moves, and so does whoever
administers one of the two sites.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import Failover, FailoverApproval, InformationSystem, ProtectionPlan
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
PAGE = 100
RIGHT = "dr.see"


def plans_seen(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    """Conditions on protection plans; none for whoever sees everything."""

    def belongs(departments: Any) -> Any:
        systems = select(InformationSystem.id).where(InformationSystem.department_id.in_(departments))
        return ProtectionPlan.system_id.in_(systems)

    sight = Sight(uow, actor, RIGHT)
    if sight.all:
        return ()
    at_home = sight.own(belongs, ProtectionPlan.home_site_id)
    there = ProtectionPlan.recovery_site_id.in_(sight.own_sites)
    return (at_home[0] | there,) if at_home else ()


def find_plan(uow: UnitOfWork, actor: Actor, key: str) -> ProtectionPlan:
    """The plan of that id or name. NotFound when there is none that the actor may see."""
    named = ProtectionPlan.name == key
    if key.isdigit() and len(key) < 10:
        named |= ProtectionPlan.id == int(key)
    found = uow.first(ProtectionPlan, named, *plans_seen(uow, actor))
    if found is None:
        raise NotFound("{what} '{key}' does not exist", what="plan", key=key)
    return found


def list_failovers(
    uow: UnitOfWork,
    actor: Actor,
    plan: str | None = None,
    state: str | None = None,
    limit: int = PAGE,
    marker: int | None = None,
) -> list[Json]:
    """The newest moves first, after the move `marker`."""
    seen = select(ProtectionPlan.id).where(*plans_seen(uow, actor))
    conditions: list[Any] = [Failover.plan_id.in_(seen)]
    if plan is not None:
        conditions.append(Failover.plan_id == find_plan(uow, actor, plan).id)
    if state is not None:
        conditions.append(Failover.state == state)
    if marker is not None:
        conditions.append(Failover.id < marker)
    found = uow.all(Failover, *conditions, order_by=[Failover.id.desc()], limit=limit)
    return [_row(uow, one) for one in found]


def show(uow: UnitOfWork, actor: Actor, failover_id: int) -> Json:
    """One move with all that is known of it; NotFound when the actor may not see its plan."""
    row = uow.get(Failover, failover_id)
    if row is None or not uow.count(
        ProtectionPlan, ProtectionPlan.id == row.plan_id, *plans_seen(uow, actor)
    ):
        raise NotFound("{what} '{key}' does not exist", what="failover", key=str(failover_id))
    said = uow.all(FailoverApproval, FailoverApproval.failover_id == row.id, order_by=[FailoverApproval.id])
    made = row.made or {}
    return {
        **_row(uow, row),
        "reason": row.reason,
        "loss": row.loss,
        "evidence": row.evidence,
        "fence": row.fence,
        "marker": row.marker,
        "glass": row.glass,
        "parts": [{"id": name, "name": name, "state": part_state(one), **one}
                  for name, one in (made.get("parts") or {}).items()],
        "checks": made.get("checks") or [],
        "timeline": [
            {"state": state, "at": datetime.fromisoformat(at)} for state, at in (row.times or {}).items()
        ],
        "approvals": [
            {"id": one.id, "name": one.user_id, "state": "approved", "role": one.role, "at": one.at,
             "opinion": one.opinion, "plan_sha256": one.plan_sha256}
            for one in said
        ],
        "error_code": row.error_code,
        "error_message": row.error_message,
    }  # fmt: skip


def _row(uow: UnitOfWork, row: Failover) -> Json:
    return {
        "id": row.id,
        "name": row.plan.get("name"),
        "state": row.state,
        "kind": row.kind,
        "system": uow.need(ProtectionPlan, row.plan_id).system_id,
        "from_site": row.from_site_id,
        "site": row.to_site_id,
        "plan_id": row.plan_id,
        "plan_sha256": row.plan_sha256,
        "point": row.point_id,
        "epoch": row.epoch,
        "is_disputed": bool((row.glass or {}).get("is_disputed")),
        "rpo_s": row.rpo_s,
        "rto_s": row.rto_s,
        "asked_by": row.asked_by,
        "asked_at": row.asked_at,
        "commit_until": row.commit_until,
        "ended_at": row.ended_at,
        "operation_id": row.operation_id,
    }


def part_state(part: Json) -> str:
    """What has become of a part of a move, by what the move has noted of it."""
    if part.get("done_at"):
        return "answered"
    return "failed" if part.get("failed_at") else "starting"
