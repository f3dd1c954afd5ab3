"""What people do with protection plans: keep what a document says, suspend, resume, retire.

A document is read whole and checked against both sites before a row is written. What is wrong with the
writing refuses everything; what is wrong with the world is kept beside the plan, a draft until it is right.
How plans are shown is in dr/plans/showing.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, WrongState
from cloudctl.lifecycle import PlanState
from cloudctl.lifecycle.recovery import PLAN
from cloudctl.lifecycle.table import move
from cloudctl.models import DrillCalendar, ProtectionPlan
from cloudctl.queries import plans as reads
from cloudctl.store import UnitOfWork
from dr.plans import facts, inventory, reserve, standing
from dr.plans.document import Document, of_json
from dr.plans.facts import Outside
from dr.plans.health import health
from dr.plans.known import Known
from dr.plans.looking import SUBJECT, told
from dr.plans.read import MOST_PLANS, read
from dr.plans.readiness import room_short
from dr.plans.standing import USABLE, Stand
from dr.plans.validate import is_undecided, validate
from dr.plans.writing import differences, written

Json = dict[str, Any]
RIGHT = "dr.plan"
_MOST_REASON = 500
_UNKNOWN = ("unknown_system", "unknown_site")  # a row cannot point at what is not there


def apply(
    core: Core,
    actor: Actor,
    outside: Outside,
    documents: Sequence[Mapping[str, Any]],
    is_dry_run: bool = False,
) -> list[Json]:
    """Make plans say what the documents say; again changes nothing. One row for each, in their order.

    A plan is known by its name. Every change un-verifies it. BadInput with all faults of all documents;
    NotAllowed unless the actor has dr.plan at both sites of each.
    """
    asked = _read(documents)
    with core.store.read() as uow:
        there = {one.name: uow.first(ProtectionPlan, ProtectionPlan.name == one.name) for one in asked}
    for document in asked:
        for site in _sites(document, there[document.name]):
            actor.must(RIGHT, [("site", site)])
    looks = [_look(core, outside, one, there[one.name]) for one in asked]
    if is_dry_run:
        with core.store.read() as uow:
            edits = _edits(uow, asked, looks)
            return [_row(one, one.plan.id if one.plan else None, one.after, one.known) for one in edits]
    with core.store.write() as uow:
        return [_keep(core, uow, actor, one) for one in _edits(uow, asked, looks)]


def suspend(core: Core, actor: Actor, key: str, reason: str) -> None:
    """The plan is not relied on until somebody resumes it; its room stays held. The reason is kept."""
    _move(core, actor, key, "suspend", reason)


def resume(core: Core, actor: Actor, key: str, reason: str = "") -> None:
    """The plan counts again, and has to be rehearsed first."""
    _move(core, actor, key, "resume", reason)


def retire(core: Core, actor: Actor, key: str, reason: str) -> None:
    """The plan is over for good: its room is given back, nothing is rehearsed any more; its reports stay.

    WrongState while a failover of it, or a drill, is under way.
    """
    _move(core, actor, key, "retire", reason)


# -- the pieces ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Edit:
    """A document, the plan it changes, what is known, and the state that follows."""

    document: Document
    plan: ProtectionPlan | None
    known: Known
    changes: Json
    faults: tuple[Fault, ...]
    after: Stand

    @property
    def result(self) -> str:
        return "new" if self.plan is None else "changed" if self.changes else "same"


def _read(documents: Sequence[Mapping[str, Any]]) -> list[Document]:
    faults: list[Fault] = []
    found: list[Document] = []
    if not 0 < len(documents) <= MOST_PLANS:
        faults.append(Fault("plans", "bad_count", "from 1 to {most} plans at a time", {"most": MOST_PLANS}))
    for index, given in enumerate(documents[:MOST_PLANS]):
        document, wrong = read(given, _place(index, len(documents)))
        faults += wrong
        if document is None:
            continue
        if document.name in {one.name for one in found}:
            place = f"{_place(index, len(documents))}.name".lstrip(".")
            faults.append(Fault(place, "twice", "is named twice"))
        found.append(document)
    _must_be_clean(faults)
    return found


def _place(index: int, count: int) -> str:
    return f"plans[{index}]" if count > 1 else ""


def _must_be_clean(faults: Sequence[Fault]) -> None:
    if faults:
        raise BadInput("the plan has {count} faults", faults=faults, count=len(faults))


def _sites(document: Document, plan: ProtectionPlan | None) -> set[str]:
    """Where the right is asked for: at both sites, those before the change included."""
    before = {plan.home_site_id, plan.recovery_site_id} if plan is not None else set()
    return {document.home, document.recovery} | before


def _look(core: Core, outside: Outside, document: Document, plan: ProtectionPlan | None) -> Known:
    source = document.home if plan is None else _source(document, plan)
    plan_id = plan.id if plan is not None else None
    return facts.gather(core.store, outside, document, core.clock.now(), plan_id, source)


def _source(document: Document, plan: ProtectionPlan) -> str:
    is_named = plan.active_site_id in (document.home, document.recovery)
    return plan.active_site_id if is_named else document.home


def _edits(uow: UnitOfWork, asked: Sequence[Document], looks: Sequence[Known]) -> list[_Edit]:
    """Each document against its plan as it is now; what cannot be changed at all is a fault of the input."""
    edits, faults = [], []
    for index, (document, seen) in enumerate(zip(asked, looks, strict=True)):
        plan = uow.first(ProtectionPlan, ProtectionPlan.name == document.name)
        changes = {} if plan is None else differences(written(of_json(plan.document)), written(document))
        for one in _impossible(uow, document, plan, bool(changes)):
            place = ".".join(filter(None, (_place(index, len(asked)), one.place)))
            faults.append(replace(one, place=place))
        known = facts.again(uow, document, seen, plan.id if plan is not None else None)
        found = tuple(validate(document, known))
        faults += [one for one in found if one.code in _UNKNOWN]
        before = Stand(PlanState.DRAFT) if plan is None else standing.stand_of(plan)
        if changes and before.state is not PlanState.RETIRED and before.state is not PlanState.VALIDATING:
            before = standing.after_edit(before, changes)
        after = standing.after_validation(before, bool(found), is_undecided(found))
        edits.append(_Edit(document, plan, known, changes, found, after))
    _must_be_clean(faults)
    return edits


def _impossible(
    uow: UnitOfWork, document: Document, plan: ProtectionPlan | None, is_changed: bool
) -> Iterable[Fault]:
    if plan is None:
        return
    if plan.state == PlanState.RETIRED:
        yield Fault("name", "retired", "the plan is retired; take another name")
    if plan.system_id != document.system:
        template = "the plan is of the system {system}; take another name"
        yield Fault("system", "other_system", template, {"system": plan.system_id})
    if plan.active_site_id not in (document.home, document.recovery):
        template = "the system runs at {site} now, which would be neither of the two"
        yield Fault("home", "runs_elsewhere", template, {"site": plan.active_site_id})
    if is_changed and reads.is_moving(uow, plan.id):
        yield Fault("name", "moving", "a failover of the plan is under way already")


def _keep(core: Core, uow: UnitOfWork, actor: Actor, edit: _Edit) -> Json:
    plan, document, now = edit.plan, edit.document, core.clock.now()
    columns = {
        "document": document.as_json(),
        "sha256": document.sha256,
        "home_site_id": document.home,
        "recovery_site_id": document.recovery,
    }
    if plan is None:
        plan = uow.add(
            ProtectionPlan(
                name=document.name,
                system_id=document.system,
                state=edit.after.state.value,
                active_site_id=document.home,
                created_at=now,
                created_by=actor.user_id,
                **columns,
            )
        )
    elif edit.changes:
        for key, value in columns.items():
            setattr(plan, key, value)
        plan.revision += 1
        plan.changed_at, plan.changed_by = now, actor.user_id
    standing.keep(plan, edit.after)
    plan.faults = told(edit.faults)
    state_of_data = health(document, edit.known)
    plan.health, plan.health_why = state_of_data.state.value, list(state_of_data.why)
    standing.note_inventory(plan, inventory.take(document, edit.known))
    plan.seen_at = None  # the next look is due at once
    uow.flush()
    known = edit.known
    if edit.after.state in USABLE and not reads.is_moving(uow, plan.id):
        known = reserve.hold(uow, core.clock, plan, document, known)
    if edit.result != "same":
        action = "dr.plan.create" if edit.plan is None else "dr.plan.change"
        details = {"name": plan.name, "system": plan.system_id, "sha256": plan.sha256,
                   "changes": edit.changes, "state": plan.state}  # fmt: skip
        core.audit.record(uow, actor.user_id, action, SUBJECT, plan.id, details, actor.trace_id)
    return _row(edit, plan.id, edit.after, known)


def _row(edit: _Edit, plan_id: int | None, after: Stand, known: Known) -> Json:
    """What `apply` says of one plan; faults and warnings are for the reader's language."""
    return {
        "id": plan_id,
        "name": edit.document.name,
        "state": after.state.value,
        "result": edit.result,
        "changes": edit.changes,
        "faults": list(edit.faults),
        "notes": [*known.quota, *room_short(edit.document, known)],
    }


def _move(core: Core, actor: Actor, key: str, verb: str, reason: str) -> None:
    with core.store.write() as uow:
        found = reads.find_plan(uow, actor, key)
        plan = uow.for_update(ProtectionPlan, found.id)
        for site in (plan.home_site_id, plan.recovery_site_id):
            actor.must(RIGHT, [("site", site)])
        said = reason.strip()
        if (verb != "resume" and not said) or len(said) > _MOST_REASON:
            template = "say why, in at most {most} characters"
            fault = Fault("reason", "missing", template, {"most": _MOST_REASON})
            raise BadInput("the input has faults", faults=[fault])
        if verb == "retire" and (reads.is_moving(uow, plan.id) or reads.is_drilling(uow, plan.id)):
            raise WrongState("the plan {name} is in use: end its drill or failover first", name=plan.name)
        before = plan.state
        plan.state = move(PLAN, PlanState(before), verb).value
        plan.changed_at, plan.changed_by = core.clock.now(), actor.user_id
        if verb == "retire":
            reserve.spend(uow, plan.id)
            uow.update(DrillCalendar, DrillCalendar.plan_id == plan.id, is_on=False)
        details = {"name": plan.name, "reason": said, "from": before}
        core.audit.record(uow, actor.user_id, f"dr.plan.{verb}", SUBJECT, plan.id, details, actor.trace_id)
