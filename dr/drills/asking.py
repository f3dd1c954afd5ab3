"""What people do with drills: look at what would happen, start one, end its hold, abort it.

A drill touches nothing that runs, so one person with the right `dr.drill` is enough.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl import operations
from cloudctl.actors import Actor, Scope
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, Refused, WrongState
from cloudctl.lifecycle import DrillState, PlanState
from cloudctl.models import (
    BackupPolicy,
    Drill,
    InformationSystem,
    Operation,
    PointCopy,
    ProtectionPlan,
    RecoveryPoint,
)
from cloudctl.queries import drills as reads
from cloudctl.queries import plans, scopes
from cloudctl.store import UnitOfWork
from dr.acting import vault_for
from dr.drills import choosing
from dr.drills.choosing import Candidate
from dr.drills.job import DRILLING, KIND, SUBJECT
from dr.plans import inventory, likeness, portrait
from dr.plans.document import Document, Way, of_json
from dr.plans.facts import servers_at
from dr.starting import READABLE

Json = dict[str, Any]
NOW, RANDOM = "now", "random"
FAULTS = (NOW, RANDOM)
DEADLINE_S = 24 * 3600
MOST_HOLD_S, _MOST_TEXT, _SHORTEST_ID = 24 * 3600, 1000, 8
_UNUSABLE = (PlanState.DRAFT, PlanState.VALIDATING, PlanState.SUSPENDED, PlanState.RETIRED)


@dataclass(frozen=True)
class Asked:
    """What is asked for. No point: the newest that was there at the fault. `fault`: when the loss is taken to
    have happened, now or at a random moment of the last rhythm."""

    point: str | None = None
    hold_s: int = 0
    fault: str = NOW
    reason: str = ""


@dataclass(frozen=True)
class Chosen:
    """What a drill would take, and all that is in its way."""

    plan: ProtectionPlan
    document: Document
    site_id: str
    fault_at: datetime
    point: RecoveryPoint | None
    vault: str | None
    faults: tuple[Fault, ...]


def preview(
    core: Core, actor: Actor, key: str, asked: Asked, draw: Callable[[], float] = random.random
) -> Json:
    """What would be rehearsed, where and from what, and all that is in the way; nothing is changed."""
    with core.store.read() as uow:
        chosen = _choose(core, uow, actor, key, asked, draw)
        point = chosen.point
        return {
            "id": None,
            "name": chosen.plan.name,
            "state": "impossible" if chosen.faults else "possible",
            "site": chosen.site_id,
            "point": point.id if point is not None else None,
            "point_taken_at": point.taken_at if point is not None else None,
            "fault_at": chosen.fault_at,
            "vault": chosen.vault,
            "parts": [{"name": one.name, "needs": list(one.needs), "servers": list(one.servers)}
                      for one in chosen.document.parts],
            "hold_s": asked.hold_s,
            "faults": list(chosen.faults),
        }  # fmt: skip


def start(
    core: Core, actor: Actor, key: str, asked: Asked, draw: Callable[[], float] = random.random
) -> Json:
    """Begin a drill of the plan. Refused, with all that is in the way; Conflict while one is going on.

    Needs dr.drill at the system's department or at one of the two sites.
    """
    with core.store.write() as uow:
        chosen = _choose(core, uow, actor, key, asked, draw)
        plan = uow.for_update(ProtectionPlan, chosen.plan.id)
        if plans.is_drilling(uow, plan.id):
            raise Conflict("a drill of {plan} is going on already, or has not cleared away", plan=plan.name)
        if chosen.faults:
            raise Refused("{plan} cannot be rehearsed now", plan=plan.name, faults=chosen.faults)
        row = begin(core, uow, chosen.plan, chosen, asked, actor.user_id)
        _record(core, uow, actor, "start", row, point=row.point_id, hold_s=asked.hold_s, reason=row.reason)
        return reads.show_drill(uow, actor, row.id)


def begin(core: Core, uow: UnitOfWork, plan: ProtectionPlan, chosen: Chosen, asked: Asked, by: str) -> Drill:
    """The rows of a drill and its operation, in the caller's transaction; the bell rings after it."""
    now = core.clock.now()
    options: Json = {"hold_s": asked.hold_s, "fault": asked.fault}
    if chosen.vault is not None:
        options["vault"] = chosen.vault
    row = uow.add(
        Drill(
            plan_id=plan.id,
            plan_sha256=plan.sha256,
            plan=plan.document,
            site_id=chosen.site_id,
            point_id=chosen.point.id if chosen.point is not None else None,
            state=DrillState.REQUESTED,
            options={**options, "inventory_sha256": inventory.sha256_of(plan.inventory_now or {})},
            fault_at=chosen.fault_at,
            reason=asked.reason.strip(),
            begun_at=now,
            begun_by=by,
        )
    )
    deadline_s = DEADLINE_S + asked.hold_s
    work = operations.start(uow, core.clock, KIND, (SUBJECT, row.id), row.site_id, deadline_s)
    row.operation_id = work.id
    uow.after_commit(lambda: core.bell.ring(work.id))
    uow.flush()
    return row


def end(core: Core, actor: Actor, drill_id: int) -> Json:
    """The hold ends now. WrongState unless it is being held."""
    with core.store.write() as uow:
        row = _to_change(uow, actor, drill_id)
        if row.state != DrillState.HOLDING:
            raise WrongState("drill {id} is {state}, and is not held", id=row.id, state=row.state)
        row.hold_until = core.clock.now()
        _wake(core, uow, row)
        _record(core, uow, actor, "end", row)
        return reads.show_drill(uow, actor, row.id)


def abort(core: Core, actor: Actor, drill_id: int, reason: str) -> Json:
    """It stops where it is and is cleared away. WrongState when it clears away already, or has ended."""
    with core.store.write() as uow:
        row = _to_change(uow, actor, drill_id)
        if not reason.strip():
            raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing")])
        if row.state not in {*DRILLING, DrillState.REQUESTED}:
            raise WrongState("drill {id} is {state} already", id=row.id, state=row.state)
        told = {"aborted_by": actor.user_id, "abort_reason": reason.strip()[:_MOST_TEXT]}
        row.options = {**(row.options or {}), **told}
        _wake(core, uow, row)
        _record(core, uow, actor, "abort", row, reason=told["abort_reason"])
        return reads.show_drill(uow, actor, row.id)


def path_of(uow: UnitOfWork, plan: ProtectionPlan) -> list[Scope]:
    """Where a right on the plan has to be held: the system's department and divisions, or either site."""
    owner = uow.need(InformationSystem, plan.system_id).department_id
    path = scopes.department_path(uow, owner, plan.home_site_id)
    return [*path, ("site", plan.recovery_site_id)]


def choose(
    core: Core,
    uow: UnitOfWork,
    plan: ProtectionPlan,
    asked: Asked,
    draw: Callable[[], float] = random.random,
    named: RecoveryPoint | None = None,
) -> Chosen:
    """What would be rehearsed, and all that is in the way. `named`: the point that somebody asks for."""
    document = of_json(plan.document)
    now = core.clock.now()
    is_home = plan.active_site_id == plan.home_site_id
    site_id = plan.recovery_site_id if is_home else plan.home_site_id
    faults = _faults_of(plan, asked)
    ways = {one.way for one in document.parts} - {Way.NONE}
    if named is None and Way.REPLICATION in ways:
        faults += _faults_of_replicas(uow, plan, document, ways)
        return Chosen(plan, document, site_id, now, None, None, tuple(faults))
    if named is None and not ways & {Way.POINTS, Way.APPLICATION}:  # what copies itself is in points as well
        return Chosen(plan, document, site_id, now, None, None, tuple(faults))
    known = _candidates(uow, plan, document)
    fault_at = choosing.fault_of(draw(), known, now) if asked.fault == RANDOM else now
    point = named
    if point is None:
        found, wrong = choosing.choose(known, fault_at, now)
        faults += wrong
        point = uow.need(RecoveryPoint, found.id) if found is not None else None
    vault = None
    if point is not None:
        try:
            vault = vault_for(uow, point, site_id)
        except Refused as error:
            faults.append(Fault("point", error.code, error.template, error.params))
    return Chosen(plan, document, site_id, fault_at, point, vault, tuple(faults))


# -- the pieces ---------------------------------------------------------------------------------


def _choose(
    core: Core, uow: UnitOfWork, actor: Actor, key: str, asked: Asked, draw: Callable[[], float]
) -> Chosen:
    plan = plans.find_plan(uow, actor, key)
    actor.must("dr.drill", path_of(uow, plan))
    _must_be_right(asked)
    return choose(core, uow, plan, asked, draw, _named(uow, plan, asked.point))


def _must_be_right(asked: Asked) -> None:
    faults = []
    if asked.fault not in FAULTS:
        params = {"given": asked.fault[:60], "choices": ", ".join(FAULTS)}
        faults.append(Fault("fault", "unknown_word", "'{given}' is none of: {choices}", params))
    if not 0 <= asked.hold_s <= MOST_HOLD_S:
        limits = {"least": 0, "most": MOST_HOLD_S}
        faults.append(Fault("hold", "out_of_range", "must be a number from {least} to {most}", limits))
    if len(asked.reason) > _MOST_TEXT:
        faults.append(Fault("reason", "too_long", "at most {most} characters", {"most": _MOST_TEXT}))
    if faults:
        raise BadInput("the input has faults", faults=faults)


def _faults_of(plan: ProtectionPlan, asked: Asked) -> list[Fault]:
    """States in which a plan says nothing that could be rehearsed."""
    if plan.state not in _UNUSABLE:
        return []
    hint = "see what is wrong: cloudctl dr plan show {plan}"
    return [
        Fault("plan", "wrong_state", "plan {plan} is {state}", {"plan": plan.name, "state": plan.state}, hint)
    ]


def _faults_of_replicas(
    uow: UnitOfWork, plan: ProtectionPlan, document: Document, ways: set[Way]
) -> list[Fault]:  # fmt: skip
    """Of a drill that takes its data from what the storage replicates."""
    if ways != {Way.REPLICATION}:
        template = "parts of the plan are replicated, and others are not: one drill takes all from one source"
        hint = "name a recovery point of the whole system: --point"
        return [Fault("parts", "mixed_ways", template, {}, hint)]
    told = portrait.read(uow, plan.system_id, plan.active_site_id)
    servers = servers_at(uow, plan.system_id, plan.active_site_id)
    return likeness.faults(plan.system_id, document.parts, told, servers)


def _named(uow: UnitOfWork, plan: ProtectionPlan, key: str | None) -> RecoveryPoint | None:
    """The point somebody names, by its id or how that begins."""
    if key is None:
        return None
    own = (RecoveryPoint.system_id == plan.system_id, RecoveryPoint.state.in_(READABLE))
    by_id = RecoveryPoint.id.startswith(key, autoescape=True)
    found = uow.all(RecoveryPoint, by_id, *own, limit=2) if len(key) >= _SHORTEST_ID else []
    if len(found) != 1:
        fault = Fault("point", "not_found", "no point of {system} begins with '{key}'",
                      {"system": plan.system_id, "key": key[:60]})  # fmt: skip
        raise BadInput("the input has faults", faults=[fault])
    return found[0]


def _candidates(uow: UnitOfWork, plan: ProtectionPlan, document: Document) -> list[Candidate]:
    """The points of the system where it runs now, of the plan's policy if it names one."""
    conditions = [
        RecoveryPoint.system_id == plan.system_id,
        RecoveryPoint.site_id == plan.active_site_id,
        RecoveryPoint.state.in_(READABLE),
        RecoveryPoint.taken_at.is_not(None),
        RecoveryPoint.stored_at.is_not(None),
    ]
    policies = {row.id: row for row in uow.all(BackupPolicy)}
    if document.policy:
        named = [key for key, row in policies.items() if row.name == document.policy]
        conditions.append(RecoveryPoint.policy_id.in_(named))
    rows = uow.all(RecoveryPoint, *conditions, order_by=[RecoveryPoint.taken_at.desc()], limit=200)
    sealed = set(
        uow.column(
            PointCopy.point_id, PointCopy.point_id.in_([row.id for row in rows]), PointCopy.state == "sealed"
        )
    )
    return [
        Candidate(
            row.id, row.system_id, row.taken_at, row.stored_at, row.level, policies[row.policy_id].every_s
        )
        for row in rows
        if row.id in sealed and row.taken_at is not None and row.stored_at is not None
    ]  # fmt: skip


def _to_change(uow: UnitOfWork, actor: Actor, drill_id: int) -> Drill:
    row = reads.find_drill(uow, actor, drill_id)
    actor.must("dr.drill", path_of(uow, uow.need(ProtectionPlan, row.plan_id)))
    return uow.for_update(Drill, drill_id)


def _wake(core: Core, uow: UnitOfWork, row: Drill) -> None:
    """Whoever works on it looks again now."""
    number = row.operation_id
    if number is not None:
        work = uow.for_update(Operation, number)
        work.next_at = min(work.next_at, core.clock.now())
        uow.after_commit(lambda: core.bell.ring(number))


def _record(core: Core, uow: UnitOfWork, actor: Actor, action: str, row: Drill, **details: object) -> None:
    told = {"plan": row.plan.get("name"), "plan_sha256": row.plan_sha256, "site": row.site_id, **details}
    core.audit.record(uow, actor.user_id, f"dr.drill.{action}", SUBJECT, row.id, told, actor.trace_id)
