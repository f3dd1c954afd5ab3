"""Rates, rules and frozen months over the API and on pages."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudctl.core import Core
from cloudctl.models import SystemVersion
from tests.counted_register import MOVED, a_system, a_target, runs, then
from tests.web.conftest import Api, Portal

WithToken = Callable[..., Api]
SignIn = Callable[[str], Portal]
RULES = Path(__file__).resolve().parents[2] / "examples" / "rules"
PROVINCE = "division:450000"


@pytest.fixture(autouse=True)
def register(core: Core, province: None) -> None:
    """Three of four of the region's own have moved; one of them is proved."""
    with core.store.write() as uow:
        uow.delete(SystemVersion, SystemVersion.id > 0)
    for n in range(4):
        dated: dict[str, Any] = {**MOVED, "old_host_off_on": date(2026, 1, 1)} if n < 3 else {}
        a_system(core, f"s{n}", **dated)
    runs(core, "s0", core.clock.now() - timedelta(days=31))
    a_target(core, PROVINCE, 9500, date(2026, 12, 31))


def apply(api: Api, text: str | bytes, **query: object) -> object:
    answer = api.call(
        "POST", "/migration/rules", data=text, query_string=query, content_type="application/yaml"
    )
    return answer.get_json()


# -- the API


def test_rates_have_the_keys_that_scripts_rely_on(api: WithToken) -> None:
    rows = api("alice").get("/migration/rate").get_json()["items"]
    assert [row["id"] for row in rows] == [PROVINCE, "own:450000", "division:450100"]
    row = rows[0]
    assert {key: row[key] for key in ("numerator", "denominator", "rate", "verified_rate", "target")} == {
        "numerator": 3, "denominator": 4, "rate": "75.00", "verified_rate": "25.00", "target": "95.00",
    }  # fmt: skip
    assert (row["deadline"], row["rule"], row["on"]) == ("2026-12-31", "default@1", "2026-11-21")
    assert rows[2]["rate"] is None


def test_a_past_day_a_scope_a_group_and_a_ranking_can_be_asked_for(api: WithToken, core: Core) -> None:
    then(core, "s3", core.clock.now() - timedelta(days=3), **MOVED)
    alice = api("alice")
    past = alice.get("/migration/rate", scope="own:450000", on="2026-11-01").get_json()["items"]
    assert [row["rate"] for row in past] == ["75.00"]
    by_level = alice.get("/migration/rate", scope="own:450000", by="level").get_json()["items"]
    assert [row["group"] for row in by_level] == ["level:province"]
    ranking = alice.get("/migration/ranking", of="departments").get_json()["items"]
    assert [(row["rank"], row["name"], row["rate"]) for row in ranking] == [(1, "财政厅", "100.00")]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/migration/rate?on=2027-01-01", 422),
        ("/migration/rate?on=yesterday", 422),
        ("/migration/rate?scope=x", 422),
        ("/migration/rate?by=size", 422),
        ("/migration/rate?scope=division:459999", 404),
        ("/migration/rate?rule=gx@7", 404),
        ("/migration/ranking?of=towns", 422),
        ("/migration/forecast?target=much", 422),
        ("/migration/evidence?which=all", 422),
        ("/migration/evidence/nobody", 404),
        ("/migration/snapshots/2026-10", 404),
        ("/migration/rules/gx@1", 404),
    ],
)
def test_what_is_asked_wrongly_is_answered_plainly(api: WithToken, path: str, status: int) -> None:
    answer = api("alice").call("GET", path)
    assert answer.status_code == status, answer.text
    assert answer.get_json()["detail"]


def test_every_piece_of_evidence_says_why_in_the_readers_language(api: WithToken) -> None:
    rows = api("dave", "zh").get("/migration/evidence", which="moved", limit=2).get_json()
    assert rows["next"] == "s1"
    live = rows["items"][0]["evidence"][0]
    assert live["name"] == "live"
    assert live["value"] == "yes"
    assert live["why"] == "自2026年10月21日 16:00起在省级政务云有云主机持续运行"
    row = api("dave").get("/migration/evidence/s1").get_json()
    assert row["evidence"][0]["why"] == "no look has found a running server of it"
    assert "template" not in row["evidence"][0]
    assert api("erin").get("/migration/evidence/s1").status_code == 404


def test_the_forecast_says_what_it_cannot(api: WithToken) -> None:
    row = api("alice", "zh").get("/migration/forecast").get_json()
    assert (row["expected_rate"], row["why"], row["pace_needed"]) == (None, "too_short", 1)
    assert row["why_text"] == "按本口径冻结的月份不足4个（现有0个）"
    assert api("alice").get("/migration/forecast", target="75%").get_json()["state"] == "reached"


def test_a_rule_is_applied_from_its_file_and_all_its_faults_come_at_once(api: WithToken) -> None:
    dave = api("dave")
    made = apply(dave, (RULES / "demo-0d.yaml").read_bytes(), use=True)
    assert (made["id"], made["state"]) == ("demo-0d@1", "current")  # type: ignore[index]
    assert dave.get("/migration/rate").get_json()["items"][0]["rule"] == "demo-0d@1"
    broken = (RULES / "gx-2026.yaml").read_text().replace("live_days: 30", "live_dys: x")
    problem = apply(dave, broken, name="gx.yaml")
    assert [fault["place"] for fault in problem["faults"]] == ["gx.yaml:22:1"]  # type: ignore[index]
    assert "live_days" in problem["faults"][0]["hint"]  # type: ignore[index]
    shown = dave.get("/migration/rules/current").get_json()
    assert shown["document"]["live_days"] == 0
    ids = [row["id"] for row in dave.get("/migration/rules").get_json()["items"]]
    assert ids == ["default@1", "demo-0d@1"]
    used = dave.post("/migration/rules/use", {"rule": "default@1"}).get_json()
    assert used["state"] == "current"
    assert api("alice").post("/migration/rules/use", {"rule": "default@1"}).status_code == 403


def test_a_month_is_frozen_shown_compared_and_verified(api: WithToken, core: Core) -> None:
    dave, alice = api("dave"), api("alice")
    assert alice.post("/migration/snapshots", {"month": "2026-10"}).status_code == 403
    made = dave.post("/migration/snapshots", {"month": "2026-09"})
    assert made.status_code == 201
    assert made.get_json()["figures"][0]["rate"] == "75.00"
    then(core, "s3", datetime(2026, 10, 5, tzinfo=UTC), **MOVED)
    dave.post("/migration/snapshots", {"month": "2026-10"})
    again = dave.post("/migration/snapshots", {"month": "2026-10"})
    assert again.get_json()["faults"][0]["place"] == "reason"
    rows = alice.get("/migration/snapshots").get_json()["items"]
    assert [(row["month"], row["state"]) for row in rows] == [("2026-10", "valid"), ("2026-09", "valid")]
    shown = alice.get("/migration/snapshots/latest", scope=PROVINCE).get_json()
    assert [row["rate"] for row in shown["figures"] if row["group"] == "all"] == ["100.00"]
    systems = alice.get("/migration/snapshots/latest/systems", limit=3).get_json()
    assert [row["id"] for row in systems["items"]] == ["s0", "s1", "s2"]
    assert systems["next"] == "s2"
    changed = alice.get("/migration/snapshots/latest/differences", beside="2026-09").get_json()["items"]
    assert [(row["id"], row["what"]) for row in changed] == [("s3", "changed")]
    verdict = alice.post("/migration/snapshots/verify").get_json()
    assert verdict == {"intact": True, "snapshots": 2, "faults": []}


def test_flags_are_told_in_words(api: WithToken, core: Core) -> None:
    api("dave").post("/migration/snapshots", {"month": "2026-10"})
    then(core, "s3", core.clock.now() - timedelta(days=1), stage="exempt", exempt_until=date(2027, 1, 1))
    flags = api("alice", "zh").get("/migration/flags", scope=PROVINCE).get_json()["items"]
    assert [(row["scope"], row["state"]) for row in flags] == [(PROVINCE, "reached_by_subtraction")]
    assert flags[0]["text"] == "上云率100.00%达到目标95.00%，是因为分母减少了1个系统；否则为75.00%"


# -- pages


def test_the_page_shows_rate_target_ranking_and_the_rule_beside_them(portal: SignIn) -> None:
    page = portal("alice").get("/migration/")
    assert page.status_code == 200, page.text
    for words in (
        "上云率",
        "75.00%",
        "25.00%",
        "95.00%",
        "南宁市",
        "默认统计口径（default@1）",
        "假上云",
        "还需迁移",
    ):
        assert words in page.text, words
    assert 'width="750"' in page.text
    assert 'x="948"' in page.text, "the line of the target"
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_every_number_leads_to_the_systems_behind_it(portal: SignIn) -> None:
    here = portal("dave")
    page = here.get("/migration/?scope=own:450000&of=departments&on=2026-11-20")
    assert "/migration/systems?scope=own:450000&amp;which=idle&amp;on=2026-11-20" in page.text
    listed = here.get("/migration/systems?scope=own:450000&which=moved")
    assert listed.status_code == 200
    for words in (
        "已上云系统",
        "系统s0",
        "云主机运行：<b>是</b>",
        "旧环境下线：<b>是</b>",
        "广西壮族自治区本级",
    ):
        assert words in listed.text, words
    assert "系统s3" not in listed.text
    assert "系统s0" not in portal("erin").get("/migration/systems").text


def test_a_department_can_look_at_its_own_rate(portal: SignIn) -> None:
    page = portal("alice").get("/migration/?scope=department:gx-finance")
    assert "<h2>财政厅</h2>" in page.text


def test_a_day_that_is_none_is_told_on_the_page(portal: SignIn) -> None:
    page = portal("alice").get("/migration/?on=2026-13-01")
    assert page.status_code == 422
    assert "不是日期" in page.text


def test_the_rule_is_shown_switch_by_switch(portal: SignIn) -> None:
    page = portal("alice").get("/migration/rule")
    for words in (
        "统计口径",
        "省级、市级",
        "云主机须不间断运行天数",
        "30",
        "批复有效期内剔除",
        "已验收、已完成",
    ):
        assert words in page.text, words
    assert portal("alice").get("/migration/rule?rule=none").status_code == 404


def test_a_month_is_frozen_on_the_page_and_never_twice_without_a_reason(portal: SignIn, core: Core) -> None:
    dave = portal("dave")
    done = dave.post("/migration/months/", month="2026-10", reason="")
    assert done.status_code == 303
    page = dave.get(done.headers["Location"])
    assert "该月已冻结" in page.text
    assert "75.00%" in page.text
    again = dave.post("/migration/months/", month="2026-10", reason="")
    assert again.status_code == 422
    assert "再次冻结须说明理由" in again.text
    listed = portal("alice").get("/migration/months/")
    assert "2026-10" in listed.text
    assert "冻结该月" not in listed.text
    assert portal("alice").post("/migration/months/", month="2026-09").status_code == 403


def test_forecast_and_flags_are_on_the_page(portal: SignIn, core: Core) -> None:
    dave = portal("dave")
    for month in ("2026-07", "2026-08", "2026-09", "2026-10"):
        dave.post("/migration/months/", month=month, reason="")
    then(core, "s3", core.clock.now() - timedelta(days=1), stage="exempt", exempt_until=date(2027, 1, 1))
    page = dave.get("/migration/")
    for words in ("减分母达标", "与上一份月度快照比较：2026-10 default r1", "预测", "的把握在"):
        assert words in page.text, words
    assert "预测" not in dave.get("/migration/?on=2026-11-01").text, "a forecast is made from today"
