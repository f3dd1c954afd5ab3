"""What `dr witness agent` writes for the playbook."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloudctl.cli.exits import Complaint
from cloudctl.cli.witness import Agent
from cloudctl.config import FILE_NAME
from cloudctl.errors import BadInput
from tests.unit.test_witness_file import MEMBERS, written


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """The command on the machine of an installation whose plan has a lease of 20 s."""
    (tmp_path / FILE_NAME).write_text("installation: here\n")
    written(tmp_path)
    monkeypatch.setenv("CLOUDCTL_HOME", str(tmp_path))
    plan = {"name": "核心", "document": {"lease": "20s"}}
    monkeypatch.setattr(Agent, "client", SimpleNamespace(get=lambda path: plan))
    command = Agent.__new__(Agent)
    monkeypatch.setattr(command, "app", SimpleNamespace(say=lambda words: None), raising=False)
    return command


def given(file: Path, **changes: object) -> SimpleNamespace:
    words = {
        "plan": "1", "server": "db-1", "file": str(file), "site": "province",
        "unit": [], "commands": [], "observe": [],
    }  # fmt: skip
    return SimpleNamespace(**{**words, **changes})


def test_the_file_has_what_the_playbook_needs_and_no_key(agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    agent.take_action(given(file, unit=["postgresql.service"]))  # type: ignore[arg-type]
    told = json.loads(file.read_text())
    config = told["agent_config"]
    assert (config["group"], config["site"], config["timing"]["lease_s"]) == ("核心", "province", 20.0)
    assert config["members"] == MEMBERS
    assert told["agent_units"] == ["postgresql.service"]
    assert told["agent_files"]["key"] == str(tmp_path / "own.key")
    with pytest.raises(Complaint):
        agent.take_action(given(file, unit=["postgresql.service"]))  # type: ignore[arg-type]


def test_an_observer_and_commands_in_the_place_of_units_are_told_as_pairs(
    agent: Agent, tmp_path: Path
) -> None:
    file = tmp_path / "third.json"
    agent.take_action(given(file, site="third", observe=["province/api=https://10.1.0.1:5000/v3"]))  # type: ignore[arg-type]
    [watched] = json.loads(file.read_text())["agent_config"]["observe"]
    assert (watched["site"], watched["what"], watched["url"]) == (
        "province",
        "api",
        "https://10.1.0.1:5000/v3",
    )
    words = [f"{word}=/opt/app {word}" for word in ("start", "stop", "kill", "runs")]
    agent.take_action(given(tmp_path / "app.json", commands=words))  # type: ignore[arg-type]
    assert json.loads((tmp_path / "app.json").read_text())["agent_commands"]["kill"] == "/opt/app kill"


def test_what_is_no_pair_or_says_nothing_is_refused(agent: Agent, tmp_path: Path) -> None:
    with pytest.raises(Complaint):
        agent.take_action(given(tmp_path / "a", commands=["start"]))  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        agent.take_action(given(tmp_path / "b"))  # type: ignore[arg-type]
    assert not (tmp_path / "b").exists()
