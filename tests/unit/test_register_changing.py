"""Changing single systems: fields, creation, merging, splitting, retiring."""

from datetime import date

import pytest

from cloudctl.core import Core
from cloudctl.errors import NotAllowed, NotFound
from cloudctl.models import AuditEvent, Exemption, InformationSystem
from tenants.register.changing import merge, retire, set_fields, split
from tests.builders import a_project, a_province, an_actor
from tests.registering import ASSETS, BUDGET, DECISION, ENROLL, SECRET, refused, system, versions


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def events(core: Core) -> list[AuditEvent]:
    with core.store.read() as uow:
        return uow.all(AuditEvent, order_by=[AuditEvent.seq])


def test_fields_are_set_by_name_or_by_heading(core: Core) -> None:
    said = {"灾备等级": "3", "person": "张三", "信创": "是", "投入使用日期": "2020年5月1日"}
    set_fields(core, an_actor(core, "bob"), BUDGET, said, "核对")
    row = system(core, BUDGET)
    assert (row.dr_tier, row.commissioned_on, row.origin) == (3, date(2020, 5, 1), "register")
    assert row.details == {"person": "张三", "is_domestic": True}
    assert versions(core, BUDGET)[-1].reason == "set: 核对"
    assert events(core)[-1].action == "system.set"
    assert events(core)[-1].details == {
        "fields": ["commissioned_on", "dr_tier", "is_domestic", "person"], "reason": "核对",
    }  # fmt: skip


def test_nothing_clears_a_field_and_the_same_again_changes_nothing(core: Core) -> None:
    bob = an_actor(core, "bob")
    set_fields(core, bob, BUDGET, {"person": "张三"})
    for value in ("", None):
        set_fields(core, bob, BUDGET, {"person": value})
    assert system(core, BUDGET).details == {}
    assert len(versions(core, BUDGET)) == 3
    assert len(events(core)) == 2


def test_a_new_code_makes_a_system(core: Core) -> None:
    set_fields(
        core, an_actor(core, "bob"), "GX-Finance-Tax", {"name": "税费征管系统", "department": "财政厅"}
    )
    row = system(core, "gx-finance-tax")
    assert (row.name, row.department_id, row.origin) == ("税费征管系统", "gx-finance", "register")
    assert events(core)[-1].action == "system.create"
    assert [version.reason for version in versions(core, "gx-finance-tax")] == ["set"]


def test_a_new_system_needs_name_and_department(core: Core) -> None:
    faults = refused(set_fields, core, an_actor(core, "dave"), "gx-new", {"person": "张三"})
    assert {(fault.place, fault.code) for fault in faults} == {("name", "missing"), ("department", "missing")}


def test_all_faults_come_at_once(core: Core) -> None:
    said = {"dr_tier": "9", "hostign": "托管", "agreed_on": "2030-01-01", "department": "财务厅"}
    faults = refused(set_fields, core, an_actor(core, "dave"), BUDGET, said)
    assert {(fault.place, fault.code) for fault in faults} == {
        ("dr_tier", "out_of_bounds"), ("hostign", "unknown_field"),
        ("agreed_on", "future_date"), ("department", "unknown_department"),
    }  # fmt: skip
    assert any("did you mean 'hosting'?" in fault.text() for fault in faults)


def test_the_code_of_a_system_never_changes(core: Core) -> None:
    faults = refused(set_fields, core, an_actor(core, "dave"), BUDGET, {"code": "gx-other"})
    assert [fault.code for fault in faults] == ["code_kept"]


def test_a_department_changes_its_own_and_a_move_needs_both(core: Core) -> None:
    with pytest.raises(NotAllowed):
        set_fields(core, an_actor(core, "bob"), ENROLL, {"person": "张三"})
    with pytest.raises(NotAllowed):
        set_fields(core, an_actor(core, "bob"), BUDGET, {"department": "nn-qingxiu-edu"})
    with pytest.raises(NotAllowed):
        set_fields(core, an_actor(core, "alice"), BUDGET, {"person": "张三"})
    set_fields(core, an_actor(core, "dave"), BUDGET, {"department": "nn-qingxiu-edu"})
    assert system(core, BUDGET).department_id == "nn-qingxiu-edu"


def test_content_is_not_set_on_a_classified_system(core: Core) -> None:
    faults = refused(set_fields, core, an_actor(core, "dave"), SECRET, {"notes": "内容"})
    assert [fault.code for fault in faults] == ["classified_content"]
    set_fields(core, an_actor(core, "dave"), SECRET, DECISION)
    assert system(core, SECRET).has_decision


def test_an_exemption_that_is_set_is_asked_for(core: Core) -> None:
    said = {
        "stage": "不宜上云",
        "exempt_clause": "第十二条",
        "exempt_document": "免迁2号",
        "exempt_until": "2027-06-30",
    }
    set_fields(core, an_actor(core, "bob"), BUDGET, said)
    assert system(core, BUDGET).stage == "registered"
    with core.store.read() as uow:
        assert [one.asked_by for one in uow.all(Exemption)] == ["bob"]
    assert events(core)[-1].action == "system.set"


def test_a_system_is_merged_into_another(core: Core) -> None:
    merge(core, an_actor(core, "bob"), ASSETS, BUDGET, "整合")
    row = system(core, ASSETS)
    assert (row.stage, row.life_state, row.merged_into_id) == ("merged", "merged", BUDGET)
    assert row.retired_at is not None
    assert events(core)[-1].action == "system.merge"


def test_two_systems_are_not_merged_into_each_other(core: Core) -> None:
    merge(core, an_actor(core, "bob"), ASSETS, BUDGET)
    for act in (lambda: merge(core, an_actor(core, "bob"), BUDGET, ASSETS),):
        assert [fault.code for fault in refused(act)] == ["ended"]
    said = {"merged_into": ASSETS}
    assert [one.code for one in refused(set_fields, core, an_actor(core, "bob"), BUDGET, said)] == ["circle"]
    assert [one.code for one in refused(merge, core, an_actor(core, "bob"), BUDGET, BUDGET)] == [
        "into_itself"
    ]


def test_what_holds_projects_is_neither_merged_nor_retired(core: Core) -> None:
    a_project(core, ASSETS)
    bob = an_actor(core, "bob")
    assert [one.code for one in refused(merge, core, bob, ASSETS, BUDGET)] == ["still_in_use"]
    assert [one.code for one in refused(retire, core, bob, ASSETS)] == ["still_in_use"]


def test_a_system_is_retired(core: Core) -> None:
    retire(core, an_actor(core, "bob"), ASSETS, "停用")
    row = system(core, ASSETS)
    assert (row.stage, row.life_state) == ("retired", "retired")
    assert row.retired_at == core.clock.now()


def test_new_systems_come_out_of_one_that_stays(core: Core) -> None:
    parts = {"gx-finance-plan": "预算编制系统", "gx-finance-pay": "国库支付系统"}
    split(core, an_actor(core, "bob"), BUDGET, parts)
    for code, name in parts.items():
        row = system(core, code)
        assert (row.name, row.split_from_id, row.department_id) == (name, BUDGET, "gx-finance")
    assert system(core, BUDGET).life_state == "in_use"
    faults = refused(split, core, an_actor(core, "bob"), BUDGET, {ASSETS: "资产"})
    assert [fault.code for fault in faults] == ["exists"]


def test_what_is_not_there_cannot_be_merged_retired_or_split(core: Core) -> None:
    dave = an_actor(core, "dave")
    for act in (
        lambda: merge(core, dave, "gx-nothing", BUDGET),
        lambda: retire(core, dave, "gx-nothing"),
        lambda: split(core, dave, "gx-nothing", {"gx-a": "甲"}),
    ):
        with pytest.raises(NotFound):
            act()
    with core.store.read() as uow:
        assert uow.count(InformationSystem) == 4
