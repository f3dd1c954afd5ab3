"""From a form to a decision, reading what it needs: the same look for preview, submit and resubmit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudctl.actors import Actor
from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import Fault, Refused
from cloudctl.lifecycle import HoldState, ResourceState
from cloudctl.models import (
    Department,
    Division,
    Hold,
    InformationSystem,
    Project,
    Resource,
    ServiceRequest,
    Site,
    SiteZone,
)
from cloudctl.queries import requests as queries
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from tenants import backup_request, catalogue, forms
from tenants.counters import project_chain, read_counters
from tenants.decision import (
    Decision,
    Room,
    SiteView,
    SystemView,
    Verdict,
    Who,
    as_form,
    choose_site,
    nearest,
    rules_against,
)
from tenants.draft import Ask, Draft
from tenants.ledger_math import over_quota, places
from tenants.releasable import faults_of_release
from tenants.stages import Facts, Stage, stages_of
from tenants.topology import current


def look(
    uow: UnitOfWork, actor: Actor, form: Mapping[str, Any], request: ServiceRequest | None = None
) -> Decision:
    """What would become of the form if it were submitted now; `request` is one that is resubmitted with it.

    BadInput with all faults of the form; NotAllowed where the person may not ask.
    """
    offer = catalogue.read(uow)
    ask, faults = forms.read(form, offer)
    if ask.draft.kind:
        ask = _completed(uow, ask, faults, actor, request)
    system = uow.get(InformationSystem, ask.system) if ask.system else None
    if system is None:
        if ask.system:
            faults.append(forms.unknown("system", ask.system, _systems_of(uow, actor)))
        forms.must_be_clean(faults)
        raise AssertionError("a form without a system has a fault")
    actor.must("request.create", scopes.department_path(uow, system.department_id))
    site, why, against = _site(uow, ask, system, faults)
    forms.must_be_clean(faults)
    flavor = offer.flavors.get(ask.draft.flavor)
    needed = catalogue.needed(ask.draft, flavor)
    room = room_of(uow, system, ask.environment, site, request.id if request else None) if site else None
    short = room.shortages(needed) if room else ()
    if ask.draft.kind != "release":
        against = [*rules_against(_system_view(uow, system)), *against]
    if ask.draft.kind == "backup" and site:
        against += backup_request.against(uow, ask.draft, system, site)
    fitting = None
    if short and room is not None:
        fitting = nearest(ask.draft, lambda draft: not room.shortages(catalogue.needed(draft, flavor)))
    stages = who_decides(uow, decided_stages(uow, ask, system, site, needed), actor.user_id) if site else ()
    return Decision(
        verdict=_verdict(bool(against or short), bool(stages)),
        ask=ask,
        system=system.id,
        site=site,
        site_why=why,
        needed=needed,
        stages=stages,
        shortages=short,
        reasons=tuple(against),
        nearest=fitting,
        nearest_form=as_form(form, fitting) if fitting else None,
    )


def must_still_be_possible(uow: UnitOfWork, request: ServiceRequest) -> None:
    """The last look before somebody approves: Refused or OverQuota when the rules say no by now."""
    draft = Draft.from_json(request.kind, request.draft)
    if request.kind == "release":
        faults: list[Fault] = []
        faults_of_release(uow, draft, faults, request.id)
        if faults:
            raise Refused("the request is no longer possible", faults=faults)
        return
    system = uow.need(InformationSystem, request.system_id)
    project = uow.need(Project, request.project_id)
    ask = Ask(draft, system=system.id, site=request.site_id, zone=request.zone)
    faults = []
    _, _, against = _site(uow, ask, system, faults)
    reasons = [*rules_against(_system_view(uow, system)), *faults, *against]
    if request.kind == "backup":
        reasons += backup_request.against(uow, draft, system, request.site_id)
    if reasons:
        raise Refused("the request is no longer possible", faults=reasons)
    room = room_of(uow, system, project.environment, request.site_id, request.id)
    short = room.shortages(Amounts(request.needed))
    if short:
        raise over_quota(short)


def decided_stages(
    uow: UnitOfWork, ask: Ask, system: InformationSystem, site: str, needed: Amounts
) -> tuple[Stage, ...]:
    """The stages the newest rules ask for."""
    department = uow.need(Department, system.department_id)
    path = [uow.need(Division, code) for _, code in scopes.division_path(uow, department.division_code)]
    facts = Facts(
        kind=ask.draft.kind,
        site=site,
        zone=ask.zone,
        department=department.id,
        level=path[0].level,
        divisions={division.level: division.code for division in path},
        needed=needed,
    )
    return stages_of(current.approvals(uow), facts)


def who_decides(uow: UnitOfWork, stages: tuple[Stage, ...], requester: str) -> tuple[Who, ...]:
    """Each stage with the people who could decide it; never the requester."""
    return tuple(
        Who(
            stage,
            tuple(
                (user.id, user.name)
                for user in queries.people_for(uow, stage.role, stage.scope, but=[requester])
            ),
        )
        for stage in stages
    )


def room_of(
    uow: UnitOfWork, system: InformationSystem, environment: str, site: str, request_id: int | None = None
) -> Room:
    """The counters a request for the project would touch, without what the named request holds already."""
    project_id = scopes.project_id(system.id, environment, site)
    chain = project_chain(uow, project_id, system.department_id)
    room = Room(chain, site, read_counters(uow, places(chain, site, Kind)))
    if request_id is None:
        return room
    held: dict[str, Amounts] = {}
    for hold in uow.all(Hold, Hold.request_id == request_id, Hold.state == HoldState.HELD):
        held[hold.project_id] = held.get(hold.project_id, Amounts()) + Amounts({hold.kind: hold.amount})
    for other, amounts in held.items():
        project = uow.need(Project, other)
        room = _without(uow, room, project, amounts)
    return room


def _without(uow: UnitOfWork, room: Room, project: Project, held: Amounts) -> Room:
    """The room as if another project had given back what it holds."""
    chain = project_chain(uow, project.id, project.department_id)
    counters = {**read_counters(uow, places(chain, project.site_id, Kind)), **room.counters}
    emptied = Room(chain, project.site_id, counters).without(held)
    return replace(room, counters=emptied.counters)


def _verdict(is_refused: bool, has_stages: bool) -> Verdict:
    if is_refused:
        return Verdict.REFUSED
    return Verdict.NEEDS_APPROVAL if has_stages else Verdict.AUTOMATIC


def _completed(
    uow: UnitOfWork, ask: Ask, faults: list[Fault], actor: Actor, request: ServiceRequest | None
) -> Ask:
    """Where the form names resources, they say which project it is about."""
    if ask.draft.kind == "release":
        project = faults_of_release(uow, ask.draft, faults, request.id if request else None)
    elif ask.draft.attach_to is not None:
        project = _project_of_server(uow, ask.draft.attach_to, faults)
    else:
        return ask
    if project is None:
        return ask
    found = {"system": project.system_id, "site": project.site_id}
    for key in ("system", "site"):
        given = getattr(ask, key)
        if given is not None and given != found[key]:
            params = {"found": found[key]}
            faults.append(Fault(key, "contradiction", "the resources named lie at {found}", params))
    return replace(ask, system=project.system_id, environment=project.environment, site=project.site_id)


def _project_of_server(uow: UnitOfWork, resource_id: str, faults: list[Fault]) -> Project | None:
    server = uow.get(Resource, resource_id)
    if server is None or server.kind != "server" or server.project_id is None:
        faults.append(Fault("attach_to", "unknown_name", "there is no server '{id}'", {"id": resource_id}))
        return None
    if server.state != ResourceState.ACTIVE:
        template = "the server {name} is {state}, not active"
        params = {"name": server.name, "state": server.state}
        faults.append(Fault("attach_to", "not_active", template, params))
    return uow.need(Project, server.project_id)


def _site(
    uow: UnitOfWork, ask: Ask, system: InformationSystem, faults: list[Fault]
) -> tuple[str, Fault, list[Fault]]:
    """The site, why, and the rules against it; a name that does not exist is a fault of the form."""
    department = uow.need(Department, system.department_id)
    served_by = uow.need(Division, department.division_code).served_by
    sites = _sites(uow)
    site, why, against = choose_site(ask, served_by, sites)
    if site and site not in sites:
        faults.append(forms.unknown("site", site, served_by))
        return site, why, []
    if ask.draft.kind == "release":
        return site, why, []  # what is there may be given back, whatever became of the rules since
    if site and ask.zone is not None and ask.zone not in sites[site].zones:
        params = {"zone": ask.zone, "site": site, "known": ", ".join(sorted(sites[site].zones))}
        template = "the cloud {site} has no zone {zone}"
        faults.append(Fault("zone", "unknown_zone", template, params, "it has: {known}"))
    return site, why, against


def _sites(uow: UnitOfWork) -> dict[str, SiteView]:
    zones: dict[str, set[str]] = {}
    for row in uow.all(SiteZone, SiteZone.retired_at.is_(None)):
        zones.setdefault(row.site_id, set()).add(row.zone)
    return {
        row.id: SiteView(
            row.id,
            row.title,
            is_managed=row.mode == "managed",
            is_retired=row.retired_at is not None,
            zones=frozenset(zones.get(row.id, ())),
        )
        for row in uow.all(Site)
    }


def _system_view(uow: UnitOfWork, system: InformationSystem) -> SystemView:
    department = uow.need(Department, system.department_id)
    is_retired = system.retired_at is not None or department.retired_at is not None
    return SystemView(system.id, system.name, department.id, system.is_classified, is_retired)


def _systems_of(uow: UnitOfWork, actor: Actor) -> list[str]:
    """The systems the person may ask for, to suggest one."""
    mine = {key for kind, key in actor.scopes("request.create") if kind == "department"}
    return sorted(uow.column(InformationSystem.id, InformationSystem.department_id.in_(mine)))
