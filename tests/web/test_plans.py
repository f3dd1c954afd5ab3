"""Protection plans over the API, on their pages and on the command line's way through both."""

from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from dr.plans import looking
from dr.plans.facts import Outside
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.planning import a_plan, a_plan_file, a_protected_system, plan_row
from tests.protecting import a_point
from tests.web.conftest import Api, Portal
from web.app import create_app

WithToken = Callable[..., Api]
SignedIn = Callable[[str], Portal]


@pytest.fixture
def outside(core: Core, clock: FrozenClock, province: None) -> Outside:
    a_protected_system(core)
    return Outside(FakeClouds({site: FakeCloud(site, clock) for site in ("province", "city-1")}))


@pytest.fixture
def app(core: Core, outside: Outside) -> Iterator[APIFlask]:
    made = create_app(core, outside.clouds, outside=lambda: outside)  # type: ignore[arg-type]
    made.testing = False
    yield made


def test_plans_are_applied_listed_shown_and_written_out_again(api: WithToken) -> None:
    dave = api("dave")
    tried = dave.post("/plans/apply", {"plans": [a_plan_file()], "dry_run": True}).get_json()["items"]
    assert (tried[0]["state"], tried[0]["result"]) == ("needs_verification", "new")
    assert dave.get("/plans").get_json()["items"] == []
    [row] = dave.post("/plans/apply", {"plans": [a_plan_file()]}).get_json()["items"]
    assert (row["id"], row["name"], row["state"], row["faults"]) == (1, "budget", "needs_verification", [])
    [row] = api("bob").get("/plans", state="needs_verification").get_json()["items"]
    assert (row["name"], row["rpo_s"], row["rto_s"], row["is_ready"]) == ("budget", 90_000, 1800, None)
    shown = api("bob").get("/plans/budget").get_json()
    assert [one["name"] for one in shown["parts"]] == ["db", "web"]
    written = dave.get("/plans/budget/document").get_json()
    [row] = dave.post("/plans/apply", written).get_json()["items"]
    assert row["result"] == "same"
    assert dave.get("/plans/nothing").status_code == 404


def test_faults_of_a_plan_are_told_in_the_readers_language(api: WithToken) -> None:
    wrong = {"plans": [a_plan_file(rpo="soon", parts=[{"name": "a", "servers": ["vm-x"], "needs": ["b"]}])]}
    answer = api("dave", "zh").post("/plans/apply", wrong)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_input")
    assert {one["place"] for one in answer.get_json()["faults"]} == {
        "rpo", "parts[0].needs[0]", "checks[0].server",
    }  # fmt: skip
    assert all(not one["message"].isascii() for one in answer.get_json()["faults"])
    assert api("bob").post("/plans/apply", wrong).status_code == 403


def test_readiness_is_asked_now_and_says_the_way_out(api: WithToken, core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    answer = api("ivan", "zh").get("/plans/budget/readiness").get_json()
    assert (answer["state"], [one["code"] for one in answer["blocks"]]) == ("not_ready", ["no_point"])
    assert "cloudctl backup run" in answer["blocks"][0]["hint"]
    a_point(core, core.clock.now())
    [row] = api("ivan").get("/readiness").get_json()["items"]
    assert (row["is_ready"], row["forecast"]["loss_s"], row["forecast"]["time_s"]) == (True, 0, None)


def test_a_plan_is_suspended_with_a_reason_and_resumed(api: WithToken, core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    dave = api("dave")
    assert dave.post("/plans/budget/suspend", {}).status_code == 422
    assert dave.post("/plans/budget/suspend", {"reason": "机房改造"}).get_json()["state"] == "suspended"
    assert dave.post("/plans/budget/resume", {}).get_json()["state"] == "needs_verification"
    assert dave.post("/plans/budget/retire", {"reason": "下线"}).get_json()["state"] == "retired"
    assert dave.post("/plans/budget/resume", {}).status_code == 409


def test_pages_show_how_a_plan_stands(portal: SignedIn, core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    dave = portal("dave")
    assert "尚未检查" in dave.get("/recovery/").text
    looking.look_due(core, outside)
    listed, page = dave.get("/recovery/").text, dave.get("/recovery/plans/budget").text
    assert "待验证" in listed
    assert "1 项障碍" in listed
    assert "没有经过校验的恢复点" in page
    assert "从未通过演练" in page
    assert "vm-web" in page
    assert "http://vm-web:80/health" in page
    assert dave.get("/recovery/plans/nothing").status_code == 404


def test_a_plan_is_suspended_and_resumed_on_its_page(portal: SignedIn, core: Core, outside: Outside) -> None:
    a_plan(core, outside)
    dave = portal("dave")
    answer = dave.post("/recovery/plans/budget/suspend", reason="")
    assert answer.status_code == 422
    assert dave.post("/recovery/plans/budget/suspend", reason="机房改造").status_code == 303
    assert plan_row(core).state == "suspended"
    assert dave.post("/recovery/plans/budget/resume").status_code == 303
    assert "须重新" not in dave.get("/recovery/plans/budget").text
    assert portal("ivan").post("/recovery/plans/budget/suspend", reason="x").status_code == 403


def test_databases_that_follow_are_set_up_by_who_plans_and_seen_by_who_sees(
    api: WithToken, core: Core, outside: Outside
) -> None:
    servers = {"province": "vm-db", "city-1": "vm-db2"}
    parts = [{"name": "db", "servers": ["vm-db"], "way": "application", "database": {"servers": servers}}]
    a_plan(core, outside, parts=parts, checks=None)
    [row] = api("bob").get("/plans/budget/databases").get_json()["items"]
    assert (row["name"], row["state"], row["writes"], row["follows"]) == ("db", "unknown", "vm-db", "vm-db2")
    assert api("bob").post("/plans/budget/databases/setup", {}).status_code == 403
    begun = api("dave").post("/plans/budget/databases/setup", {}).get_json()
    assert (begun["name"], begun["state"]) == ("budget", "queued")
    assert api("dave").post("/plans/budget/databases/setup", {}).status_code == 409
    shown = api("bob").get("/plans/budget").get_json()
    assert [one["place"] for one in shown["faults"]] == ["parts[0].database.servers.city-1"]
