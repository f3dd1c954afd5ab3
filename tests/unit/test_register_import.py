"""Importing a sheet: all of it or nothing, by code, with every fault at its place."""

import io
from datetime import date

import openpyxl
import pytest

from cloudctl.actors import Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import NotAllowed, NotFound
from cloudctl.models import (
    AuditEvent,
    Document,
    Exemption,
    InformationSystem,
    Notice,
    Project,
    Resource,
)
from tenants.documents import open_document
from tenants.register.fields import CLASSIFIED_NAME
from tenants.register.sheet import FAULTS_HEADING
from tests.builders import a_person, a_project, a_province, a_resource, an_actor
from tests.registering import (
    ALL_THE_WAY,
    ASSETS,
    BUDGET,
    DECISION,
    ENROLL,
    SECRET,
    a_row,
    a_sheet,
    codes_of,
    faults_of,
    look,
    refused,
    send,
    system,
    versions,
)


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


# -- what is written


def test_new_systems_are_made_and_the_same_sheet_again_doubles_nothing(core: Core) -> None:
    sheet = a_sheet(a_row(), a_row("gx-finance-b", name="会计系统", mlps_level="３", dr_tier="T2"))
    first = send(core, sheet)
    assert (first.created, first.updated, first.unchanged, first.faulty) == (2, 0, 0, 0)
    made = system(core, "gx-finance-b")
    assert (made.name, made.mlps_level, made.dr_tier, made.origin) == ("会计系统", 3, 2, "register")
    again = send(core, sheet)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert len(versions(core, "gx-finance-b")) == 1


def test_a_row_updates_the_system_of_its_code(core: Core) -> None:
    result = send(core, a_sheet({"code": BUDGET, "person": "张三", "hosting": "托管"}))
    assert (result.created, result.updated) == (0, 1)
    row = system(core, BUDGET)
    assert (row.name, row.hosting, row.details) == ("预算管理一体化系统", "colocation", {"person": "张三"})
    assert versions(core, BUDGET)[-1].changes == {
        "person": [None, "张三"], "hosting": ["own_room", "colocation"], "dr_tier": [None, 2],
    }  # fmt: skip


def test_a_column_that_is_not_there_leaves_and_an_empty_cell_clears(core: Core) -> None:
    send(core, a_sheet(a_row(person="张三", unit="信息处", hosting="托管", mlps_level=3)))
    rest = {"code": "gx-finance-tax", "person": None, "hosting": None, "life_state": None, "stage": None}
    seen = look(core, a_sheet(rest))
    assert (seen.updated, seen.cleared) == (1, 2)
    send(core, a_sheet(rest))
    row = system(core, "gx-finance-tax")
    assert row.details == {"unit": "信息处"}
    assert (row.hosting, row.mlps_level, row.life_state) == ("own_room", 3, "in_use")


def test_a_system_that_has_come_all_the_way_is_taken_in(core: Core) -> None:
    send(core, a_sheet(a_row(**ALL_THE_WAY)))
    row = system(core, "gx-finance-tax")
    assert (row.stage, row.hosting, row.agreement, row.has_decision) == ("done", "gov_cloud", "full", True)
    assert row.details["accepted_on"] == "2026-10-01"


def test_a_preview_writes_nothing(core: Core) -> None:
    result = look(core, a_sheet(a_row()))
    assert (result.created, result.as_json()["state"]) == (1, "preview")
    with core.store.read() as uow:
        assert uow.get(InformationSystem, "gx-finance-tax") is None
        assert uow.count(Document) == 0
        assert uow.count(AuditEvent) == 0


def test_an_import_is_one_event_with_its_file_and_its_codes(core: Core) -> None:
    send(core, a_sheet(a_row(notes="只在历史里")))
    with core.store.read() as uow:
        [event] = uow.all(AuditEvent)
    assert (event.actor, event.action) == ("dave", "system.import")
    assert event.details["ids"] == ["gx-finance-tax"]
    assert len(event.details["sha256"]) == 64
    assert "只在历史里" not in str(event.details)


# -- faults


def test_nothing_is_written_when_one_row_has_a_fault(core: Core) -> None:
    sheet = a_sheet(a_row(), a_row("gx-finance-b", mlps_level=9))
    faults = refused(send, core, sheet)
    assert [(fault.place, fault.code) for fault in faults] == [("D3 等保级别", "out_of_bounds")]
    with core.store.read() as uow:
        assert uow.get(InformationSystem, "gx-finance-tax") is None


def test_only_the_right_rows_are_written_when_that_is_asked(core: Core) -> None:
    result = send(core, a_sheet(a_row(), a_row("gx-finance-b", mlps_level=9)), is_partial=True)
    assert (result.created, result.faulty, result.is_written) == (1, 1, True)
    assert result.faults_document is not None
    with core.store.read() as uow:
        assert uow.get(InformationSystem, "gx-finance-tax") is not None
        assert uow.get(InformationSystem, "gx-finance-b") is None


def test_every_fault_has_its_cell_its_code_and_its_words(core: Core) -> None:
    faults = faults_of(
        core,
        a_row(mlps_level=1.5, dr_tier=2, trial_from=date(2026, 8, 1), accepted_on=date(2026, 7, 1)),
        a_row("gx-finance-b", department="财务厅", agreed_on=date(2030, 1, 1)),
    )
    assert [(fault["place"], fault["code"]) for fault in faults] == [
        ("D2 等保级别", "no_number"), ("G2 验收日期", "date_order"),
        ("C3 单位", "unknown_department"), ("H3 协议日期", "future_date"),
    ]  # fmt: skip
    assert "did you mean '财政厅'?" in faults[2]["message"]


def test_rows_in_between_that_are_empty_are_passed_over(core: Core) -> None:
    result = look(core, a_sheet(a_row(), {"code": None}, a_row("gx-finance-b", mlps_level=9)))
    assert [row["row"] for row in result.rows] == [4]


def test_the_same_code_twice_is_a_fault_of_both_rows(core: Core) -> None:
    faults = faults_of(core, a_row(), a_row("GX-Finance-TAX"), a_row("gx-finance-b"))
    assert [(fault["place"], fault["code"]) for fault in faults] == [
        ("A2 系统编码", "code_twice"), ("A3 系统编码", "code_twice"),
    ]  # fmt: skip


def test_two_systems_merged_into_each_other_are_both_told(core: Core) -> None:
    rows = (
        a_row("gx-finance-b", merged_into="gx-finance-c"),
        a_row("gx-finance-c", merged_into="gx-finance-b"),
    )
    assert codes_of(core, *rows) == ["circle", "circle"]


def test_a_circle_that_closes_over_what_stands_is_found(core: Core) -> None:
    send(core, a_sheet(a_row("gx-finance-b", merged_into=BUDGET)))
    send(core, a_sheet(a_row("gx-finance-c", merged_into="gx-finance-b")))
    assert codes_of(core, {"code": BUDGET, "merged_into": "gx-finance-c"}) == ["circle"]


def test_a_row_that_hangs_on_a_faulty_one_is_faulty_too(core: Core) -> None:
    rows = (
        a_row("gx-finance-b", merged_into="gx-finance-c"),
        a_row("gx-finance-c", merged_into="gx-finance-d"),
        a_row("gx-finance-d", mlps_level=9),
        a_row("gx-finance-e"),
    )
    assert codes_of(core, *rows) == ["hangs", "hangs", "out_of_bounds"]
    assert send(core, a_sheet(*rows), is_partial=True).created == 1


def test_merged_and_retired_systems_are_ended_from_now_on(core: Core, clock: FrozenClock) -> None:
    send(core, a_sheet({"code": ASSETS, "merged_into": BUDGET}))
    row = system(core, ASSETS)
    assert (row.stage, row.life_state, row.merged_into_id) == ("merged", "merged", BUDGET)
    assert row.retired_at == clock.now()


def test_what_holds_resources_is_not_retired_by_a_sheet(core: Core) -> None:
    project = a_project(core)
    a_resource(core, project, {"instances": 1})
    assert codes_of(core, {"code": BUDGET, "life_state": "已下线"}) == ["still_in_use"]


def test_five_hundred_faulty_rows_are_listed_and_all_are_counted(core: Core) -> None:
    result = look(core, a_sheet(*(a_row(f"gx-f-{n}", mlps_level=9) for n in range(520))))
    assert (result.faulty, len(result.rows)) == (520, 500)


# -- classified


def test_a_classified_system_sent_with_content_is_refused_and_nothing_of_it_is_kept(core: Core) -> None:
    secret = a_row(
        "gx-finance-c1", name="某机密系统", is_classified="是", notes="机密内容", mlps_level="高", **DECISION
    )
    result = look(core, a_sheet(secret, a_row()))
    [row] = result.rows
    assert [fault["code"] for fault in row["faults"]] == ["classified_content"]
    everything = str(result.as_json())
    assert "机密" not in everything and "高" not in everything
    assert result.faults_document is not None
    kept = open_document(core, an_actor(core, "dave"), result.faults_document)
    book = openpyxl.load_workbook(io.BytesIO(kept.content))
    cells = [str(cell.value) for line in book.active.iter_rows() for cell in line]
    assert not any("机密" in cell or cell == "高" for cell in cells)
    assert "gx-finance-c1" in cells and "税费征管系统" in cells


def test_nothing_is_quoted_from_a_row_that_may_be_classified(core: Core) -> None:
    unclear = a_row("gx-finance-c1", name="某机密系统", is_classified="机密", hosting="机密机房")
    result = look(core, a_sheet(unclear))
    assert [fault["field"] for fault in result.rows[0]["faults"]] == ["is_classified"]
    assert result.faults_document is not None
    kept = open_document(core, an_actor(core, "dave"), result.faults_document)
    book = openpyxl.load_workbook(io.BytesIO(kept.content))
    assert "某机密系统" not in [cell.value for line in book.active.iter_rows() for cell in line]


def test_a_classified_system_is_only_counted(core: Core) -> None:
    send(core, a_sheet({"code": "gx-finance-c1", "department": "财政厅", "is_classified": "是", **DECISION}))
    row = system(core, "gx-finance-c1")
    assert (row.name, row.is_classified, row.has_decision) == (CLASSIFIED_NAME, True, True)
    assert set(row.details) == set(DECISION)


def test_what_stands_as_classified_gets_no_content_by_a_sheet_without_the_column(core: Core) -> None:
    assert codes_of(core, {"code": SECRET, "notes": "内容"}) == ["classified_content"]


def test_what_becomes_classified_is_forgotten_in_its_history_too(core: Core) -> None:
    send(core, a_sheet(a_row(notes="旧内容", person="张三")))
    send(core, a_sheet({"code": "gx-finance-tax", "notes": "新内容"}))
    send(core, a_sheet({"code": "gx-finance-tax", "is_classified": "是", **DECISION}))
    told = str([version.changes for version in versions(core, "gx-finance-tax")])
    row = system(core, "gx-finance-tax")
    assert "内容" not in told + str(row.details) and "张三" not in told and "税费" not in told
    assert row.name == CLASSIFIED_NAME


# -- whose systems


def test_a_department_changes_its_own_systems_only(core: Core) -> None:
    rows = (
        {"code": BUDGET, "name": "预算管理一体化系统", "department": "财政厅"},
        {"code": ENROLL, "name": "招生系统", "department": "财政厅"},
        a_row(department="nn-qingxiu-edu"),
    )
    faults = faults_of(core, *rows, user="bob")
    assert [(fault["place"], fault["code"]) for fault in faults] == [
        ("A3 系统编码", "not_allowed"), ("C4 单位", "not_allowed"),
    ]  # fmt: skip
    assert send(core, a_sheet(*rows), "bob", is_partial=True).unchanged == 1
    assert system(core, ENROLL).name == "义务教育招生系统"


def test_a_system_does_not_leave_for_a_department_that_is_not_ones_own(core: Core) -> None:
    assert codes_of(core, {"code": BUDGET, "department": "青秀区教育局"}, user="bob") == ["not_allowed"]


def test_a_reviewer_changes_what_lies_in_the_division(core: Core) -> None:
    assert send(core, a_sheet({"code": ENROLL, "person": "李四"}), "frank").updated == 1
    assert codes_of(core, {"code": BUDGET, "person": "张三"}, user="frank") == ["not_allowed"]


def test_who_only_asks_for_resources_imports_nothing(core: Core) -> None:
    for act in (send, look):
        with pytest.raises(NotAllowed):
            act(core, a_sheet(a_row()), "alice")


def test_what_a_system_holds_goes_with_it_to_its_new_department(core: Core) -> None:
    project = a_project(core, ENROLL, "city-1")
    resource = a_resource(core, project, {"instances": 1})
    send(core, a_sheet({"code": ENROLL, "department": "gx-finance"}))
    with core.store.read() as uow:
        assert uow.need(Project, project).department_id == "gx-finance"
        assert uow.need(Resource, resource).department_id == "gx-finance"
    assert versions(core, ENROLL)[-1].division_code == "450000"


# -- exemptions


def test_an_exemption_in_a_sheet_is_asked_for_and_takes_another_person(core: Core) -> None:
    a_person(core, "second", Role.PROVINCE_ADMIN, ("installation", "*"))
    exempt = a_row(
        stage="不宜上云", exempt_clause="第十二条", exempt_document="免迁2号", exempt_until="2027-06-30"
    )
    result = send(core, a_sheet(exempt))
    assert (result.created, result.exemptions_asked) == (1, 1)
    row = system(core, "gx-finance-tax")
    assert (row.stage, row.exempt_until) == ("registered", None)
    with core.store.read() as uow:
        [asked] = uow.all(Exemption)
        told = {notice.user_id for notice in uow.all(Notice, Notice.subject_kind == "exemption")}
    assert (asked.state, asked.asked_by, asked.until) == ("asked", "dave", date(2027, 6, 30))
    assert told == {"second"}
    assert send(core, a_sheet(exempt)).exemptions_asked == 0


# -- what comes back


def test_the_sheet_comes_back_with_its_faults_in_red_and_can_be_sent_again(core: Core) -> None:
    rows = [a_row(agreed_on=date(2026, 5, 1)), a_row("gx-finance-b", mlps_level=9, person="+1+1")]
    result = look(core, a_sheet(*rows, above=[["登记表"]]))
    assert result.faults_document is not None
    kept = open_document(core, an_actor(core, "dave"), result.faults_document)
    assert kept.name.startswith("systems_问题_2026-11-21")
    book = openpyxl.load_workbook(io.BytesIO(kept.content))
    sheet = book.active
    assert [cell.value for cell in sheet[2]][-1] == FAULTS_HEADING
    faulty = sheet["E4"]
    assert (faulty.value, faulty.fill.fgColor.rgb) == (9, "FFFFC7CE")
    assert faulty.comment is not None and "1 to 5" in faulty.comment.text
    assert "1 to 5" in sheet["G4"].value and sheet["G3"].value is None
    assert (sheet["F4"].value, sheet["F4"].data_type) == ("+1+1", "s"), "no formula"
    assert sheet["D3"].value.date() == date(2026, 5, 1)
    sheet["E4"] = 3
    file = io.BytesIO()
    book.save(file)
    corrected = look(core, file.getvalue())
    assert [fault["code"] for row in corrected.rows for fault in row["faults"]] == []


def test_the_sheet_of_faults_is_for_whoever_sent_it_and_for_a_week(core: Core, clock: FrozenClock) -> None:
    result = look(core, a_sheet(a_row(mlps_level=9)))
    assert result.faults_document is not None
    assert open_document(core, an_actor(core, "dave"), result.faults_document).kind == "import_faults"
    with pytest.raises(NotFound):
        open_document(core, an_actor(core, "ivan"), result.faults_document)
    clock.advance(7 * 86400)
    with pytest.raises(NotFound):
        open_document(core, an_actor(core, "dave"), result.faults_document)
    look(core, a_sheet(a_row(mlps_level=9)))
    with core.store.read() as uow:
        assert uow.count(Document) == 1, "what is over is dropped"


def test_a_web_site_below_the_city_is_told_and_taken(core: Core) -> None:
    result = send(core, a_sheet({"code": ENROLL, "category": "政府网站"}))
    assert result.updated == 1
    assert [fault["code"] for fault in result.warnings[0]["faults"]] == ["website"]
