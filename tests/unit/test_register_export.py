"""Sheets that go out: exports that import as they are, nothing that becomes a formula, and the template."""

import csv
import io
import zipfile
from datetime import date, timedelta

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudctl.clock import FrozenClock, local_day
from cloudctl.core import Core
from cloudctl.models import InformationSystem
from cloudctl.queries.register import Filter
from tenants.register import template
from tenants.register.exporting import export
from tenants.register.fields import BY_NAME, CLASSIFIED_NAME, FIELDS, FieldKind
from tenants.register.reading import read_sheet
from tenants.register.records import BLANK
from tenants.register.sheet import match_headings
from tenants.register.workbook import export_csv, export_xlsx
from tests.builders import a_province, an_actor
from tests.registering import ALL_THE_WAY, BUDGET, DECISION, SECRET, a_row, a_sheet, look, send

EVERYTHING = Filter()
ODD = [
    "=1+1",
    "+86 771",
    "-5",
    "@SUM(A1)",
    "'=x",
    "''-x",
    '"引号", 逗号',
    "＝全角",
    "a;b",
    "1.0",
    "450100",
    "是",
]
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30),
)


@pytest.fixture(autouse=True)
def province(core: Core) -> None:
    a_province(core)


def rows_of(content: bytes) -> list[dict[str, object]]:
    """The rows of a workbook by heading."""
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    headings, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, headings), row, strict=True)) for row in rows]


def test_an_export_has_every_field_under_its_chinese_heading(core: Core) -> None:
    send(core, a_sheet(a_row(**ALL_THE_WAY, person="张三", is_domestic="是")))
    made = export(core, an_actor(core, "dave"), "xlsx", Filter(text="gx-finance-tax"))
    assert made.name == "政务信息系统登记表_2026-11-21.xlsx"
    [row] = rows_of(made.content)
    assert list(row) == [f"{field.title}*" if field.is_required else field.title for field in FIELDS]
    assert (row["迁移阶段"], row["部署方式"], row["信创"], row["等保级别"]) == ("已完成", "政务云", "是", 2)
    assert str(row["验收日期"]).startswith("2026-10-01")


def test_only_what_the_actor_sees_is_exported(core: Core) -> None:
    made = export(core, an_actor(core, "bob"), "xlsx", EVERYTHING)
    assert {row["单位*"] for row in rows_of(made.content)} == {"gx-finance"}


def test_a_classified_system_comes_out_with_owner_place_and_decision_only(core: Core) -> None:
    send(core, a_sheet({"code": SECRET, **DECISION}))
    [row] = rows_of(export(core, an_actor(core, "dave"), "xlsx", Filter(is_classified=True)).content)
    said = {heading: value for heading, value in row.items() if value not in (None, "")}
    assert said["系统名称"] == CLASSIFIED_NAME and said["是否涉密"] == "是"
    assert said["定密审查文号"] == DECISION["decision_document"]
    assert look(core, export(core, an_actor(core, "dave"), "xlsx", EVERYTHING).content).faulty == 0


def test_the_register_of_a_past_day_is_exported_as_it_was(core: Core, clock: FrozenClock) -> None:
    then = local_day(clock.now())
    clock.advance(86400)
    send(
        core,
        a_sheet(
            {"code": BUDGET, "person": "张三"},
        ),
    )
    send(core, a_sheet(a_row()))
    made = export(core, an_actor(core, "dave"), "xlsx", Filter(as_of=then))
    assert made.name.endswith(f"{then.isoformat()}.xlsx")
    by_code = {row["系统编码*"]: row for row in rows_of(made.content)}
    assert "gx-finance-tax" not in by_code and by_code[BUDGET]["责任人"] is None


@pytest.mark.parametrize("text", ODD)
def test_nothing_becomes_a_formula(text: str) -> None:
    record = {**BLANK, "code": "gx-a", "name": text, "notes": text}
    with zipfile.ZipFile(io.BytesIO(export_xlsx([record]))) as made:
        assert b"<f>" not in made.read("xl/worksheets/sheet1.xml")
    lines = list(csv.reader(io.StringIO(export_csv([record]).decode("utf-8-sig"))))
    assert not lines[1][1].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert export_csv([record]).startswith(b"\xef\xbb\xbf")


RECORDS = st.fixed_dictionaries(
    {"name": TEXTS},
    optional={
        "notes": TEXTS,
        "person": TEXTS,
        "category": TEXTS,
        "catalogue_id": TEXTS,
        "division": st.sampled_from([None, "450000", "450103"]),
        "level": st.sampled_from([None, *BY_NAME["level"].choices]),
        "hosting": st.sampled_from(list(BY_NAME["hosting"].choices)),
        "network": st.sampled_from([None, *BY_NAME["network"].choices]),
        "mlps_level": st.integers(1, 5),
        "has_key_data": st.booleans(),
        "is_domestic": st.booleans(),
        "basic_library": st.sampled_from([None, "population"]),
        "commissioned_on": st.dates(date(1990, 1, 1), date(2026, 11, 1)),
        "planned_on": st.dates(date(2020, 1, 1), date(2090, 1, 1)),
        "life_state": st.sampled_from(["planned", "in_use", "suspended"]),
    },
)


# The register is the same for all examples: each sets other fields of the same systems.
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, min_size=1, max_size=3), form=st.sampled_from(["xlsx", "csv"]))
def test_what_was_exported_changes_nothing_when_it_is_imported(
    core: Core, records: list[dict[str, object]], form: str
) -> None:
    sent = [
        {**BLANK, **record, "code": f"gx-r-{index}", "department": "gx-finance", "stage": "registered"}
        for index, record in enumerate(records)
    ]
    send(core, export_xlsx(sent), is_partial=True)
    made = export(core, an_actor(core, "dave"), form, EVERYTHING)
    again = look(core, made.content)
    with core.store.read() as uow:
        known = uow.count(InformationSystem)
    assert (again.created, again.updated, again.unchanged, again.faulty) == (0, 0, known, 0), again.rows


# -- the template


def test_the_template_is_a_sheet_that_can_be_filled_in_and_sent(core: Core) -> None:
    made = template.template(core)
    assert made.name == "政务信息系统登记表（模板）_2026-11-21.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(made.content))
    assert book.sheetnames == ["信息系统", "填写说明", "选项"]
    assert book["选项"].sheet_state == "hidden"
    sheet = book["信息系统"]
    assert sheet.freeze_panes == "C2"
    for column, field in enumerate(FIELDS, 1):
        if field.name in ("code", "name", "department"):
            value = {"code": "gx-finance-tax", "name": "税费征管系统", "department": "财政厅"}[field.name]
            sheet.cell(2, column, value)
    sheet.cell(2, 4, "450103 青秀区")
    file = io.BytesIO()
    book.save(file)
    assert len(match_headings(read_sheet(file.getvalue()))) == len(FIELDS)
    assert send(core, file.getvalue()).created == 1


def test_every_choice_of_the_template_can_be_read_back(core: Core) -> None:
    book = openpyxl.load_workbook(io.BytesIO(template.template(core).content))
    sheet, lists = book["信息系统"], book["选项"]
    rules = {
        str(rule.sqref).split(":")[0].rstrip("0123456789"): rule
        for rule in sheet.data_validations.dataValidation
    }
    letters = {field.name: openpyxl.utils.get_column_letter(index) for index, field in enumerate(FIELDS, 1)}
    for field in FIELDS:
        if field.kind in (FieldKind.CHOICE, FieldKind.FLAG):
            offered = rules[letters[field.name]].formula1.strip('"').split(",")
            assert offered == list(field.choices.values())
    assert rules[letters["department"]].formula1 == "'选项'!$A$1:$A$2"
    assert [cell.value for cell in lists["A"]][:2] == ["财政厅", "青秀区教育局"]
    assert [cell.value for cell in lists["B"]] == ["450000 广西壮族自治区", "450100 南宁市", "450103 青秀区"]


def test_two_departments_of_one_name_are_offered_by_code(core: Core) -> None:
    with core.store.write() as uow:
        from cloudctl.models import Department

        uow.add(Department(id="nn-finance", name="财政厅", kind="政府", division_code="450100"))
    book = openpyxl.load_workbook(io.BytesIO(template.template(core).content))
    offered = [cell.value for cell in book["选项"]["A"] if cell.value]
    assert "gx-finance 财政厅" in offered and "nn-finance 财政厅" in offered
    row = a_row(department="nn-finance 财政厅")
    assert look(core, a_sheet(row)).created == 1


def test_codes_and_numbers_of_documents_are_formatted_as_text(core: Core) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(template.template(core).content))["信息系统"]
    for index, field in enumerate(FIELDS, 1):
        letter = openpyxl.utils.get_column_letter(index)
        if field.kind in (FieldKind.CODE, FieldKind.TEXT, FieldKind.DIVISION):
            assert sheet.column_dimensions[letter].number_format == "@" or field.kind is not FieldKind.CODE


def test_the_day_of_an_export_is_the_day_in_beijing(core: Core, clock: FrozenClock) -> None:
    clock.advance(timedelta(hours=9).total_seconds())  # 17:00 UTC is after midnight there
    assert export(core, an_actor(core, "dave"), "csv", EVERYTHING).name == "政务信息系统登记表_2026-11-22.csv"
