"""The register over the API: lists, one system, sheets in and out, files."""

import io
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote

import openpyxl
from werkzeug.test import TestResponse

from cloudctl.clock import FrozenClock, local_day
from cloudctl.core import Core
from tests.registering import ASSETS, BUDGET, DECISION, ENROLL, SECRET, a_row, a_sheet, send
from tests.web.conftest import Api

WithToken = Callable[..., Api]


def post(api: Api, content: bytes, **query: object) -> TestResponse:
    """Send a sheet as the body."""
    return api.call(
        "POST", "/systems/import", data=content, query_string=query, content_type="application/octet-stream"
    )


def ids(answer: TestResponse) -> list[str]:
    return [row["id"] for row in answer.get_json()["items"]]


# -- lists and one system


def test_lists_are_cut_by_what_is_asked(api: WithToken, core: Core) -> None:
    send(core, a_sheet(a_row(hosting="托管", stage="已定密审查", **DECISION)))
    dave = api("dave")
    assert ids(dave.get("/systems")) == [ASSETS, BUDGET, SECRET, "gx-finance-tax", ENROLL]
    assert ids(dave.get("/systems", department="nn-qingxiu-edu")) == [ENROLL]
    assert ids(dave.get("/systems", division="450100")) == [ENROLL]
    assert len(ids(dave.get("/systems", division="450000"))) == 5
    assert ids(dave.get("/systems", hosting="colocation")) == ["gx-finance-tax"]
    assert ids(dave.get("/systems", stage="classified")) == ["gx-finance-tax"]
    assert ids(dave.get("/systems", classified="true")) == [SECRET]
    assert ids(dave.get("/systems", text="预算")) == [BUDGET]
    assert ids(dave.get("/systems", text="%")) == []
    assert dave.get("/systems", colour="red").status_code == 422
    assert dave.get("/systems", as_of="gestern").status_code == 422


def test_lists_come_in_pages_by_code(api: WithToken) -> None:
    page = api("dave").get("/systems", limit=2).get_json()
    assert page["next"] == BUDGET
    assert ids(api("dave").get("/systems", limit=2, marker=page["next"])) == [SECRET, ENROLL]


def test_everybody_sees_the_systems_of_their_own_place(api: WithToken) -> None:
    assert ids(api("erin").get("/systems")) == [ENROLL]
    assert ids(api("frank").get("/systems")) == [ENROLL]
    assert ids(api("heidi").get("/systems")) == [ENROLL], "a city's cloud sees what it serves"
    assert api("erin").get(f"/systems/{BUDGET}").status_code == 404


def test_one_system_has_every_field_and_the_keys_that_scripts_know(api: WithToken) -> None:
    shown = api("alice").get(f"/systems/{BUDGET}").get_json()
    known = "id name state department mlps_level category key_application key_data classified projects"
    fields = "hosting stage decision_document is_domestic notes division level life_state is_classified"
    assert {*known.split(), *fields.split()} <= set(shown)
    assert (shown["state"], shown["division"], shown["level"]) == ("active", "450000", "province")
    assert api("alice").get("/systems/预算管理一体化系统").get_json() == shown


def test_a_classified_system_shows_no_content(api: WithToken) -> None:
    shown = api("dave").get(f"/systems/{SECRET}").get_json()
    assert (shown["name"], shown["classified"], shown["department"]) == ("涉密系统", True, "gx-finance")
    assert {shown[key] for key in ("mlps_level", "hosting", "category", "notes", "dr_tier")} == {None}


def test_a_past_day_is_shown_as_it_was(api: WithToken, core: Core, clock: FrozenClock) -> None:
    then = local_day(clock.now())
    clock.advance(86400)
    send(core, a_sheet({"code": BUDGET, "name": "预算一体化系统"}))
    dave = api("dave")
    assert dave.get(f"/systems/{BUDGET}", as_of=then).get_json()["name"] == "预算管理一体化系统"
    assert dave.get(f"/systems/{BUDGET}", as_of=then - timedelta(days=1)).status_code == 404
    history = dave.get(f"/systems/{BUDGET}/history").get_json()["items"]
    assert [row["reason"] for row in history] == ["import:systems.xlsx", "topology"]
    assert history[0]["changes"]["name"] == ["预算管理一体化系统", "预算一体化系统"]
    assert history[0]["valid_to"] is None


# -- changes


def test_fields_are_set_with_all_faults_at_once(api: WithToken) -> None:
    bob = api("bob")
    shown = bob.call(
        "PUT", f"/systems/{BUDGET}", json={"fields": {"灾备等级": 3, "is_domestic": True}}
    ).get_json()
    assert (shown["dr_tier"], shown["is_domestic"]) == (3, True)
    refused = bob.call("PUT", f"/systems/{BUDGET}", json={"fields": {"dr_tier": "9", "hostign": "托管"}})
    assert refused.status_code == 422
    assert {fault["place"] for fault in refused.get_json()["faults"]} == {"dr_tier", "hostign"}
    assert bob.call("PUT", f"/systems/{ENROLL}", json={"fields": {"person": "x"}}).status_code == 403
    assert api("alice").call("PUT", f"/systems/{BUDGET}", json={"fields": {}}).status_code == 403


def test_a_system_is_made_and_merged(api: WithToken) -> None:
    bob = api("bob")
    body = {"fields": {"name": "会计系统", "department": "财政厅"}}
    assert bob.call("PUT", "/systems/gx-finance-ledger", json=body).get_json()["origin"] == "register"
    merged = bob.post("/systems/gx-finance-ledger/merge", {"into": "预算管理一体化系统"}).get_json()
    assert (merged["stage"], merged["merged_into"], merged["state"]) == ("merged", BUDGET, "retired")
    assert bob.post(f"/systems/{BUDGET}/merge", {"into": "gx-finance-ledger"}).status_code == 422


# -- sheets


def test_a_sheet_is_looked_at_and_then_imported(api: WithToken) -> None:
    dave = api("dave")
    seen = post(dave, a_sheet(a_row()), dry_run="true", name="登记表.xlsx").get_json()
    assert (seen["state"], seen["name"], seen["created"]) == ("preview", "登记表.xlsx", 1)
    assert dave.get("/systems/gx-finance-tax").status_code == 404
    done = post(dave, a_sheet(a_row())).get_json()
    assert (done["state"], done["created"], done["faulty"]) == ("imported", 1, 0)
    assert dave.get("/systems/gx-finance-tax").status_code == 200


def test_a_sheet_with_faults_is_refused_with_all_of_them_in_the_readers_language(api: WithToken) -> None:
    content = a_sheet(a_row(mlps_level=9), a_row("gx-finance-b", department="财务厅"))
    problem = post(api("dave", "zh"), content).get_json()
    assert (problem["status"], problem["code"]) == (422, "bad_input")
    assert [fault["place"] for fault in problem["faults"]] == ["D2 等保级别", "C3 单位"]
    assert problem["faults"][1]["hint"] == "是否为“财政厅”？"
    assert "2 行" in problem["detail"]


def test_the_sheet_of_faults_is_downloaded_by_whoever_sent_it(api: WithToken) -> None:
    seen = post(
        api("dave", "zh"), a_sheet(a_row(mlps_level=9)), dry_run="true", name="登记表.xlsx"
    ).get_json()
    path = f"/documents/{seen['faults_document']}"
    answer = api("dave").get(path)
    assert answer.status_code == 200
    assert "登记表_问题_2026-11-21.xlsx" in unquote(answer.headers["Content-Disposition"])
    assert "filename*=UTF-8''" in answer.headers["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    assert "D2 等保级别" in [cell.value for cell in sheet[2]][-1]
    assert "1 至 5" in [cell.value for cell in sheet[2]][-1]
    assert api("ivan").get(path).status_code == 404


def test_only_the_right_rows_are_imported_when_asked(api: WithToken) -> None:
    content = a_sheet(a_row(), a_row("gx-finance-b", mlps_level=9))
    done = post(api("dave"), content, partial="true").get_json()
    assert (done["created"], done["faulty"]) == (1, 1)
    assert done["rows"][0]["id"] == "gx-finance-b"


def test_a_sheet_may_be_larger_than_other_bodies_and_not_without_end(api: WithToken) -> None:
    dave = api("dave")
    text = "系统编码,系统名称\n" + "\n" * (2 * 2**20)
    answer = post(dave, text.encode())
    assert answer.get_json()["faults"][0]["code"] == "too_many_rows"
    assert post(dave, b"x" * (16 * 2**20 + 1)).status_code == 413
    assert dave.call("PUT", f"/systems/{BUDGET}", data=b"x" * (2 * 2**20)).status_code == 413


def test_a_second_sheet_is_named(api: WithToken) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.create_sheet("二")["A1"] = "系统编码", "系统编码"
    file = io.BytesIO()
    book.save(file)
    assert post(api("dave"), file.getvalue()).get_json()["faults"][0]["code"] == "second_sheet"
    assert post(api("dave"), file.getvalue(), sheet="三").get_json()["faults"][0]["code"] == "unknown_sheet"


def test_an_export_is_saved_under_its_chinese_name_and_imports_unchanged(api: WithToken) -> None:
    dave = api("dave")
    for form, media in (("xlsx", "spreadsheetml"), ("csv", "text/csv")):
        answer = dave.get("/systems/export", format=form)
        assert media in answer.headers["Content-Type"]
        assert f"政务信息系统登记表_2026-11-21.{form}" in unquote(answer.headers["Content-Disposition"])
        again = post(dave, answer.data, dry_run="true").get_json()
        assert (again["created"], again["updated"], again["faulty"], again["unchanged"]) == (0, 0, 0, 4)
    assert dave.get("/systems/export", format="pdf").status_code == 422
    assert b"nn-qingxiu" not in api("bob").get("/systems/export", format="csv").data


def test_the_template_is_for_everybody_who_sees_systems(api: WithToken) -> None:
    answer = api("alice").get("/systems/template")
    assert openpyxl.load_workbook(io.BytesIO(answer.data)).sheetnames[0] == "信息系统"
    assert api("sam").get("/systems/template").status_code == 403
