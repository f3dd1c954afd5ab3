"""After a restore of the database: two different people look, and say that it may act on clouds again."""

from typing import Any

from cloudctl import notices
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, SecondPersonNeeded, WrongState
from cloudctl.models import DatabaseRestore, Operation
from cloudctl.observing import HARMLESS, restore_in_force
from cloudctl.operations import OPEN
from cloudctl.store import UnitOfWork
from dr.database.copies import newest_whole, shown

Json = dict[str, Any]
SUBJECT = "database_restore"
NEEDED = 2
_MOST_REASON = 1000


def confirm(core: Core, actor: Actor, reason: str) -> Json:
    """Say that the installation may act again; the second person ends observing. How it stands, as `status`.

    SecondPersonNeeded for whoever said so before; WrongState when nothing waits for it; BadInput without a
    reason. Needs database.confirm for the whole installation. With the second, operations that were waiting
    get the time back that they waited.
    """
    actor.must("database.confirm")
    if not 0 < len(reason.strip()) <= _MOST_REASON:
        fault = Fault("reason", "missing", "say what was looked at", {})
        raise BadInput("the input has faults", faults=[fault])
    with core.store.write() as uow:
        found = restore_in_force(uow)
        if found is None:
            raise WrongState("nothing waits to be confirmed: this installation acts on its clouds")
        row = uow.for_update(DatabaseRestore, found.id)
        if any(one["user"] == actor.user_id for one in row.confirmations):
            raise SecondPersonNeeded("you have confirmed already; another person has to")
        said = {"user": actor.user_id, "at": core.clock.now().isoformat(), "reason": reason.strip()}
        row.confirmations = [*row.confirmations, said]
        if len(row.confirmations) >= NEEDED:
            row.ended_at = core.clock.now()
            _give_time(core, uow)
            notices.settle(uow, core.clock, (SUBJECT, row.id))
        uow.flush()
        details = {"copy": row.copy_id, "reason": reason.strip(), "is_last": row.ended_at is not None}
        core.audit.record(uow, actor.user_id, "database.confirm", SUBJECT, row.id, details, actor.trace_id)
        return status(uow, actor)


def _give_time(core: Core, uow: UnitOfWork) -> None:
    """What waited begins its time anew: a deadline of the past would only have everything given up."""
    now = core.clock.now()
    waiting = (Operation.state.in_(OPEN), Operation.kind.not_in(HARMLESS), Operation.deadline_at.is_not(None))
    for row in uow.all(Operation, *waiting):
        assert row.deadline_at is not None
        row.deadline_at = now + (row.deadline_at - row.created_at)
        row.next_at = now


def status(uow: UnitOfWork, actor: Actor) -> Json:
    """Whether the installation acts or only observes, who has confirmed, and its newest copy.

    `state`: acting, observing. Needs database.see.
    """
    actor.must("database.see", actor.scopes("database.see"))  # wherever it is held
    row, newest = restore_in_force(uow), newest_whole(uow)
    return {
        "id": "database",
        "name": "database",
        "state": "acting" if row is None else "observing",
        "restored_at": row.restored_at if row else None,
        "restored_by": row.restored_by if row else None,
        "restored_from": row.source if row else None,
        "restored_copy": row.copy_id if row else None,
        "taken_at": row.taken_at if row else None,
        "confirmed_by": [one["user"] for one in row.confirmations] if row else [],
        "confirmations_missing": NEEDED - len(row.confirmations) if row else 0,
        "newest_copy": shown(newest) if newest else None,
    }
