"""What is to go when systems have moved: registered, planned to end, ended, and what still costs money."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, NotFound, WrongState
from cloudctl.models import Department, Facility, InformationSystem
from cloudctl.queries import facilities as reads
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from tenants.facility_form import (
    FacilityForm,
    merging_faults,
    must_be_clean,
    read,
    read_ending,
    still_costs,
)
from tenants.migration.stages import ON_CLOUD

SUBJECT = "facility"
MOST_AT_ONCE = 2000
Json = dict[str, Any]


def put(core: Core, actor: Actor, code: str, given: Mapping[str, Any]) -> str:
    """Register a facility or change what is given of one; `created`, `changed` or `unchanged`.

    Needs system.change over its department. BadInput with all faults; Conflict for one that has ended.
    """
    with core.store.write() as uow:
        return _put(core, uow, actor, code, given)


def apply(
    core: Core, actor: Actor, given: Sequence[Mapping[str, Any]], is_dry_run: bool = False
) -> list[Json]:
    """Register or change a list of facilities, each with its `code`: all or nothing, all faults at once."""
    if len(given) > MOST_AT_ONCE:
        must_be_clean([Fault("facilities", "too_many", "at most {most} at a time", {"most": MOST_AT_ONCE})])
    faults: list[Fault] = []
    rows: list[Json] = []
    with (core.store.read if is_dry_run else core.store.write)() as uow:
        for index, one in enumerate(given):
            code = str(one.get("code") or "")
            if any(code == row["id"] for row in rows):
                template = "{code} is there twice"
                faults.append(Fault(f"facilities[{index}].code", "twice", template, {"code": code}))
                continue
            rest = {key: value for key, value in one.items() if key != "code"}
            try:
                state = _put(core, uow, actor, code, rest, f"facilities[{index}].", is_dry_run)
            except BadInput as error:
                faults += error.faults
                continue
            rows.append({"id": code, "name": str(rest.get("name") or code), "state": state})
        must_be_clean(faults)
    return rows


def end(core: Core, actor: Actor, code: str, given: Mapping[str, Any]) -> None:
    """It is no more, since a day that is over, by a document. A web site keeps its domain and its owner."""
    with core.store.write() as uow:
        row = _seen(uow, actor, code)
        actor.must("system.change", scopes.department_path(uow, row.department_id))
        if row.state == "ended":
            raise WrongState("{name} has ended already", name=row.name)
        ending = read_ending(given, local_day(core.clock.now()))
        must_be_clean(list(merging_faults(row.kind, row.details.get("domain"), row.department_id, ending)))
        details = {**row.details, "end_document": ending.document}
        if ending.into:
            details["into"] = ending.into
        _write(core, uow, actor, row, state="ended", ended_on=ending.ended_on, details=details)
        known = {"ended_on": ending.ended_on.isoformat(), "document": ending.document, "into": ending.into}
        _record(core, uow, actor, "end", code, **known)


def reopen(core: Core, actor: Actor, code: str, reason: str) -> None:
    """It has not ended after all; says why. WrongState for one that has not."""
    with core.store.write() as uow:
        row = _seen(uow, actor, code)
        actor.must("system.change", scopes.department_path(uow, row.department_id))
        if row.state != "ended":
            raise WrongState("{name} has not ended", name=row.name)
        if not reason.strip():
            must_be_clean([Fault("reason", "missing", "say why", hint="the reason is kept with the history")])
        details = {key: value for key, value in row.details.items() if key not in ("into", "end_document")}
        state = "planned" if row.ends_on else "in_use"
        _write(core, uow, actor, row, state=state, ended_on=None, details=details)
        _record(core, uow, actor, "reopen", code, reason=reason.strip())


def milestones(core: Core, actor: Actor, division: str | None = None) -> list[Json]:
    """How many facilities of each kind are left, by division. Needs migration.see anywhere."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        return reads.milestones(uow, local_day(core.clock.now()), division)


def coverage(core: Core, actor: Actor) -> list[Json]:
    """Which departments take part, by division, level and kind. Needs migration.see anywhere."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        return reads.coverage(uow)


def costs(core: Core, actor: Actor) -> Json:
    """What still costs money though its day is over or its systems have moved, and the sum of a year.

    Of the facilities the actor may see; what nobody has given a cost is counted beside the sum.
    """
    with core.store.read() as uow:
        today = local_day(core.clock.now())
        moved = reads.moved_systems(uow, ON_CLOUD)
        rows = [
            {**row, "reasons": reasons, "days_over": _days_over(row["ends_on"], today)}
            for row in reads.list_facilities(uow, actor, limit=None)
            if (reasons := still_costs(row["state"], row["ends_on"], row["systems"], moved, today))
        ]
    rows.sort(key=lambda row: (-(row["yearly_cost_yuan"] or 0), row["id"]))
    return {
        "items": rows,
        "yearly_cost_yuan": sum(row["yearly_cost_yuan"] or 0 for row in rows),
        "without_cost": sum(row["yearly_cost_yuan"] is None for row in rows),
    }


# -- the pieces ---------------------------------------------------------------------------------


def _put(
    core: Core,
    uow: UnitOfWork,
    actor: Actor,
    code: str,
    given: Mapping[str, Any],
    place: str = "",
    is_dry_run: bool = False,
) -> str:
    row = uow.get(Facility, code)
    was = _given_of(row) if row is not None else {}
    departments = set(uow.column(Department.id, Department.retired_at.is_(None)))
    form = read(code, {**was, **given}, departments, place)
    must_be_clean(_unknown_systems(uow, form), place)
    for department in {form.department, *([row.department_id] if row else [])}:
        actor.must("system.change", scopes.department_path(uow, department))
    if row is not None and row.state == "ended":
        raise Conflict("{name} has ended and is not changed any more", name=row.name)
    values = _values(form)
    if row is None:
        if not is_dry_run:
            uow.add(Facility(id=code, changed_at=core.clock.now(), changed_by=actor.user_id, **values))
            _record(core, uow, actor, "create", code, **_plain(values))
        return "created"
    if form.kind != row.kind:
        template = "a facility stays what it is: {kind}"
        must_be_clean([Fault("kind", "fixed", template, {"kind": row.kind})], place)
    changes = {
        key: [_text(getattr(row, key)), _text(value)]
        for key, value in values.items()
        if getattr(row, key) != value
    }
    if not changes:
        return "unchanged"
    if not is_dry_run:
        _write(core, uow, actor, row, **values)
        _record(core, uow, actor, "change", code, changes=changes)
    return "changed"


def _values(form: FacilityForm) -> Json:
    details: Json = {"systems": list(form.systems)} if form.systems else {}
    if form.domain:
        details["domain"] = form.domain
    return {
        "name": form.name,
        "kind": form.kind,
        "department_id": form.department,
        "state": "planned" if form.ends_on else "in_use",
        "ends_on": form.ends_on,
        "yearly_cost_yuan": form.yearly_cost_yuan,
        "document": form.document,
        "details": details,
    }


def _given_of(row: Facility) -> Json:
    return {
        "name": row.name,
        "kind": row.kind,
        "department": row.department_id,
        "ends_on": row.ends_on,
        "yearly_cost_yuan": row.yearly_cost_yuan,
        "document": row.document,
        "systems": list(row.details.get("systems", ())),
        "domain": row.details.get("domain"),
    }


def _unknown_systems(uow: UnitOfWork, form: FacilityForm) -> list[Fault]:
    known = set(uow.column(InformationSystem.id, InformationSystem.id.in_(form.systems)))
    template = "there is no system '{word}'"
    return [
        Fault("systems", "unknown_system", template, {"word": one})
        for one in form.systems
        if one not in known
    ]


def _seen(uow: UnitOfWork, actor: Actor, code: str) -> Facility:
    reads.show_facility(uow, actor, code)
    return uow.for_update(Facility, code)


def _write(core: Core, uow: UnitOfWork, actor: Actor, row: Facility, **values: Any) -> None:
    stamp = {"changed_at": core.clock.now(), "changed_by": actor.user_id}
    if not uow.update(Facility, Facility.id == row.id, Facility.state == row.state, **values, **stamp):
        raise NotFound("{what} '{key}' does not exist", what="facility", key=row.id)


def _record(core: Core, uow: UnitOfWork, actor: Actor, what: str, code: str, **details: object) -> None:
    action = f"facility.{what}"
    core.audit.record(uow, actor.user_id, action, SUBJECT, code, details, actor.trace_id)


def _plain(values: Json) -> Json:
    return {key: _text(value) for key, value in values.items() if value not in (None, {})}


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _days_over(ends_on: date | None, today: date) -> int | None:
    return (today - ends_on).days if ends_on is not None and ends_on < today else None
