"""Moves over the API, on pages and on the command line: previewed, asked for, decided by two people."""

from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask

from cloudctl.actors import INSTALLATION, Role
from cloudctl.cli import exits
from cloudctl.core import Core
from cloudctl.lifecycle import PlanState
from cloudctl.models import Failover, ProtectionPlan
from dr.failover import register
from dr.plans.facts import Outside
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_witness import FakeWitness
from tests.builders import a_person
from tests.command_line import CommandLine, a_server
from tests.flows.moving import CITY, PLAN, PROVINCE, document
from tests.web.conftest import Api, Portal
from web.app import create_app

MOVE = {"plan": PLAN, "reason": "the hall is being rebuilt"}


@pytest.fixture
def witness() -> FakeWitness:
    made = FakeWitness(lambda: 0.0)
    made.swap(None, register.first(PLAN, PROVINCE))
    return made


@pytest.fixture
def plan(core: Core, province: None) -> str:
    """The sha256 of a verified plan; olga is on duty."""
    plan = document()
    with core.store.write() as uow:
        uow.add(
            ProtectionPlan(
                name=PLAN, system_id=plan.system, document=plan.as_json(), sha256=plan.sha256,
                state=PlanState.VERIFIED, home_site_id=PROVINCE, recovery_site_id=CITY,
                active_site_id=PROVINCE, epoch=1, created_at=core.clock.now(), created_by="dave",
            )
        )  # fmt: skip
    a_person(core, "carol", Role.DR_OFFICER, INSTALLATION)
    return plan.sha256


@pytest.fixture
def app(core: Core, province: None, witness: FakeWitness) -> Iterator[APIFlask]:
    clouds = FakeClouds({})
    made = create_app(core, clouds, outside=lambda: Outside(clouds, witness=witness))
    made.testing = False
    yield made


def test_a_move_is_asked_for_and_begins_with_the_second_yes(api: Callable[..., Api], plan: str) -> None:
    carol = api("carol")
    shown = carol.post("/failovers/preview", MOVE).get_json()
    assert (shown["state"], shown["plan_sha256"], shown["faults"]) == ("possible", plan, [])
    asked = carol.post("/failovers", MOVE)
    assert (asked.status_code, asked.get_json()["state"]) == (202, "requested")
    number = asked.get_json()["id"]
    stale = api("dave").post(f"/failovers/{number}/approve", {"plan_sha256": "0" * 64})
    assert (stale.status_code, stale.get_json()["code"]) == (412, "stale_plan")
    for who, state in (("dave", "requested"), ("bob", "approved")):
        answer = api(who).post(f"/failovers/{number}/approve", {"plan_sha256": plan})
        assert (answer.status_code, answer.get_json()["state"]) == (202, state)
    row = carol.get(f"/failovers/{number}").get_json()
    assert [one["name"] for one in row["approvals"]] == ["dave", "bob"]
    assert [one["state"] for one in row["timeline"]] == ["requested", "approved"]
    assert row["timeline"][0]["at"].endswith("Z")
    assert carol.get("/failovers").get_json()["items"][0]["id"] == number


def test_a_preview_says_what_is_in_the_way_in_the_readers_language(
    api: Callable[..., Api], plan: str, witness: FakeWitness
) -> None:
    witness.cut("")
    body = api("carol", "zh").post("/failovers/preview", MOVE).get_json()
    assert body["state"] == "impossible" or body["faults"] == []
    unplanned = api("carol", "zh").post("/failovers/preview", {**MOVE, "kind": "unplanned"}).get_json()
    assert [one["code"] for one in unplanned["faults"]] == ["too_few"]
    assert "观测点" in unplanned["faults"][0]["message"]


def test_the_pages_show_a_move_and_take_the_words_of_people(
    portal: Callable[[str], Portal], core: Core, plan: str
) -> None:
    carol = portal("carol")
    assert "预计丢失的数据" in carol.get(f"/recovery/plans/{PLAN}/failover").text
    answer = carol.post(f"/recovery/plans/{PLAN}/failover", kind="planned", reason="rebuilding")
    assert answer.status_code == 303
    with core.store.read() as uow:
        [row] = uow.all(Failover)
    page = portal("dave").get(f"/recovery/failovers/{row.id}").text
    assert "计划内切换" in page
    assert plan[:12] in page
    assert portal("dave").post(f"/recovery/failovers/{row.id}/approve", plan_sha256=plan).status_code == 303
    assert portal("carol").post(f"/recovery/failovers/{row.id}/approve", plan_sha256=plan).status_code == 403
    assert portal("bob").post(f"/recovery/failovers/{row.id}/reject", opinion="不同意").status_code == 303
    assert "已退回" in (listed := carol.get("/recovery/failovers").text) or "aborted" not in listed


def test_the_command_line_asks_shows_and_exits_as_scripts_expect(
    core: Core, plan: str, witness: FakeWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = FakeClouds({})
    with a_server(core, clouds, outside=lambda: Outside(clouds, witness=witness)) as url:
        cloudctl = CommandLine(core, url, monkeypatch)
        asked = cloudctl.rows("dr", "failover", "start", PLAN, "--reason", "rebuilding", user="carol")
        number = str(asked["id"])
        seen = cloudctl.rows("dr", "failover", "start", PLAN, "--dry-run", user="carol")
        assert [one["code"] for one in seen["faults"]] == ["moves_already"]
        assert cloudctl("dr", "failover", "approve", number, user="ivan").code == exits.REFUSED
        first = cloudctl.rows("dr", "failover", "approve", number, user="dave")
        assert first["state"] == "requested"
        assert cloudctl("dr", "failover", "approve", number, user="dave").code == exits.CONFLICT
        assert cloudctl.rows("dr", "failover", "show", number, user="dave")["plan_sha256"] == plan
        ended = cloudctl.rows("dr", "failover", "abort", number, "--reason", "no", user="carol")
        assert ended["state"] == "aborted"
        assert [one["state"] for one in cloudctl.rows("dr", "failover", "list", user="carol")] == ["aborted"]
        assert cloudctl("dr", "failback", "start", PLAN, "--reason", "x", user="carol").code == exits.REFUSED
