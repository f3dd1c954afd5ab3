"""Signing in: lockout, sessions that end, tokens that end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotFound, NotSignedIn
from cloudctl.models import AuditEvent, Session, Token, User
from tenants import people
from tests.builders import a_province, an_actor


@pytest.fixture
def password(core: Core) -> str:
    a_province(core)
    return people.set_password(core, an_actor(core, "sam"), "alice")


def refused(core: Core, user_id: str, password: str) -> str:
    with pytest.raises(NotSignedIn) as caught:
        people.sign_in(core, user_id, password, "10.0.0.9")
    return caught.value.text()


def test_five_wrong_passwords_lock_for_a_while(core: Core, clock: FrozenClock, password: str) -> None:
    for _ in range(core.settings.login_failures):
        refused(core, "alice", "wrong")
    refused(core, "alice", password)
    clock.advance(core.settings.lockout_s - 1)
    refused(core, "alice", password)
    clock.advance(1)
    people.sign_in(core, "alice", password, "10.0.0.1")
    with core.store.read() as uow:
        events = uow.all(AuditEvent, AuditEvent.action == "session.refuse", order_by=[AuditEvent.seq])
    assert [event.details["locked"] for event in events] == [False] * 4 + [True] * 3


def test_the_right_password_in_time_starts_the_count_anew(core: Core, password: str) -> None:
    for _ in range(3):
        for _ in range(core.settings.login_failures - 1):
            refused(core, "alice", "wrong")
        people.sign_in(core, "alice", password, "10.0.0.1")


def test_after_the_lock_the_count_starts_anew(core: Core, clock: FrozenClock, password: str) -> None:
    for _ in range(core.settings.login_failures):
        refused(core, "alice", "wrong")
    clock.advance(core.settings.lockout_s)
    refused(core, "alice", "wrong")
    people.sign_in(core, "alice", password, "10.0.0.1")


def test_guesses_side_by_side_count_like_guesses_in_a_row(core: Core, password: str) -> None:
    checked = core.settings.login_failures
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: refused(core, "alice", f"wrong{n}"), range(checked * 3)))
    with core.store.read() as uow:
        assert uow.need(User, "alice").failed_logins == checked
    refused(core, "alice", password)


def test_unknown_closed_and_locked_accounts_get_the_same_answer(core: Core, password: str) -> None:
    wrong = refused(core, "alice", "wrong")
    people.disable_user(core, an_actor(core, "sam"), "bob")
    assert refused(core, "nobody-here", "wrong") == wrong == refused(core, "bob", "wrong")


def test_a_name_nobody_has_is_not_written_down(core: Core, password: str) -> None:
    refused(core, "my-password-by-mistake", "x")
    with core.store.read() as uow:
        event = uow.first(AuditEvent, AuditEvent.action == "session.refuse")
    assert event is not None
    assert event.actor == "unknown"
    assert event.details == {"address": "10.0.0.9", "locked": False}


def test_every_sign_in_makes_a_new_session_of_which_only_the_fingerprint_is_kept(
    core: Core, password: str
) -> None:
    first = people.sign_in(core, "alice", password, "10.0.0.1")
    second = people.sign_in(core, "alice", password, "10.0.0.1")
    assert first != second
    with core.store.read() as uow:
        ids = {row.id for row in uow.all(Session)}
    assert len(ids) == 2
    assert not {first, second} & ids


def test_a_session_ends_when_idle_and_lives_while_used(core: Core, clock: FrozenClock, password: str) -> None:
    secret = people.sign_in(core, "alice", password, "10.0.0.1")
    for _ in range(4):
        clock.advance(core.settings.session_idle_s - 1)
        people.actor_of_session(core, secret)
    clock.advance(core.settings.session_idle_s)
    with pytest.raises(NotSignedIn):
        people.actor_of_session(core, secret)


def test_a_session_ends_after_its_time_however_busy(core: Core, clock: FrozenClock, password: str) -> None:
    secret = people.sign_in(core, "alice", password, "10.0.0.1")
    for _ in range(core.settings.session_s // 1200 - 1):
        clock.advance(1200)
        people.actor_of_session(core, secret)
    clock.advance(1200)
    with pytest.raises(NotSignedIn):
        people.actor_of_session(core, secret)


def test_signing_out_ends_the_session_for_good(core: Core, password: str) -> None:
    secret = people.sign_in(core, "alice", password, "10.0.0.1")
    people.sign_out(core, secret)
    people.sign_out(core, secret)
    people.sign_out(core, "never heard of")
    with pytest.raises(NotSignedIn):
        people.actor_of_session(core, secret)


def test_a_token_carries_the_roles_its_owner_has_when_it_is_used(core: Core, password: str) -> None:
    token = people.create_token(core, an_actor(core, "alice"), "laptop", 30)
    assert token.startswith("cct_")
    actor = people.actor_of_token(core, token, "trace-1")
    assert actor.trace_id == "trace-1"
    assert actor.may("request.create", [("department", "gx-finance")])


def test_a_token_notes_its_use_at_most_once_a_minute(core: Core, clock: FrozenClock, password: str) -> None:
    token = people.create_token(core, an_actor(core, "alice"), "laptop", 30)
    used = []
    for _ in range(3):
        people.actor_of_token(core, token)
        with core.store.read() as uow:
            row = uow.first(Token)
        assert row is not None
        used.append(row.last_used_at)
        clock.advance(40)
    assert used[0] == used[1] != used[2]


def test_a_token_ends_by_time_by_revoking_and_with_its_owner(
    core: Core, clock: FrozenClock, password: str
) -> None:
    alice, sam = an_actor(core, "alice"), an_actor(core, "sam")
    tokens = [people.create_token(core, alice, f"t{n}", days) for n, days in enumerate((1, 30, 30))]
    with core.store.read() as uow:
        ids = {row.name: row.id for row in uow.all(Token)}
    clock.advance(86400)
    people.revoke_token(core, alice, ids["t1"])
    people.revoke_token(core, alice, ids["t1"])
    for token in tokens[:2]:
        with pytest.raises(NotSignedIn):
            people.actor_of_token(core, token)
    people.actor_of_token(core, tokens[2])
    people.disable_user(core, sam, "alice")
    for lost in (*tokens, "cct_never-made"):
        with pytest.raises(NotSignedIn):
            people.actor_of_token(core, lost)


def test_nobody_ends_the_tokens_of_others_but_an_administrator(core: Core, password: str) -> None:
    people.create_token(core, an_actor(core, "alice"), "laptop", 30)
    with core.store.read() as uow:
        row = uow.first(Token)
    assert row is not None
    with pytest.raises(NotFound):
        people.revoke_token(core, an_actor(core, "bob"), row.id)
    people.revoke_token(core, an_actor(core, "sam"), row.id)


def test_a_bad_token_order_says_all_that_is_wrong(core: Core, password: str) -> None:
    with pytest.raises(BadInput) as caught:
        people.create_token(core, an_actor(core, "alice"), " ", 0)
    assert {fault.place for fault in caught.value.faults} == {"name", "days"}
