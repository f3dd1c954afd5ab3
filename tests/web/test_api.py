"""The REST API: shapes, errors, headers, and that it asks the same use cases as the portal."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from apiflask import APIFlask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cloudctl import errors
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.models import AuditEvent, ServiceRequest, TopologyVersion
from tenants import ledger
from tests.builders import a_county_form, a_vm_form, an_actor
from tests.web.conftest import Api
from web.access import ACCESS
from web.errors import STATUS, status_of
from web.headers import HEADERS

WithToken = Callable[..., Api]
DATA = Path(__file__).resolve().parents[1] / "data"


def leaves(kind: type[CloudctlError] = CloudctlError) -> Iterator[type[CloudctlError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from leaves(below)


EXPECTED = {
    "error": 500, "refused": 409, "over_quota": 409, "not_allowed": 403, "second_person_needed": 409,
    "bad_input": 422, "not_signed_in": 401, "not_found": 404, "conflict": 409, "wrong_state": 409,
    "stale_plan": 412, "lease_lost": 409, "cloud_unavailable": 503, "cloud_busy": 503, "cloud_rejected": 502,
    "cloud_quota_exceeded": 502, "cloud_forbidden": 502, "cloud_not_found": 502, "cloud_conflict": 502,
    "build_failed": 502, "timed_out": 500, "store_unavailable": 503, "application_unavailable": 503,
    "witness_unavailable": 503, "name_service_unavailable": 503, "name_service_refused": 502, "fenced": 409,
    "storage_unavailable": 503, "storage_busy": 503, "storage_refused": 502, "misconfigured": 500,
    "audit_broken": 500, "object_missing": 502, "object_locked": 502, "vault_full": 502, "not_proved": 502,
    "seal_broken": 502, "guest_not_ready": 503, "database_refused": 502, "observe_only": 409,
}  # fmt: skip


def test_every_error_of_the_floor_has_its_status() -> None:
    ours = {one.code: one for one in leaves() if one.__module__ == errors.__name__}
    statuses = {code: int(status_of(one("x"))) for code, one in ours.items()}
    assert statuses | {"cancelled": 500} == EXPECTED | {"cancelled": 500}
    assert set(STATUS) <= set(leaves())


def test_an_error_is_a_problem_in_the_readers_language(api: WithToken) -> None:
    for language, words in (("zh", "申请 77 不存在"), ("en", "request 77 does not exist")):
        answer = api("alice", language).get("/requests/77")
        assert answer.status_code == 404
        assert answer.mimetype == "application/problem+json"
        problem = answer.get_json()
        assert problem["detail"] == words
        assert problem["code"] == "not_found"
        assert problem["type"] == "urn:cloudctl:error:not_found"
        assert problem["request_id"] == answer.headers["X-Request-Id"]
        assert set(problem) == {
            "type", "title", "status", "code", "detail", "retry", "faults", "cloud_request_id", "request_id",
        }  # fmt: skip


def test_chinese_is_not_escaped(api: WithToken) -> None:
    answer = api("alice").get("/me")
    assert "李爱丽" in answer.text
    assert answer.get_json()["department_name"] == "财政厅"


def test_no_token_a_bad_token_and_another_scheme_are_all_told_to_sign_in(anonymous: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer cct_wrong"}, {"Authorization": "Basic YTpi"}):
        answer = anonymous.get("/api/v1/me", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.get_json()["code"] == "not_signed_in"


def test_all_faults_come_at_once_each_with_its_place(api: WithToken) -> None:
    form = a_vm_form(count=0, flavor="gov.midium", ssh_key="nonsense", colour="red")
    problem = api("alice").post("/requests", form).get_json()
    assert problem["code"] == "bad_input"
    places = {fault["place"] for fault in problem["faults"]}
    assert places == {"count", "flavor", "ssh_key", "colour"}
    assert any("gov.medium" in str(fault["hint"]) for fault in problem["faults"])


def test_a_body_of_the_wrong_shape_is_refused_field_by_field(api: WithToken) -> None:
    problem = api("alice").post("/tokens", {"name": 7, "days": "x", "more": 1}).get_json()
    assert {fault["place"] for fault in problem["faults"]} == {"name", "days", "more"}
    assert api("alice").call("POST", "/tokens", data="{", content_type="application/json").status_code == 422
    assert api("alice").get("/requests", limit="many").status_code == 422
    assert api("alice").get("/requests", colour="red").status_code == 422


def test_a_request_goes_its_way_over_the_api(api: WithToken, core: Core) -> None:
    alice, bob, carol = api("alice"), api("bob"), api("carol")
    decision = alice.post("/requests/preview", a_vm_form()).get_json()
    assert decision["verdict"] == "needs_approval"
    assert decision["needed"]["volume_gib"] == 3 * 40 + 1024
    first = alice.post("/requests", a_vm_form(), Idempotency_Key="once")
    again = alice.post("/requests", a_vm_form(), Idempotency_Key="once")
    assert first.status_code == 201
    assert first.get_json()["id"] == again.get_json()["id"]
    number = first.get_json()["id"]
    assert [row["id"] for row in bob.get("/inbox").get_json()["items"]] == [number]
    assert (
        alice.post(f"/requests/{number}/approve", {"opinion": ""}).get_json()["code"]
        == "second_person_needed"
    )
    assert bob.post(f"/requests/{number}/approve", {"opinion": "同意"}).status_code == 200
    shown = carol.post(f"/requests/{number}/approve", {"opinion": "同意"}).get_json()
    assert shown["state"] == "building"
    assert {"holds", "approvals", "operation_id", "resources"} <= set(shown)
    assert [one["opinion"] for one in shown["approvals"]] == ["同意", "同意"]
    assert alice.post(f"/requests/{number}/cancel").get_json()["state"] == "cancelling"


def test_return_resubmit_reject_and_withdraw(api: WithToken) -> None:
    alice, bob = api("alice"), api("bob")
    numbers = [alice.post("/requests", a_vm_form(count=1)).get_json()["id"] for _ in range(3)]
    assert bob.post(f"/requests/{numbers[0]}/return", {"opinion": ""}).status_code == 422
    assert bob.post(f"/requests/{numbers[0]}/return", {"opinion": "少些"}).get_json()["state"] == "returned"
    again = alice.post(f"/requests/{numbers[0]}/resubmit", {"form": a_vm_form(count=2)}).get_json()
    assert again["state"] == "awaiting_approval"
    assert bob.post(f"/requests/{numbers[1]}/reject", {"opinion": "不"}).get_json()["state"] == "rejected"
    assert alice.post(f"/requests/{numbers[2]}/withdraw").get_json()["state"] == "withdrawn"
    assert alice.post(f"/requests/{numbers[2]}/withdraw").get_json()["code"] == "wrong_state"


def test_over_quota_is_a_conflict_that_names_levels_and_what_fits(api: WithToken, core: Core) -> None:
    ledger.set_limit(core, an_actor(core, "dave"), "department:gx-finance", "*", "instances", 2)
    answer = api("alice", "zh").post("/requests", a_vm_form())
    assert answer.status_code == 409
    problem = answer.get_json()
    assert problem["code"] == "over_quota"
    assert "财政厅" in problem["faults"][0]["message"]
    assert "2 台云主机" in problem["detail"]


def test_lists_come_in_pages(api: WithToken) -> None:
    alice = api("alice")
    made = [alice.post("/requests", a_vm_form(count=1)).get_json()["id"] for _ in range(5)]
    seen, marker = [], None
    while True:
        page = alice.get("/requests", limit=2, **({"marker": marker} if marker else {})).get_json()
        seen += [row["id"] for row in page["items"]]
        marker = page["next"]
        if marker is None:
            break
    assert seen == made[::-1]


def test_rows_have_id_name_and_state_everywhere(api: WithToken, core: Core) -> None:
    dave = api("dave")
    ledger.set_limit(core, an_actor(core, "dave"), "department:gx-finance", "*", "vcpus", 20)
    api("alice").post("/requests", a_vm_form(count=1))
    for path in (
        "/requests", "/quota", "/quota/drift", "/sites", "/departments", "/systems", "/catalogue",
        "/divisions", "/notices", "/audit", "/projects", "/resources", "/inbox",
        "/quota/explain?department=gx-finance",
    ):  # fmt: skip
        answer = dave.call("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        for row in answer.get_json()["items"]:
            assert {"id", "name", "state"} <= set(row), path


def test_quota_is_set_shown_and_explained(api: WithToken) -> None:
    dave = api("dave")
    body = {"scope": "department:gx-finance", "kind": "vcpus", "limit": 20, "guarantee": 4}
    row = dave.call("PUT", "/quota", json=body).get_json()
    assert (row["limit"], row["held"], row["used"], row["free"], row["over"]) == (20, 0, 0, 20, 0)
    rows = api("alice").get("/quota/explain", department="gx-finance", site="province").get_json()["items"]
    tightest = [row for row in rows if row["kind"] == "vcpus" and row["tightest"]]
    assert [(row["scope"], row["site"]) for row in tightest] == [("department:gx-finance", "*")]
    assert api("alice").call("PUT", "/quota", json=body).status_code == 403
    assert dave.get("/quota/explain").status_code == 422
    assert dave.post("/quota/repair").get_json()["items"] == []


def test_accounts_and_roles_over_the_api(api: WithToken) -> None:
    sam = api("sam")
    made = sam.post("/users", {"id": "zhao", "name": "赵一", "department": "gx-finance"})
    assert made.status_code == 201
    assert made.get_json()["first_password"]
    grant = sam.post("/users/zhao/roles", {"role": "requester", "scope": "department:gx-finance"}).get_json()
    assert sam.get("/users/zhao").get_json()["roles"][0]["id"] == grant["id"]
    assert sam.call("DELETE", f"/users/zhao/roles/{grant['id']}").status_code == 200
    assert sam.post("/users/sam/roles", {"role": "auditor", "scope": "installation:*"}).status_code == 409
    assert sam.post("/users/zhao/roles", {"role": "auditor", "scope": "everywhere"}).status_code == 422
    assert sam.post("/users/zhao/password").get_json()["first_password"]
    assert sam.post("/users/zhao/disable").get_json()["state"] == "disabled"
    assert sam.post("/users/zhao/enable").get_json()["state"] == "active"
    assert api("dave").get("/users").status_code == 403
    assert "first_password" not in sam.get("/users/zhao").get_json()


def test_notices_are_read_by_their_reader_only(api: WithToken) -> None:
    api("alice").post("/requests", a_vm_form(count=1))
    bob = api("bob", "zh")
    [notice] = bob.get("/notices", unread="true").get_json()["items"]
    assert notice["needs_action"]
    assert notice["text"] == "财政厅的申请 1（1 台 gov.medium 云主机）等待您审批：单位审批"
    assert api("carol").post(f"/notices/{notice['id']}/read").status_code == 404
    assert bob.post(f"/notices/{notice['id']}/read").status_code == 200
    assert bob.get("/notices", unread="true").get_json()["items"] == []


def test_the_chain_is_listed_and_verified(api: WithToken, core: Core) -> None:
    api("erin").post("/requests", a_county_form())
    ivan = api("ivan")
    events = ivan.get("/audit", subject="service_request", limit=1).get_json()["items"]
    assert [event["action"] for event in events] == ["request.submit"]
    assert ivan.post("/audit/verify").get_json()["intact"] is True
    with core.store.write() as uow:
        uow.update(AuditEvent, AuditEvent.action == "request.submit", actor="mallory")
    verdict = ivan.post("/audit/verify").get_json()
    assert verdict["intact"] is False
    assert verdict["faults"]


def test_what_somebody_does_is_traced_to_their_call(api: WithToken, core: Core) -> None:
    answer = api("alice").post("/requests", a_vm_form(count=1))
    with core.store.read() as uow:
        event = uow.first(AuditEvent, AuditEvent.action == "request.submit")
    assert event is not None
    assert event.trace_id == answer.headers["X-Request-Id"]


def test_a_topology_is_planned_and_applied_and_a_stale_plan_refused(api: WithToken, core: Core) -> None:
    dave = api("dave")
    text = (DATA / "topology.yaml").read_bytes()
    send = {"data": text, "content_type": "application/yaml", "query_string": {"name": "topology.yaml"}}
    made = dave.call("POST", "/topology/plan", **send).get_json()
    stale = json.loads(json.dumps(made))
    assert made["changes"]
    body = {"plan": made["plan"], "allow_destroy": True}
    assert dave.post("/topology/apply", body).status_code == 200
    assert dave.post("/topology/apply", {**body, "plan": stale["plan"]}).status_code == 412
    assert dave.call("POST", "/topology/plan", **send).get_json()["changes"] == []
    assert dave.get("/topology").get_json()["applied_by"] == "dave"
    assert api("alice").call("POST", "/topology/plan", **send).status_code == 403


def test_every_fault_of_a_topology_has_its_line_and_chinese_words(api: WithToken, core: Core) -> None:
    text = (DATA / "topology_faults.yaml").read_bytes()
    send = {"data": text, "content_type": "application/yaml", "query_string": {"name": "bad.yaml"}}
    problem = api("dave", "zh").call("POST", "/topology/plan", **send).get_json()
    assert problem["code"] == "bad_input"
    assert len(problem["faults"]) > 5
    assert all(fault["place"].startswith("bad.yaml:") for fault in problem["faults"])
    assert "未作任何更改" in problem["detail"]
    with core.store.read() as uow:
        assert uow.count(TopologyVersion) == 1


def test_a_body_beyond_the_limit_is_refused_and_a_topology_may_be_larger(api: WithToken) -> None:
    large = b"x" * (1024 * 1024 + 1)
    dave = api("dave")
    assert dave.call("POST", "/tokens", data=large, content_type="application/json").status_code == 413
    assert dave.call("POST", "/topology/plan", data=large, content_type="application/yaml").status_code == 422
    huge = b"x" * (8 * 1024 * 1024 + 1)
    refused = dave.call("POST", "/topology/plan", data=huge, content_type="application/yaml")
    assert refused.status_code == 413
    assert refused.get_json()["code"] == "too_large"


def test_a_number_no_database_can_hold_is_the_id_of_nothing(api: WithToken) -> None:
    huge = 9 * 10**29
    for path in (f"/requests/{huge}", f"/operations/{huge}"):
        assert api("dave").get(path).status_code == 404
    for path, query in (("/resources", "request"), ("/operations", "request"), ("/requests", "marker")):
        assert api("dave").get(path, **{query: huge}).status_code == 422


def test_every_answer_carries_the_security_headers(api: WithToken, anonymous: FlaskClient) -> None:
    for answer in (api("alice").get("/me"), anonymous.get("/sign-in"), anonymous.get("/no-such-page")):
        assert HEADERS.items() <= dict(answer.headers).items()
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_bug_shows_its_number_and_nothing_else(app: APIFlask, api: WithToken) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("the secret of the house")

    app.view_functions["people.me"] = broken
    answer = api("alice").get("/me")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.get_json()["request_id"].startswith("req-")


def test_the_log_has_a_line_for_a_call_and_no_secret(api: WithToken) -> None:
    structlog.reset_defaults()
    alice = api("alice")
    with capture_logs() as lines:
        alice.post("/tokens", {"name": "my secret name", "days": 3})
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["user"] == "alice"
    assert line["status"] == 201
    assert line["path"] == "/api/v1/tokens"
    assert "cct_" not in str(lines)
    assert "my secret name" not in str(lines)


def test_the_document_is_openapi_3_1_and_names_every_call(anonymous: FlaskClient, app: APIFlask) -> None:
    spec = anonymous.get("/api/v1/openapi.json").get_json()
    assert spec["openapi"] == "3.1.0"
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")}
    assert len(spec["paths"]) == len(rules - {"/api/v1/openapi.json"})
    assert "/sign-in" not in spec["paths"]
    for path, calls in spec["paths"].items():
        for call in calls.values():
            assert call["summary"], path
            assert "default" in call["responses"], path


def test_health_needs_no_token_and_tells_nothing(anonymous: FlaskClient) -> None:
    for path in ("live", "ready"):
        assert anonymous.get(f"/api/v1/health/{path}").get_json() == {"state": "ok"}


def test_the_way_through_the_api_and_the_portal_is_the_same_record(api: WithToken, core: Core) -> None:
    number = api("alice").post("/requests", a_vm_form(count=1)).get_json()["id"]
    with core.store.read() as uow:
        assert uow.need(ServiceRequest, number).requested_by == "alice"


def test_an_operation_is_followed_and_only_administrators_touch_it(api: WithToken) -> None:
    alice, carol = api("alice"), api("carol")
    number = alice.post("/requests", a_vm_form(count=1)).get_json()["id"]
    for who in ("bob", "carol"):
        shown = api(who).post(f"/requests/{number}/approve", {"opinion": ""}).get_json()
    operation = shown["operation_id"]
    assert alice.get(f"/operations/{operation}").get_json()["steps"] == []
    assert [row["id"] for row in alice.get("/operations", state="open").get_json()["items"]] == [operation]
    assert api("erin").get(f"/operations/{operation}").status_code == 404
    assert alice.post(f"/operations/{operation}/retry").status_code == 403
    assert carol.post(f"/operations/{operation}/retry").status_code == 200
    refused = carol.post(f"/operations/{operation}/abandon", {"reason": "tired of it"})
    assert refused.get_json()["code"] == "wrong_state"


def test_the_page_about_the_api_names_every_call(app: APIFlask) -> None:
    page = (DATA.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/"):
            path = rule.rule.removeprefix("/api/v1").replace("<int:", "{").replace("<", "{").replace(">", "}")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert f"| {method} | `{path}` | {ACCESS[rule.endpoint]} |" in page, (method, path)
