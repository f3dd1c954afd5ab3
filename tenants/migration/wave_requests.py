"""The requests of a wave: whoever may ask for a department sends those of its systems, each exactly once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Refused
from cloudctl.models import Department, InformationSystem, ServiceRequest, WaveSystem
from cloudctl.queries import scopes
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork
from tenants import requests
from tenants.migration.wave_check import IN_VAIN, member_of, moved_of, need
from tenants.migration.wave_plan import Member, WaveState, in_order
from tenants.migration.waves import SUBJECT


@dataclass(frozen=True)
class Opened:
    """What became of one system: submitted, already, not_allowed, not_sized, waits or refused."""

    system: str
    name: str
    state: str
    request_id: int | None = None
    error: CloudctlError | None = None
    waits_for: tuple[str, ...] = ()

    def as_json(self, say: Callable[[CloudctlError], str] = CloudctlError.text) -> dict[str, Any]:
        """One row for API, CLI and page; `say` puts an error into the reader's words."""
        return {
            "id": self.system,
            "name": self.name,
            "state": self.state,
            "request": self.request_id,
            "message": say(self.error) if self.error else None,
            "waits_for": list(self.waits_for),
        }


def open_requests(core: Core, actor: Actor, wave_id: int) -> list[Opened]:
    """Send the request of every system of a running wave for which the actor may ask, in their order.

    Again sends nothing twice: a system has one request, whoever sent it. Of the systems that the actor sees,
    the others are reported: those of other departments, those not sized, those that wait for a system outside
    the wave that has not moved, and those that were refused. Each request is a transaction of its own.
    """
    with core.store.read() as uow:
        wave = need(uow, wave_id)
        actor.must("migration.see", actor.scopes("migration.see"))
        if wave.state != WaveState.RUNNING:
            raise Refused("the wave {name} has not begun or is over", name=wave.name)
        rows = uow.all(
            WaveSystem, WaveSystem.wave_id == wave_id, order_by=[WaveSystem.position, WaveSystem.id]
        )
        members = in_order([member_of(uow, wave, row) for row in rows])
        moved = moved_of(uow, rows)
        seen = _seen(uow, actor, [row.system_id for row in rows])
    ids = {row.system_id: row.id for row in rows}
    inside = set(ids)
    return [
        _open(core, actor, ids[one.system], one, tuple(sorted({*one.after} - inside - moved)))
        for one in members
        if one.system in seen
    ]


def _seen(uow: UnitOfWork, actor: Actor, systems: list[str]) -> set[str]:
    departments = uow.column(Department.id, *Sight(uow, actor, "system.see").departments())
    mine = (InformationSystem.id.in_(systems), InformationSystem.department_id.in_(departments))
    return set(uow.column(InformationSystem.id, *mine))


def _open(core: Core, actor: Actor, row_id: int, member: Member, waits_for: tuple[str, ...]) -> Opened:
    with core.store.read() as uow:
        row = uow.need(WaveSystem, row_id)
        sent, key = _sent(uow, row)
        department = uow.need(InformationSystem, row.system_id).department_id
        may = actor.may("request.create", scopes.department_path(uow, department))
    if sent is not None:
        return Opened(member.system, member.name, "already", _link(core, actor, row, sent))
    if not may:
        return Opened(member.system, member.name, "not_allowed")
    if not row.form:
        return Opened(member.system, member.name, "not_sized")
    if waits_for:
        return Opened(member.system, member.name, "waits", waits_for=waits_for)
    try:
        made = requests.submit(core, actor, row.form, key)
    except CloudctlError as error:
        return Opened(member.system, member.name, "refused", error=error)
    first = _link(core, actor, row, made)
    if first != made:  # somebody else has sent it in this very moment
        requests.cancel(core, actor, made)
        return Opened(member.system, member.name, "already", first)
    return Opened(member.system, member.name, "submitted", made)


def _sent(uow: UnitOfWork, row: WaveSystem) -> tuple[int | None, str]:
    """The request that was sent for this place and is not in vain, linked or not; and the key of the next.

    A process that ended between sending and linking leaves one that only its key shows.
    """
    key = f"{SUBJECT}:{row.wave_id}:{row.system_id}"
    mine = (
        ServiceRequest.system_id == row.system_id,
        ServiceRequest.idempotency_key.startswith(key, autoescape=True),
    )
    found = uow.all(ServiceRequest, *mine, order_by=[ServiceRequest.id])
    living = [one.id for one in found if one.state not in IN_VAIN]
    return living[0] if living else None, key if not found else f"{key}:{len(found) + 1}"


def _link(core: Core, actor: Actor, row: WaveSystem, request_id: int) -> int:
    """Write down which request it is, unless somebody was faster; the one it is then."""
    if row.request_id == request_id:
        return request_id
    before = (
        WaveSystem.request_id.is_(None) if row.request_id is None else WaveSystem.request_id == row.request_id
    )
    with core.store.write() as uow:
        if uow.update(WaveSystem, WaveSystem.id == row.id, before, request_id=request_id):
            details = {"system": row.system_id, "request": request_id}
            core.audit.record(uow, actor.user_id, "wave.open", SUBJECT, row.wave_id, details, actor.trace_id)
        return uow.need(WaveSystem, row.id).request_id or request_id
