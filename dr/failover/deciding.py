"""What other people do with a move that was asked for: yes, no, stop, it stays, or break the glass."""

from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import (
    BadInput,
    Conflict,
    Fault,
    NotAllowed,
    Refused,
    SecondPersonNeeded,
    StalePlan,
    WrongState,
)
from cloudctl.lifecycle import FailoverState
from cloudctl.models import Failover, FailoverApproval, Operation, ProtectionPlan
from cloudctl.notices import settle, tell
from cloudctl.store import UnitOfWork
from dr.failover import evidence
from dr.failover.approving import NEEDED, counted, other_role
from dr.failover.asking import Outlook
from dr.failover.job import RETURNABLE, SUBJECT, UNPLANNED, UNREAD, go, look_soon
from dr.failover.people import (
    MIN_REASON,
    MOST_TEXT,
    begin,
    deciders,
    end_unbegun,
    mine_to_run,
    must_be,
    record,
    ring,
    roles_of,
    to_decide,
    told,
    work_on,
)
from dr.plans.document import of_json

Json = dict[str, Any]
GIVING_BACK = FailoverState.GIVING_BACK
_BROKEN = "{who} broke the glass for the move of {plan} to {site} (failover {id}): {reason}"


def approve(
    core: Core, actor: Actor, failover_id: int, plan_sha256: str, opinion: str, outlook: Outlook
) -> Json:
    """Say yes to what was shown; the second yes begins it.

    `plan_sha256` is of the plan that the person looked at: StalePlan when the move is for another one, or
    the plan has changed since. SecondPersonNeeded for whoever asked; Conflict for a second word of the same
    person; Refused while too few places say that the old site is gone.
    """
    with core.store.write() as uow:
        row, plan = to_decide(uow, actor, failover_id)
        if row.asked_by == actor.user_id:
            raise SecondPersonNeeded("whoever asked for the move {id} cannot approve it", id=row.id)
        if {plan.sha256, plan_sha256} != {row.plan_sha256}:
            raise StalePlan("the plan {plan} is not what this move was asked for", plan=plan.name)
        mine = (FailoverApproval.failover_id == row.id, FailoverApproval.user_id == actor.user_id)
        if uow.count(FailoverApproval, *mine):
            raise Conflict("{who} has said yes to the move {id} already", who=actor.user_id, id=row.id)
        uow.add(
            FailoverApproval(
                failover_id=row.id, user_id=actor.user_id, plan_sha256=plan_sha256, at=core.clock.now(),
                role=_role_of(actor, uow, row, plan),
                opinion=opinion.strip()[:MOST_TEXT],
            )
        )  # fmt: skip
        record(core, uow, actor, "approve", row, plan_sha256=plan_sha256, opinion=opinion.strip())
        given = uow.all(FailoverApproval, FailoverApproval.failover_id == row.id)
        if len(counted(given, row.plan_sha256, row.asked_by)) >= NEEDED:
            row.evidence = evidence.told(outlook.seen, row.from_site_id) or row.evidence
            _must_be_gone(row, plan, outlook)
            now = outlook.register
            if now is not None and (row.made or {}).get(UNREAD) and now.holder == row.from_site_id:
                row.base_epoch = now.epoch  # the plan knows nothing of moves that were given back
            begin(core, uow, row)
        return told(row)


def reject(core: Core, actor: Actor, failover_id: int, opinion: str) -> Json:
    """It is not done, and why; whoever asked takes it back the same way, without an opinion."""
    with core.store.write() as uow:
        row = uow.for_update(Failover, failover_id)
        if row.asked_by != actor.user_id:
            row, _plan = to_decide(uow, actor, failover_id)
            if not opinion.strip():
                raise BadInput("the input has faults", faults=[Fault("opinion", "missing", "is missing")])
        must_be(row, FailoverState.REQUESTED)
        end_unbegun(core, uow, row)
        record(core, uow, actor, "reject", row, opinion=opinion.strip())
        return told(row)


def abort(core: Core, actor: Actor, failover_id: int, reason: str) -> Json:
    """Give the move back; WrongState from the intent to promote on, when nothing can be given back.

    One whose giving back somebody abandoned half-way is given back from where it stands.
    """
    with core.store.write() as uow:
        row = mine_to_run(uow, actor, failover_id)
        if row.operation_id is not None:  # in the order in which the flow takes them
            operation = uow.for_update(Operation, row.operation_id)
            row = uow.for_update(Failover, failover_id)
        if not reason.strip():
            raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing")])
        is_abandoned = row.operation_id is not None and operation.ended_at is not None
        if FailoverState(row.state) not in (RETURNABLE | {GIVING_BACK} if is_abandoned else RETURNABLE):
            raise WrongState("the move {id} is {state}, and cannot be given back", id=row.id, state=row.state)
        if row.operation_id is None:
            end_unbegun(core, uow, row)
        elif is_abandoned:
            work_on(core, uow, row).cancel_asked_at = core.clock.now()
        else:
            operation.cancel_asked_at, operation.next_at = core.clock.now(), core.clock.now()
            ring(core, uow, row.operation_id)
        record(core, uow, actor, "abort", row, reason=reason.strip())
        return told(row)


def commit(core: Core, actor: Actor, failover_id: int) -> Json:
    """It stays where it is now. Going back from here is a move of its own."""
    with core.store.write() as uow:
        row = mine_to_run(uow, actor, failover_id)
        must_be(row, FailoverState.SHIFTED)
        go(row, "commit", core.clock.now().isoformat())
        row.ended_at = core.clock.now()
        look_soon(uow, row)
        settle(uow, core.clock, (SUBJECT, row.id))
        record(core, uow, actor, "commit", row)
        return told(row)


def break_glass(
    core: Core, actor: Actor, failover_id: int, plan_sha256: str, reason: str, conflict: str
) -> Json:
    """Go on without evidence, fence or witness, on the word of two people of different roles.

    Each says why, and what may conflict later: what the old site may have written since. The first waits
    for the second; the epoch counts as disputed, and everybody responsible is told.
    """
    with core.store.write() as uow:
        row, plan = to_decide(uow, actor, failover_id, FailoverState.SEIZED, FailoverState.RESERVED)
        if row.asked_by == actor.user_id:
            raise SecondPersonNeeded("whoever asked for the move {id} cannot approve it", id=row.id)
        if row.kind != UNPLANNED:
            raise Refused("a planned move needs no broken glass: its old site is there")
        if {plan.sha256, plan_sha256} != {row.plan_sha256}:
            raise StalePlan("the plan {plan} is not what this move was asked for", plan=plan.name)
        faults = [
            Fault(place, "too_short", "say in {least} characters or more why", {"least": MIN_REASON})
            for place, text in (("reason", reason), ("conflict", conflict))
            if len(text.strip()) < MIN_REASON
        ]
        if faults:
            raise BadInput("the input has faults", faults=faults)
        glass = dict(row.glass or {})
        first = glass.get("first")
        if "second" in glass or (first and first["user"] == actor.user_id):
            raise Conflict("{who} has broken the glass already", who=actor.user_id)
        role = other_role(roles_of(actor, "dr.approve", uow, row, plan), first and first["role"])
        if role is None:
            raise SecondPersonNeeded("somebody of another role has to break the glass with {who}",
                                     who=first["user"] if first else "-")  # fmt: skip
        said = {"user": actor.user_id, "role": role.value, "reason": reason.strip()[:MOST_TEXT],
                "conflict": conflict.strip()[:MOST_TEXT], "plan_sha256": plan_sha256,
                "at": core.clock.now().isoformat()}  # fmt: skip
        row.glass = {**glass, "second" if first else "first": said, "is_disputed": bool(first)}
        if first and row.state == FailoverState.REQUESTED:
            begin(core, uow, row)
        elif first:
            ring(core, uow, row.operation_id)
        params = {"who": actor.user_id, "plan": plan.name, "site": row.to_site_id, "id": row.id,
                  "reason": reason.strip()[:MOST_TEXT]}  # fmt: skip
        people = deciders(uow, plan, row.to_site_id, actor.user_id)
        tell(uow, core.clock, people, _BROKEN, params, (SUBJECT, row.id), needs_action=not first)
        record(core, uow, actor, "break_glass", row, reason=said["reason"], conflict=said["conflict"])
        return told(row)


# -- the pieces ---------------------------------------------------------------------------------


def _role_of(actor: Actor, uow: UnitOfWork, row: Failover, plan: ProtectionPlan) -> str:
    """The role in which somebody says yes: one that the plan asks for. NotAllowed for any other."""
    wanted = of_json(row.plan).approvers
    held = [one.value for one in roles_of(actor, "dr.approve", uow, row, plan) if one.value in wanted]
    if not held:
        raise NotAllowed("{user} may not approve this move: the plan asks for one of {roles}",
                         user=actor.user_id, roles=", ".join(wanted))  # fmt: skip
    return held[0]


def _must_be_gone(row: Failover, plan: ProtectionPlan, outlook: Outlook) -> None:
    """Refused, with why, unless enough places say that the old site is gone; planned moves need none."""
    if row.kind != UNPLANNED:
        return
    verdict = evidence.judge(outlook.seen, row.from_site_id, row.to_site_id)
    if not verdict.is_enough:
        raise Refused("it is not shown that {site} is gone", site=row.from_site_id, faults=verdict.faults,
                      hint="two people of different roles may break the glass")  # fmt: skip
