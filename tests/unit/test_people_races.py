"""What must hold when two people act in the same moment, on PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, NotSignedIn
from cloudctl.models import RoleGrant, User
from tenants import people
from tests.builders import a_person, a_province, an_actor
from tests.conftest import make_core

pytestmark = pytest.mark.postgres
FINANCE = ("department", "gx-finance")


@pytest.fixture
def core(postgres_url: str, home: Path) -> Iterator[Core]:
    home.mkdir()
    made = make_core(home, postgres_url)
    a_province(made)
    yield made
    made.store.close()


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Run all side by side; the code of each refusal."""

    def refusal(act: Callable[[], object]) -> str | None:
        try:
            act()
        except CloudctlError as error:
            return error.code
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return [code for code in pool.map(refusal, acts) if code is not None]


@pytest.mark.parametrize("round_", range(5))
def test_two_administrators_who_end_each_other_leave_one(core: Core, round_: int) -> None:
    sam, sue = an_actor(core, "sam"), a_person(core, "sue", Role.SYSTEM_ADMIN, INSTALLATION)
    codes = at_once(
        lambda: people.disable_user(core, sam, "sue"), lambda: people.disable_user(core, sue, "sam")
    )
    assert codes == ["refused"]
    with core.store.read() as uow:
        assert uow.count(User, User.id.in_(["sam", "sue"]), User.disabled_at.is_(None)) == 1


@pytest.mark.parametrize("round_", range(5))
def test_two_roles_that_exclude_each_other_are_not_both_given(core: Core, round_: int) -> None:
    a_person(core, "sue", Role.SYSTEM_ADMIN, INSTALLATION)
    people.create_user(core, an_actor(core, "sam"), people.NewUser("zhao", "赵一"))
    codes = at_once(
        lambda: people.grant_role(core, an_actor(core, "sam"), "zhao", "auditor", INSTALLATION),
        lambda: people.grant_role(core, an_actor(core, "sue"), "zhao", "requester", FINANCE),
    )
    assert codes == ["refused"]
    with core.store.read() as uow:
        assert uow.count(RoleGrant, RoleGrant.user_id == "zhao") == 1


def test_guesses_side_by_side_lock_the_account(core: Core) -> None:
    password = people.set_password(core, an_actor(core, "sam"), "alice")
    tries = core.settings.login_failures * 2
    guesses = [lambda n=n: people.sign_in(core, "alice", f"guess {n}", "10.0.0.9") for n in range(tries)]
    assert at_once(*guesses) == ["not_signed_in"] * tries
    with pytest.raises(NotSignedIn):
        people.sign_in(core, "alice", password, "10.0.0.1")
    with core.store.read() as uow:
        assert uow.need(User, "alice").failed_logins == core.settings.login_failures
