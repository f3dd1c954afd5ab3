"""What people do with moves: look at what one would cost, and ask for one. What others then do: deciding.py.

Looking asks the outside first and writes nothing; asking is one transaction. What the witness says is
handed in (`Outlook`), so that no transaction is held across a call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, Refused, WitnessUnavailable
from cloudctl.lifecycle import FailoverState, PlanState
from cloudctl.models import Failover, ProtectionPlan
from cloudctl.notices import tell
from cloudctl.observing import must_act, standby_of
from cloudctl.ports import Observation, Register, Witness
from cloudctl.queries import failovers as reads
from cloudctl.store import UnitOfWork
from dr.acting import path_of
from dr.failover import evidence, losing, register
from dr.failover.approving import NEEDED
from dr.failover.job import ENDED, KIND, KINDS, PLANNED, SUBJECT, UNPLANNED, UNREAD
from dr.failover.people import MOST_TEXT, deciders, record, told
from dr.plans.document import of_json

Json = dict[str, Any]
_ASKED = "{who} asks that {plan} moves to {site} ({kind}); {needed} people have to say yes (failover {id})"


@dataclass(frozen=True)
class Outlook:
    """What the witness says of a group; None and nothing when no majority answers from here."""

    register: Register | None = None
    seen: tuple[Observation, ...] = ()
    has_answered: bool = True


@dataclass(frozen=True)
class Wanted:
    """What is asked for. `to`: the other of the two sites by default; `point`: another than the newest."""

    plan: str
    kind: str = PLANNED
    to: str | None = None
    point: str | None = None
    reason: str = ""
    is_stale_accepted: bool = False  # unplanned: although no drill of this very plan has passed


@dataclass(frozen=True)
class _Read:
    plan: ProtectionPlan
    source: str
    target: str
    loss: Mapping[str, Any]
    faults: tuple[Fault, ...]


def look(witness: Witness | None, group: str) -> Outlook:
    """What the witness says of the group now; outside of any transaction."""
    if witness is None:
        return Outlook(has_answered=False)
    try:
        return Outlook(witness.read(group), tuple(witness.read_observations(group)))
    except WitnessUnavailable:
        return Outlook(has_answered=False)


def look_for(core: Core, actor: Actor, witness: Witness | None, plan: str) -> Outlook:
    """The same for a plan that the actor may see, by its id or name. NotFound."""
    with core.store.read() as uow:
        group = reads.find_plan(uow, actor, plan).name
    return look(witness, group)


def look_again(core: Core, actor: Actor, witness: Witness | None, failover_id: int) -> Outlook:
    """The same for a move that was asked for. NotFound."""
    with core.store.read() as uow:
        group = str(reads.show(uow, actor, failover_id)["name"])
    return look(witness, group)


def enrol(core: Core, actor: Actor, witness: Witness | None, plan: str) -> Json:
    """Make the witness's entry of a plan that has none: open where its system runs. Again changes nothing.

    Needs dr.plan at the site. WitnessUnavailable; Refused where there is no witness.
    """
    with core.store.read() as uow:
        row = reads.find_plan(uow, actor, plan)
        actor.must("dr.plan", path_of(uow, row.system_id, row.active_site_id))
    if witness is None:
        raise Refused("this installation has no witness.yaml")
    found = witness.read(row.name) or witness.swap(None, register.first(row.name, row.active_site_id))
    with core.store.write() as uow:
        details = {"plan": row.name, "holder": found.holder, "epoch": found.epoch}
        core.audit.record(
            uow, actor.user_id, "failover.enrol", "protection_plan", row.id, details, actor.trace_id
        )
    return {"id": row.id, "name": row.name, "state": "open" if found.is_open else "closed",
            "holder": found.holder, "epoch": found.epoch}  # fmt: skip


def preview(core: Core, actor: Actor, wanted: Wanted, outlook: Outlook) -> Json:
    """What would be lost, from which point, and all that is in the way; nothing is changed."""
    with core.store.read() as uow:
        read = _read(core, uow, actor, wanted, outlook, is_strict=False)
        evidence_faults = _evidence(read, wanted.kind, outlook).faults
        row = {
            "id": read.plan.id, "name": read.plan.name, "kind": wanted.kind, "site": read.target,
            "from_site": read.source, "plan_sha256": read.plan.sha256, **read.loss,
            "evidence": evidence.told(outlook.seen, read.source),
        }  # fmt: skip
        faults = [*read.faults, *evidence_faults]
        return {**row, "state": "impossible" if faults else "possible", "faults": faults,
                "notes": []}  # fmt: skip


def ask(core: Core, actor: Actor, wanted: Wanted, outlook: Outlook) -> Json:
    """Put the move before two people. BadInput with all faults; Conflict while the plan moves already.

    Needs dr.run where it goes. What observers see is looked at again when it is approved.
    """
    with core.store.write() as uow:
        must_act(uow, KIND)
        read = _read(core, uow, actor, wanted, outlook)
        if read.faults:
            raise BadInput("the input has faults", faults=read.faults)
        row = uow.add(_row(core, actor, wanted, read, outlook))
        people = deciders(uow, read.plan, read.target, actor.user_id)
        params = {"who": actor.user_id, "plan": read.plan.name, "site": read.target, "kind": wanted.kind,
                  "needed": NEEDED, "id": row.id}  # fmt: skip
        tell(uow, core.clock, people, _ASKED, params, (SUBJECT, row.id), needs_action=True)
        record(core, uow, actor, "ask", row, reason=row.reason, loss=dict(row.loss))
        return told(row)


# -- the pieces ---------------------------------------------------------------------------------


def _read(
    core: Core, uow: UnitOfWork, actor: Actor, wanted: Wanted, outlook: Outlook, is_strict: bool = True
) -> _Read:
    """The plan and both sites, and everything against it at once. NotFound, NotAllowed.

    Who only looks (not `is_strict`) need not say why.
    """
    plan = reads.find_plan(uow, actor, wanted.plan)
    document = of_json(plan.document)
    sites = (plan.home_site_id, plan.recovery_site_id)
    target = wanted.to or next(one for one in sites if one != plan.active_site_id)
    actor.must("dr.run", path_of(uow, plan.system_id, target))
    faults: list[Fault] = []
    if target not in sites or target == plan.active_site_id:
        params = {"site": target, "active": plan.active_site_id, "sites": ", ".join(sites)}
        template = "{site} is not the other of the plan's sites ({sites}); it runs at {active}"
        faults.append(Fault("to", "not_the_other", template, params))
    if wanted.kind not in KINDS:
        params = {"given": wanted.kind[:60], "choices": ", ".join(KINDS)}
        faults.append(Fault("kind", "unknown_word", "'{given}' is none of: {choices}", params))
    if is_strict and (not wanted.reason.strip() or len(wanted.reason) > MOST_TEXT):
        faults.append(Fault("reason", "missing", "is missing or too long"))
    faults += _state_faults(plan, wanted)
    faults += _register_faults(plan, outlook, wanted.kind)
    faults += _alone_faults(uow, target)
    going = (Failover.plan_id == plan.id, Failover.state.not_in([one.value for one in ENDED]))
    if uow.count(Failover, *going, Failover.state != FailoverState.SHIFTED.value):
        faults.append(Fault("plan", "moves_already", "another move of it has not ended"))
    loss, more = losing.loss_of(uow, core.clock.now(), plan, document, target, wanted.point, wanted.kind)
    return _Read(plan, plan.active_site_id, target, loss, (*faults, *more))


def _alone_faults(uow: UnitOfWork, target: str) -> list[Fault]:
    """A site that works alone moves systems to itself only."""
    standby = standby_of(uow)
    if standby is None or target == standby.site_id:
        return []
    template = "{site} works alone, and moves systems to itself only"
    return [Fault("to", "not_own_site", template, {"site": standby.site_id})]


def _state_faults(plan: ProtectionPlan, wanted: Wanted) -> list[Fault]:
    """Planned: only what a drill has shown to work. Unplanned: also else, when that is said."""
    params = {"plan": plan.name, "state": str(plan.state)}
    usable = (PlanState.VERIFIED, PlanState.STALE, PlanState.NEEDS_VERIFICATION)
    if plan.state not in usable:
        return [Fault("plan", "not_usable", "plan {plan} is {state}", params)]
    if plan.state == PlanState.VERIFIED or (wanted.kind == UNPLANNED and wanted.is_stale_accepted):
        return []
    template = "no drill of plan {plan} as it is now has passed: it is {state}"
    hint = "say that it is accepted" if wanted.kind == UNPLANNED else "rehearse it: cloudctl dr drill start"
    return [Fault("plan", "not_verified", template, params, hint)]


def _register_faults(plan: ProtectionPlan, outlook: Outlook, kind: str) -> list[Fault]:
    """The register names the site where the system runs, and is open."""
    now, params = outlook.register, {"plan": plan.name, "active": plan.active_site_id}
    if not outlook.has_answered:
        if kind == UNPLANNED:
            return []  # two people may break the glass
        return [Fault("witness", "no_majority", "no majority of the witness answers from here", params)]
    if now is None:
        template = "the witness has no entry of {plan}: no agent holds its writers"
        hint = "install the agents, or make the entry: cloudctl dr failover enrol"
        return [Fault("witness", "no_entry", template, params, hint)]
    if now.holder != plan.active_site_id or not now.is_open:
        more = {**params, "holder": now.holder, "epoch": now.epoch}
        template = "the witness says that {holder} holds epoch {epoch} of {plan}, not {active}"
        return [Fault("witness", "other_holder", template, more)]
    return []


def _evidence(read: _Read, kind: str, outlook: Outlook) -> evidence.Verdict:
    if kind != UNPLANNED:
        return evidence.Verdict((), (), ())
    return evidence.judge(outlook.seen, read.source, read.target)


def _row(core: Core, actor: Actor, wanted: Wanted, read: _Read, outlook: Outlook) -> Failover:
    now = core.clock.now()
    base = outlook.register.epoch if outlook.register is not None else read.plan.epoch
    return Failover(
        plan_id=read.plan.id, plan_sha256=read.plan.sha256, plan=dict(read.plan.document), kind=wanted.kind,
        from_site_id=read.source, to_site_id=read.target, state=FailoverState.REQUESTED, owner=new_id(),
        base_epoch=base, point_id=read.loss.get("point"), loss=dict(read.loss), reason=wanted.reason.strip(),
        evidence=evidence.told(outlook.seen, read.source), times={"requested": now.isoformat()},
        made={} if outlook.register is not None else {UNREAD: True},
        asked_at=now, asked_by=actor.user_id,
    )  # fmt: skip
