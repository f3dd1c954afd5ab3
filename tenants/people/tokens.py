"""Personal tokens of the command line and of scripts; only their SHA-256 is kept."""

from datetime import timedelta

from cloudctl import secrets
from cloudctl.actors import Actor
from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound, NotSignedIn
from cloudctl.models import Token, User
from cloudctl.secrets import Hidden
from tenants.people.roles import actor_of

MAX_TOKEN_DAYS = 366
TOUCH_S = 60  # `last_used_at` is written at most this often


def create_token(core: Core, actor: Actor, name: str, days: int) -> Hidden:
    """A new personal token, shown this once; it carries the rights its owner has when it is used."""
    faults = []
    if not 1 <= len(name.strip()) <= 100:
        faults.append(Fault("name", "bad_name", "must have 1 to 100 characters"))
    if not 1 <= days <= MAX_TOKEN_DAYS:
        most = {"most": MAX_TOKEN_DAYS}
        faults.append(Fault("days", "bad_days", "must be 1 to {most} days", most))
    if faults:
        raise BadInput("the token has faults", faults=faults)
    token = Hidden(secrets.new_token())
    with core.store.write() as uow:
        now = core.clock.now()
        row = uow.add(
            Token(
                id=new_id(),
                user_id=uow.need(User, actor.user_id).id,
                name=name.strip(),
                sha256=secrets.fingerprint(token),
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
        core.audit.record(uow, actor.user_id, "token.create", "token", row.id,
                          {"name": row.name, "days": days}, actor.trace_id)  # fmt: skip
    return token


def revoke_token(core: Core, actor: Actor, token_id: str) -> None:
    """End a token: one's own, or anybody's with `user.change`. Ended already changes nothing."""
    with core.store.write() as uow:
        token = uow.get(Token, token_id)
        if token is None or (token.user_id != actor.user_id and not actor.may("user.change")):
            raise NotFound("token '{key}' does not exist", key=token_id)
        ended = uow.update(
            Token, Token.id == token_id, Token.revoked_at.is_(None), revoked_at=core.clock.now()
        )
        if ended:
            owner = {"owner": token.user_id}
            core.audit.record(uow, actor.user_id, "token.revoke", "token", token_id, owner, actor.trace_id)


def actor_of_token(core: Core, token: str, trace_id: str | None = None) -> Actor:
    """Who carries this token, with the roles held now. NotSignedIn when it is unknown, old or revoked."""
    now = core.clock.now()
    with core.store.read() as uow:
        row = uow.first(Token, Token.sha256 == secrets.fingerprint(token))
        user = uow.get(User, row.user_id) if row is not None else None
        if row is None or user is None or user.disabled_at is not None:
            raise NotSignedIn("the token is not valid")
        if row.revoked_at is not None or row.expires_at <= now:
            raise NotSignedIn("the token was revoked or is too old", hint="make a new one in the portal")
        actor = actor_of(uow, user, trace_id)
    before = now - timedelta(seconds=TOUCH_S)
    if row.last_used_at is None or row.last_used_at < before:
        with core.store.write() as uow:
            uow.update(Token, Token.id == row.id, last_used_at=now)
    return actor
