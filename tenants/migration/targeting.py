"""Targets: set, applied from a file, and closed."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound, WrongState
from cloudctl.models import Target
from cloudctl.queries import targets as reads
from cloudctl.store import UnitOfWork
from tenants.migration import target_form
from tenants.migration.target_form import TargetForm

SUBJECT = "target"
MOST_AT_ONCE = 2000
COLUMNS = ("name", "scope", "measure", "value", "due_on", "source", "leader", "unit", "person")
Json = dict[str, Any]


def create(core: Core, actor: Actor, given: Mapping[str, Any]) -> int:
    """The id of the new target. BadInput with all faults; NotAllowed outside one's own division."""
    [made] = apply(core, actor, [given], is_new=True)
    return int(made["id"])


def apply(
    core: Core,
    actor: Actor,
    given: Sequence[Mapping[str, Any]],
    is_dry_run: bool = False,
    is_new: bool = False,
) -> list[Json]:
    """Make open targets say what the list says: by scope, measure and day those that are there are changed.

    All or nothing; again changes nothing. With `is_new` one that is there already is a fault.
    """
    with (core.store.read if is_dry_run else core.store.write)() as uow:
        forms = read_forms(uow, given, "" if is_new else "targets[{index}].")
        for form in forms:
            actor.must("migration.target", reads.path_of(uow, form.scope))
        return [put(core, uow, actor, form, is_dry_run, is_new) for form in forms]


def close(core: Core, actor: Actor, target_id: int, reason: str = "") -> None:
    """The target is no longer followed; what was said about it stays. WrongState when it is closed."""
    with core.store.write() as uow:
        target = need_open(uow, target_id)
        actor.must("migration.target", reads.path_of(uow, target.scope))
        if not uow.update(
            Target, Target.id == target_id, Target.closed_at.is_(None), closed_at=core.clock.now()
        ):
            raise WrongState("target {id} is closed", id=target_id)
        record(core, uow, actor, "close", target_id, reason=reason)


def need_open(uow: UnitOfWork, target_id: int) -> Target:
    """The target; NotFound when there is none, WrongState when it is closed."""
    target = uow.get(Target, target_id)
    if target is None:
        raise NotFound("target {id} does not exist", id=target_id)
    if target.closed_at is not None:
        raise WrongState("target {id} is closed", id=target_id)
    return target


def record(core: Core, uow: UnitOfWork, actor: Actor, what: str, target_id: int, **details: object) -> None:
    """The event of the audit chain."""
    action = f"target.{what}"
    core.audit.record(uow, actor.user_id, action, SUBJECT, target_id, details, actor.trace_id)


def read_forms(uow: UnitOfWork, given: Sequence[Mapping[str, Any]], place: str) -> list[TargetForm]:
    """Every form, or BadInput with the faults of all of them."""
    if len(given) > MOST_AT_ONCE:
        fault = Fault("targets", "too_many", "at most {most} at a time", {"most": MOST_AT_ONCE})
        raise BadInput("the target cannot be set: {count} faults", faults=[fault], count=1)
    known = reads.known_scopes(uow)
    forms: list[TargetForm] = []
    faults: list[Fault] = []
    for index, one in enumerate(given):
        form, wrong = target_form.read(one, known, place.format(index=index))
        faults += wrong
        forms += [form] if form else []
    twice = _twice(forms)
    faults += [
        Fault("targets", "twice", "{scope} has the same target twice", {"scope": one}) for one in twice
    ]
    if faults:
        raise BadInput("the target cannot be set: {count} faults", faults=faults, count=len(faults))
    return forms


def put(
    core: Core,
    uow: UnitOfWork,
    actor: Actor,
    form: TargetForm,
    is_dry_run: bool,
    is_new: bool,
    parent_id: int | None = None,
) -> Json:
    """Write one target where it differs; what became of it."""
    same = (Target.scope == form.scope, Target.measure == form.measure, Target.due_on == form.due_on)
    row = uow.first(Target, *same, Target.closed_at.is_(None))
    wanted = {name: getattr(form, name) for name in COLUMNS}
    answer = {"id": row.id if row else None, "name": form.name, "scope": form.scope, "measure": form.measure}
    if row is not None and is_new:
        params = {"id": row.id, "scope": form.scope}
        fault = Fault("scope", "exists", "target {id} of {scope} says this already", params)
        raise BadInput("the target cannot be set: {count} faults", faults=[fault], count=1)
    if row is None:
        if not is_dry_run:
            made = Target(
                created_at=core.clock.now(), created_by=actor.user_id, parent_id=parent_id, **wanted
            )
            answer["id"] = uow.add(made).id
            record(core, uow, actor, "create", made.id, parent=parent_id, **_plain(wanted))
        return {**answer, "state": "created"}
    changes = {
        name: [_as_text(getattr(row, name)), _as_text(value)]
        for name, value in wanted.items()
        if getattr(row, name) != value
    }
    if not changes:
        return {**answer, "state": "unchanged"}
    if not is_dry_run:
        uow.update(Target, Target.id == row.id, **wanted)
        record(core, uow, actor, "change", row.id, changes=changes)
    return {**answer, "state": "changed"}


# -- the pieces ---------------------------------------------------------------------------------


def _twice(forms: Sequence[TargetForm]) -> list[str]:
    keys = [(form.scope, form.measure, form.due_on) for form in forms]
    return sorted({key[0] for key in keys if keys.count(key) > 1})


def _plain(values: Mapping[str, Any]) -> Json:
    return {name: _as_text(value) for name, value in values.items() if value is not None}


def _as_text(value: Any) -> Any:
    return value if isinstance(value, str | int) or value is None else str(value)
