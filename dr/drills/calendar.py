"""When plans are rehearsed by themselves: what the calendar says, and beginning what is due.

A plan with `is_random` is rehearsed at moments that nobody is told before, once in a period on average:
people who know the hour are ready for it, and a fault keeps to no hour.
"""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudctlError, Fault, NotFound, Refused
from cloudctl.lifecycle import PlanState
from cloudctl.models import DrillCalendar, ProtectionPlan
from cloudctl.queries import drills as reads
from cloudctl.queries import plans
from cloudctl.store import UnitOfWork
from dr.alarm import raise_alarm
from dr.drills import asking
from dr.drills.asking import Asked
from dr.drills.job import SUBJECT
from dr.schedule import Window

log = logging.getLogger(__name__)

Json = dict[str, Any]
BY = "system"
LEAST_S, MOST_S = 86_400, 400 * 86_400
AGAIN_S = 6 * 3600  # before a drill that could not begin is tried once more
_BLOCKED = "the drill of {plan} that was due could not begin: {why}"


@dataclass(frozen=True)
class Entry:
    """What somebody wants of one plan. `window` is `{"from": "22:00", "until": "06:00"}`, Beijing time."""

    every_s: int
    window: Mapping[str, str]
    is_random: bool = False
    hold_s: int = 0


def next_moment(entry: Entry, after: datetime, draw: Callable[[], float]) -> datetime:
    """When the next drill of the entry begins. Pure but for the drawing.

    Regular: a period later. Random: half a period to one and a half later. Both moved into the window.
    """
    share = 0.5 + draw() if entry.is_random else 1.0
    moment = after + timedelta(seconds=share * entry.every_s)
    if not entry.window:
        return moment
    window = Window.read(entry.window)
    return moment if window.is_open(moment) else window.next_opening(moment)


def set_entry(
    core: Core, actor: Actor, key: str, entry: Entry, draw: Callable[[], float] = random.random
) -> Json:
    """Rehearse the plan so from now on. BadInput with all faults. Needs dr.plan."""
    with core.store.write() as uow:
        plan = plans.find_plan(uow, actor, key)
        actor.must("dr.plan", asking.path_of(uow, plan))
        faults = list(_faults_of(entry))
        if faults:
            raise BadInput("the input has faults", faults=faults)
        now = core.clock.now()
        values = {
            "every_s": entry.every_s,
            "window": dict(entry.window),
            "is_random": entry.is_random,
            "hold_s": entry.hold_s,
            "next_at": next_moment(entry, now, draw),
            "is_on": True,
            "changed_at": now,
            "changed_by": actor.user_id,
        }
        row = uow.get(DrillCalendar, plan.id)
        if row is None:
            uow.add(DrillCalendar(plan_id=plan.id, **values))
        else:
            uow.update(DrillCalendar, DrillCalendar.plan_id == plan.id, **values)
        told = {"plan": plan.name, "every_s": entry.every_s, "is_random": entry.is_random}
        core.audit.record(uow, actor.user_id, "dr.calendar.set", SUBJECT, plan.id, told, actor.trace_id)
        uow.session.expire_all()
        return reads.show_calendar(uow, plan)


def put_off(core: Core, actor: Actor, key: str) -> Json:
    """The plan is no longer rehearsed by itself. NotFound when it never was. Needs dr.plan."""
    with core.store.write() as uow:
        plan = plans.find_plan(uow, actor, key)
        actor.must("dr.plan", asking.path_of(uow, plan))
        row = uow.get(DrillCalendar, plan.id)
        if row is None:
            raise NotFound("{what} '{key}' does not exist", what="calendar", key=plan.name)
        row.is_on, row.changed_at, row.changed_by = False, core.clock.now(), actor.user_id
        told = {"plan": plan.name}
        core.audit.record(uow, actor.user_id, "dr.calendar.off", SUBJECT, plan.id, told, actor.trace_id)
        uow.flush()
        return reads.show_calendar(uow, plan)


def begin_due(core: Core, draw: Callable[[], float] = random.random) -> list[int]:
    """Begin the drills whose time has come; their operations. Trouble with one stops no other.

    Any number of workers may call it. One that cannot begin is said to the administrators and tried again.
    """
    now = core.clock.now()
    with core.store.read() as uow:
        due = uow.column(DrillCalendar.plan_id, DrillCalendar.is_on.is_(True), DrillCalendar.next_at <= now)
    begun = []
    for plan_id in due:
        try:
            with core.store.write() as uow:
                begun += _begin(core, uow, plan_id, draw)
        except CloudctlError as error:
            log.warning("the drill of plan %s could not begin: %s", plan_id, error)
    return begun


def _begin(core: Core, uow: UnitOfWork, plan_id: int, draw: Callable[[], float]) -> list[int]:
    row = uow.for_update(DrillCalendar, plan_id)
    now = core.clock.now()
    if not row.is_on or row.next_at > now:
        return []  # another worker was faster
    plan = uow.for_update(ProtectionPlan, plan_id)
    if plan.state == PlanState.RETIRED:
        row.is_on = False
        return []
    entry = Entry(row.every_s, row.window or {}, row.is_random, row.hold_s)
    is_busy = plans.is_drilling(uow, plan.id) or plans.is_moving(uow, plan.id)
    if is_busy or plan.state == PlanState.SUSPENDED:
        row.next_at = now + timedelta(seconds=AGAIN_S)
        return []
    asked = Asked(hold_s=row.hold_s, fault=asking.RANDOM if row.is_random else asking.NOW, reason="calendar")
    chosen = asking.choose(core, uow, plan, asked, draw)
    if chosen.faults:
        refusal = Refused("{plan} cannot be rehearsed now", plan=plan.name, faults=chosen.faults)
        why = "; ".join([refusal.text(), *(str(one) for one in chosen.faults)])
        row.next_at = now + timedelta(seconds=AGAIN_S)
        params = {"plan": plan.name, "why": why}
        raise_alarm(uow, core.clock, chosen.site_id, _BLOCKED, params, ("protection_plan", plan.name))
        return []
    made = asking.begin(core, uow, plan, chosen, asked, BY)
    row.next_at = _following(entry, row.next_at, now, draw)
    details = {"plan": plan.name, "plan_sha256": plan.sha256, "by": "calendar"}
    core.audit.record(uow, BY, "dr.drill.start", SUBJECT, made.id, details)
    return [made.operation_id] if made.operation_id is not None else []


def _following(entry: Entry, due: datetime, now: datetime, draw: Callable[[], float]) -> datetime:
    """A period counts from when it was due; periods in which nobody worked are not made up for."""
    begin = due
    while begin + timedelta(seconds=entry.every_s) <= now:
        begin += timedelta(seconds=entry.every_s)
    return max(next_moment(entry, begin, draw), now + timedelta(seconds=LEAST_S / 2))


def _faults_of(entry: Entry) -> list[Fault]:
    faults = []
    for place, value, least, most in (
        ("every", entry.every_s, LEAST_S, MOST_S),
        ("hold", entry.hold_s, 0, asking.MOST_HOLD_S),
    ):
        if not least <= value <= most:
            params = {"least": least, "most": most}
            faults.append(Fault(place, "out_of_range", "must be a number from {least} to {most}", params))
    if entry.window:
        try:
            Window.read(entry.window)
        except (KeyError, ValueError):
            faults.append(Fault("window", "bad_shape", "must be two times of day, as 22:00-06:00"))
    return faults
