"""Accounts: made and ended by system administrators, passwords changed by their owners."""

import re
from dataclasses import dataclass

from cloudctl import secrets
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, SecondPersonNeeded
from cloudctl.models import Department, Token, User
from cloudctl.notices import tell
from cloudctl.secrets import Hidden
from cloudctl.store import UnitOfWork
from tenants.people.roles import is_current, keep_an_administrator, record_change
from tenants.people.sessions import end_sessions

LANGUAGES = ("zh", "en")
MIN_PASSWORD = 10
_ID = re.compile(r"[a-z][a-z0-9._-]{1,62}[a-z0-9]")
_PHONE = re.compile(r"\+?[0-9][0-9 -]{4,30}")
_CLASSES = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")


@dataclass(frozen=True)
class NewUser:
    """What a new account is made of. Without a password a random one is made."""

    id: str
    name: str
    department_id: str | None = None
    phone: str | None = None
    language: str = "zh"
    password: str | None = None


def password_faults(password: str, user_id: str) -> list[Fault]:
    """What keeps a password from being taken; empty when it is good."""
    faults = []
    if not MIN_PASSWORD <= len(password) <= secrets.MAX_PASSWORD:
        sizes = {"least": MIN_PASSWORD, "most": secrets.MAX_PASSWORD}
        faults.append(Fault("password", "bad_length", "must have {least} to {most} characters", sizes))
    if sum(bool(re.search(kind, password)) for kind in _CLASSES) < 3:
        template = "needs three of: small letters, capital letters, digits, other signs"
        faults.append(Fault("password", "too_simple", template))
    if len(user_id) >= 3 and user_id.lower() in password.lower():
        faults.append(Fault("password", "holds_user_id", "must not contain the user name"))
    return faults


def user_faults(new: NewUser) -> list[Fault]:
    """What is wrong with a new account in itself; all of it."""
    faults = []
    if not _ID.fullmatch(new.id):
        template = "must be 3 to 64 small letters, digits, dots, dashes, and begin with a letter"
        faults.append(Fault("id", "bad_user_id", template))
    if not 1 <= len(new.name.strip()) <= 100:
        faults.append(Fault("name", "bad_name", "must have 1 to 100 characters"))
    if new.phone and not _PHONE.fullmatch(new.phone):
        faults.append(Fault("phone", "bad_phone", "is not a telephone number"))
    if new.language not in LANGUAGES:
        faults.append(Fault("language", "bad_language", "must be one of {known}", {"known": "zh, en"}))
    if new.password is not None:
        faults += password_faults(new.password, new.id)
    return faults


def create_user(core: Core, actor: Actor, new: NewUser) -> Hidden:
    """Make an account; the first password, to be changed at the first sign-in. BadInput names all faults."""
    actor.must("user.change")
    password = Hidden(new.password or secrets.new_password())
    hashed = secrets.hash_password(password)
    faults = user_faults(new)
    with core.store.write() as uow:
        if new.department_id is not None and not is_current(uow.get(Department, new.department_id)):
            faults.append(Fault("department", "unknown_department", "there is no such department"))
        if faults:
            raise BadInput("the account has faults", faults=faults)
        if uow.get(User, new.id) is not None:
            raise Conflict("there is a user '{user}' already", user=new.id)
        add_user(core, uow, actor, new, hashed)
    return password


def disable_user(core: Core, actor: Actor, user_id: str) -> None:
    """End an account: no sign-in, no session, no token. Done already changes nothing."""
    actor.must("user.change")
    if actor.user_id == user_id:
        raise SecondPersonNeeded("nobody ends their own account; another administrator must")
    with core.store.write() as uow:
        keep_an_administrator(uow, user_id)
        user = uow.for_update(User, user_id)
        if user.disabled_at is not None:
            return
        now = core.clock.now()
        user.disabled_at = now
        uow.update(Token, Token.user_id == user_id, Token.revoked_at.is_(None), revoked_at=now)
        end_sessions(core, uow, user_id)
        record_change(core, uow, actor, "user.disable", user_id)


def enable_user(core: Core, actor: Actor, user_id: str) -> None:
    """Open an ended or locked account again; its tokens stay revoked."""
    actor.must("user.change")
    if actor.user_id == user_id:
        raise SecondPersonNeeded("nobody opens their own account; another administrator must")
    with core.store.write() as uow:
        user = uow.for_update(User, user_id)
        user.disabled_at = user.locked_until = None
        user.failed_logins = 0
        record_change(core, uow, actor, "user.enable", user_id)


def set_password(core: Core, actor: Actor, user_id: str) -> Hidden:
    """A new random password for somebody else, to be changed at the next sign-in; ends their sessions."""
    actor.must("user.change")
    if actor.user_id == user_id:
        raise SecondPersonNeeded("change your own password by giving the old one")
    password = Hidden(secrets.new_password())
    hashed = secrets.hash_password(password)
    with core.store.write() as uow:
        user = uow.for_update(User, user_id)
        user.password_hash, user.must_change_password = hashed, True
        user.failed_logins, user.locked_until = 0, None
        end_sessions(core, uow, user_id)
        tell(uow, core.clock, [user_id], "{by} set a new first password for you",
             {"by": actor.name}, ("user", user_id))  # fmt: skip
        record_change(core, uow, actor, "user.set_password", user_id)
    return password


def change_password(core: Core, actor: Actor, old: str, new: str, keep_session: str | None = None) -> None:
    """Change one's own password. BadInput when the old one does not fit or the new one is too weak.

    All other sessions end; `keep_session` is the id of the one that asks.
    """
    faults = password_faults(new, actor.user_id)
    if new == old:
        faults.append(Fault("password", "same_password", "must differ from the old one"))
    with core.store.read() as uow:
        stored = uow.need(User, actor.user_id).password_hash
    if not secrets.check_password(old, stored):
        faults.append(Fault("old_password", "wrong_password", "is not your password"))
    if faults:
        raise BadInput("the password cannot be changed", faults=faults)
    hashed = secrets.hash_password(new)
    with core.store.write() as uow:
        user = uow.for_update(User, actor.user_id)
        if user.password_hash != stored:
            raise Conflict("the password was changed meanwhile")
        user.password_hash, user.must_change_password = hashed, False
        end_sessions(core, uow, actor.user_id, keep_session)
        record_change(core, uow, actor, "user.change_password", actor.user_id)


def set_language(core: Core, actor: Actor, language: str) -> None:
    """Choose the language of one's own pages. No event: it changes nothing for anyone else."""
    if language not in LANGUAGES:
        fault = Fault("language", "bad_language", "must be one of {known}", {"known": "zh, en"})
        raise BadInput("the language is not known", faults=[fault])
    with core.store.write() as uow:
        uow.update(User, User.id == actor.user_id, language=language)


def add_user(core: Core, uow: UnitOfWork, actor: Actor, new: NewUser, hashed: str) -> None:
    """Write an account with its event, in the caller's transaction."""
    uow.add(
        User(
            id=new.id,
            name=new.name.strip(),
            department_id=new.department_id,
            phone=new.phone or None,
            password_hash=hashed,
            must_change_password=True,
            language=new.language,
            created_at=core.clock.now(),
        )
    )
    details = {"name": new.name, "department": new.department_id}
    record_change(core, uow, actor, "user.create", new.id, details)
