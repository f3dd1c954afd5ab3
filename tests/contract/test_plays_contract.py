"""What every implementation of Plays keeps: the one in memory, and Ansible on this machine.

Ansible's servers are directories of this machine here, reached without SSH; that SSH itself refuses is
asked of a port nobody listens on.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cloudctl.errors import NotFound
from cloudctl.ports import Ending, Host, Play, Plays
from provisioning.drivers.ansible_plays import AnsiblePlays
from provisioning.drivers.fake_plays import FakeGuest, FakePlays, Told

PLAYBOOKS = Path(__file__).resolve().parents[1] / "data" / "plays"


def _note(guest: FakeGuest, variables: Mapping[str, Any], _now: datetime, is_check: bool) -> Told:
    word = variables["word"]
    changed = int(guest.has.get("word") != word)
    if not is_check:
        guest.has["word"] = word
    return Told(changed, told={"word": word})


BOOKS = {
    "note": _note,
    "broken": lambda *_: Told(failure="the disk is on fire"),
    "endless": lambda *_: Told(is_endless=True),
}


@dataclass
class Ground:
    """Plays, and servers for them; each server keeps one word."""

    plays: Plays
    home: Path

    def host(self, name: str) -> Host:
        local = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "place": str(self.home / name),
        }
        return Host(name, f"10.0.0.{len(name)}", name, variables=local)

    def dead(self, name: str) -> Host:
        """A server that nobody listens on."""
        variables = {"place": str(self.home / name)}
        return Host(name, "127.0.0.1", name, port=1, variables=variables)

    def word(self, name: str) -> str | None:
        if isinstance(self.plays, FakePlays):
            return self.plays.guest(self.host(name).address).has.get("word")
        return (self.home / name).read_text() if (self.home / name).exists() else None


@pytest.fixture(params=["fake", "ansible"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    if request.param == "fake":
        plays = FakePlays(books=BOOKS)
        plays.guest("127.0.0.1", is_up=False)
        return Ground(plays, tmp_path)
    return Ground(AnsiblePlays(tmp_path, tmp_path / "keys" / "guests.key", PLAYBOOKS), tmp_path)


def test_a_second_run_changes_nothing_and_a_check_run_never_does(ground: Ground) -> None:
    hosts = (ground.host("one"), ground.host("other"))
    asked = ground.plays.run(Play("note", hosts, {"word": "ready"}, is_check=True))
    assert asked.is_fine
    assert asked.changed == 2
    assert ground.word("one") is None
    assert ground.plays.run(Play("note", hosts, {"word": "ready"})).changed == 2
    again = ground.plays.run(Play("note", hosts, {"word": "ready"}))
    assert again.is_fine
    assert again.changed == 0
    assert [ground.word("one"), ground.word("other")] == ["ready", "ready"]
    assert again.hosts["one"].told == {"word": "ready"}


def test_a_server_that_cannot_be_reached_takes_nothing_from_the_others(ground: Ground) -> None:
    seen: list[tuple[str, str]] = []
    play = Play("note", (ground.host("one"), ground.dead("gone")), {"word": "ready"})
    result = ground.plays.run(play, on_task=lambda host, _task, outcome: seen.append((host, outcome)))
    assert result.ending is Ending.FAILED
    assert not result.is_fine
    assert result.hosts["one"].is_fine
    assert not result.hosts["gone"].is_reached
    assert result.hosts["gone"].message
    assert ("gone", "unreachable") in seen
    assert ("one", "changed") in seen
    assert not ground.plays.reaches(ground.dead("gone"))


def test_a_task_that_fails_is_named_with_what_it_said(ground: Ground) -> None:
    result = ground.plays.run(Play("broken", (ground.host("one"),)))
    assert result.ending is Ending.FAILED
    assert result.hosts["one"].failed == 1
    assert result.hosts["one"].task
    assert result.hosts["one"].message == "the disk is on fire"


def test_a_play_that_takes_too_long_is_over(ground: Ground) -> None:
    result = ground.plays.run(Play("endless", (ground.host("one"),), timeout_s=3))
    assert result.ending is Ending.TIMED_OUT
    assert not result.is_fine


def test_a_play_that_is_stopped_says_so(ground: Ground) -> None:
    result = ground.plays.run(Play("endless", (ground.host("one"),)), is_stopped=lambda: True)
    assert result.ending is Ending.STOPPED


@pytest.mark.parametrize("name", ["nowhere", "../../etc/passwd"])
def test_a_playbook_that_is_not_there_is_refused(ground: Ground, name: str) -> None:
    with pytest.raises(NotFound):
        ground.plays.run(Play(name, (ground.host("one"),)))


def test_the_key_that_servers_let_in_stays_the_same(ground: Ground) -> None:
    key = ground.plays.public_key()
    assert key.startswith("ssh-ed25519 ")
    assert ground.plays.public_key() == key
