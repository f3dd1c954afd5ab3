"""Names and shifts as rows for API and pages."""

from collections.abc import Mapping
from typing import Any

from cloudctl.actors import Actor
from cloudctl.errors import Fault, NotFound
from cloudctl.models import Shift, Traffic
from cloudctl.store import UnitOfWork
from dr.plans.document import Serving, Way
from dr.traffic.facts import Known, find, of, path_of

Json = dict[str, Any]
_FEW = 10


def list_traffic(uow: UnitOfWork, actor: Actor) -> list[Json]:
    """Every name whose plan the actor sees, by name."""
    return [traffic_row(one) for one in _seen(uow, actor)]


def show_traffic(uow: UnitOfWork, actor: Actor, key: str) -> Json:
    """One name with its parts, what has to be known about its data, and its last shifts. NotFound."""
    known = find(uow, actor, key)
    mine = Shift.traffic_id == known.traffic.id
    shifts = uow.all(Shift, mine, order_by=[Shift.id.desc()], limit=_FEW)
    return {
        **traffic_row(known),
        "limits": dict(known.traffic.limits or {}),
        "parts": [{"name": one.name, "serving": one.serving.value} for one in known.document.parts],
        "notes": notes(known),
        "shifts": [shift_row(one, known.traffic) for one in shifts],
    }


def list_shifts(uow: UnitOfWork, actor: Actor, key: str | None, limit: int) -> list[Json]:
    """Shifts, the newest first; of one name where one is given."""
    known = [find(uow, actor, key)] if key else _seen(uow, actor)
    names = {one.traffic.id: one.traffic for one in known}
    rows = uow.all(Shift, Shift.traffic_id.in_(list(names)), order_by=[Shift.id.desc()], limit=limit)
    return [shift_row(row, names[row.traffic_id]) for row in rows]


def show_shift(uow: UnitOfWork, actor: Actor, shift_id: int) -> Json:
    """One shift: its steps, how far it has come, and what was seen from outside. NotFound."""
    row = uow.get(Shift, shift_id)
    traffic = uow.get(Traffic, row.traffic_id) if row is not None else None
    if row is None or traffic is None or not actor.may("dr.see", path_of(uow, of(uow, traffic).plan)):
        raise NotFound("{what} '{key}' does not exist", what="shift", key=str(shift_id))
    return {**shift_row(row, traffic), "seen": dict(row.seen or {})}


def notes(known: Known) -> list[Fault]:
    """What people should know before they trust in two sites; each in words of its own."""
    said: list[Fault] = []
    servings = {one.serving for one in known.document.parts}
    ways = {one.way for one in known.document.parts}
    if servings - {Serving.ONE_SITE} and ways - {Way.NONE}:
        template = "two sites with asynchronous data are not RPO 0: what was written last can be lost"
        said.append(Fault("parts", "not_zero", template))
    if known.is_one_site:
        template = "it answers at one site: its people follow its writer, all at once"
        said.append(Fault("parts", "one_site", template, {}))
    if Serving.MULTI_WRITER in servings:
        template = "parts that are written at both sites need a third site that votes on each write"
        said.append(Fault("parts", "third_site", template))
    return said


def traffic_row(known: Known) -> Json:
    """A name as lists show it."""
    row = known.traffic
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "plan": known.document.name,
        "system": known.plan.system_id,
        "weights": dict(row.weights or {}),
        "addresses": {site: list(ones) for site, ones in row.addresses.items()},
        "ttl_s": row.ttl_s,
        "writer": known.writer,
        "is_frozen": row.is_frozen,
        "shift": known.open_shift.id if known.open_shift is not None else None,
        "changed_at": row.changed_at,
    }


def shift_row(row: Shift, traffic: Traffic) -> Json:
    """A shift as lists show it."""
    return {
        "id": row.id,
        "name": traffic.name,
        "state": row.state,
        "before": dict(row.before),
        "after": dict(row.after),
        "steps": [dict(one) for one in row.steps],
        "position": row.position,
        "weights": dict(traffic.weights or {}),
        "soak_s": row.soak_s,
        "soak_until": row.soak_until,
        "why": row.why,
        "reason": row.reason,
        "set_aside": list(row.overridden or ()),
        "errors": _errors(row.seen or {}),
        "operation_id": row.operation_id,
        "asked_at": row.asked_at,
        "asked_by": row.asked_by,
        "ended_at": row.ended_at,
    }


def _errors(seen: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Answers asked for and failed, by site, over all steps."""
    told: dict[str, dict[str, int]] = {}
    for rows in (seen.get("steps") or {}).values():
        for site, row in rows.items():
            one = told.setdefault(site, {"asked": 0, "failed": 0})
            one["asked"] += row["asked"]
            one["failed"] += row["failed"]
    return told


def _seen(uow: UnitOfWork, actor: Actor) -> list[Known]:
    every = [of(uow, row) for row in uow.all(Traffic, Traffic.plan_id.isnot(None), order_by=[Traffic.name])]
    return [one for one in every if actor.may("dr.see", path_of(uow, one.plan))]
