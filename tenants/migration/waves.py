"""Waves (迁移批次): planned, filled with systems, begun and finished."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import Conflict, Fault, NotFound, Refused
from cloudctl.lifecycle import move
from cloudctl.models import InformationSystem, Wave, WaveSystem
from cloudctl.queries import targets as places
from cloudctl.queries.register import find_system
from cloudctl.store import UnitOfWork
from tenants import catalogue
from tenants.migration.wave_check import look_at, need, plans, sent_request
from tenants.migration.wave_form import MOST_AFTER, must_be_clean, read_wave, sizing_faults
from tenants.migration.wave_plan import MOVED, OPEN, STAYS, WAVE, WaveState

SUBJECT = "wave"
MOST_SYSTEMS = 500


def create(core: Core, actor: Actor, given: Mapping[str, Any]) -> int:
    """The id of a new wave in draft. BadInput with all faults; needs migration.plan over its scope."""
    with core.store.write() as uow:
        form = read_wave(given, places.known_scopes(uow))
        actor.must("migration.plan", places.path_of(uow, form.scope))
        if uow.count(Wave, Wave.name == form.name):
            must_be_clean([Fault("name", "exists", "a wave has this name already")])
        _check_after(uow, None, form.after)
        last = uow.first(Wave, order_by=[Wave.position.desc()])
        values = {**vars(form), "after": list(form.after)}
        values["position"] = form.position or (last.position + 1 if last else 1)
        made = uow.add(Wave(created_at=core.clock.now(), created_by=actor.user_id, **values))
        _record(core, uow, actor, "create", made.id, **_plain(values))
        return made.id


def edit(core: Core, actor: Actor, wave_id: int, given: Mapping[str, Any]) -> None:
    """Change what is given of a wave that has not ended; its scope stays. BadInput with all faults."""
    with core.store.write() as uow:
        wave = _open(uow, actor, wave_id)
        now = {
            "name": wave.name, "scope": wave.scope, "starts_on": wave.starts_on, "ends_on": wave.ends_on,
            "position": wave.position, "is_pilot": wave.is_pilot, "after": wave.after,
        }  # fmt: skip
        form = read_wave({**now, **given}, places.known_scopes(uow))
        if form.scope != wave.scope:
            must_be_clean([Fault("scope", "fixed", "the scope of a wave stays what it is")])
        if uow.count(Wave, Wave.name == form.name, Wave.id != wave_id):
            must_be_clean([Fault("name", "exists", "a wave has this name already")])
        _check_after(uow, wave_id, form.after)
        values = {**vars(form), "after": list(form.after)}
        changes = {key: [str(now[key]), str(value)] for key, value in values.items() if now[key] != value}
        if changes:
            uow.update(Wave, Wave.id == wave_id, **values)
            _record(core, uow, actor, "edit", wave_id, changes=changes)


def put(
    core: Core,
    actor: Actor,
    wave_id: int,
    system_id: str,
    position: int | None = None,
    after: Sequence[str] | None = None,
    form: Mapping[str, Any] | None = None,
) -> None:
    """Put a system into a wave, or change its place, what it waits for and what it will need.

    What is None stays. BadInput with all faults of the form; Conflict once its request is sent.
    """
    with core.store.write() as uow:
        _open(uow, actor, wave_id)
        system = find_system(uow, actor, system_id)
        row = uow.first(WaveSystem, WaveSystem.wave_id == wave_id, WaveSystem.system_id == system.id)
        faults = _after_faults(uow, actor, system.id, after or ())
        if form is not None:
            form = {"kind": "vm", **form, "system": form.get("system") or system.id}
            faults += sizing_faults(form, system.id, catalogue.read(uow))
        if row is None and uow.count(WaveSystem, WaveSystem.wave_id == wave_id) >= MOST_SYSTEMS:
            params = {"most": MOST_SYSTEMS}
            faults.append(Fault("system", "too_many", "a wave has at most {most} systems", params))
        must_be_clean(faults)
        if row is not None and form is not None:
            _must_not_be_sent(uow, row)
        if row is None:
            last = uow.first(WaveSystem, WaveSystem.wave_id == wave_id, order_by=[WaveSystem.position.desc()])
            row = uow.add(
                WaveSystem(wave_id=wave_id, system_id=system.id, position=last.position + 1 if last else 1)
            )
        given = {"position": position, "after": list(after) if after is not None else None, "form": form}
        values = {key: value for key, value in given.items() if value is not None}
        if values:
            uow.update(WaveSystem, WaveSystem.id == row.id, **values)
        told = {key: value for key, value in values.items() if key != "form"}
        _record(core, uow, actor, "put", wave_id, system=system.id, is_sized=form is not None, **told)


def take_out(core: Core, actor: Actor, wave_id: int, system_id: str) -> None:
    """Take a system out of a wave; Conflict once its request is sent. NotFound when it is not in it."""
    with core.store.write() as uow:
        _open(uow, actor, wave_id)
        here = (WaveSystem.wave_id == wave_id, WaveSystem.system_id == system_id)
        row = uow.first(WaveSystem, *here)
        if row is None:
            raise NotFound("{what} '{key}' does not exist", what="system", key=system_id)
        _must_not_be_sent(uow, row)
        uow.delete(WaveSystem, WaveSystem.id == row.id)
        _record(core, uow, actor, "take_out", wave_id, system=system_id)


def start(core: Core, actor: Actor, wave_id: int) -> None:
    """Begin a wave. Refused with everything a check finds, and while a wave before it is not done."""
    with core.store.write() as uow:
        wave = _planned(uow, actor, wave_id)
        target = move(WAVE, WaveState(wave.state), "start")
        found = look_at(uow, actor, wave)
        faults = [*found.faults, *(one.as_fault() for one in found.shortages)]
        waves = plans(uow)
        for number in wave.after:
            if number in waves and waves[number].state != WaveState.DONE:
                params = {"name": waves[number].name}
                faults.append(Fault("after", "not_done", "{name} comes before and is not done", params))
        if faults:
            raise Refused("the wave cannot begin: {count} things are in the way",
                          faults=faults, count=len(faults))  # fmt: skip
        _move(core, uow, actor, wave, "start", target)


def finish(core: Core, actor: Actor, wave_id: int) -> None:
    """End a wave. Refused, naming them, while a system of it has neither moved nor got out of the way."""
    with core.store.write() as uow:
        wave = _planned(uow, actor, wave_id)
        target = move(WAVE, WaveState(wave.state), "finish")
        inside = uow.column(WaveSystem.system_id, WaveSystem.wave_id == wave_id)
        left = uow.all(
            InformationSystem,
            InformationSystem.id.in_(inside),
            InformationSystem.stage.not_in([*MOVED, *STAYS]),
            order_by=[InformationSystem.id],
        )
        if left:
            template = "{name} has not moved"
            faults = [Fault(f"systems[{one.id}]", "not_moved", template, {"name": one.name}) for one in left]
            raise Refused("the wave cannot end: {count} systems have not moved",
                          faults=faults, count=len(faults))  # fmt: skip
        _move(core, uow, actor, wave, "finish", target)


def cancel(core: Core, actor: Actor, wave_id: int, reason: str = "") -> None:
    """Give a wave up; its systems may go into another. Requests that were sent go their own way."""
    with core.store.write() as uow:
        wave = _planned(uow, actor, wave_id)
        target = move(WAVE, WaveState(wave.state), "cancel")
        _move(core, uow, actor, wave, "cancel", target, reason=reason)


# -- the pieces ---------------------------------------------------------------------------------


def _planned(uow: UnitOfWork, actor: Actor, wave_id: int) -> Wave:
    wave = need(uow, wave_id)
    actor.must("migration.plan", places.path_of(uow, wave.scope))
    return wave


def _open(uow: UnitOfWork, actor: Actor, wave_id: int) -> Wave:
    wave = _planned(uow, actor, wave_id)
    if wave.state not in OPEN:
        raise Conflict("the wave {name} is {state}", name=wave.name, state=wave.state)
    return wave


def _must_not_be_sent(uow: UnitOfWork, row: WaveSystem) -> None:
    request_id = sent_request(uow, row)
    if request_id is not None:
        raise Conflict("request {id} has been sent with the form already", id=request_id)


def _check_after(uow: UnitOfWork, wave_id: int | None, after: Sequence[int]) -> None:
    known = set(uow.column(Wave.id))
    faults = [
        Fault("after", "unknown_wave", "there is no wave {id} to come after", {"id": one})
        for one in after
        if one not in known or one == wave_id
    ]
    must_be_clean(faults)


def _after_faults(uow: UnitOfWork, actor: Actor, system_id: str, after: Sequence[str]) -> list[Fault]:
    faults = []
    if len(after) > MOST_AFTER:
        faults.append(Fault("after", "too_many", "at most {most} at a time", {"most": MOST_AFTER}))
    for one in after[:MOST_AFTER]:
        params = {"word": one}
        if one == system_id:
            faults.append(Fault("after", "itself", "a system does not wait for itself"))
            continue
        try:
            find_system(uow, actor, one)
        except NotFound:
            faults.append(Fault("after", "unknown_system", "there is no system '{word}'", params))
    return faults


def _move(
    core: Core, uow: UnitOfWork, actor: Actor, wave: Wave, event: str, target: WaveState, **details: object
) -> None:
    if not uow.update(Wave, Wave.id == wave.id, Wave.state == wave.state, state=target):
        raise Conflict("the wave {name} has changed meanwhile; look again", name=wave.name)
    _record(core, uow, actor, event, wave.id, **details)


def _record(core: Core, uow: UnitOfWork, actor: Actor, what: str, wave_id: int, **details: object) -> None:
    action = f"wave.{what}"
    core.audit.record(uow, actor.user_id, action, SUBJECT, wave_id, details, actor.trace_id)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value if isinstance(value, str | int | list) else str(value) for key, value in values.items()
    }
