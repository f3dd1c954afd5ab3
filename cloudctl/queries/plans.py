"""Reads of protection plans: which of them somebody sees, and what is going on with each."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.lifecycle import DrillState, FailoverState
from cloudctl.models import Drill, Failover, InformationSystem, ProtectionPlan
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

RIGHT = "dr.see"
_ENDED = (FailoverState.COMMITTED, FailoverState.ABORTED)


def may_see(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    """Conditions on plans: of a system of one's own, or at a site of one's own; none for who sees all."""
    seen = Sight(uow, actor, RIGHT)

    def belongs(departments: Any) -> Any:
        systems = select(InformationSystem.id).where(InformationSystem.department_id.in_(departments))
        return ProtectionPlan.system_id.in_(systems)

    here = seen.own(belongs, ProtectionPlan.home_site_id)
    there = seen.own(belongs, ProtectionPlan.recovery_site_id)
    return (or_(*here, *there),) if here or there else ()


def list_plans(uow: UnitOfWork, actor: Actor, *conditions: Any) -> list[ProtectionPlan]:
    """The plans that the actor sees, those that are retired last."""
    rows = uow.all(ProtectionPlan, *may_see(uow, actor), *conditions)
    return sorted(rows, key=lambda one: (one.state == "retired", one.name))


def find_plan(uow: UnitOfWork, actor: Actor, key: str) -> ProtectionPlan:
    """The plan of that name or id. NotFound when there is none that the actor sees."""
    by_id = ProtectionPlan.id == int(key) if key.isdigit() and len(key) < 10 else ProtectionPlan.name == key
    row = uow.first(ProtectionPlan, (ProtectionPlan.name == key) | by_id, *may_see(uow, actor))
    if row is None:
        raise NotFound("{what} '{key}' does not exist", what="plan", key=key)
    return row


def is_moving(uow: UnitOfWork, plan_id: int) -> bool:
    """Whether a failover of the plan is under way."""
    return bool(uow.count(Failover, Failover.plan_id == plan_id, Failover.state.not_in(_ENDED)))


def is_drilling(uow: UnitOfWork, plan_id: int) -> bool:
    """Whether a drill of the plan is under way, or has left something behind."""
    return bool(uow.count(Drill, Drill.plan_id == plan_id, Drill.state != DrillState.DONE))


def measured(uow: UnitOfWork, plan_id: int, limit: int) -> list[dict[str, Any]]:
    """What the newest drills of the plan saw, the newest first."""
    ended = (Drill.plan_id == plan_id, Drill.ended_at.is_not(None))
    rows = uow.tuples([Drill.seen], *ended, order_by=[Drill.id.desc()], limit=limit)
    return [row[0] or {} for row in rows]


def titles(uow: UnitOfWork, system_ids: Sequence[str]) -> dict[str, str]:
    """The names of systems."""
    columns = [InformationSystem.id, InformationSystem.name]
    return dict(uow.tuples(columns, InformationSystem.id.in_(list(system_ids))))
