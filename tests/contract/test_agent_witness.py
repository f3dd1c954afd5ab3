"""What an agent says is what cloudctl reads, and the other way round: both against three members of etcd."""

import http.server
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.ports import Observation, Register, Stopped
from dr.agents import agent_script
from dr.agents.agent_script import Agent, Silence, observe
from dr.agents.facts_script import look
from tests.etcd import EtcdMembers

Json = dict[str, Any]


class Keeper:
    """Stands in for the keeper's process: what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.until = 0.0
        self.stands_still = True

    def host(self) -> None:
        """No clock of a host."""

    def grant(self, until: float, host_until: float | None = None) -> None:
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
def on_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says which machine the agent wakes on, and whether its cloud calls it one of a rehearsal."""

    def wakes(uuid: str, is_rehearsal: bool = False) -> None:
        said = {"uuid": (0, uuid.lower()), "rehearsal": (0 if is_rehearsal else 1, "")}
        plain = agent_script.ask
        monkeypatch.setattr(agent_script, "ask", lambda word, *more: said.get(word) or plain(word, *more))

    return wakes


NOWHERE = "https://255.255.255.255:9"  # no way leads there


def test_a_copy_in_a_rehearsal_lets_its_writers_run_only_where_no_way_leads_to_the_witness(
    etcd_members: EtcdMembers, config: Json, on_machine: Callable[..., None], application: str
) -> None:
    witness, keeper, group = etcd_members.witness(), Keeper(), config["group"]
    witness.swap(None, Register(group, 4, "province", True, "province"))
    copy = {**config, "machine": "id-1", "timing": {**config["timing"], "ask_s": 0.5}}
    cut = {**copy, "members": {"province": NOWHERE, "third": NOWHERE}}
    on_machine("id-2", is_rehearsal=True)
    before = agent_script.clock()
    agent_of(cut, keeper).turn()
    assert keeper.told == ["run"]
    assert before + 30 <= keeper.until <= agent_script.clock() + 30
    agent_of(copy, keeper).turn()
    assert keeper.told == ["run", "stop"]
    assert witness.servers(group, "province") == []
    not_cut = (
        application.replace("http", "https"),
        "https://127.0.0.1:1",
    )  # something is there, if no witness
    for one in not_cut:
        with pytest.raises(Silence):
            agent_of({**copy, "members": {"province": NOWHERE, "third": one}}, keeper).turn()
    for here, is_rehearsal in (("id-2", False), ("id-1", True)):  # a copy of somebody's, and the original
        on_machine(here, is_rehearsal)
        with pytest.raises(Silence):
            agent_of(cut, keeper).turn()
    assert keeper.told == ["run", "stop"]


def test_a_disk_that_wakes_on_another_machine_says_nothing_and_lets_nothing_run(
    etcd_members: EtcdMembers, config: Json, on_machine: Callable[..., None], application: str
) -> None:
    witness, keeper, group = etcd_members.witness(), Keeper(), config["group"]
    witness.swap(None, Register(group, 4, "province", True, "province"))
    copied = {**config, "machine": "id-1"}
    on_machine("ID-2")
    agent = agent_of(copied, keeper)
    for _ in range(2):
        agent.turn()
    assert set(keeper.told) == {"stop"}
    assert witness.servers(group, "province") == []
    observe(copied, agent_script.Witness(copied), {"site": "city-1", "what": "api", "url": application})
    assert witness.read_observations(group) == []
    on_machine("ID-1")
    agent.turn()
    assert keeper.told[-1] == "run"


def test_a_disk_that_a_move_has_brought_along_speaks_for_the_machine_it_wakes_on(
    etcd_members: EtcdMembers, config: Json, on_machine: Callable[..., None]
) -> None:
    witness, keeper, group = etcd_members.witness(), Keeper(), config["group"]
    entry = witness.swap(None, Register(group, 4, "province", True, "province"))
    witness.settle(group, "id-2", "city-1", "db-1-r7")
    on_machine("id-2")
    agent = agent_of({**config, "machine": "id-1"}, keeper)
    agent.turn()
    assert (witness.servers(group, "province"), witness.servers(group, "city-1")) == ([], ["db-1-r7"])
    assert witness.read_stopped(group, "province") is None
    assert set(keeper.told) == {"stop"}
    witness.swap(entry, Register(group, 5, "city-1", True, "city-1"))
    agent.turn()
    assert keeper.told[-1] == "run"


def test_an_agent_says_which_lease_it_runs_with(etcd_members: EtcdMembers, config: Json) -> None:
    witness, keeper, group = etcd_members.witness(), Keeper(), config["group"]
    agent_of(config, keeper).turn()
    assert witness.lease_s(group, "province") == 30
    longer = {**config, "timing": {**config["timing"], "lease_s": 60.0}}
    agent_of(longer, keeper).turn()
    assert witness.lease_s(group, "province") == 60
    agent = agent_of(config, keeper)
    agent.turn()
    assert witness.lease_s(group, "province") == 60, "what it held before may not be over"
    witness.swap(None, Register(group, 2, "city-1", False, "province"))
    agent.turn()
    assert witness.lease_s(group, "province") == 30
    assert witness.read_stopped(group, "province") is not None


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
