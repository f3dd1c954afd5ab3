"""Notices: rows of an outbox that say what somebody has to do or know; portal and CLI show them."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudctl.clock import Clock
from cloudctl.models import Notice
from cloudctl.store import UnitOfWork


def tell(
    uow: UnitOfWork,
    clock: Clock,
    user_ids: Iterable[str],
    template: str,
    params: Mapping[str, Any],
    subject: tuple[str, object],
    needs_action: bool = False,
) -> None:
    """Write one notice for each of the people, in the transaction of what it tells about."""
    kind, subject_id = subject
    for user_id in sorted(set(user_ids)):
        uow.add(
            Notice(
                user_id=user_id,
                template=template,
                params=dict(params),
                subject_kind=kind,
                subject_id=str(subject_id),
                needs_action=needs_action,
                created_at=clock.now(),
            )
        )


def settle(uow: UnitOfWork, clock: Clock, subject: tuple[str, object]) -> None:
    """Nobody has to act on this subject any more, whoever did."""
    kind, subject_id = subject
    uow.update(
        Notice,
        Notice.subject_kind == kind,
        Notice.subject_id == str(subject_id),
        Notice.needs_action.is_(True),
        Notice.done_at.is_(None),
        done_at=clock.now(),
    )
