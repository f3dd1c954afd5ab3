"""What an agent says is what cloudctl reads, and the other way round: both against three members of etcd."""

import http.server
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.ports import Observation, Register, Stopped
from dr.agents import agent_script
from dr.agents.agent_script import Agent, Silence, look, observe
from tests.etcd import EtcdMembers

Json = dict[str, Any]


class Keeper:
    """Stands in for the keeper's process: what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.until = 0.0
        self.stands_still = True

    def grant(self, until: float) -> None:
        self.told.append("run")
        self.until = until

    def stop(self, within_s: float) -> bool:
        self.told.append("stop")
        return self.stands_still

    def phase(self) -> str:
        return self.told[-1] if self.told else ""


@pytest.fixture
def config(etcd_members: EtcdMembers, tmp_path: Path) -> Json:
    home = etcd_members.home
    return {
        "group": f"核心/{uuid.uuid4().hex[:8]}", "site": "province", "place": "province", "server": "db 1",
        "members": etcd_members.urls, "timing": {"ask_s": 2.0, "lease_s": 30.0, "soft_s": 10.0},
        "ca": str(home / "ca.pem"), "cert": str(home / "cloudctl.pem"), "key": str(home / "cloudctl.key"),
        "state": str(tmp_path),
    }  # fmt: skip


def agent_of(config: Json, keeper: Keeper) -> Agent:
    return Agent(config, agent_script.Witness(config), keeper)  # type: ignore[arg-type]


def test_an_agent_lets_run_what_the_register_says_and_is_on_the_list_before(
    etcd_members: EtcdMembers, config: Json
) -> None:
    witness, keeper, group = etcd_members.witness(), Keeper(), config["group"]
    agent = agent_of(config, keeper)
    agent.turn()
    assert witness.servers(group, "province") == ["db 1"]
    assert witness.read_stopped(group, "province") is None
    assert keeper.told == ["stop"]
    witness.swap(None, Register(group, 4, "province", True, "province"))
    before = agent_script.clock()
    agent.turn()
    assert keeper.told[-1] == "run"
    assert before + 30 <= keeper.until <= agent_script.clock() + 30
    assert (Path(config["state"]) / "epoch").read_text() == "4"


def test_an_agent_whose_writers_stand_still_says_so_once_the_epoch_is_not_its_own(
    etcd_members: EtcdMembers, config: Json
) -> None:
    witness, keeper, group = etcd_members.witness(), Keeper(), config["group"]
    entry = witness.swap(None, Register(group, 4, "province", True, "province"))
    agent = agent_of(config, keeper)
    agent.turn()
    witness.swap(entry, Register(group, 5, "city-1", False, "province", "move"))
    keeper.stands_still = False
    agent.turn()
    assert witness.read_stopped(group, "province") is None
    keeper.stands_still = True
    agent.turn()
    word = witness.read_stopped(group, "province")
    assert word is not None
    assert word == Stopped(group, "province", 4, word.at, 5)
    assert word.is_proof(5)
    assert not word.is_proof(6)
    told = len(keeper.told)
    agent.turn()
    assert len(keeper.told) == told
    agent_of(config, keeper).turn()
    again = witness.read_stopped(group, "province")
    assert again is not None
    assert (again.epoch, again.seen) == (4, 5)


def test_an_agent_that_reaches_no_majority_renews_nothing(etcd_members: EtcdMembers, config: Json) -> None:
    witness, keeper = etcd_members.witness(), Keeper()
    witness.swap(None, Register(config["group"], 1, "province", True, "province"))
    agent = agent_of({**config, "timing": {**config["timing"], "ask_s": 0.3}}, keeper)
    agent.turn()
    for place in ("city-1", "third"):
        etcd_members.freeze(place)
    try:
        with pytest.raises(Silence):
            agent.turn()
    finally:
        for place in ("city-1", "third"):
            etcd_members.thaw(place)
    assert keeper.told == ["run"]
    etcd_members.await_majority()


@pytest.fixture
def application() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()
            self.wfile.write("正常".encode())

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_what_an_observer_sees_is_there_for_all(
    etcd_members: EtcdMembers, config: Json, application: str
) -> None:
    place = {"site": "city-1", "what": "application", "url": f"{application}/", "contains": "正常"}
    observe(config, agent_script.Witness(config), place)
    seen = etcd_members.witness().read_observations(config["group"])
    at = seen[0].at
    assert seen == [Observation(config["group"], "province", "city-1", "application", True, at, "HTTP 200")]


def test_an_answer_that_is_wrong_or_missing_is_no_sign_of_life(application: str) -> None:
    assert look({"url": f"{application}/", "contains": "nowhere"}) == (False, "HTTP 200")
    assert look({"url": f"{application}/broken"}) == (False, "HTTP 500")
    is_ok, detail = look({"url": "http://127.0.0.1:1/"})
    assert not is_ok
    assert "Connection refused" in detail
