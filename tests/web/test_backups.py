"""The offsite backup over the API and on its pages."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from apiflask import APIFlask

from cloudctl.core import Core
from cloudctl.ports import LockMode
from tests.protecting import ASSETS, BUDGET, KEY, a_document, a_point, a_policy, a_proof, a_vault, a_volume
from tests.unit.test_backup_acting import Stores
from tests.web.conftest import Api, NoClouds, Portal
from web.app import create_app

WithToken = Callable[..., Api]
SignedIn = Callable[[str], Portal]


@pytest.fixture(autouse=True)
def data(core: Core, province: None) -> None:
    a_vault(core)
    a_volume(core)


# -- API


def test_policies_are_applied_listed_and_shown(api: WithToken) -> None:
    dave = api("dave")
    tried = dave.post("/backup/policies/apply", {"policies": [a_document(line_mbit=10)], "dry_run": True})
    [row] = tried.get_json()["items"]
    assert (row["state"], [one["code"] for one in row["warnings"]]) == ("new", ["full_does_not_fit"])
    assert row["warnings"][0]["message"].startswith("the line takes ")
    assert dave.get("/backup/policies").get_json()["items"] == []
    dave.post("/backup/policies/apply", {"policies": [a_document()]})
    [row] = api("bob").get("/backup/policies").get_json()["items"]
    assert (row["name"], row["state"], row["members_count"], row["covered"]) == (
        "省本级关键数据",
        "active",
        1,
        0,
    )
    shown = api("bob").get("/backup/policies/省本级关键数据").get_json()
    assert (shown["id"], shown["members"][0]["system"]) == (row["id"], BUDGET)
    assert api("grace").get(f"/backup/policies/{row['id']}").get_json()["members"] == []
    assert dave.get("/backup/policies/none").status_code == 404


def test_faults_of_a_policy_are_told_in_the_readers_language(api: WithToken) -> None:
    wrong = {"policies": [a_document(lock="1d", vaults=["province"])]}
    answer = api("dave", "zh").post("/backup/policies/apply", wrong)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_input")
    assert [fault["message"] for fault in answer.get_json()["faults"]] == [
        "锁定期 1d 短于验证周期（7d），再次验证前可能已解锁",
        "T2 级要求在数据所在的 province 以外至少有 1 份副本".replace("province", "省级政务云"),
        "省级政务云 没有经过检查的备份库",
    ]
    assert api("alice").post("/backup/policies/apply", wrong).status_code == 403


def test_a_policy_is_suspended_resumed_and_retired(api: WithToken, core: Core) -> None:
    number = a_policy(core)
    dave = api("dave")
    assert dave.post(f"/backup/policies/{number}/suspend", {}).status_code == 422
    assert (
        dave.post(f"/backup/policies/{number}/suspend", {"reason": "检修"}).get_json()["state"] == "suspended"
    )
    [member] = dave.get("/backup/members").get_json()["items"]
    assert member["state"] == "suspended"
    assert dave.post(f"/backup/policies/{number}/resume", {}).get_json()["state"] == "active"
    assert dave.post(f"/backup/policies/{number}/retire", {"reason": "取代"}).get_json()["state"] == "retired"
    assert dave.post(f"/backup/policies/{number}/resume", {}).get_json()["code"] == "wrong_state"


def test_points_have_the_keys_that_scripts_rely_on(api: WithToken, core: Core) -> None:
    a_policy(core)
    point = a_point(core, core.clock.now() - timedelta(hours=3))
    a_proof(core, point, core.clock.now())
    [row] = api("bob").get("/points", system=BUDGET).get_json()["items"]
    assert {
        "id",
        "name",
        "state",
        "system",
        "taken_at",
        "stored_at",
        "level",
        "verified_at",
        "bytes",
    } <= row.keys()
    assert (row["level"], row["state"], row["taken_at"]) == ("L2", "protected", "2026-11-21T05:00:00Z")
    shown = api("bob").get(f"/points/{point[:10]}").get_json()
    assert [one["site"] for one in shown["copies"]] == ["city-1"]
    assert [one["state"] for one in shown["proofs"]] == ["passed"]
    assert shown["volumes"][0]["size_gib"] == 100
    proof = shown["proofs"][0]["id"]
    assert api("bob").get(f"/points/proofs/{proof}").get_json()["reached"] == "L2"
    [listed] = api("bob").get("/points/proofs").get_json()["items"]
    assert (listed["id"], listed["system"]) == (proof, BUDGET)
    assert api("grace").get("/points").get_json()["items"] == []
    for path in (f"/points/{point}", f"/points/proofs/{proof}", "/points/restores/1"):
        assert api("grace").get(path).status_code == 404


def test_points_come_in_pages_the_newest_first(api: WithToken, core: Core) -> None:
    a_policy(core)
    ids = [a_point(core, core.clock.now() - timedelta(days=n)) for n in range(5)]
    gone = a_point(core, core.clock.now() - timedelta(days=9), state="expired")
    first = api("dave").get("/points", limit=3).get_json()
    rest = api("dave").get("/points", limit=3, marker=first["next"]).get_json()
    assert [row["id"] for row in (*first["items"], *rest["items"])] == ids
    assert rest["next"] is None
    assert gone in [row["id"] for row in api("dave").get("/points", gone="true").get_json()["items"]]


def test_a_point_is_taken_proved_and_brought_back(api: WithToken, core: Core) -> None:
    a_policy(core)
    begun = api("bob").post("/backup/run", {"system": BUDGET})
    assert (begun.status_code, begun.get_json()["items"][0]["state"]) == (202, "planned")
    again = api("bob").post("/backup/run", {"system": BUDGET})
    assert (again.status_code, again.get_json()["code"]) == (409, "conflict")
    point = a_point(core, core.clock.now())
    proof = api("bob").post(f"/points/{point}/prove", {"level": "L1"})
    assert (proof.status_code, proof.get_json()["site"]) == (202, "city-1")
    assert api("bob").get(f"/operations/{proof.get_json()['operation_id']}").get_json()["kind"] == "proof"
    assert api("grace").get(f"/operations/{proof.get_json()['operation_id']}").status_code == 404
    restored = api("carol").post(f"/points/{point}/restore", {})
    assert restored.status_code == 202
    number = restored.get_json()["id"]
    assert api("bob").get(f"/points/restores/{number}").get_json()["state"] == "asked"
    assert api("bob").post(f"/points/{point}/restore", {}).status_code == 403
    kept = api("dave").post(f"/points/{point}/expire")
    assert (kept.status_code, kept.get_json()["code"]) == (409, "refused")


def test_a_vault_is_checked_and_its_lock_read_back(core: Core, api: WithToken) -> None:
    found = create_app(core, NoClouds(), Stores(LockMode.NONE))  # type: ignore[arg-type]
    heidi = api("heidi")
    assert heidi.post("/backup/vaults/city-1/check", {}).get_json()["code"] == "misconfigured"
    heidi.client = found.test_client()
    row = heidi.post("/backup/vaults/city-1/check", {"limit_bytes": 1 << 40}).get_json()
    assert (row["lock_mode"], row["limit_bytes"], row["state"]) == ("none", 1 << 40, "ready")
    assert heidi.post("/backup/vaults/province/check", {"escrow_key": KEY}).status_code == 403


def test_the_overview_counts_coverage_and_names_what_is_missing(api: WithToken, core: Core) -> None:
    found = api("dave").get("/backup/overview").get_json()
    assert [one["id"] for one in found["unprotected"]] == [BUDGET]
    a_policy(core)
    found = api("dave").get("/backup/overview").get_json()
    assert (found["unprotected"], [one["state"] for one in found["at_risk"]]) == ([], ["seeding"])
    assert {row["id"]: (row["must"], row["covered"]) for row in found["coverage"]} == {
        "T1": (1, 0), "T2": (1, 0), "T3": (0, 0), "T4": (0, 0),
    }  # fmt: skip


# -- pages


def test_every_page_of_the_protection_is_shown_in_both_languages(
    portal: SignedIn, core: Core, app: APIFlask
) -> None:
    policy = a_policy(core)
    point = a_point(core, core.clock.now() - timedelta(hours=40))
    a_proof(core, point, core.clock.now() - timedelta(hours=1))
    dave = portal("dave")
    paths = (
        "/backup/", "/backup/policies", f"/backup/policies/{policy}", "/backup/points",
        f"/backup/points?system={BUDGET}", f"/backup/points/{point}", "/backup/proofs",
    )  # fmt: skip
    for language, word in (("zh", "备份保护"), ("en", "Backups")):
        dave.client.set_cookie("cloudctl_language", language)
        for path in paths:
            answer = dave.get(path)
            assert answer.status_code == 200, path
            assert word in answer.text, path
    dave.client.set_cookie("cloudctl_language", "zh")
    overview = dave.get("/backup/").text
    for said in ("有超期风险", "1 天 16 小时", "100.00%", "合规锁定"):
        assert said in overview
    assert "已异地恢复且逐字节一致" in dave.get(f"/backup/points/{point}").text


def test_a_point_is_taken_and_proved_from_the_page(portal: SignedIn, core: Core) -> None:
    a_policy(core)
    point = a_point(core, core.clock.now())
    bob = portal("bob")
    assert "立即备份" in bob.get(f"/backup/points?system={BUDGET}").text
    begun = bob.post("/backup/run", system=BUDGET)
    assert begun.status_code == 303
    assert "正在生成恢复点" in bob.get(begun.location).text
    assert bob.post("/backup/run", system=BUDGET).status_code == 409
    proved = bob.post(f"/backup/points/{point}/prove", level="L2")
    assert "验证中" in bob.get(proved.location).text
    assert "立即备份" not in portal("alice").get(f"/backup/points?system={BUDGET}").text


def test_a_policy_is_suspended_from_its_page_with_a_reason(portal: SignedIn, core: Core) -> None:
    policy = a_policy(core)
    dave = portal("dave")
    refused = dave.post(f"/backup/policies/{policy}/suspend", reason="")
    assert (refused.status_code, "请说明理由" in refused.text) == (422, True)
    done = dave.post(f"/backup/policies/{policy}/suspend", reason="检修")
    assert "已暂停" in dave.get(done.location).text
    assert dave.post(f"/backup/policies/{policy}/resume").status_code == 303


def test_a_department_asks_for_a_backup_on_the_page(portal: SignedIn, core: Core) -> None:
    a_policy(core, members=[{"system": ASSETS, "site": "province"}])
    alice = portal("alice")
    form = alice.get(f"/requests/new/backup?system={BUDGET}&tier=T2")
    assert "数据异地备份" in form.text
    fields = {"system": BUDGET, "environment": "prod", "tier": "T2", "payer": "财政厅", "do": "submit"}
    sent = alice.post("/requests/new/backup", **fields)
    assert sent.status_code == 303, sent.text
    assert "申请备份（T2 级）" in alice.get(sent.location).text
