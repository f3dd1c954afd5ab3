"""A system on its way onto the cloud: one event moves it one stage, with everything the stage has to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl import notices
from cloudctl.actors import Actor, Role, Scope
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotAllowed, Refused
from cloudctl.lifecycle import MIGRATION, MigrationStage, Transition, move
from cloudctl.models import InformationSystem, Project, Resource, ServiceRequest
from cloudctl.queries import requests as people
from cloudctl.queries import scopes
from cloudctl.queries.register import find_system
from cloudctl.store import UnitOfWork
from tenants.migration import moves
from tenants.migration.keeping import SUBJECT, keep, locked
from tenants.register.fields import STAGES, Record
from tenants.register.history import changes_of
from tenants.register.records import Changes, record_of
from tenants.topology.retirement import OPEN


@dataclass(frozen=True)
class Step:
    """An event that somebody may cause now, and what it asks."""

    event: str
    target: MigrationStage
    needs_reason: bool
    asks: tuple[moves.Question, ...]

    def as_json(self) -> dict[str, Any]:
        """The step for API, CLI and page."""
        return {
            "id": self.event,
            "name": STAGES[self.target],
            "state": self.target.value,
            "needs_reason": self.needs_reason,
            "asks": [
                {
                    "id": one.field.name,
                    "name": one.field.title,
                    "state": "required" if one.is_required else "optional",
                    "kind": one.field.kind.value,
                    "choices": dict(one.field.choices),
                    "value": one.value,
                }
                for one in self.asks
            ],
        }


def advance(
    core: Core, actor: Actor, system_id: str, event: str, shown: Mapping[str, str], reason: str = ""
) -> MigrationStage:
    """Move the system along the stage table; the stage it is in then.

    `shown` are fields of the register by name, as people write them. An acceptance with nothing said about
    the hosting sets it to the government cloud where a project is bound there. BadInput with all faults;
    WrongState, NotAllowed, NotFound; Refused for what another door is made for.
    """
    with core.store.write() as uow:
        row = _locked(uow, find_system(uow, actor, system_id).id, shown)
        after = _decided(core, uow, actor, row, _Told(event, shown, reason))
        changes = keep(core, uow, actor, row, after, reason.strip() or event)
        details = {"changes": changes, "reason": reason.strip()}
        core.audit.record(uow, actor.user_id, f"migration.{event}", SUBJECT, row.id, details, actor.trace_id)
        if event == "revoke":
            _tell_owner(core, uow, row, actor, reason)
    return moves.stage_of(after)


def preview(
    core: Core, actor: Actor, system_id: str, event: str, shown: Mapping[str, str], reason: str = ""
) -> Changes:
    """What `advance` would change, field by field as [before, after]; nothing is written."""
    with core.store.read() as uow:
        row = find_system(uow, actor, system_id)
        before = record_of(row)
        after = _decided(core, uow, actor, row, _Told(event, shown, reason))
        return changes_of(before, after)


def possible(uow: UnitOfWork, actor: Actor, system_id: str) -> list[Step]:
    """What this person can do next with the system, in the order of the table. NotFound when not seen."""
    row = find_system(uow, actor, system_id)
    record = record_of(row)
    stage = moves.stage_of(record)
    path = system_path(uow, row)
    return [
        Step(
            one.event, one.target, one.event in moves.NEEDS_REASON, tuple(moves.questions(record, one.event))
        )
        for one in MIGRATION
        if one.source == stage and one.event not in moves.ELSEWHERE and _may(actor, one, path)
    ]


def system_path(uow: UnitOfWork, row: InformationSystem) -> list[Scope]:
    """Where the system lies: its department, the divisions of both upward, the sites of its projects."""
    path = scopes.department_path(uow, row.department_id)
    path += [one for one in scopes.division_path(uow, row.division_code) if one not in path]
    sites = set(uow.column(Project.site_id, Project.system_id == row.id))
    return [*path, *(("site", site) for site in sorted(sites))]


@dataclass(frozen=True)
class _Told:
    """What somebody says about a system."""

    event: str
    shown: Mapping[str, str]
    reason: str


def _decided(core: Core, uow: UnitOfWork, actor: Actor, row: InformationSystem, told: _Told) -> Record:
    """The record after the event, when nothing is against it."""
    event, before, path = told.event, record_of(row), system_path(uow, row)
    if event in moves.ELSEWHERE:
        hint = "ask for an exemption; another person decides it"
        raise Refused("an exemption needs two people and is no stage to move to", hint=hint)
    move(MIGRATION, moves.stage_of(before), event)
    _must(actor, moves.stage_of(before), event, path)
    values, faults = moves.read_shown(before, event, told.shown)
    if event == "accept" and not values.get("hosting") and _has_bound_project(uow, row.id):
        values["hosting"] = "gov_cloud"
    after = moves.moved(before, event, values)
    faults += moves.move_faults(before, event, after, local_day(core.clock.now()), told.reason)
    faults += _faults_around(uow, row, event, after)
    if faults:
        raise BadInput("the stage cannot be reached: {count} faults", faults=faults, count=len(faults))
    return after


def _locked(uow: UnitOfWork, system_id: str, shown: Mapping[str, str]) -> InformationSystem:
    """The system, locked; with it, in one order for everybody, the one it is to be merged into.

    Else two could be merged into each other in the same moment.
    """
    into = shown.get("merged_into", "").strip().lower()
    wanted = (InformationSystem.id.in_({system_id, into}),)
    for one in sorted(uow.column(InformationSystem.id, *wanted)):
        uow.for_update(InformationSystem, one)
    return locked(uow, system_id)[0]


def _faults_around(uow: UnitOfWork, row: InformationSystem, event: str, after: Record) -> list[Fault]:
    """What forbids the event that is not in the record itself."""
    faults = []
    if event == "merge" and after.get("merged_into"):
        into_id = str(after["merged_into"])
        into = uow.get(InformationSystem, into_id)
        fault = moves.merge_fault(row.id, record_of(into) if into else None, into_id)
        faults += [fault] if fault else []
    if event in ("merge", "retire") and _holds_something(uow, row.id):
        template, hint = "it still holds projects, resources or requests", "release what it holds first"
        faults.append(Fault("event", "still_in_use", template, hint=hint))
    return faults


def _holds_something(uow: UnitOfWork, system_id: str) -> bool:
    projects = uow.count(Project, Project.system_id == system_id, Project.state != "retired")
    resources = uow.count(Resource, Resource.system_id == system_id, Resource.ended_at.is_(None))
    asked = (ServiceRequest.system_id == system_id, ServiceRequest.state.in_(OPEN))
    return projects + resources + uow.count(ServiceRequest, *asked) > 0


def _has_bound_project(uow: UnitOfWork, system_id: str) -> bool:
    bound = (Project.system_id == system_id, Project.state == "active", Project.external_id.is_not(None))
    return uow.count(Project, *bound) > 0


def _may(actor: Actor, row: Transition[MigrationStage], path: list[Scope]) -> bool:
    return any(actor.has(Role(who), path) for who in row.who if who != "system")


def _must(actor: Actor, stage: MigrationStage, event: str, path: list[Scope]) -> None:
    [row] = [one for one in MIGRATION if one.source == stage and one.event == event]
    if not _may(actor, row, path):
        raise NotAllowed("{user} may not do this here: {right} needs one of {roles}",
                         user=actor.user_id, right=event, roles=", ".join(sorted(row.who)))  # fmt: skip


def _tell_owner(core: Core, uow: UnitOfWork, row: InformationSystem, actor: Actor, reason: str) -> None:
    template = "the acceptance of {system_name} was revoked by {who}: {reason}"
    params = {"system_name": row.name, "who": actor.name, "reason": reason}
    owners = people.people_for(uow, Role.DEPARTMENT_APPROVER, ("department", row.department_id))
    notices.tell(uow, core.clock, [one.id for one in owners], template, params, (SUBJECT, row.id))
