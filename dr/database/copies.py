"""Copies of cloudctl's own database: begun by the clock or by a person, proved again, listed."""

import logging
from datetime import datetime, timedelta
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import Clock, new_id
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Conflict, NotFound, Refused
from cloudctl.models import DatabaseCopy, Operation, Vault
from cloudctl.observing import allowed_kinds
from cloudctl.operations import OPEN, start
from cloudctl.store import UnitOfWork
from dr.database import recovery
from dr.database.job import EXPIRED, FAILED, KIND, MAKING, PENDING, PROTECTED, SEALED, SUBJECT, SUSPECT

log = logging.getLogger(__name__)

Json = dict[str, Any]
DEADLINE_S = 12 * 3600
RETRY = timedelta(hours=1)  # after a copy that failed
PROVE_EVERY = timedelta(days=7)  # the newest copy, where no newer one is made
_PROVABLE = (SEALED, PROTECTED, SUSPECT)
_SHORTEST_ID = 8
BY = "system"


def back_up(core: Core, actor: Actor) -> Json:
    """Begin a copy now. Conflict while one is being made; Refused where no vault is on record.

    Needs database.back_up for the whole installation.
    """
    actor.must("database.back_up")
    with core.store.write() as uow:
        row = begin(uow, core.clock, core.settings, actor.user_id)
        _ring(core, uow, row)
        details = {"sequence": row.sequence, "vaults": sorted(row.vaults)}
        core.audit.record(uow, actor.user_id, "database.back_up", SUBJECT, row.id, details, actor.trace_id)
        return shown(row)


def prove(core: Core, actor: Actor, key: str) -> Json:
    """Begin to prove a copy: read back from every vault, brought back out of one. Conflict while at work.

    `key` is its id or how that begins. Needs database.back_up.
    """
    actor.must("database.back_up")
    with core.store.write() as uow:
        row = find(uow, key)
        begin_proof(uow, core.clock, row)
        _ring(core, uow, row)
        core.audit.record(uow, actor.user_id, "database.prove", SUBJECT, row.id, {}, actor.trace_id)
        return shown(row)


def begin(uow: UnitOfWork, clock: Clock, settings: Settings, by: str) -> DatabaseCopy:
    """A new copy with its operation, in the caller's transaction."""
    if recovery.public_half(settings) is None:
        raise Refused("there is no recovery key", hint="run: cloudctl init")
    _must_be_free(uow)
    sites = sorted(uow.column(Vault.site_id))
    if not sites:
        hint = "look at one: cloudctl vault check SITE"
        raise Refused("no vault is on record: the database can be copied nowhere", hint=hint)
    last = uow.first(DatabaseCopy, order_by=[DatabaseCopy.sequence.desc()])
    fresh = {"state": PENDING, "level": None, "checked_at": None, "head_key": "", "note": ""}
    row = uow.add(
        DatabaseCopy(
            id=new_id(),
            sequence=last.sequence + 1 if last else 1,
            state=MAKING,
            vaults=dict.fromkeys(sites, fresh),
            created_at=clock.now(),
            created_by=by,
        )
    )
    row.operation_id = start(uow, clock, KIND, (SUBJECT, row.id), None, DEADLINE_S).id
    uow.flush()
    return row


def begin_proof(uow: UnitOfWork, clock: Clock, row: DatabaseCopy) -> None:
    """The operation that proves a copy again. Refused for one that no vault has."""
    _must_be_free(uow)
    if row.state not in _PROVABLE:
        raise Refused("copy {copy} is {state}: there is nothing to prove", copy=row.id, state=row.state)
    operation = start(uow, clock, KIND, (SUBJECT, row.id), None, DEADLINE_S)
    operation.step = "check"
    row.operation_id = operation.id
    uow.flush()


def begin_due(core: Core) -> int | None:
    """Begin the copy whose time has come, else the proof; the id of the operation. Any number may call it.

    Nothing is begun while the installation only observes, and before a vault is on record.
    """
    try:
        with core.store.read() as uow:
            if not _due(uow, core.settings, core.clock.now()):
                return None
        with core.store.write() as uow:
            due = _due(uow, core.settings, core.clock.now())
            if due is None:
                return None
            if isinstance(due, DatabaseCopy):
                begin_proof(uow, core.clock, due)
                row = due
            else:
                row = begin(uow, core.clock, core.settings, BY)
            _ring(core, uow, row)
            return row.operation_id
    except CloudctlError as error:
        log.warning("the database is not copied: %s", error)
        return None


def is_due(last: DatabaseCopy | None, every: timedelta, now: datetime) -> bool:
    """Whether the next copy is due; soon after one that failed. Pure."""
    if last is None:
        return True
    pause = min(every, RETRY) if last.state == FAILED else every
    return now - last.created_at >= pause


def _due(uow: UnitOfWork, settings: Settings, now: datetime) -> DatabaseCopy | str | None:
    """A copy to prove, or the word for a new one; None when nothing is due."""
    if allowed_kinds(uow) is not None or uow.count(Vault) == 0 or _at_work(uow):
        return None
    last = uow.first(DatabaseCopy, order_by=[DatabaseCopy.sequence.desc()])
    if recovery.public_half(settings) and is_due(last, timedelta(seconds=settings.database_every_s), now):
        return MAKING
    newest = newest_whole(uow)
    if newest is not None and now - (newest.verified_at or newest.created_at) >= PROVE_EVERY:
        return newest
    return None


def newest_whole(uow: UnitOfWork) -> DatabaseCopy | None:
    """The newest copy that some vault has."""
    whole = DatabaseCopy.state.in_(_PROVABLE)
    return uow.first(DatabaseCopy, whole, order_by=[DatabaseCopy.sequence.desc()])


# -- reading


def find(uow: UnitOfWork, key: str) -> DatabaseCopy:
    """The copy of that id, or whose id alone begins so. NotFound."""
    by_id = DatabaseCopy.id.startswith(key, autoescape=True)
    found = uow.all(DatabaseCopy, by_id, limit=2) if len(key) >= _SHORTEST_ID else []
    if len(found) != 1:
        raise NotFound("{what} '{key}' does not exist", what="database copy", key=key)
    return found[0]


def list_copies(uow: UnitOfWork, actor: Actor, with_gone: bool = False, limit: int = 200) -> list[Json]:
    """The newest first. Needs database.see."""
    actor.must("database.see", actor.scopes("database.see"))  # wherever it is held
    conditions = () if with_gone else (DatabaseCopy.state.not_in((EXPIRED, FAILED)),)
    rows = uow.all(DatabaseCopy, *conditions, order_by=[DatabaseCopy.sequence.desc()], limit=limit)
    return [shown(row) for row in rows]


def shown(row: DatabaseCopy) -> Json:
    """A copy as API and CLI tell it; no key is in it."""
    return {
        "id": row.id,
        "name": f"{row.sequence}",
        "state": row.state,
        "level": row.level,
        "verified_at": row.verified_at,
        "taken_at": row.taken_at,
        "stored_at": row.stored_at,
        "locked_until": row.locked_until,
        "bytes": row.bytes,
        "facts": dict(row.facts or {}),
        "vaults": [{"site": site, **told} for site, told in sorted((row.vaults or {}).items())],
        "recovery_key": row.key_id,
        "operation_id": row.operation_id,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "created_at": row.created_at,
        "created_by": row.created_by,
    }


# -- the pieces


def _at_work(uow: UnitOfWork) -> bool:
    return uow.count(Operation, Operation.kind == KIND, Operation.state.in_(OPEN)) > 0


def _must_be_free(uow: UnitOfWork) -> None:
    if _at_work(uow):
        raise Conflict("the database is being copied, or a copy is being proved, already")


def _ring(core: Core, uow: UnitOfWork, row: DatabaseCopy) -> None:
    operation_id = row.operation_id
    if operation_id is not None:
        uow.after_commit(lambda: core.bell.ring(operation_id))
