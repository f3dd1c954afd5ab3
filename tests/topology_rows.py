"""An applied topology, and rows that stand in the way of its next one."""

import json
from typing import TypeVar

from cloudctl.core import Core
from cloudctl.lifecycle import RequestState, ResourceState
from cloudctl.models import (
    ANY_SITE,
    Project,
    QuotaRow,
    Resource,
    Row,
    ServiceRequest,
    User,
)
from tenants.topology import apply, load, plan
from tests.topology_files import PLAIN
from tests.topology_people import province_admin


def do(core: Core, source: bytes | None = None, allow_destroy: bool = False) -> plan.Plan:
    """Plan and apply the file; the plan travels as JSON in between."""
    made = plan.plan(core, load.read(source or PLAIN.read_bytes()))
    travelled = plan.read(json.loads(json.dumps(made.as_json())))
    apply.apply(core, province_admin(), travelled, allow_destroy)
    return made


R = TypeVar("R", bound=Row)


def get(core: Core, model: type[R], key: object) -> R:
    with core.store.read() as uow:
        return uow.need(model, key)


def counter(core: Core, scope_id: str, kind: str, site: str = ANY_SITE) -> QuotaRow:
    with core.store.read() as uow:
        row = uow.first(QuotaRow, QuotaRow.scope_id == scope_id, QuotaRow.kind == kind, QuotaRow.site == site)
        assert row is not None
        return row


def brief(made: plan.Plan) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.id) for change in made.changes]


BUDGET = "gx-finance-budget"


def a_project(core: Core, system: str = BUDGET, department: str = "gx-finance") -> str:
    row = Project(
        id=f"{system}/prod@province",
        name=f"{system}-prod",
        system_id=system,
        department_id=department,
        site_id="province",
        created_at=core.clock.now(),
    )
    with core.store.write() as uow:
        return uow.add(row).id


def a_server(core: Core, project: str, vcpus: int = 2) -> None:
    with core.store.write() as uow:
        home = uow.need(Project, project)
        row = Resource(
            id=f"r-{project}",
            kind="server",
            site_id=home.site_id,
            project_id=project,
            system_id=home.system_id,
            department_id=home.department_id,
            name=f"{project}-vm1",
            state=ResourceState.ACTIVE,
            amounts={"vcpus": vcpus},
            created_at=core.clock.now(),
        )
        uow.add(row)


def a_request(core: Core, project: str) -> int:
    now = core.clock.now()
    with core.store.write() as uow:
        uow.add(User(id="alice", name="李爱丽", created_at=now))
        home = uow.need(Project, project)
        row = ServiceRequest(
            kind="vm",
            state=RequestState.AWAITING_APPROVAL,
            department_id=home.department_id,
            system_id=home.system_id,
            project_id=project,
            site_id=home.site_id,
            zone="internet",
            draft={},
            requested_by="alice",
            idempotency_key="k",
            created_at=now,
            changed_at=now,
        )
        return uow.add(row).id
