"""Pages of the way onto the cloud: targets, exemptions, waves, facilities, certificates, stages."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloudctl.core import Core
from cloudctl.models import InformationSystem
from tenants import facilities
from tenants.migration import course, exemptions, gate, targeting, waves
from tests.builders import a_resource, a_vm_form, an_actor
from tests.migrating import ASSETS, BUDGET, DECISION, bind, go, registered, stage, today
from tests.web.conftest import Portal

SignIn = Callable[[str], Portal]
A_TARGET = {
    "name": "整体上云率", "scope": "division:450000", "measure": "ipv6_rate", "value": "95",
    "due_on": "2026-12-01", "source": "鲁政办发〔2019〕8号",
}  # fmt: skip


@pytest.fixture(autouse=True)
def counted(core: Core, province: None) -> None:
    registered(core)


def a_target(core: Core, **changes: str) -> int:
    return targeting.create(core, an_actor(core, "dave"), {**A_TARGET, **changes})


def an_exemption(core: Core, user: str = "bob", system: str = BUDGET) -> int:
    return exemptions.ask(core, an_actor(core, user), system, "第十二条", "9号", "2027-11-20", "专用硬件")


# -- targets


def test_targets_show_lamps_and_an_urge_button_to_those_who_may(portal: SignIn, core: Core) -> None:
    number = a_target(core)
    page = portal("dave").get("/targets/").text
    assert "95.00%" in page
    assert "lamp red" in page
    assert "3 个系统" in page
    assert f"/targets/{number}#urge" in page
    assert "#urge" not in portal("alice").get("/targets/").text
    assert "整体上云率" not in portal("dave").get("/targets/?state=reached").text
    assert portal("sam").get("/targets/").status_code == 403


def test_a_target_is_urged_from_its_page_and_the_notice_leads_back(portal: SignIn, core: Core) -> None:
    number = a_target(core, scope="department:gx-finance")
    dave = portal("dave")
    empty = dave.post(f"/targets/{number}/urge", text="")
    assert empty.status_code == 422
    done = dave.post(f"/targets/{number}/urge", text="请加快进度")
    assert done.status_code == 303
    assert "请加快进度" in dave.get(done.location).text
    bob = portal("bob")
    notices = bob.get("/notices").text
    assert "催办" in notices
    assert f"/targets/{number}" in notices
    assert bob.post(f"/targets/{number}/report", text="已列入计划").status_code == 303
    assert "已列入计划" in dave.get(f"/targets/{number}").text


def test_a_decomposition_that_is_not_enough_is_told(portal: SignIn, core: Core) -> None:
    number = a_target(core)
    dave = portal("dave")
    assert dave.post(f"/targets/{number}/decompose", to="divisions").status_code == 303
    page = dave.get(f"/targets/{number}").text
    assert "南宁市" in page
    assert "say good" in page
    a_part = targeting.create(
        core, an_actor(core, "dave"), {**A_TARGET, "scope": "own:450000", "due_on": "2026-11-30"}
    )
    assert dave.post(f"/targets/{a_part}/close", text="销号").status_code == 303
    assert dave.post(f"/targets/{a_part}/close", text="再销").status_code == 409


# -- exemptions


def test_an_exemption_is_decided_on_its_page_by_another_person(portal: SignIn, core: Core) -> None:
    number = an_exemption(core)
    dave, bob = portal("dave"), portal("bob")
    assert "预算管理一体化系统" in dave.get("/exemptions/").text
    assert "/approve" in dave.get(f"/exemptions/{number}").text
    assert "/approve" not in bob.get(f"/exemptions/{number}").text
    assert bob.post(f"/exemptions/{number}/approve").status_code == 403
    missing = dave.post(f"/exemptions/{number}/reject", opinion=" ")
    assert missing.status_code == 422
    assert dave.post(f"/exemptions/{number}/approve", opinion="同意").status_code == 303
    assert stage(core) == "exempt"
    assert "同意" in bob.get(f"/exemptions/{number}").text
    assert portal("grace").get(f"/exemptions/{number}").status_code == 404
    assert "预算管理" not in portal("grace").get("/exemptions/?state=all").text


def test_the_asker_sees_a_button_to_take_it_back_and_none_to_approve(portal: SignIn, core: Core) -> None:
    number = an_exemption(core, "dave", ASSETS)
    dave = portal("dave")
    page = dave.get(f"/exemptions/{number}").text
    assert "/withdraw" in page
    assert "/approve" not in page
    assert dave.post(f"/exemptions/{number}/approve").status_code == 409
    assert dave.post(f"/exemptions/{number}/withdraw").status_code == 303


# -- stages


def test_the_page_of_stages_asks_for_what_the_next_stage_shows(portal: SignIn, core: Core) -> None:
    bob = portal("bob")
    page = bob.get(f"/systems/{BUDGET}/stage").text
    assert 'name="shown.decision_document"' in page
    assert "定密审查文号" in page
    shown = {f"shown.{name}": text for name, text in DECISION.items()}
    wrong = bob.post(f"/systems/{BUDGET}/stage/classify", **{**shown, "shown.decision_on": "2026-12-24"})
    assert wrong.status_code == 422
    assert "桂保密〔2026〕3号" in wrong.text, "what was written is still there"
    assert bob.post(f"/systems/{BUDGET}/stage/classify", **shown).status_code == 303
    assert stage(core) == "classified"
    away = bob.post(
        f"/systems/{BUDGET}/stage/assess",
        onward="https://evil.example/",
        **{"shown.assessed_on": "2026-04-01"},
    )
    assert away.location.startswith("/systems/")
    back = bob.post(
        f"/systems/{BUDGET}/stage/plan",
        onward=f"/systems/{BUDGET}",
        **{"shown.plan_document": "5号", "shown.planned_on": "2026-12-31"},
    )
    assert back.location == f"/systems/{BUDGET}?done=moved"
    assert "系统的迁移阶段已变更" in bob.get(back.location).text
    assert portal("alice").post(f"/systems/{BUDGET}/stage/plan").status_code == 403
    assert "没有您可以办理的事项" in portal("alice").get(f"/systems/{BUDGET}/stage").text


def test_an_exemption_is_asked_from_the_page_of_stages(portal: SignIn, core: Core) -> None:
    bob = portal("bob")
    told = {"clause": "第十二条", "document": "9号", "until": "2035-01-01", "reason": "专用硬件"}
    assert bob.post(f"/systems/{BUDGET}/exemption", **told).status_code == 422
    asked = bob.post(f"/systems/{BUDGET}/exemption", **{**told, "until": "2027-01-01"})
    assert asked.status_code == 303
    assert "/exemptions/" in asked.location


def test_a_classified_system_shows_its_stage_and_nothing_to_certify(portal: SignIn, core: Core) -> None:
    page = portal("bob").get("/systems/gx-finance-secret/stage").text
    assert "/certificates/of/" not in page
    assert "申请不宜上云" not in page


# -- waves


def test_a_wave_shows_what_is_in_the_way_and_is_begun_and_opened(portal: SignIn, core: Core) -> None:
    dave = an_actor(core, "dave")
    wave = {"name": "第一批", "scope": "division:450000", "starts_on": "2026-12-01", "ends_on": "2026-12-31"}
    number = waves.create(core, dave, wave)
    page = portal("dave").get(f"/waves/{number}").text
    assert "批次中还没有系统" in page
    assert portal("dave").post(f"/waves/{number}/start").status_code == 409
    waves.put(core, dave, number, BUDGET, form=a_vm_form())
    assert portal("dave").post(f"/waves/{number}/start").status_code == 303
    assert "第一批" in portal("alice").get("/waves/").text
    opened = portal("alice").post(f"/waves/{number}/open")
    assert opened.status_code == 200
    assert "已提交申请" in opened.text
    assert "预算管理一体化系统" not in portal("grace").get(f"/waves/{number}").text
    assert portal("dave").post(f"/waves/{number}/finish").status_code == 409
    assert portal("dave").post(f"/waves/{number}/cancel").status_code == 303


# -- facilities


def test_facilities_coverage_milestones_and_costs_have_pages(portal: SignIn, core: Core) -> None:
    net: dict[str, Any] = {"name": "财政专网", "kind": "private_network", "department": "gx-finance"}
    net |= {"yearly_cost_yuan": 1_200_000, "ends_on": today(core, -5)}
    facilities.put(core, an_actor(core, "dave"), "net", net)
    dave = portal("dave")
    assert "财政专网" in dave.get("/facilities/").text
    assert "业务专网" in dave.get("/facilities/milestones").text
    coverage = dave.get("/facilities/coverage").text
    assert "青秀区" in coverage
    assert "检察院" in coverage
    costs = dave.get("/facilities/costs").text
    assert "1,200,000" in costs
    assert "逾期 5 天" in costs
    assert "财政专网" not in portal("erin").get("/facilities/").text


# -- certificates


def test_a_certificate_is_issued_printed_and_checked_by_anybody(
    portal: SignIn, anonymous: FlaskClient, core: Core
) -> None:
    go(core, "accept")
    a_resource(core, bind(core), {"instances": 1})
    made = portal("bob").post(f"/certificates/of/{BUDGET}")
    assert made.status_code == 303
    page = anonymous.get(made.location)
    assert page.status_code == 200
    for words in ("预算管理一体化系统", "财政厅", "依托政务云", "有效", "省级政务云", "（印章）"):
        assert words in page.text
    code = made.location.rsplit("/", 1)[1]
    assert code in page.text
    assert 'href="/static/certificate.css"' in page.text
    asked = anonymous.get("/certificates/", query_string={"code": code})
    assert asked.status_code == 303
    unknown = anonymous.get("/certificates/2222-2222")
    assert unknown.status_code == 404
    assert "预算管理" not in unknown.text
    assert anonymous.get("/certificates/").status_code == 200


def test_a_certificate_of_a_system_that_became_classified_says_nothing(
    anonymous: FlaskClient, core: Core
) -> None:
    made = gate.certify(core, an_actor(core, "bob"), BUDGET)
    with core.store.write() as uow:
        uow.update(InformationSystem, InformationSystem.id == BUDGET, is_classified=True)
    page = anonymous.get(f"/certificates/{made['code']}")
    assert page.status_code == 404
    assert "预算管理" not in page.text


def test_pages_speak_english_too(portal: SignIn, core: Core) -> None:
    number = a_target(core)
    an_exemption(core)
    course.advance(core, an_actor(core, "bob"), ASSETS, "retire", {}, "x")
    dave = portal("dave")
    dave.post("/language", language="en")
    for path in (
        "/targets/", f"/targets/{number}", "/exemptions/", "/exemptions/1", "/waves/", "/facilities/",
        "/facilities/coverage", "/facilities/costs", f"/systems/{ASSETS}/stage",
    ):  # fmt: skip
        page = dave.get(path)
        assert page.status_code == 200, path
        assert "Exemptions" in page.text, path
