"""The audit chain as auditors read it."""

from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.models import AuditEvent
from cloudctl.store import UnitOfWork


@dataclass(frozen=True)
class AuditFilter:
    """What to show; `action` may end in `.*`, `subject` is `kind:id` or a kind."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    limit: int = 100
    before: int | None = None  # only events with a smaller number


def list_events(uow: UnitOfWork, actor: Actor, wanted: AuditFilter) -> list[dict[str, Any]]:
    """Events, the newest first. NotAllowed without `audit.see` for the whole installation."""
    actor.must("audit.see")
    conditions: list[Any] = []
    if wanted.actor is not None:
        conditions.append(AuditEvent.actor == wanted.actor)
    if wanted.action is not None and wanted.action.endswith(".*"):
        conditions.append(AuditEvent.action.startswith(wanted.action[:-1], autoescape=True))
    elif wanted.action is not None:
        conditions.append(AuditEvent.action == wanted.action)
    if wanted.subject is not None:
        kind, _, key = wanted.subject.partition(":")
        conditions.append(AuditEvent.subject_kind == kind)
        if key:
            conditions.append(AuditEvent.subject_id == key)
    if wanted.before is not None:
        conditions.append(AuditEvent.seq < wanted.before)
    rows = uow.all(AuditEvent, *conditions, order_by=[AuditEvent.seq.desc()], limit=wanted.limit)
    return [_event(row) for row in rows]


def _event(row: AuditEvent) -> dict[str, Any]:
    return {
        "id": row.seq,
        "name": row.action,
        "state": None,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": f"{row.subject_kind}:{row.subject_id}",
        "details": row.details,
        "trace_id": row.trace_id,
        "previous_hash": row.previous_hash,
        "hash": row.hash,
    }


def count_events(uow: UnitOfWork) -> int:
    """How long the chain is."""
    return uow.count(AuditEvent)
