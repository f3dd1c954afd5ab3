"""Certificates of whether a system relies on the government cloud: issued, signed, checked by their code."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import Refused
from cloudctl.lifecycle import MigrationStage, RequestState, ResourceState
from cloudctl.models import (
    Department,
    GateCertificate,
    InformationSystem,
    Resource,
    ServiceRequest,
    Site,
    Wave,
    WaveSystem,
)
from cloudctl.queries.register import find_system
from cloudctl.store import UnitOfWork
from tenants.migration.course import system_path
from tenants.migration.gate_code import grouped, new_code, read_code
from tenants.migration.gate_verdict import GateFacts, answer
from tenants.migration.wave_plan import WaveState
from tenants.register.records import record_of

PURPOSE = "gate certificate"
Json = dict[str, Any]


def preview(core: Core, actor: Actor, system_id: str) -> Json:
    """What would be certified now; nothing is issued."""
    with core.store.read() as uow:
        row = _may(uow, actor, system_id)
        return _content(core, uow, actor, row, "")


def certify(core: Core, actor: Actor, system_id: str) -> Json:
    """A new certificate, signed and kept, with its code. Refused for a classified system, whoever asks.

    Needs migration.certify over the system; NotFound when it is not seen.
    """
    with core.store.write() as uow:
        row = _may(uow, actor, system_id)
        code = new_code()
        content = _content(core, uow, actor, row, code)
        made = uow.add(
            GateCertificate(
                code=code,
                system_id=row.id,
                verdict=content["verdict"],
                content=content,
                signature=core.audit.seal(PURPOSE, content),
                issued_at=core.clock.now(),
                issued_by=actor.user_id,
                valid_until=date.fromisoformat(content["valid_until"]),
            )
        )
        details = {key: content[key] for key in ("number", "verdict", "valid_until")}
        core.audit.record(
            uow, actor.user_id, "gate.certify", "information_system", row.id, details, actor.trace_id
        )
        return _shown(made, local_day(core.clock.now()))


def verify_code(core: Core, text: str) -> Json:
    """What a certificate with this code says: `valid`, `expired`, or `unknown` and nothing else.

    For anybody. Unknown is also what was never issued, what was changed since, and every system that is
    classified by now.
    """
    code = read_code(text)
    with core.store.read() as uow:
        found = uow.get(GateCertificate, code) if code else None
        if found is None or not core.audit.is_sealed(PURPOSE, found.content, found.signature):
            return {"id": None, "name": None, "state": "unknown"}
        row = uow.get(InformationSystem, found.system_id)
        if row is None or row.is_classified or not _agrees(found):
            return {"id": None, "name": None, "state": "unknown"}
        return _shown(found, local_day(core.clock.now()))


def _agrees(found: GateCertificate) -> bool:
    """Whether the columns say what was signed."""
    signed = tuple(found.content[key] for key in ("code", "system", "verdict", "valid_until"))
    return signed == (found.code, found.system_id, found.verdict, found.valid_until.isoformat())


def _may(uow: UnitOfWork, actor: Actor, system_id: str) -> InformationSystem:
    row = find_system(uow, actor, system_id)
    actor.must("migration.certify", system_path(uow, row))
    if row.is_classified:
        raise Refused("a classified system is never certified")
    return row


def _content(core: Core, uow: UnitOfWork, actor: Actor, row: InformationSystem, code: str) -> Json:
    """Everything the certificate says, as JSON: what is signed."""
    now = core.clock.now()
    today = local_day(now)
    found = answer(_facts(uow, row), today)
    owner = uow.need(Department, row.department_id)
    return {
        "code": code,
        "number": f"{today:%Y%m%d}-{code[:6]}" if code else None,
        "system": row.id,
        "system_name": row.name,
        "owner": owner.id,
        "owner_name": owner.name,
        "verdict": found.verdict.value,
        "reasons": [
            {"code": one.code, "template": one.template, "params": dict(one.params)} for one in found.reasons
        ],
        "stage": row.stage,
        "hosting": row.hosting,
        "issued_at": now.isoformat(),
        "issued_by_name": actor.name,
        "valid_until": found.valid_until.isoformat(),
        "installation": core.settings.installation,
    }


def _shown(made: GateCertificate, today: date) -> Json:
    content: Mapping[str, Any] = made.content
    return {
        "id": grouped(made.code),
        "name": content["system_name"],
        "state": "valid" if today <= made.valid_until else "expired",
        **{key: value for key, value in content.items() if key != "code"},
        "code": grouped(made.code),
        "signature": made.signature,
    }


def _facts(uow: UnitOfWork, row: InformationSystem) -> GateFacts:
    record: Mapping[str, Any] = record_of(row)
    told = (
        "life_state", "hosting", "agreement", "agreement_document", "agreed_on", "planned_on", "accepted_on",
        "report_document", "trial_from", "exempt_clause", "exempt_document", "exempt_until",
    )  # fmt: skip
    titles = {site.id: site.title for site in uow.all(Site)}
    return GateFacts(
        stage=MigrationStage(row.stage),
        servers=_servers(uow, row.id),
        waves=_waves(uow, row.id),
        building={number: titles[site] for number, site in _building(uow, row.id)},
        **{name: record[name] for name in told},
    )


def _servers(uow: UnitOfWork, system_id: str) -> dict[str, int]:
    """How many servers of the system run, by the title of each site that is still one."""
    running = (
        Resource.system_id == system_id,
        Resource.kind == "server",
        Resource.state == ResourceState.ACTIVE,
        Resource.project_id.is_not(None),
    )
    counts = Counter(uow.column(Resource.site_id, *running))
    sites = uow.all(Site, Site.id.in_(counts), Site.retired_at.is_(None), order_by=[Site.id])
    return {site.title: counts[site.id] for site in sites}


def _waves(uow: UnitOfWork, system_id: str) -> dict[str, date]:
    inside = uow.column(WaveSystem.wave_id, WaveSystem.system_id == system_id)
    running = (Wave.id.in_(inside), Wave.state == WaveState.RUNNING)
    return {wave.name: wave.ends_on for wave in uow.all(Wave, *running, order_by=[Wave.position])}


def _building(uow: UnitOfWork, system_id: str) -> list[tuple[int, str]]:
    approved = (
        ServiceRequest.system_id == system_id,
        ServiceRequest.state == RequestState.BUILDING,
        ServiceRequest.kind.in_(("vm", "project")),
    )
    rows = uow.tuples((ServiceRequest.id, ServiceRequest.site_id), *approved, order_by=[ServiceRequest.id])
    return [(number, site) for number, site in rows]
