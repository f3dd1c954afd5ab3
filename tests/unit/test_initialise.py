"""`cloudctl init`: makes what is missing, changes nothing that is there, and tells what it did."""

import stat
from pathlib import Path

import pytest

from cloudctl import config
from cloudctl.cli import exits
from cloudctl.errors import BadInput, Conflict
from cloudctl.initialise import Wish, initialise
from cloudctl.models import AuditEvent, User
from cloudctl.store import Store
from tests.command_line import Ended, run


@pytest.fixture
def init(home: Path, monkeypatch: pytest.MonkeyPatch) -> "object":
    monkeypatch.setenv("CLOUDCTL_HOME", str(home))
    return lambda *argv: run(monkeypatch, "init", *argv)


def snapshot(home: Path) -> dict[str, bytes]:
    files = (path for path in home.rglob("*") if path.is_file() and ".db-" not in path.name)
    return {str(path): path.read_bytes() for path in files}


def test_a_new_installation_is_private_whole_and_has_two_administrators(home: Path) -> None:
    result = initialise(home, Wish())
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in (home / "cloudctl.yaml", *(home / "keys").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert len(result.passwords) == 2
    store = Store(config.load(home).database_url)
    with store.read() as uow:
        assert set(result.passwords) == set(uow.column(User.id))
        assert all(uow.column(User.must_change_password))
        assert uow.count(AuditEvent) >= 2
    assert store.schema_differences() == []
    store.close()


def test_again_says_what_is_there_and_changes_nothing(home: Path) -> None:
    initialise(home, Wish())
    before = snapshot(home)
    result = initialise(home, Wish())
    assert snapshot(home) == before
    assert result.passwords == {}
    assert {part.state for part in result.parts} == {"there", "yours to make"}


def test_a_dry_run_writes_nothing_at_all(home: Path) -> None:
    result = initialise(home, Wish(), dry_run=True)
    assert not home.exists()
    assert {part.state for part in result.parts} == {"would be made", "yours to make"}


def test_a_home_that_others_could_read_is_made_private(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)  # whatever the umask of this process is by now
    [part] = [part for part in initialise(home, Wish()).parts if part.name == "home"]
    assert part.state == "changed"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_half_made_installation_is_completed(home: Path) -> None:
    initialise(home, Wish())
    (home / "cloudctl.db").unlink()
    for path in home.glob("cloudctl.db-*"):
        path.unlink()
    result = initialise(home, Wish())
    assert len(result.passwords) == 2
    assert {part.name for part in result.parts if part.state == "made"} == {"database", "administrators"}


def test_another_database_than_the_one_there_is_a_conflict(home: Path) -> None:
    initialise(home, Wish())
    with pytest.raises(Conflict, match="names another database"):
        initialise(home, Wish(database="postgresql://elsewhere/cloudctl"))


def test_one_administrator_alone_is_refused_before_anything_is_made(home: Path) -> None:
    with pytest.raises(BadInput) as caught:
        initialise(home, Wish(administrators=(("zhang", "张三"),)))
    assert [fault.code for fault in caught.value.faults] == ["too_few"]
    assert not home.exists()


def test_the_command_shows_the_first_passwords_once(init: "object") -> None:
    first: Ended = init("--admin", "zhang=张三", "--admin", "li.si=李四", "-f", "json")
    assert first.code == 0, first.err
    assert [one["id"] for one in first.json["administrators"]] == ["zhang", "li.si"]
    again: Ended = init("-f", "json")
    assert again.json["administrators"] == []
    for one in first.json["administrators"]:
        assert one["password"] not in again.out + again.err


def test_a_password_in_an_argument_is_refused(init: "object", home: Path) -> None:
    ended: Ended = init("--database", "postgresql://cloudctl:secret@db/cloudctl")
    assert ended.code == exits.USAGE
    assert "CLOUDCTL_DATABASE" in ended.err
    assert "secret" not in ended.err
    assert not home.exists()


@pytest.mark.postgres
def test_a_database_with_a_password_comes_from_the_environment(
    init: "object", home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDCTL_DATABASE", postgres_url)
    ended: Ended = init()
    assert ended.code == 0, ended.err
    assert config.load(home).database == postgres_url
    assert postgres_url.split(":")[2].split("@", maxsplit=1)[0] not in ended.out
