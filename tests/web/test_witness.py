"""The vote of three places over the API and on the command line."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from apiflask import APIFlask

from cloudctl.cli import exits
from cloudctl.cli.witness import Dismiss, Status
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import AuditEvent
from cloudctl.ports import Observation, Register, Stopped
from dr.plans.facts import Outside
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_witness import FakeWitness
from tests.planning import a_plan, a_protected_system
from tests.web.conftest import Api
from web.app import create_app

WithToken = Callable[..., Api]


@pytest.fixture
def witness() -> FakeWitness:
    return FakeWitness()


@pytest.fixture
def app(core: Core, clock: FrozenClock, province: None, witness: FakeWitness) -> Iterator[APIFlask]:
    a_protected_system(core)
    clouds = FakeClouds({site: FakeCloud(site, clock) for site in ("province", "city-1")})
    outside = Outside(clouds, witness=witness)
    a_plan(core, outside)
    made = create_app(core, clouds, outside=lambda: outside)
    made.testing = False
    yield made


def rows(api: WithToken, kind: str) -> list[tuple[str, str, str]]:
    items = api("bob").get("/witness").get_json()["items"]
    return [(row["name"], row["place"], row["state"]) for row in items if row["kind"] == kind]


def test_members_entry_agents_and_what_was_seen_are_told(api: WithToken, witness: FakeWitness) -> None:
    assert [state for _, _, state in rows(api, "member")] == ["leader", "follower", "follower"]
    assert rows(api, "entry") == [("budget", "", "none")]
    witness.swap(None, Register("budget", 2, "city-1", False, "province", "move 1"))
    witness.enrol("budget", "province", "db-1")
    witness.observe(Observation("budget", "third", "province", "api", False, "2026-11-26T08:00:00Z"), 60)
    assert rows(api, "entry") == [("budget", "city-1", "closed")]
    assert rows(api, "agent") == [("budget/db-1", "province", "enrolled")]
    assert rows(api, "seen") == [("budget/province/api", "third", "gone")]
    witness.say_stopped(Stopped("budget", "province", 1, "2026-11-26T08:00:00Z", 2), "db-1")
    assert rows(api, "agent") == [("budget/db-1", "province", "stopped")]


def test_without_a_majority_the_members_are_told_all_the_same(api: WithToken, witness: FakeWitness) -> None:
    witness.stop_member("third")
    witness.stop_member("city-1")
    assert {state for _, _, state in rows(api, "member")} == {"silent"}
    assert rows(api, "entry") == [("*", "", "unknown")]


def test_who_has_no_part_in_recovery_is_told_nothing(api: WithToken) -> None:
    assert api("alice").get("/witness").status_code == 403


def test_a_silent_member_shows_in_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [{"kind": "member", "name": "third", "state": "silent"}]
    command = Status.__new__(Status)
    command.exit_code = 0
    monkeypatch.setattr(Status, "client", SimpleNamespace(rows=lambda path: told), raising=False)
    assert command.rows(Namespace()) == told
    assert command.exit_code == exits.UNAVAILABLE


def gone(api: WithToken, who: str, **changes: str) -> int:
    body = {
        "plan": "budget",
        "site": "province",
        "server": "db-1",
        "reason": "burnt with its rack",
        **changes,
    }
    return int(api(who).post("/witness/dismiss", body).status_code)


def test_a_dead_servers_agent_counts_no_more_once_a_person_has_said_so(
    api: WithToken, witness: FakeWitness, core: Core
) -> None:
    entry = Register("budget", 1, "province", True, "province")
    witness.swap(None, entry)
    for server in ("db-1", "db-2"):
        witness.enrol("budget", "province", server)
    witness.say_stopped(Stopped("budget", "province", 1, "2026-11-26T08:00:00Z", 2), "db-2")
    assert witness.read_stopped("budget", "province") is None
    assert gone(api, "dave", reason="gone") == 422
    assert gone(api, "dave", server="db-9") == 404
    assert gone(api, "alice") == 403
    assert witness.servers("budget", "province") == ["db-1", "db-2"]
    assert gone(api, "dave") == 200
    assert rows(api, "agent") == [("budget/db-2", "province", "stopped")]
    assert witness.read_stopped("budget", "province") is not None
    with core.store.read() as uow:
        [said] = uow.all(AuditEvent, AuditEvent.action == "witness.dismiss")
    assert (said.actor, said.details["server"], said.details["reason"]) == (
        "dave", "db-1", "burnt with its rack"
    )  # fmt: skip


def test_the_command_says_which_server_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, object]] = []
    command = Dismiss.__new__(Dismiss)
    monkeypatch.setattr(
        Dismiss, "client", SimpleNamespace(post=lambda *words: sent.append(words)), raising=False
    )
    command.one(Namespace(plan="budget", server="db-1", site="province", reason="burnt with its rack"))
    [(path, body)] = sent
    assert path == "/witness/dismiss"
    assert body == {"plan": "budget", "site": "province", "server": "db-1", "reason": "burnt with its rack"}


def test_agents_are_asked_for_by_who_may_plan_and_all_that_is_wrong_is_told(api: WithToken) -> None:
    body = {"plan": "budget", "servers": ["nobody"], "parts": ["none"]}
    answer = api("dave").post("/witness/agents", body)
    assert answer.status_code == 422
    places = {fault["place"] for fault in answer.get_json()["faults"]}
    assert places == {"servers[0]", "parts[0]"}
    assert api("bob").post("/witness/agents", {"plan": "budget"}).status_code == 403
