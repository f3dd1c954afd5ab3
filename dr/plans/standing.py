"""How far a plan can be relied on: what age, drift, an edit and a drill make of its state.

Decisions are pure; what writes them is at the end. How its data stands is in dr/plans/health.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudctl.clock import Clock
from cloudctl.lifecycle import PlanState
from cloudctl.lifecycle.recovery import PLAN
from cloudctl.lifecycle.table import move
from cloudctl.models import ProtectionPlan
from cloudctl.store import UnitOfWork
from dr.plans import inventory

Json = dict[str, Any]
USABLE = (PlanState.NEEDS_VERIFICATION, PlanState.VERIFIED, PlanState.STALE)


# -- state


@dataclass(frozen=True)
class Stand:
    """The state of a plan, and why it is verified no more: rows of `reason` and what belongs to it."""

    state: PlanState
    stale: tuple[Json, ...] = ()


def after_edit(now: Stand, changed: Iterable[str]) -> Stand:
    """What was proved was another plan. A draft again where nothing was proved; WrongState when retired."""
    state = move(PLAN, now.state, "edit")
    if state is not PlanState.STALE:
        return Stand(state)
    return Stand(state, _with(now.stale, {"reason": "edit", "what": sorted(changed)}))


def after_validation(now: Stand, is_faulty: bool, is_undecided: bool) -> Stand:
    """A draft without faults waits for its drill; a stale plan with faults is a draft again.

    While a site does not answer nothing is decided: the plan goes on being validated.
    """
    state = now.state
    if state is PlanState.DRAFT:
        state = move(PLAN, state, "validate")
    if is_undecided:
        return Stand(state, now.stale)
    if state is PlanState.VALIDATING:
        return Stand(move(PLAN, state, "fault" if is_faulty else "complete"), now.stale)
    if state is PlanState.STALE and is_faulty:
        return Stand(move(PLAN, state, "fault"), now.stale)
    return Stand(state, now.stale)


def after_time(now: Stand, verified_at: datetime | None, verified_for_s: int, at: datetime) -> Stand:
    """A proof counts for so long as the plan says."""
    if now.state is not PlanState.VERIFIED or verified_at is None:
        return now
    if at - verified_at <= timedelta(seconds=verified_for_s):
        return now
    until = (verified_at + timedelta(seconds=verified_for_s)).isoformat()
    return Stand(move(PLAN, now.state, "age"), _with(now.stale, {"reason": "age", "until": until}))


def after_look(now: Stand, changed: Sequence[Json]) -> Stand:
    """What the plan rests on is other than it was when it was proved."""
    if now.state is not PlanState.VERIFIED or not changed:
        return now
    return Stand(move(PLAN, now.state, "drift"), _with(now.stale, {"reason": "drift", "what": list(changed)}))


def after_drill(now: Stand, has_passed: bool) -> Stand:
    """A drill of this very plan passed, or it failed; where the plan is in no state to be proved, nothing."""
    if now.state not in USABLE:
        return now
    if has_passed:
        return Stand(move(PLAN, now.state, "pass"))
    if now.state is PlanState.NEEDS_VERIFICATION:
        return now
    return Stand(move(PLAN, now.state, "fail"), now.stale)


def _with(rows: Sequence[Json], row: Json) -> tuple[Json, ...]:
    """One row for each reason, the newest."""
    return (*(one for one in rows if one["reason"] != row["reason"]), row)


# -- what is written


def stand_of(plan: ProtectionPlan) -> Stand:
    """As the row has it."""
    return Stand(PlanState(plan.state), tuple(plan.stale or ()))


def keep(plan: ProtectionPlan, stand: Stand) -> None:
    """Into the row, in the caller's transaction."""
    plan.state, plan.stale = stand.state.value, list(stand.stale)


def note_inventory(plan: ProtectionPlan, items: Mapping[str, Any]) -> str:
    """What the plan rests on, as it was just seen; its hash. A drill takes it when it begins."""
    plan.inventory_now = dict(items)
    return inventory.sha256_of(items)


def note_drill(
    uow: UnitOfWork,
    clock: Clock,
    plan: ProtectionPlan,
    drill_id: int,
    plan_sha256: str,
    inventory_sha256: str,
    has_passed: bool,
) -> None:
    """What a drill says of the plan, in the caller's transaction; again changes nothing.

    Only a drill of this very plan counts. It proves the inventory that it began with: where that is other
    now, the next look says so.
    """
    if plan.sha256 != plan_sha256:
        return
    now = stand_of(plan)
    after = after_drill(now, has_passed)
    if has_passed and after.state is PlanState.VERIFIED:
        plan.verified_at, plan.verified_by = clock.now(), drill_id
        plan.inventory_sha256 = inventory_sha256
        is_same = inventory.sha256_of(plan.inventory_now or {}) == inventory_sha256
        plan.inventory = dict(plan.inventory_now or {}) if is_same else {}
    keep(plan, after)
    uow.flush()
