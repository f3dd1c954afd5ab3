"""Drills over the API, on pages and on the command line: looked at, begun, watched, ended, on a calendar."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from cloudctl.actors import Role
from cloudctl.cli import exits
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.lifecycle import PlanState
from cloudctl.models import AuditEvent, Drill, DrillCalendar, Notice, Operation, ProtectionPlan, User
from dr.drills import calendar
from dr.plans.document import Document, Part
from tests.builders import a_person
from tests.command_line import CommandLine, a_server
from tests.protecting import BUDGET, a_point, a_policy, a_vault, a_volume
from tests.web.conftest import Api, Portal

PARTS = (Part("db", ("vm1",)), Part("app", ("vm2",), ("db",)))


class NoClouds:
    """A drill is asked for without any cloud."""

    def at(self, site_id: str) -> object:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def plan(core: Core, province: None) -> str:
    a_vault(core)
    a_volume(core)
    a_policy(core)
    a_point(core, core.clock.now() - timedelta(hours=2))
    document = Document("预算系统", BUDGET, "province", "city-1", 86_400, 3600, PARTS)
    with core.store.write() as uow:
        uow.add(
            ProtectionPlan(
                name=document.name, system_id=BUDGET, document=document.as_json(), sha256=document.sha256,
                state=PlanState.NEEDS_VERIFICATION, home_site_id="province", recovery_site_id="city-1",
                active_site_id="province", created_at=core.clock.now(), created_by="dave",
            )
        )  # fmt: skip
    a_person(core, "olga", Role.DR_OFFICER, ("site", "city-1"))
    with core.store.write() as uow:
        uow.need(User, "olga").password_hash = uow.need(User, "dave").password_hash
    return document.name


@pytest.fixture
def cloudctl(core: Core, plan: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_server(core, NoClouds()) as url:  # type: ignore[arg-type]
        yield CommandLine(core, url, monkeypatch)


def _reach(core: Core, drill_id: int, state: str, **changes: object) -> None:
    with core.store.write() as uow:
        row = uow.need(Drill, drill_id)
        row.state = state
        for key, value in changes.items():
            setattr(row, key, value)


def test_an_officer_looks_first_and_begins_one_drill_at_a_time(
    api: Callable[..., Api], core: Core, plan: str
) -> None:
    olga = api("olga", "zh")
    looked = olga.post("/drills/preview", {"plan": plan}).get_json()
    assert (looked["state"], looked["site"], looked["vault"]) == ("possible", "city-1", "city-1")
    answer = olga.post("/drills", {"plan": plan, "hold_s": 600, "reason": "每季演练"})
    row = answer.get_json()
    assert (answer.status_code, row["state"], row["name"]) == (202, "requested", plan)
    assert (row["verdict"], row["rpo_s"], row["rto_s"], row["checks"], row["left_behind"]) == (
        None, None, None, [], [],
    )  # fmt: skip
    assert [(one["name"], one["state"], one["needs"]) for one in row["parts"]] == [
        ("db", "waiting", []),
        ("app", "waiting", ["db"]),
    ]
    again = olga.post("/drills", {"plan": plan})
    assert (again.status_code, again.get_json()["detail"]) == (
        409,
        f"“{plan}”已有演练在进行，或尚未清理完毕",
    )
    with core.store.read() as uow:
        [event] = uow.all(AuditEvent, AuditEvent.action == "dr.drill.start")
        assert uow.need(Operation, row["operation_id"]).kind == "drill"
    assert event.actor == "olga"
    assert api("bob").get(f"/drills/{row['id']}").status_code == 200
    assert api("bob").post("/drills", {"plan": plan}).status_code == 403, "a department sees, and waits"
    assert api("grace").get(f"/drills/{row['id']}").status_code == 404


def test_a_drill_that_cannot_be_is_refused_with_every_reason(
    api: Callable[..., Api], core: Core, clock: FrozenClock, plan: str
) -> None:
    clock.advance(30 * 86_400)
    with core.store.write() as uow:
        [row] = uow.all(ProtectionPlan)
        row.state = PlanState.SUSPENDED
    answer = api("olga", "zh").post("/drills", {"plan": plan}).get_json()
    assert [one["code"] for one in answer["faults"]] == ["wrong_state", "stale"]
    wrong = api("olga").post("/drills", {"plan": plan, "fault": "never"})
    assert (wrong.status_code, wrong.get_json()["faults"][0]["place"]) == (422, "fault")


def test_a_hold_is_ended_and_a_drill_stopped_by_whoever_may_rehearse(
    api: Callable[..., Api], core: Core, plan: str
) -> None:
    olga = api("olga")
    number = olga.post("/drills", {"plan": plan}).get_json()["id"]
    assert olga.post(f"/drills/{number}/end").get_json()["code"] == "wrong_state"
    _reach(core, number, "holding", hold_until=core.clock.now() + timedelta(hours=1))
    assert olga.post(f"/drills/{number}/end").get_json()["hold_until"] == "2026-11-21T08:00:00Z"
    assert olga.post(f"/drills/{number}/abort", {"reason": " "}).status_code == 422
    assert olga.post(f"/drills/{number}/abort", {"reason": "enough"}).status_code == 202
    with core.store.read() as uow:
        assert uow.need(Drill, number).options["aborted_by"] == "olga"
    _reach(core, number, "cleaning")
    assert olga.post(f"/drills/{number}/abort", {"reason": "enough"}).status_code == 409


def test_pages_show_the_plan_of_a_drill_its_progress_and_the_calendar(
    portal: Callable[[str], Portal], core: Core, plan: str
) -> None:
    olga = portal("olga")
    form = olga.get(f"/recovery/drills/of/{plan}")
    assert "开始演练" in form.text
    assert "在 db 之后" in form.text
    answer = olga.post(f"/recovery/drills/of/{plan}", hold="30", fault="now", reason="每季演练")
    assert answer.status_code == 303
    shown = olga.get("/recovery/drills/1")
    assert "已申请" in shown.text
    assert 'http-equiv="refresh"' in shown.text
    parts = {"db": {"progress": "answered", "begun_s": 3.0, "active_s": 20.0, "answered_s": 31.5, "why": ""}}
    seen = {"parts": parts, "times": {"precheck": 0.0, "verified": 52.8}, "is_one_clock": True,
            "isolation": {"tried": ["198.51.100.10:5000"], "rounds": 9, "answered": {}, "ways_out": []},
            "checks": {"tcp://vm1:5432@10.0.0.1": [True, "open"]}}  # fmt: skip
    _reach(core, 1, "done", verdict="passed", rto_s=52.8, rpo_s=600.0, seen=seen)
    shown = olga.get("/recovery/drills/1")
    assert "52.8" in shown.text
    assert "应用通过检查" in shown.text
    assert "共探测 9 轮，网络以外的 1 个地址均无应答。" in shown.text
    assert 'http-equiv="refresh"' not in shown.text
    assert "每季" not in olga.get("/recovery/drills/").text
    assert "容灾演练" in olga.get("/recovery/drills/").text


def test_a_drill_is_begun_shown_and_listed_from_the_command_line(
    cloudctl: CommandLine, core: Core, plan: str
) -> None:
    tried = cloudctl("dr", "drill", "start", plan, "--dry-run", "-f", "json", user="olga")
    assert (tried.code, tried.json["state"]) == (exits.DONE, "possible")
    made = cloudctl("dr", "drill", "start", plan, "--hold", "30m", "-f", "json", user="olga").json
    assert made["state"] == "requested"
    for key in ("verdict", "rpo_s", "rto_s", "checks", "timeline", "left_behind"):
        assert key in made
    busy = cloudctl("dr", "drill", "start", plan, user="olga")
    assert busy.code == exits.CONFLICT
    _reach(core, made["id"], "done", verdict="failed", why="db: no answer", rto_s=None)
    ended = cloudctl("dr", "drill", "show", str(made["id"]), "--wait", user="olga")
    assert ended.code == exits.FAILED
    assert "failed: db: no answer" in ended.err
    assert [row["verdict"] for row in cloudctl.rows("dr", "drill", "list", user="olga")] == ["failed"]
    assert cloudctl("dr", "drill", "start", plan, "--hold", "soon", user="olga").code == exits.USAGE


def test_plans_are_rehearsed_by_themselves_when_the_calendar_says_so(
    cloudctl: CommandLine, core: Core, clock: FrozenClock, plan: str
) -> None:
    entry = ("dr", "drill", "calendar")
    refused = cloudctl(*entry, "set", plan, "--every", "30d", user="olga")
    assert refused.code == exits.REFUSED, "to rehearse is one right, to say how often another"
    row = cloudctl(
        *entry, "set", plan, "--every", "1d", "--window", "22:00-06:00", "-f", "json", user="dave"
    ).json
    assert (row["state"], row["window"]) == ("on", {"from": "22:00", "until": "06:00"})
    assert calendar.begin_due(core) == []
    off = cloudctl(*entry, "off", plan, "-f", "json", user="dave").json
    assert (off["state"], off["next_at"]) == ("off", None)
    cloudctl(*entry, "set", plan, "--every", "1d", user="dave")
    clock.advance(86_400 + 12 * 3600)
    [operation] = calendar.begin_due(core)
    assert calendar.begin_due(core) == [], "another worker finds nothing to do"
    with core.store.read() as uow:
        [drill] = uow.all(Drill)
        [after] = uow.all(DrillCalendar)
    assert (drill.operation_id, drill.begun_by) == (operation, "system")
    assert after.next_at > clock.now()
    _reach(core, drill.id, "done")
    clock.advance(5 * 86_400)
    assert calendar.begin_due(core) == [], "the point is stale by now"
    with core.store.read() as uow:
        told = uow.all(Notice, Notice.subject_kind == "protection_plan")
    assert told
    assert all("three times its rhythm" in one.params["why"] for one in told)


def test_the_moment_of_a_random_drill_is_told_to_nobody(api: Callable[..., Api], plan: str) -> None:
    body = {"every_s": 30 * 86_400, "is_random": True}
    row = api("dave").call("PUT", f"/drills/calendar/{plan}", json=body).get_json()
    assert (row["is_random"], row["next_at"]) == (True, None)
    [listed] = api("olga").get("/drills/calendar").get_json()["items"]
    assert listed["next_at"] is None
    wrong = api("dave").call(
        "PUT", f"/drills/calendar/{plan}", json={"every_s": 60, "window": {"from": "late"}}
    )
    assert [one["place"] for one in wrong.get_json()["faults"]] == ["every", "window"]
