"""What the tests of requests do again and again: ask, approve, look."""

from typing import Any

from cloudctl.core import Core
from cloudctl.models import (
    AuditEvent,
    Hold,
    Notice,
    Project,
    QuotaRow,
    ServiceRequest,
)
from cloudctl.queries import requests as queries
from tenants import approvals, ledger, requests
from tests.builders import (
    a_county_form,
    a_vm_form,
    an_actor,
)


def submit(core: Core, who: str = "alice", key: str = "", **changes: Any) -> int:
    form = a_county_form(**changes) if who == "erin" else a_vm_form(**changes)
    return requests.submit(core, an_actor(core, who), form, key)


def release(core: Core, *resources: str) -> int:
    form = {"kind": "release", "resources": list(resources)}
    return requests.submit(core, an_actor(core, "alice"), form)


def show(core: Core, request_id: int, who: str = "ivan") -> dict[str, Any]:
    with core.store.read() as uow:
        return queries.show(uow, an_actor(core, who), request_id)


def approve_all(core: Core, request_id: int) -> None:
    for who in ("frank", "bob", "grace", "carol", "heidi", "dave"):
        if any(row["id"] == request_id for row in approvals.inbox(core, an_actor(core, who))):
            approvals.approve(core, an_actor(core, who), request_id)


def notices(core: Core, who: str, is_open: bool = False) -> list[str]:
    with core.store.read() as uow:
        rows = uow.all(Notice, Notice.user_id == who, order_by=[Notice.id])
        return [row.template.format(**row.params) for row in rows
                if not is_open or (row.needs_action and row.done_at is None)]  # fmt: skip


def limit(core: Core, scope: str, kind: str, n: int | None) -> None:
    ledger.set_limit(core, an_actor(core, "dave"), scope, "*", kind, n)


def rows_of_everything(core: Core) -> list[int]:
    with core.store.read() as uow:
        return [uow.count(model) for model in (ServiceRequest, Hold, QuotaRow, Project, Notice, AuditEvent)]
