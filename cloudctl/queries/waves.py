"""Reads of waves (迁移批次): the waves for everybody who sees figures, their systems for who sees those."""

from collections import Counter
from typing import Any

from sqlalchemy import select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import Department, InformationSystem, Wave, WaveSystem
from cloudctl.queries.register import CLASSIFIED_NAME
from cloudctl.queries.sight import Sight
from cloudctl.queries.targets import known_scopes
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
_DONE = ("trial", "accepted", "done")


def list_waves(uow: UnitOfWork, actor: Actor, state: str | None = None) -> Rows:
    """Every wave in its order, with how many systems are in it and how many of them have moved."""
    actor.must("migration.see", actor.scopes("migration.see"))
    conditions = [Wave.state == state] if state else []
    waves = uow.all(Wave, *conditions, order_by=[Wave.position, Wave.id])
    return _rows(uow, waves)


def show_wave(uow: UnitOfWork, actor: Actor, wave_id: int) -> Json:
    """One wave with the systems in it that the actor sees, in their order. NotFound when there is none."""
    actor.must("migration.see", actor.scopes("migration.see"))
    wave = uow.get(Wave, wave_id)
    if wave is None:
        raise NotFound("wave {id} does not exist", id=wave_id)
    return {**_rows(uow, [wave])[0], "systems": _systems(uow, actor, wave_id)}


def _rows(uow: UnitOfWork, waves: list[Wave]) -> Rows:
    ids = [wave.id for wave in waves]
    inside = uow.tuples((WaveSystem.wave_id, WaveSystem.system_id), WaveSystem.wave_id.in_(ids))
    here = InformationSystem.id.in_({system for _, system in inside})
    moved = set(uow.column(InformationSystem.id, here, InformationSystem.stage.in_(_DONE)))
    total = Counter(wave for wave, _ in inside)
    done = Counter(wave for wave, system in inside if system in moved)
    names = known_scopes(uow)
    return [
        {
            "id": wave.id,
            "name": wave.name,
            "state": wave.state,
            "scope": wave.scope,
            "scope_name": names.get(wave.scope, wave.scope),
            "position": wave.position,
            "starts_on": wave.starts_on,
            "ends_on": wave.ends_on,
            "is_pilot": wave.is_pilot,
            "after": list(wave.after),
            "systems_count": total[wave.id],
            "moved_count": done[wave.id],
            "created_at": wave.created_at,
            "created_by": wave.created_by,
        }
        for wave in waves
    ]


def _systems(uow: UnitOfWork, actor: Actor, wave_id: int) -> Rows:
    departments = select(Department.id).where(*Sight(uow, actor, "system.see").departments())
    statement = (
        select(WaveSystem, InformationSystem)
        .join(InformationSystem, InformationSystem.id == WaveSystem.system_id)
        .where(WaveSystem.wave_id == wave_id, InformationSystem.department_id.in_(departments))
        .order_by(WaveSystem.position, WaveSystem.id)
    )
    return [
        {
            "id": system.id,
            "name": CLASSIFIED_NAME if system.is_classified else system.name,
            "state": system.stage,
            "department": system.department_id,
            "position": row.position,
            "after": list(row.after),
            "is_sized": bool(row.form),
            "form": {key: value for key, value in row.form.items() if key != "ssh_key"},
            "request": row.request_id,
        }
        for row, system in uow.session.execute(statement)
    ]
