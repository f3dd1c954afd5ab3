"""Cells become values as they are meant, or a fault that says what is wrong."""

from datetime import date, datetime, time

import pytest

from cloudctl.errors import Fault
from tenants.register.fields import BY_NAME, Value
from tenants.register.offices import Office, Offices, Place
from tenants.register.parsing import Cell, known_to, read_column, read_value

OFFICES = Offices(
    {
        "gx-finance": Office("gx-finance", "财政厅", "450000"),
        "nn-edu": Office("nn-edu", "教育局", "450100"),
        "lz-edu": Office("lz-edu", "教育局", "450200"),
        "gx-gone": Office("gx-gone", "信息产业厅", "450000", is_retired=True),
    },
    {
        "450000": Place("450000", "广西壮族自治区", "province", None),
        "450100": Place("450100", "南宁市", "city", "450000"),
        "450200": Place("450200", "柳州市", "city", "450000"),
    },
)
KNOWN = known_to(OFFICES)


def read(name: str, cell: Cell) -> Value | Fault:
    return read_value(BY_NAME[name], cell, KNOWN)


def fault(name: str, cell: Cell) -> Fault:
    found = read(name, cell)
    assert isinstance(found, Fault), found
    return found


# -- codes, numbers, words


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("code", "ＧＸ－Finance－０１", "gx-finance-01"),
        ("code", 1001.0, "1001"),
        ("division", 450100.0, "450100"),
        ("division", "４５０１００", "450100"),
        ("division", "南宁市", "450100"),
        ("division", "450100 南宁市", "450100"),
        ("department", "财政厅", "gx-finance"),
        ("department", " gx-finance ", "gx-finance"),
        ("department", "gx-finance 财政厅", "gx-finance"),
        ("mlps_level", 3.0, 3),
        ("mlps_level", "３", 3),
        ("mlps_level", "1.0", 1),
        ("mlps_level", "三级", 3),
        ("mlps_level", "第二级", 2),
        ("dr_tier", "T4", 4),
        ("dr_tier", 0.0, 0),
        ("level", "市级", "city"),
        ("level", "city", "city"),
        ("network", "内网（非涉密）", "internal"),
        ("zone", " 公用 网络区", "public"),
        ("ipv6_state", "双栈", "dual"),
        ("mlps_filing", 45010012345.0, "45010012345"),
        ("notes", "第一行\r\n第二行", "第一行\n第二行"),
        ("notes", "运行良好😀", "运行良好😀"),
        ("name", "　一体化平台　", "一体化平台"),
        ("name", "全角ＡＢＣ系统１", "全角ＡＢＣ系统１"),
        ("name", "\ufeff一体化\u200b平台", "一体化平台"),
        ("name", "𠮷林省共享平台", "𠮷林省共享平台"),
        ("notes", "  ", None),
        ("name", "", None),
    ],
)
def test_what_is_meant_is_read(name: str, cell: Cell, value: Value) -> None:
    assert read(name, cell) == value


@pytest.mark.parametrize("cell", ["是", "有", "√", "yes", "TRUE", "1", "Ｙ", 1.0, " 是 "])
def test_yes_is_written_in_many_ways(cell: Cell) -> None:
    assert read("is_domestic", cell) is True


@pytest.mark.parametrize("cell", ["否", "无", "×", "no", "false", "0", 0.0])
def test_and_so_is_no(cell: Cell) -> None:
    assert read("is_domestic", cell) is False


@pytest.mark.parametrize(
    "cell",
    [
        date(2026, 11, 1), datetime(2026, 11, 1, 9, 30), "2026-11-01", "2026/11/1", "20261101", 20261101.0,
        "2026年11月1日", "2026.11.01", "２０２６－１１－０１", "2026年11月1号", "2026-11-01 00:00:00",
    ],
)  # fmt: skip
def test_a_day_is_read_in_every_way_of_writing(cell: Cell) -> None:
    assert read("agreed_on", cell) == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("name", "cell", "code"),
    [
        ("agreed_on", "2026-02-30", "bad_date"),
        ("agreed_on", "2026年11月", "bad_date"),
        ("agreed_on", "26-11-01", "bad_date"),
        ("agreed_on", 46000.0, "bad_date"),
        ("agreed_on", "1026-11-01", "far_date"),
        ("agreed_on", date(1900, 1, 1), "far_date"),
        ("mlps_level", 1.5, "no_number"),
        ("mlps_level", "高", "no_number"),
        ("mlps_level", 6.0, "out_of_bounds"),
        ("mlps_level", -1.0, "no_number"),
        ("dr_tier", "5", "out_of_bounds"),
        ("is_domestic", "也许", "no_flag"),
        ("code", "预算系统", "bad_code"),
        ("code", "a" * 64, "bad_code"),
        ("code", "-gx", "bad_code"),
        ("code", "gx finance", "bad_code"),
        ("level", "乡级", "unknown_choice"),
        ("department", "财务厅", "unknown_department"),
        ("department", "教育局", "several"),
        ("department", "gx-gone", "unknown_department"),
        ("division", "999999", "unknown_division"),
        ("name", "预算系统😀", "picture_in_name"),
        ("name", "预算\ue000系统", "private_letter"),
        ("name", "预算\n系统", "line_break"),
        ("name", "预算\x07系统", "control_character"),
        ("notes", "说明\x00", "control_character"),
        ("notes", "颠倒\u202e过来", "control_character"),
        ("notes", "半个\ud800", "control_character"),
        ("leader", "长" * 51, "too_long"),
        ("mlps_filing", 4.5010012345678901e16, "digits_lost"),
        ("mlps_filing", float("nan"), "digits_lost"),
        ("decision_document", date(2026, 3, 1), "became_date"),
        ("code", date(2026, 3, 1), "became_date"),
        ("person", time(3, 4), "became_time"),
    ],
)
def test_what_cannot_be_meant_is_a_fault(name: str, cell: Cell, code: str) -> None:
    assert fault(name, cell).code == code


def test_a_slip_of_the_pen_gets_the_word_that_was_meant() -> None:
    assert "did you mean '财政厅'?" in fault("department", "财务厅").text()
    assert "did you mean '自建机房'?" in fault("hosting", "自建机屋").text()
    assert "did you mean" in fault("division", "南宁").text()


# -- columns


def test_a_column_is_read_cell_by_cell_and_names_its_faults() -> None:
    column = read_column(BY_NAME["mlps_level"], [3.0, "", "二级", "高", True], KNOWN)
    assert list(column.values) == [3, None, 2, None, None]
    assert {index: one.code for index, one in column.faults.items()} == {3: "no_number", 4: "no_number"}


def test_a_true_is_not_taken_for_a_one() -> None:
    assert list(read_column(BY_NAME["notes"], [True, 1.0, False, 0.0], KNOWN).values) == [
        "TRUE", "1", "FALSE", "0",
    ]  # fmt: skip
    assert list(read_column(BY_NAME["is_domestic"], [True, 1.0, ""], KNOWN).values) == [True, True, None]


def test_plain_columns_are_kept_as_they_are() -> None:
    assert list(read_column(BY_NAME["name"], ["预算系统", "", "资产系统"], KNOWN).values) == [
        "预算系统", None, "资产系统",
    ]  # fmt: skip
    assert list(read_column(BY_NAME["code"], ["gx-a", "", "gx-b"], KNOWN).values) == ["gx-a", None, "gx-b"]
    broken = read_column(BY_NAME["code"], ["gx-a\ngx-b", "gx-c"], KNOWN)
    assert {index: one.code for index, one in broken.faults.items()} == {0: "bad_code"}


@pytest.mark.timeout(20)
def test_ten_thousand_wrong_departments_are_told_in_seconds() -> None:
    many = Offices(
        {f"d{n}": Office(f"d{n}", f"第{n}局", "450000") for n in range(1800)}, dict(OFFICES.divisions)
    )
    cells = [f"第{n}厅" for n in range(10_000)]
    assert len(read_column(BY_NAME["department"], cells, known_to(many)).faults) == 10_000
