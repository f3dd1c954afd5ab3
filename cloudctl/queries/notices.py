"""Notices as their reader sees them; the edge turns `template` and `params` into words."""

from typing import Any

from cloudctl.actors import Actor
from cloudctl.models import Notice
from cloudctl.store import UnitOfWork


def list_notices(
    uow: UnitOfWork,
    actor: Actor,
    is_unread: bool = False,
    limit: int = 100,
    marker: int | None = None,
) -> list[dict[str, Any]]:
    """One's own notices, the newest first, before `marker`."""
    conditions = [Notice.user_id == actor.user_id]
    if is_unread:
        conditions.append(Notice.read_at.is_(None))
    if marker is not None:
        conditions.append(Notice.id < marker)
    rows = uow.all(Notice, *conditions, order_by=[Notice.id.desc()], limit=limit)
    return [_notice(row) for row in rows]


def count_unread(uow: UnitOfWork, actor: Actor) -> int:
    """How many of one's notices are not read yet."""
    return uow.count(Notice, Notice.user_id == actor.user_id, Notice.read_at.is_(None))


def _notice(row: Notice) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.template,
        "state": _state(row),
        "template": row.template,
        "params": row.params,
        "subject": f"{row.subject_kind}:{row.subject_id}",
        "needs_action": row.needs_action and row.done_at is None,
        "created_at": row.created_at,
        "read_at": row.read_at,
        "done_at": row.done_at,
    }


def _state(row: Notice) -> str:
    if row.needs_action and row.done_at is None:
        return "to_do"
    return "unread" if row.read_at is None else "read"
