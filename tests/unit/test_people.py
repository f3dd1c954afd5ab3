"""Accounts and roles: who may change what about whom."""

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, NotAllowed, NotFound, Refused, SecondPersonNeeded
from cloudctl.models import AuditEvent, Notice, RoleGrant, Session, Token, User
from cloudctl.queries.people import list_tokens, list_users, show_user, who_am_i
from tenants import people
from tenants.people import NewUser, roles
from tests.builders import a_person, a_province, an_actor

FINANCE = ("department", "gx-finance")
GOOD = "Correct-horse-7"


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def events(core: Core, action: str) -> list[AuditEvent]:
    with core.store.read() as uow:
        return uow.all(AuditEvent, AuditEvent.action == action)


def codes(error: BadInput) -> set[str]:
    return {fault.code for fault in error.faults}


def test_a_new_user_gets_a_password_that_must_be_changed_and_no_role(core: Core) -> None:
    password = people.create_user(core, an_actor(core, "sam"), NewUser("zhao", "赵一", "gx-finance"))
    secret = people.sign_in(core, "zhao", password, "10.0.0.1")
    visit = people.visit_of_session(core, secret)
    assert visit.must_change_password
    assert visit.actor.grants == frozenset()
    assert [event.subject_id for event in events(core, "user.create")] == ["zhao"]


def test_a_bad_account_is_told_all_faults_at_once(core: Core) -> None:
    new = NewUser("X", "", "no-such", phone="call me", language="fr", password="short")
    with pytest.raises(BadInput) as caught:
        people.create_user(core, an_actor(core, "sam"), new)
    expected = "bad_user_id bad_name unknown_department bad_phone bad_language bad_length too_simple"
    assert codes(caught.value) >= set(expected.split())


def test_an_id_is_taken_once(core: Core) -> None:
    with pytest.raises(Conflict):
        people.create_user(core, an_actor(core, "sam"), NewUser("alice", "另一个爱丽"))


@pytest.mark.parametrize("who", ["alice", "bob", "carol", "dave", "ivan"])
def test_only_system_administrators_change_accounts(core: Core, who: str) -> None:
    actor = an_actor(core, who)
    for act in (
        lambda: people.create_user(core, actor, NewUser("zhao", "赵一")),
        lambda: people.disable_user(core, actor, "erin"),
        lambda: people.enable_user(core, actor, "erin"),
        lambda: people.set_password(core, actor, "erin"),
        lambda: people.grant_role(core, actor, "erin", "requester", FINANCE),
        lambda: people.revoke_role(core, actor, "erin", 1),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_nobody_gives_themselves_a_role_or_ends_themselves(core: Core) -> None:
    sam = an_actor(core, "sam")
    for act in (
        lambda: people.grant_role(core, sam, "sam", "auditor", INSTALLATION),
        lambda: people.disable_user(core, sam, "sam"),
        lambda: people.enable_user(core, sam, "sam"),
        lambda: people.set_password(core, sam, "sam"),
    ):
        with pytest.raises(SecondPersonNeeded):
            act()


def test_a_role_is_given_once_recorded_and_taken_again(core: Core) -> None:
    sam = an_actor(core, "sam")
    people.create_user(core, sam, NewUser("zhao", "赵一", "gx-finance"))
    grant = people.grant_role(core, sam, "zhao", "requester", FINANCE)
    assert people.grant_role(core, sam, "zhao", "requester", FINANCE) == grant
    assert an_actor(core, "zhao").has(Role.REQUESTER, [FINANCE])
    people.revoke_role(core, sam, "zhao", grant)
    assert not an_actor(core, "zhao").grants
    with pytest.raises(NotFound):
        people.revoke_role(core, sam, "zhao", grant)
    assert len(events(core, "role.grant")) == len(events(core, "role.revoke")) == 1


@pytest.mark.parametrize(
    ("user", "role", "scope"),
    [
        ("alice", "system_admin", INSTALLATION),
        ("alice", "auditor", INSTALLATION),
        ("ivan", "requester", FINANCE),
        ("ivan", "system_admin", INSTALLATION),
    ],
)
def test_who_administers_or_audits_does_nothing_else(
    core: Core, user: str, role: str, scope: tuple[str, str]
) -> None:
    with pytest.raises(Refused, match="beside other roles"):
        people.grant_role(core, an_actor(core, "sam"), user, role, scope)


def test_an_auditor_may_audit_several_departments(core: Core) -> None:
    sam = an_actor(core, "sam")
    people.create_user(core, sam, NewUser("audrey", "敖德"))
    people.grant_role(core, sam, "audrey", "auditor", FINANCE)
    people.grant_role(core, sam, "audrey", "auditor", ("department", "nn-qingxiu-edu"))
    assert len(an_actor(core, "audrey").grants) == 2


@pytest.mark.parametrize(
    ("role", "scope", "code"),
    [
        ("emperor", INSTALLATION, "unknown_role"),
        ("requester", INSTALLATION, "bad_scope"),
        ("cloud_admin", FINANCE, "bad_scope"),
        ("province_admin", ("installation", "x"), "bad_scope"),
        ("requester", ("department", "no-such"), "unknown_scope"),
        ("division_reviewer", ("division", "999999"), "unknown_scope"),
    ],
)
def test_a_role_is_held_where_it_means_something(
    core: Core, role: str, scope: tuple[str, str], code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        people.grant_role(core, an_actor(core, "sam"), "alice", role, scope)
    assert codes(caught.value) == {code}


def test_a_closed_account_gets_no_role(core: Core) -> None:
    sam = an_actor(core, "sam")
    people.disable_user(core, sam, "alice")
    with pytest.raises(Refused, match="closed"):
        people.grant_role(core, sam, "alice", "department_approver", FINANCE)


def test_the_last_administrator_stays(core: Core) -> None:
    sam = an_actor(core, "sam")
    sue = a_person(core, "sue", Role.SYSTEM_ADMIN, INSTALLATION)
    people.disable_user(core, sue, "sam")
    with core.store.read() as uow:
        last = uow.first(RoleGrant, RoleGrant.user_id == "sue")
    assert last is not None
    with pytest.raises(Refused, match="last system administrator"):
        people.revoke_role(core, sam, "sue", last.id)
    with pytest.raises(Refused, match="last system administrator"):
        people.disable_user(core, sam, "sue")


def test_a_closed_account_loses_session_and_tokens_and_may_be_opened_again(core: Core) -> None:
    sam = an_actor(core, "sam")
    password = people.create_user(core, sam, NewUser("zhao", "赵一"))
    secret = people.sign_in(core, "zhao", password, "10.0.0.1")
    people.create_token(core, an_actor(core, "zhao"), "laptop", 30)
    people.disable_user(core, sam, "zhao")
    people.disable_user(core, sam, "zhao")
    with core.store.read() as uow:
        assert uow.count(Session, Session.ended_at.is_(None)) == 0
        assert uow.count(Token, Token.revoked_at.is_(None)) == 0
        assert show_user(uow, sam, core.clock.now(), "zhao")["state"] == "disabled"
    people.enable_user(core, sam, "zhao")
    people.sign_in(core, "zhao", password, "10.0.0.1")
    with pytest.raises(Exception, match="ended"):
        people.visit_of_session(core, secret)
    assert len(events(core, "user.disable")) == 1


def test_an_administrators_new_password_is_told_to_its_owner(core: Core) -> None:
    password = people.set_password(core, an_actor(core, "sam"), "alice")
    secret = people.sign_in(core, "alice", password, "10.0.0.1")
    assert people.visit_of_session(core, secret).must_change_password
    with core.store.read() as uow:
        assert uow.count(Notice, Notice.user_id == "alice") == 1


def test_changing_the_password_keeps_this_session_and_ends_the_others(core: Core) -> None:
    first = people.set_password(core, an_actor(core, "sam"), "alice")
    here = people.sign_in(core, "alice", first, "10.0.0.1")
    elsewhere = people.sign_in(core, "alice", first, "10.0.0.2")
    visit = people.visit_of_session(core, here)
    people.change_password(core, visit.actor, first, GOOD, visit.session_id)
    assert not people.visit_of_session(core, here).must_change_password
    with pytest.raises(Exception, match="ended"):
        people.visit_of_session(core, elsewhere)
    people.sign_in(core, "alice", GOOD, "10.0.0.1")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("wrong", GOOD, "wrong_password"),
        (None, "Aa1-short", "bad_length"),
        (None, "onlysmallletters", "too_simple"),
        (None, "Alice-is-2-good", "holds_user_id"),
        (None, "x" * 300 + "A1", "bad_length"),
        (None, None, "same_password"),
    ],
)
def test_a_password_that_will_not_do_says_why(
    core: Core, old: str | None, new: str | None, code: str
) -> None:
    first = people.set_password(core, an_actor(core, "sam"), "alice")
    with pytest.raises(BadInput) as caught:
        people.change_password(core, an_actor(core, "alice"), old or first, new or first)
    assert code in codes(caught.value)


def test_the_first_administrators_are_two_and_come_once(home_core: Core) -> None:
    with pytest.raises(BadInput) as caught:
        people.first_administrators(home_core, [("admin-1", "管理员甲")])
    assert codes(caught.value) == {"too_few"}
    made = people.first_administrators(home_core, [("admin-1", "管理员甲"), ("admin-2", "管理员乙")])
    assert set(made) == {"admin-1", "admin-2"}
    assert "***" in repr(made["admin-1"])
    secret = people.sign_in(home_core, "admin-1", made["admin-1"], "local")
    actor = people.actor_of_session(home_core, secret)
    assert actor.may("user.change")
    with pytest.raises(Conflict):
        people.first_administrators(home_core, [("eve-1", "x"), ("eve-2", "y")])


@pytest.fixture
def home_core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    from tests.conftest import make_core

    home = tmp_path_factory.mktemp("empty")
    return make_core(home)


def test_lists_show_people_to_those_who_may_see_them(core: Core) -> None:
    now = core.clock.now()
    with core.store.read() as uow:
        rows = list_users(uow, an_actor(core, "sam"), now, limit=2)
        assert [row["id"] for row in rows] == ["alice", "bob"]
        assert rows[0]["roles"][0]["scope"] == "department:gx-finance"
        assert [row["id"] for row in list_users(uow, an_actor(core, "ivan"), now, marker="ivan")] == ["sam"]
        finance = list_users(uow, an_actor(core, "sam"), now, department="gx-finance")
        assert {row["id"] for row in finance} == {"alice", "bob"}
        with pytest.raises(NotAllowed):
            list_users(uow, an_actor(core, "alice"), now)
        with pytest.raises(NotFound):
            show_user(uow, an_actor(core, "alice"), now, "bob")
        assert show_user(uow, an_actor(core, "alice"), now, "alice")["name"] == "李爱丽"
        assert who_am_i(uow, an_actor(core, "alice"), now)["department_name"] == "财政厅"
        assert list_tokens(uow, an_actor(core, "alice"), now) == []


def test_no_secret_of_anyone_is_in_the_database_in_clear(core: Core) -> None:
    password = people.set_password(core, an_actor(core, "sam"), "alice")
    secret = people.sign_in(core, "alice", password, "10.0.0.1")
    token = people.create_token(core, an_actor(core, "alice"), "laptop", 30)
    everything = b"".join(path.read_bytes() for path in core.settings.home.glob("cloudctl.db*"))
    for clear in (password, secret, token):
        assert clear.encode() not in everything
    with core.store.read() as uow:
        stored = uow.need(User, "alice").password_hash
    assert stored is not None
    assert stored.startswith("$argon2id$")


def test_every_role_can_be_held_somewhere() -> None:
    assert set(roles.SCOPES) == set(Role)
    assert all(kinds for kinds in roles.SCOPES.values())
