"""Sessions of browsers: kept in the database, so that they can be ended from here.

A guess is counted before the password is looked at: many guesses side by side count like many in a row.
"""

import secrets as _random
from dataclasses import dataclass
from datetime import timedelta

from cloudctl import secrets
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import NotSignedIn
from cloudctl.models import Session, User
from cloudctl.secrets import Hidden
from cloudctl.store import UnitOfWork
from tenants.people.roles import actor_of

TOUCH_S = 60  # `seen_at` is written at most this often


@dataclass(frozen=True)
class Visit:
    """A valid session: who it is, and what the pages need to know of it."""

    session_id: str
    actor: Actor
    csrf: str
    must_change_password: bool
    language: str


def sign_in(core: Core, user_id: str, password: str, address: str) -> Hidden:
    """A new session; the secret that goes into the cookie.

    NotSignedIn for a wrong name, a wrong password, a closed or a locked account: the answer and the time
    it takes are the same for all of them.
    """
    stored = _count_attempt(core, user_id)
    if not secrets.check_password(password, stored):
        _record_failure(core, user_id, address)
        raise NotSignedIn(
            "the user name or the password is wrong; {failures} wrong passwords lock an account for "
            "{minutes} minutes",
            failures=core.settings.login_failures,
            minutes=core.settings.lockout_s // 60,
        )
    secret = Hidden(_random.token_urlsafe(32))
    now = core.clock.now()
    with core.store.write() as uow:
        user = uow.for_update(User, user_id)
        if user.password_hash != stored or user.disabled_at is not None:
            raise NotSignedIn("the account was changed meanwhile; sign in again")
        user.failed_logins, user.locked_until = 0, None
        uow.add(
            Session(
                id=secrets.fingerprint(secret),
                user_id=user_id,
                csrf=_random.token_urlsafe(24),
                address=address,
                created_at=now,
                seen_at=now,
                expires_at=now + timedelta(seconds=core.settings.session_s),
            )
        )
        core.audit.record(uow, user_id, "session.start", "user", user_id, {"address": address})
    return secret


def visit_of_session(core: Core, secret: str, trace_id: str | None = None) -> Visit:
    """The session of this cookie. NotSignedIn when it is unknown, ended, idle too long or too old."""
    now = core.clock.now()
    idle = now - timedelta(seconds=core.settings.session_idle_s)
    with core.store.read() as uow:
        row = uow.get(Session, secrets.fingerprint(secret))
        user = uow.get(User, row.user_id) if row is not None else None
        if row is None or user is None or user.disabled_at is not None:
            raise NotSignedIn("sign in first")
        if row.ended_at is not None or row.expires_at <= now or row.seen_at <= idle:
            raise NotSignedIn("the session has ended; sign in again")
        actor = actor_of(uow, user, trace_id)
        visit = Visit(row.id, actor, row.csrf, user.must_change_password, user.language)
    if row.seen_at < now - timedelta(seconds=TOUCH_S):
        with core.store.write() as uow:
            uow.update(Session, Session.id == row.id, Session.ended_at.is_(None), seen_at=now)
    return visit


def actor_of_session(core: Core, secret: str, trace_id: str | None = None) -> Actor:
    """Who this cookie belongs to. NotSignedIn as in `visit_of_session`."""
    return visit_of_session(core, secret, trace_id).actor


def sign_out(core: Core, secret: str) -> None:
    """End a session. Ended or unknown already changes nothing."""
    session_id = secrets.fingerprint(secret)
    with core.store.write() as uow:
        row = uow.get(Session, session_id)
        if row is None:
            return
        ended = uow.update(
            Session, Session.id == session_id, Session.ended_at.is_(None), ended_at=core.clock.now()
        )
        if ended:
            core.audit.record(uow, row.user_id, "session.end", "user", row.user_id)


def end_sessions(core: Core, uow: UnitOfWork, user_id: str, keep: str | None = None) -> None:
    """End all sessions of a person, but for the one to keep."""
    conditions = [Session.user_id == user_id, Session.ended_at.is_(None)]
    if keep is not None:
        conditions.append(Session.id != keep)
    uow.update(Session, *conditions, ended_at=core.clock.now())


def _count_attempt(core: Core, user_id: str) -> str | None:
    """Count an attempt; the stored hash, or None when there is nothing to check against."""
    now = core.clock.now()
    with core.store.write() as uow:
        uow.update(User, User.id == user_id, User.locked_until <= now, locked_until=None, failed_logins=0)
        counted = uow.update(
            User,
            User.id == user_id,
            User.locked_until.is_(None),
            User.disabled_at.is_(None),
            failed_logins=User.failed_logins + 1,
        )
        user = uow.get(User, user_id) if counted else None
        if user is None:
            return None
        if user.failed_logins >= core.settings.login_failures:
            user.locked_until = now + timedelta(seconds=core.settings.lockout_s)
        return user.password_hash


def _record_failure(core: Core, user_id: str, address: str) -> None:
    """A name nobody has is not kept: people type passwords into the wrong field."""
    with core.store.write() as uow:
        user = uow.get(User, user_id)
        who = user_id if user is not None else "unknown"
        details = {"address": address, "locked": bool(user is not None and user.locked_until)}
        core.audit.record(uow, who, "session.refuse", "user", who, details)
