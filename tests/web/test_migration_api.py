"""The migration over the API: stages, exemptions, targets, waves, facilities, certificates."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloudctl.core import Core
from tests.builders import a_resource, a_vm_form
from tests.migrating import ASSETS, BUDGET, DECISION, bind, go, registered
from tests.web.conftest import Api

WithToken = Callable[..., Api]
A_TARGET = {
    "name": "整体上云率", "scope": "division:450000", "measure": "migration_rate", "value": 95,
    "due_on": "2026-12-31", "source": "鲁政办发〔2019〕8号",
}  # fmt: skip
A_WAVE = {"name": "第一批", "scope": "division:450000", "starts_on": "2026-12-01", "ends_on": "2026-12-31"}
A_SITE = {
    "name": "财政厅门户网站", "kind": "website", "department": "gx-finance", "domain": "czt.gxzf.gov.cn",
    "ends_on": "2026-12-31", "yearly_cost_yuan": 80_000,
}  # fmt: skip


@pytest.fixture(autouse=True)
def counted(core: Core, province: None) -> None:
    registered(core)


def test_a_system_is_moved_by_events_and_says_what_is_possible(api: WithToken) -> None:
    bob = api("bob")
    shown = bob.get(f"/systems/{BUDGET}/stage").get_json()
    assert (shown["state"], [one["id"] for one in shown["possible"]]) == (
        "registered", ["classify", "retire", "merge"],
    )  # fmt: skip
    body: dict[str, Any] = {"event": "classify", "shown": DECISION}
    tried = bob.post(f"/systems/{BUDGET}/stage", {**body, "dry_run": True}).get_json()
    assert (tried["state"], tried["changes"]["stage"]) == ("registered", ["registered", "classified"])
    moved = bob.post(f"/systems/{BUDGET}/stage", body)
    assert (moved.status_code, moved.get_json()["state"]) == (200, "classified")
    again = bob.post(f"/systems/{BUDGET}/stage", body)
    assert (again.status_code, again.get_json()["code"]) == (409, "wrong_state")
    missing = api("bob", "zh").post(f"/systems/{BUDGET}/stage", {"event": "assess"})
    assert missing.status_code == 422
    assert "评估日期" in missing.get_json()["faults"][0]["message"]
    assert api("alice").post(f"/systems/{BUDGET}/stage", body).status_code == 403
    assert api("grace").get(f"/systems/{BUDGET}/stage").status_code == 404


def test_an_exemption_goes_its_way_with_two_people(api: WithToken) -> None:
    bob, dave = api("bob"), api("dave")
    assert bob.post("/exemptions", {"system": BUDGET}).status_code == 422
    body = {
        "system": BUDGET,
        "clause": "第十二条",
        "document": "9号",
        "until": "2027-11-20",
        "reason": "专用硬件",
    }
    made = bob.post("/exemptions", body)
    assert (made.status_code, made.get_json()["state"]) == (201, "asked")
    number = made.get_json()["id"]
    assert bob.post(f"/exemptions/{number}/approve", {}).status_code == 403
    assert dave.post(f"/exemptions/{number}/reject", {}).status_code == 422
    done = dave.post(f"/exemptions/{number}/approve", {"opinion": "同意"}).get_json()
    assert (done["state"], done["decided_by_name"], done["until"]) == ("approved", "戴伟", "2027-11-20")
    assert [row["id"] for row in bob.get("/exemptions", state="approved").get_json()["items"]] == [number]
    assert api("grace").get("/exemptions").get_json()["items"] == []
    assert api("grace").get(f"/exemptions/{number}").status_code == 404
    assert dave.post(f"/exemptions/{number}/revoke", {"opinion": "条件变化"}).get_json()["state"] == "revoked"
    own = dave.post("/exemptions", {**body, "system": ASSETS}).get_json()["id"]
    refused = dave.post(f"/exemptions/{own}/approve", {})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "second_person_needed")
    assert dave.post(f"/exemptions/{own}/withdraw").get_json()["state"] == "withdrawn"


def test_a_target_is_set_decomposed_urged_reported_and_closed(api: WithToken) -> None:
    dave = api("dave")
    wrong = dave.post("/targets", {**A_TARGET, "value": "94.996", "scope": "x"})
    assert wrong.status_code == 422
    assert {fault["place"] for fault in wrong.get_json()["faults"]} == {"value", "scope"}
    made = dave.post("/targets", {**A_TARGET, "measure": "ipv6_rate"})
    assert made.status_code == 201
    number, row = made.get_json()["id"], made.get_json()
    assert (row["target"], row["rate"], row["behind"], row["lamp"]) == ("95.00", "0.00", 3, "yellow")
    tried = dave.post(f"/targets/{number}/decompose", {"to": "divisions", "dry_run": True}).get_json()
    assert [part["id"] for part in tried["parts"]] == [None, None]
    parts = dave.post(f"/targets/{number}/decompose", {"to": "divisions"}).get_json()
    assert (parts["is_enough"], len(parts["parts"])) == (True, 2)
    own = parts["parts"][0]["id"]
    assert dave.post(f"/targets/{own}/urge", {"text": ""}).status_code == 422
    assert dave.post(f"/targets/{own}/urge", {"text": "请加快"}).get_json()["told"] == ["bob"]
    assert "催办" in str(api("bob", "zh").get("/notices").get_json()["items"][0]["text"])
    assert dave.post(f"/targets/{own}/report", {"text": "已部署"}).status_code == 200
    listed = api("alice").get("/targets", parent=number).get_json()["items"]
    assert [one["scope"] for one in listed] == ["division:450100", "own:450000"]
    assert dave.post(f"/targets/{own}/close", {"reason": "销号"}).get_json()["state"] == "closed"
    assert dave.post("/targets/999/close", {}).status_code == 404
    assert api("bob").post("/targets", A_TARGET).status_code == 403


def test_targets_are_applied_from_a_list(api: WithToken) -> None:
    dave = api("dave")
    body = {"targets": [A_TARGET, {**A_TARGET, "scope": "division:450100"}]}
    tried = dave.post("/targets/apply", {**body, "dry_run": True}).get_json()["items"]
    assert [(row["id"], row["state"]) for row in tried] == [(None, "created"), (None, "created")]
    assert [row["state"] for row in dave.post("/targets/apply", body).get_json()["items"]] == ["created"] * 2
    assert [row["state"] for row in dave.post("/targets/apply", body).get_json()["items"]] == [
        "unchanged"
    ] * 2
    assert dave.post("/targets/apply", {"targets": [7]}).status_code == 422


def test_a_wave_is_planned_checked_begun_and_opened(api: WithToken) -> None:
    dave, alice = api("dave"), api("alice")
    assert dave.post("/waves", {}).status_code == 422
    made = dave.post("/waves", A_WAVE)
    assert made.status_code == 201
    wave = f"/waves/{made.get_json()['id']}"
    assert dave.get(f"{wave}/check").get_json()["is_clean"] is False
    assert dave.post(f"{wave}/start").status_code == 409
    form = {key: value for key, value in a_vm_form().items() if key not in ("kind", "system")}
    put = dave.call("PUT", f"{wave}/systems/{BUDGET}", json={"form": form})
    assert (put.status_code, put.get_json()["systems"][0]["is_sized"]) == (200, True)
    assert "ssh_key" not in put.get_json()["systems"][0]["form"]
    wrong = dave.call("PUT", f"{wave}/systems/{ASSETS}", json={"form": {"flavor": "gov.huge", "x": 1}})
    assert {fault["place"] for fault in wrong.get_json()["faults"]} == {"form.flavor", "form.x"}
    checked = dave.get(f"{wave}/check").get_json()
    assert (checked["is_clean"], checked["needed"]["instances"]) == (True, 3)
    assert dave.call("PATCH", wave, json={"is_pilot": True}).get_json()["is_pilot"] is True
    assert dave.post(f"{wave}/start").get_json()["state"] == "running"
    opened = alice.post(f"{wave}/open").get_json()["items"]
    assert [(row["id"], row["state"]) for row in opened] == [(BUDGET, "submitted")]
    assert alice.get(f"/requests/{opened[0]['request']}").get_json()["state"] == "awaiting_approval"
    assert dave.post(f"{wave}/finish").get_json()["code"] == "refused"
    assert dave.call("DELETE", f"{wave}/systems/{BUDGET}").get_json()["code"] == "conflict"
    assert dave.post(f"{wave}/cancel", {"reason": "x"}).get_json()["state"] == "cancelled"
    listed = api("ivan").get("/waves", state="cancelled").get_json()["items"]
    assert [(row["systems_count"], row["moved_count"]) for row in listed] == [(1, 0)]
    assert api("grace").get(wave).get_json()["systems"] == []


def test_facilities_are_registered_ended_and_counted(api: WithToken) -> None:
    bob, dave = api("bob"), api("dave")
    made = bob.call("PUT", "/facilities/gx-finance-web", json=A_SITE)
    assert (made.status_code, made.get_json()["state"]) == (200, "planned")
    ending = {"ended_on": "2026-11-20", "document": "40号", "into": "gxzf-portal", "domain": "www.gov.cn"}
    wrong = bob.post("/facilities/gx-finance-web/end", ending)
    assert [fault["code"] for fault in wrong.get_json()["faults"]] == ["domain_changed"]
    assert dave.get("/facilities/costs").get_json()["items"] == []
    done = bob.post("/facilities/gx-finance-web/end", {**ending, "domain": "czt.gxzf.gov.cn"}).get_json()
    assert (done["state"], done["into"]) == ("ended", "gxzf-portal")
    [row] = dave.get("/facilities/milestones").get_json()["items"]
    assert (row["kind"], row["at_start"], row["ended"], row["rate"]) == ("website", 1, 1, "100.00")
    coverage = dave.get("/facilities/coverage").get_json()["items"]
    assert coverage[0]["departments"] == {"taking_part": 2, "all": 2}
    assert bob.post("/facilities/gx-finance-web/reopen", {"reason": "误报"}).get_json()["state"] == "planned"
    net = {"code": "net", "name": "专网", "kind": "private_network", "department": "gx-finance",
           "ends_on": "2026-01-01", "yearly_cost_yuan": 500}  # fmt: skip
    assert [
        row["state"] for row in dave.post("/facilities/apply", {"facilities": [net]}).get_json()["items"]
    ] == ["created"]
    costs = dave.get("/facilities/costs").get_json()
    assert (costs["yearly_cost_yuan"], costs["without_cost"], costs["items"][0]["id"]) == (500, 0, "net")
    assert api("erin").get("/facilities").get_json()["items"] == []


def test_a_certificate_is_issued_and_anybody_with_its_code_can_check_it(
    api: WithToken, anonymous: FlaskClient, core: Core
) -> None:
    go(core, "accept")
    a_resource(core, bind(core), {"instances": 1})
    assert api("bob").get(f"/systems/{BUDGET}/gate").get_json()["verdict"] == "relies"
    made = api("bob", "zh").post(f"/systems/{BUDGET}/gate")
    assert made.status_code == 201
    certificate = made.get_json()
    assert (certificate["verdict"], certificate["state"]) == ("relies", "valid")
    assert "省级政务云" in certificate["reasons"][0]["message"]
    found = anonymous.get(f"/api/v1/gate/{certificate['code']}").get_json()
    assert (found["state"], found["name"], found["owner_name"]) == ("valid", "预算管理一体化系统", "财政厅")
    unknown = anonymous.get("/api/v1/gate/2222-2222").get_json()
    assert unknown == {"id": None, "name": None, "state": "unknown"}
    assert api("bob").post("/systems/gx-finance-secret/gate").status_code == 409
    assert api("alice").post(f"/systems/{BUDGET}/gate").status_code == 403


def test_every_list_has_rows_with_id_name_and_state(api: WithToken) -> None:
    dave, bob = api("dave"), api("bob")
    dave.post("/targets", A_TARGET)
    dave.post("/waves", A_WAVE)
    bob.call("PUT", "/facilities/gx-finance-web", json=A_SITE)
    bob.post(
        "/exemptions",
        {"system": BUDGET, "clause": "x", "document": "x", "until": "2027-01-01", "reason": "x"},
    )
    for path in ("/targets", "/waves", "/facilities", "/exemptions", "/facilities/milestones",
                 "/facilities/coverage"):  # fmt: skip
        rows = dave.get(path).get_json()["items"]
        assert rows, path
        for row in rows:
            assert {"id", "name", "state"} <= set(row), path
