"""Break-glass: without the server, by one's own name, with a reason, on record, and only for a short list."""

from pathlib import Path

import pytest

from cloudctl import break_glass as glass
from cloudctl.cli import exits
from cloudctl.cli.main import Cloudctl
from cloudctl.clock import SystemClock
from cloudctl.config import load
from cloudctl.core import Core
from cloudctl.errors import BadInput, NotAllowed, NotFound
from cloudctl.initialise import Wish, initialise
from cloudctl.models import AuditEvent, Notice, User
from cloudctl.secrets import check_password
from tests.command_line import run

REASON = "both administrators are locked out"


@pytest.fixture
def installed(home: Path) -> Path:
    initialise(home, Wish(administrators=(("zhang", "张三"), ("li.si", "李四"))))
    return home


@pytest.fixture
def opened(installed: Path) -> Core:
    from cloudctl.bootstrap import SilentBell, open_core

    return open_core(load(installed), SystemClock(), SilentBell())


def events(core: Core) -> list[tuple[str, str]]:
    with core.store.read() as uow:
        rows = uow.all(AuditEvent, order_by=[AuditEvent.seq])
        return [(row.action, row.actor) for row in rows if row.actor.startswith("local:")]


def test_a_locked_account_opens_and_the_reason_is_on_record(installed: Path, opened: Core) -> None:
    with opened.store.write() as uow:
        uow.update(User, User.id == "zhang", failed_logins=5, locked_until=opened.clock.now())
    done = glass.break_glass(installed, "user.enable", "zhang", REASON)
    assert done["by"] == glass.operator(installed)
    with opened.store.read() as uow:
        assert uow.need(User, "zhang").locked_until is None
        event = uow.first(AuditEvent, AuditEvent.action == "break_glass")
        assert event is not None
        assert event.details == {"act": "user.enable", "subject": "zhang", "reason": REASON}
        assert set(uow.column(Notice.user_id)) >= {"zhang", "li.si"}
    assert [action for action, _ in events(opened)] == ["break_glass", "user.enable"]
    assert opened.audit.verify(opened.store).is_intact


def test_a_new_first_password_works_and_is_shown_to_the_operator_only(installed: Path, opened: Core) -> None:
    word = glass.break_glass(installed, "user.reset-password", "zhang", REASON)["first_password"]
    with opened.store.read() as uow:
        user = uow.need(User, "zhang")
        assert check_password(word, user.password_hash)
        assert user.must_change_password
        assert word not in str(uow.column(AuditEvent.details))


def test_a_try_that_fails_is_on_record_too(installed: Path, opened: Core) -> None:
    with pytest.raises(NotFound):
        glass.break_glass(installed, "user.enable", "nobody", REASON)
    assert [action for action, _ in events(opened)] == ["break_glass"]


def test_without_a_real_reason_nothing_happens(installed: Path, opened: Core) -> None:
    with pytest.raises(BadInput):
        glass.break_glass(installed, "user.enable", "zhang", "  because ")
    assert events(opened) == []


def test_only_root_and_the_owner_of_the_home_may(installed: Path) -> None:
    stranger = installed.stat().st_uid + 4242
    with pytest.raises(NotAllowed):
        glass.operator(installed, uid=stranger)
    assert glass.operator(installed, uid=0, environ={}) == "local:root"


def test_the_person_behind_sudo_is_named(installed: Path) -> None:
    assert glass.operator(installed, uid=0, environ={"SUDO_USER": "zhang"}) == "local:zhang"


def test_the_command_works_without_a_server_and_says_it_loudly(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDCTL_HOME", str(installed))
    ended = run(monkeypatch, "user", "enable", "zhang", "--break-glass", REASON, "-f", "json")
    assert ended.code == 0, ended.err
    assert ended.err.startswith("*** BREAK GLASS: user.enable zhang by local:")
    assert ended.json["reason"] == REASON
    assert run(monkeypatch, "user", "enable", "x", "--break-glass", REASON).code == exits.NOT_FOUND


def test_no_other_command_has_it() -> None:
    app = Cloudctl()
    has = set()
    for name, entry in app.command_manager:
        parser = entry.load()(app, None, cmd_name=name).get_parser(name)
        if any("--break-glass" in action.option_strings for action in parser._actions):
            has.add(name.replace(" ", "."))
    assert has == set(glass.ACTS)
