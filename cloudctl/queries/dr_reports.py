"""Reads of the reports of drills and moves: those of the plans that somebody sees."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import AuditEvent, Drill, Failover, ProtectionPlan
from cloudctl.queries.plans import find_plan, may_see
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
PAGE = 100
_MODELS: dict[str, Any] = {"drill": Drill, "failover": Failover}
_BEGUN: dict[str, Any] = {"drill": Drill.begun_at, "failover": Failover.asked_at}


@dataclass(frozen=True)
class Kept:
    """A report as it is kept."""

    id: str  # drill-12, failover-3
    document: Json
    sha256: str
    signature: str
    begun_at: datetime

    @property
    def sealed(self) -> Json:
        """The file."""
        return {"report": self.document, "sha256": self.sha256, "signature": self.signature}


def list_reports(
    uow: UnitOfWork, actor: Actor, plan: str | None = None, limit: int = PAGE, marker: str | None = None
) -> list[Kept]:
    """The newest first, after the report `marker`."""
    conditions: list[Any] = [ProtectionPlan.id == find_plan(uow, actor, plan).id] if plan is not None else []
    plans = select(ProtectionPlan.id).where(*may_see(uow, actor), *conditions)
    before = find_report(uow, actor, marker).begun_at if marker is not None else None
    found = []
    for kind, model in _MODELS.items():
        wanted: list[Any] = [model.plan_id.in_(plans), model.report_sha256 != ""]
        if before is not None:
            wanted.append(_BEGUN[kind] < before)
        order = [_BEGUN[kind].desc(), model.id.desc()]
        found += [_kept(kind, row) for row in uow.all(model, *wanted, order_by=order, limit=limit)]
    return sorted(found, key=lambda one: one.begun_at, reverse=True)[:limit]


def find_report(uow: UnitOfWork, actor: Actor, key: str) -> Kept:
    """The report with this id. NotFound when there is none of a plan that the actor sees."""
    kind, _, number = key.partition("-")
    row = None
    if kind in _MODELS and number.isdigit() and len(number) < 10:
        plans = select(ProtectionPlan.id).where(*may_see(uow, actor))
        model = _MODELS[kind]
        row = uow.first(model, model.id == int(number), model.plan_id.in_(plans), model.report_sha256 != "")
    if row is None:
        raise NotFound("{what} '{key}' does not exist", what="report", key=key)
    return _kept(kind, row)


def is_in_chain(uow: UnitOfWork, action: str, kind: str, number: str, sha256: str) -> bool:
    """Whether the audit chain says that this report was made with this hash."""
    events = uow.column(
        AuditEvent.details,
        AuditEvent.action == action,
        AuditEvent.subject_kind == kind,
        AuditEvent.subject_id == number,
    )
    return any(details.get("sha256") == sha256 for details in events)


def _kept(kind: str, row: Any) -> Kept:
    return Kept(
        f"{kind}-{row.id}", row.report, row.report_sha256, row.signature, getattr(row, _BEGUN[kind].key)
    )
