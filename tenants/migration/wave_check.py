"""Whether a wave can be carried out: its order and dates, its systems, and whether all it needs has room.

Every form is looked at as if its department sent it now; then all of them are put into the ledger one after
the other, so that what is short is short of the sum, and the first system that does not fit is known.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.amounts import Amounts, Kind
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Fault, NotFound
from cloudctl.lifecycle import MigrationStage, RequestState
from cloudctl.models import InformationSystem, ServiceRequest, Site, Wave, WaveSystem
from cloudctl.queries import scopes
from cloudctl.queries import targets as places
from cloudctl.queries.register import CLASSIFIED_NAME
from cloudctl.store import UnitOfWork
from tenants.counters import project_chain, read_counters
from tenants.decision import Decision
from tenants.intake import look
from tenants.ledger_math import Change, Counter, Place, Shortage, simulate
from tenants.ledger_math import places as counter_places
from tenants.migration.wave_plan import (
    MOVED,
    OPEN,
    Member,
    WavePlan,
    earlier,
    in_order,
    member_faults,
    wave_faults,
)

# A request that ended so has made nothing; another may be sent.
IN_VAIN = (
    RequestState.REJECTED,
    RequestState.WITHDRAWN,
    RequestState.EXPIRED,
    RequestState.FAILED,
    RequestState.CANCELLED,
)


@dataclass(frozen=True)
class Sized:
    """A system of the wave with what it will need; what is not sized needs nothing yet."""

    member: Member
    site: str | None = None
    needed: Amounts = field(default_factory=Amounts)
    request_id: int | None = None
    fits: bool | None = None  # None: asked for already, or nobody can say


@dataclass(frozen=True)
class WaveCheck:
    """What a check found; clean when nothing stands against the wave."""

    faults: tuple[Fault, ...]
    shortages: tuple[Shortage, ...]
    systems: tuple[Sized, ...]  # in the order in which they move
    unknown_sites: tuple[str, ...] = ()  # nobody knows yet what they have room for

    @property
    def is_clean(self) -> bool:
        return not self.faults and not self.shortages

    @property
    def first_short(self) -> str | None:
        """The first system that does not fit any more."""
        return next((one.member.system for one in self.systems if one.fits is False), None)

    def as_json(self, say: Callable[[Fault], str] = Fault.text) -> dict[str, Any]:
        """The check for API, CLI and page; `say` puts a fault into the reader's words."""
        return {
            "is_clean": self.is_clean,
            "first_short": self.first_short,
            "capacity_unknown": list(self.unknown_sites),
            "needed": sum((one.needed for one in self.systems), Amounts()).as_json(),
            "faults": [
                {"place": one.place, "code": one.code, "message": say(one), "hint": None}
                for one in self.faults
            ],
            "shortages": [{**one.as_json(), "message": say(one.as_fault())} for one in self.shortages],
            "systems": [
                {
                    "id": one.member.system,
                    "name": one.member.name,
                    "state": one.member.stage.value,
                    "site": one.site,
                    "needed": one.needed.as_json(),
                    "request": one.request_id,
                    "fits": one.fits,
                }
                for one in self.systems
            ],
        }


def check(core: Core, actor: Actor, wave_id: int) -> WaveCheck:
    """Everything against the wave. NotFound when there is none; needs migration.plan over its scope."""
    with core.store.read() as uow:
        wave = need(uow, wave_id)
        actor.must("migration.plan", places.path_of(uow, wave.scope))
        return look_at(uow, actor, wave)


def look_at(uow: UnitOfWork, actor: Actor, wave: Wave) -> WaveCheck:
    """The check inside a transaction of the caller's."""
    rows = uow.all(WaveSystem, WaveSystem.wave_id == wave.id, order_by=[WaveSystem.position, WaveSystem.id])
    waves = plans(uow)
    members = [member_of(uow, wave, row) for row in rows]
    before = earlier(waves[wave.id], waves)
    planned = set(uow.column(WaveSystem.system_id, WaveSystem.wave_id.in_(before)))
    faults = [
        *wave_faults(waves[wave.id], waves),
        *member_faults(members, moved_of(uow, rows), planned),
    ]
    if not members:
        faults.append(Fault("systems", "missing", "there is no system in the wave"))
    by_system = {row.system_id: row for row in rows}
    sized, looks = [], {}
    for member in in_order(members):
        row = by_system[member.system]
        decision, wrong = _decision(uow, actor, row)
        faults += wrong
        if decision is not None:
            looks[member.system] = decision
        sized.append(_sized(member, sent_request(uow, row), decision))
    fitted, shortages = _fit(uow, sized, looks)
    crowded, unknown = _room_at_sites(uow, sized)
    return WaveCheck((*faults, *crowded), shortages, tuple(fitted), unknown)


def need(uow: UnitOfWork, wave_id: int) -> Wave:
    """The wave; NotFound when there is none."""
    wave = uow.get(Wave, wave_id)
    if wave is None:
        raise NotFound("wave {id} does not exist", id=wave_id)
    return wave


def plans(uow: UnitOfWork) -> dict[int, WavePlan]:
    """Every wave as others refer to it."""
    return {
        row.id: WavePlan(row.id, row.name, row.state, row.starts_on, row.ends_on, tuple(row.after))
        for row in uow.all(Wave, order_by=[Wave.id])
    }


def member_of(uow: UnitOfWork, wave: Wave, row: WaveSystem) -> Member:
    """A system of the wave as its plan looks at it."""
    system = uow.need(InformationSystem, row.system_id)
    elsewhere = (WaveSystem.system_id == row.system_id, WaveSystem.wave_id != wave.id)
    others = uow.column(WaveSystem.wave_id, *elsewhere)
    other = uow.first(Wave, Wave.id.in_(others), Wave.state.in_(OPEN)) if others else None
    return Member(
        system=system.id,
        name=CLASSIFIED_NAME if system.is_classified else system.name,
        stage=MigrationStage(system.stage),
        after=tuple(row.after),
        is_classified=system.is_classified,
        is_in_scope=wave.scope in _scopes_of(uow, system),
        other_wave=other.name if other else None,
    )


def _scopes_of(uow: UnitOfWork, system: InformationSystem) -> set[str]:
    """Every scope the system lies in, by its department and by its own division."""
    wanted = [f"department:{system.department_id}"]
    if system.division_code:
        wanted += [f"own:{system.division_code}", f"division:{system.division_code}"]
    return {scope for path in places.lies_in(uow, wanted).values() for scope in path}


def sent_request(uow: UnitOfWork, row: WaveSystem) -> int | None:
    """The request that was sent for the place, unless it was in vain."""
    request = uow.get(ServiceRequest, row.request_id) if row.request_id is not None else None
    return request.id if request is not None and request.state not in IN_VAIN else None


def moved_of(uow: UnitOfWork, rows: Sequence[WaveSystem]) -> set[str]:
    """Which of the systems that these wait for run on the cloud already."""
    wanted = {one for row in rows for one in row.after}
    return set(
        uow.column(InformationSystem.id, InformationSystem.id.in_(wanted), InformationSystem.stage.in_(MOVED))
    )


def _decision(uow: UnitOfWork, actor: Actor, row: WaveSystem) -> tuple[Decision | None, list[Fault]]:
    """What would become of the form by itself, whoever sends it; or what is wrong with it."""
    place = f"systems[{row.system_id}]"
    if sent_request(uow, row) is not None:
        return None, []
    if not row.form:
        return None, [Fault(place, "not_sized", "nobody has said yet what it needs")]
    # A planner looks with the eyes of a requester; nothing is written, and sending asks whose system it is.
    eyes = replace(actor, grants=actor.grants | {Grant(Role.REQUESTER, INSTALLATION)})
    try:
        decision = look(uow, eyes, row.form)
    except CloudctlError as error:
        found = error.faults or (Fault("form", error.code, error.template, error.params),)
        return None, [replace(fault, place=f"{place}.{fault.place}") for fault in found]
    return decision, [replace(fault, place=f"{place}.{fault.place}") for fault in decision.reasons]


def _sized(member: Member, request_id: int | None, decision: Decision | None) -> Sized:
    if decision is None or not decision.site:
        return Sized(member, request_id=request_id)
    return Sized(member, decision.site, decision.needed)


def _room_at_sites(uow: UnitOfWork, sized: Sequence[Sized]) -> tuple[list[Fault], tuple[str, ...]]:
    """Where the hosts and pools of a site are too small for all that is still to come there, quota or not."""
    needed: dict[str, Amounts] = {}
    for one in sized:
        if one.site is not None:
            needed[one.site] = needed.get(one.site, Amounts()) + one.needed
    faults, unknown = [], []
    for site_id, amounts in sorted(needed.items()):
        told = uow.need(Site, site_id).capacity
        if told is None:
            unknown.append(site_id)
            continue
        for kind in amounts:
            room = told.get(kind.value)
            free = max(0, room["total"] - room["used"]) if room else None
            if free is not None and amounts[kind] > free:
                about = {"kind": kind.value, "free": free, "needed": amounts[kind]}
                words = "the site has room for {free} more of {kind}, the wave needs {needed}"
                faults.append(Fault(f"sites[{site_id}]", "no_capacity", words, about))
    return faults, tuple(unknown)


def _fit(
    uow: UnitOfWork, sized: Sequence[Sized], looks: Mapping[str, Decision]
) -> tuple[list[Sized], tuple[Shortage, ...]]:
    """Each system with whether it still fits after those before it, and what all together are short of."""
    changes: dict[str, list[Change]] = {}
    counters: dict[Place, Counter] = {}
    for one in sized:
        if one.site is None:
            continue
        decision = looks[one.member.system]
        department = uow.need(InformationSystem, one.member.system).department_id
        project = scopes.project_id(one.member.system, decision.ask.environment, one.site)
        chain = project_chain(uow, project, department)
        counters |= read_counters(uow, counter_places(chain, one.site, Kind))
        changes[one.member.system] = [
            Change(chain, one.site, kind, held=one.needed[kind]) for kind in one.needed
        ]
    fitted, now = [], counters
    for one in sized:
        mine = changes.get(one.member.system)
        if mine is None:
            fitted.append(one)
            continue
        now, short = simulate(now, mine)
        fitted.append(replace(one, fits=not short))
    every = [change for mine in changes.values() for change in mine]
    return fitted, simulate(counters, every)[1]
