"""What a server is told when an agent comes to it."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
import yaml

from cloudctl.errors import BadInput
from cloudctl.ports import Ending, Host, HostResult, Play, PlayResult
from dr.agents.installing import Papers, Watched, Wish, install, missing, service_name, variables

PAPERS = Papers(
    {"third": "https://10.101.9.2:2379"}, Path("/k/ca.pem"), Path("/k/cert.pem"), Path("/k/key.pem")
)
WISH = Wish("人社核心", "province", "db-1", 30.0, units=("postgresql@15-main.service",))
TEMPLATES = Path(__file__).resolve().parents[2] / "playbooks/roles/agent/templates"


def test_a_server_gets_its_times_and_paths_and_no_key() -> None:
    told = variables(WISH, PAPERS)
    config = told["agent_config"]
    assert (config["group"], config["site"], config["server"]) == ("人社核心", "province", "db-1")
    assert config["timing"]["lease_s"] == 30
    assert told["agent_files"] == {"ca": "/k/ca.pem", "cert": "/k/cert.pem", "key": "/k/key.pem"}
    assert told["agent_wall_s"] == 5
    assert (Path(told["agent_scripts"]) / "keeper_script.py").is_file()
    assert json.loads(json.dumps(told)) == told


def test_services_of_different_groups_have_different_names_that_every_server_takes() -> None:
    names = {service_name(group) for group in ("人社核心", "财政", "plan a/b")}
    assert len(names) == 3
    assert all(name.isascii() and "/" not in name and " " not in name for name in names)


def test_all_faults_of_a_wish_are_named_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        variables(replace(WISH, lease_s=2, commands={"start": "x"}), PAPERS)
    assert {fault.code for fault in refused.value.faults} == {"too_short", "both", "missing"}
    with pytest.raises(BadInput):
        variables(replace(WISH, units=()), PAPERS)


def test_an_observer_has_no_writers() -> None:
    watched = (Watched("province", "application", "https://rs.example/health", "ok"),)
    config = variables(replace(WISH, site="third", units=(), watched=watched), PAPERS)["agent_config"]
    assert config["observes_only"] is True
    assert config["place"] == "third"
    assert config["observe"][0]["url"] == "https://rs.example/health"


def test_the_play_goes_to_the_one_server() -> None:
    asked: list[Play] = []

    class Plays:
        def run(self, play: Play, *rest: object) -> PlayResult:
            asked.append(play)
            return PlayResult(Ending.DONE, {"db-1": HostResult(ok=1)})

    host = Host("db-1", "10.20.0.5", "id-1")
    assert install(Plays(), host, WISH, PAPERS).is_fine  # type: ignore[arg-type]
    assert (asked[0].playbook, asked[0].hosts) == ("agent", (host,))
    assert asked[0].variables["agent_machine"] == "id-1"


def test_servers_whose_agents_the_witness_never_heard_of_are_named() -> None:
    assert missing(["db-2", "db-1", "app"], ["db-1"]) == ["app", "db-2"]


@pytest.fixture
def writers(tmp_path: Path) -> Path:
    """The program that the role writes, for commands in the place of units."""
    mark = tmp_path / "runs"
    commands = {
        "start": f"touch {mark}",
        "stop": f"rm -f {mark}",
        "kill": f"rm -f {mark}",
        "runs": f"[ -e {mark} ]",
    }
    config = variables(replace(WISH, units=(), commands=commands), PAPERS)
    source = (TEMPLATES / "writers.sh.j2").read_text()
    program = tmp_path / "writers"
    program.write_text(
        jinja2.Environment(trim_blocks=True, autoescape=False).from_string(source).render(config)
    )
    program.chmod(0o755)
    return program


def test_the_program_of_the_writers_does_what_the_keeper_asks(writers: Path) -> None:
    def does(word: str) -> int:
        return subprocess.run([writers, word], check=False).returncode

    assert [does(word) for word in ("runs", "start", "runs", "stop", "runs", "kill")] == [1, 0, 0, 0, 1, 0]


def test_all_of_it_is_on_the_disk_before_it_is_started() -> None:
    """Found on the lab: a copy taken 34 s later had the start file with nothing in it, and ran no writers."""
    tasks = yaml.safe_load((TEMPLATES.parent / "tasks/main.yml").read_text())
    written = ("ansible.builtin.copy", "ansible.builtin.template", "ansible.builtin.include_tasks")
    [synced] = [at for at, one in enumerate(tasks) if one.get("ansible.builtin.command") == "sync"]
    [started] = [at for at, one in enumerate(tasks) if one.get("ansible.builtin.meta") == "flush_handlers"]
    assert max(at for at, one in enumerate(tasks) if any(word in one for word in written)) < synced < started
