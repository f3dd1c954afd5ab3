"""Files that offices send: what is read, and what is refused with a clear answer."""

import base64
import io
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudctl.errors import BadInput
from tenants.register import package
from tenants.register.reading import MOST_BYTES, read_sheet
from tenants.register.sheet import FAULTS_HEADING, MOST_ROWS, match_headings
from tests.registering import a_csv, a_row, a_sheet, fill, refused, saved, with_part

SHEET = "xl/worksheets/sheet1.xml"
OLD = Path(__file__).parents[1] / "data" / "systems.xls.base64"  # an .xls, which nothing here can write
A_WORKBOOK = a_sheet(a_row(), a_row("gx-b", mlps_level=3))


def codes(content: bytes, sheet: str | None = None) -> list[str]:
    """The codes of the faults for which the file is refused, headings included."""
    return [fault.code for fault in refused(lambda: match_headings(read_sheet(content, sheet)))]


def said(content: bytes) -> str:
    return "\n".join(fault.text() for fault in refused(lambda: match_headings(read_sheet(content))))


# -- what is read


def test_a_workbook_is_read_with_its_rows_and_their_numbers() -> None:
    sheet = read_sheet(a_sheet(a_row(mlps_level=3, agreed_on=date(2026, 5, 1))))
    assert sheet.headings == ("系统编码", "系统名称", "单位", "等保级别", "协议日期")
    assert list(sheet.rows[0]) == ["gx-finance-tax", "税费征管系统", "gx-finance", 3.0, date(2026, 5, 1)]
    assert (sheet.first_row, sheet.address(0, 3)) == (2, "D2")
    assert [field.name for field in match_headings(sheet).values()] == [
        "code", "name", "department", "mlps_level", "agreed_on",
    ]  # fmt: skip


def test_titles_above_the_headings_are_read_over_merged_or_not() -> None:
    book = openpyxl.Workbook()
    fill(book.active, [a_row()], above=[["广西壮族自治区政务信息系统登记表"], ["填报单位：财政厅"], []])
    book.active.merge_cells("A1:C1")
    sheet = read_sheet(saved(book))
    assert (sheet.first_row, len(sheet.rows)) == (5, 1)


def test_columns_that_begin_further_right_keep_their_letters() -> None:
    book = openpyxl.Workbook()
    book.active["C3"], book.active["D3"], book.active["C4"] = "系统编码*", "系统名称（必填）", "gx-a"
    sheet = read_sheet(saved(book))
    assert {index: field.name for index, field in match_headings(sheet).items()} == {2: "code", 3: "name"}
    assert sheet.address(0, 2) == "C4"


def test_the_column_of_faults_is_read_over() -> None:
    sheet = read_sheet(a_sheet({**a_row(), FAULTS_HEADING: "D2 ..."}))
    assert FAULTS_HEADING in sheet.headings
    assert len(match_headings(sheet)) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_is_read_in_every_encoding_and_with_every_delimiter(encoding: str, delimiter: str) -> None:
    sheet = read_sheet(a_csv(a_row(notes="说明"), delimiter=delimiter).encode(encoding))
    assert list(sheet.rows[0]) == ["gx-finance-tax", "税费征管系统", "gx-finance", "说明"]


def test_the_mark_against_formulas_is_taken_off_again() -> None:
    text = a_csv(a_row(notes="'=1+1", person="''=x", unit="'quoted'"))
    assert list(read_sheet(text.encode()).rows[0])[3:] == ["=1+1", "'=x", "'quoted'"]


def test_an_old_workbook_is_read() -> None:
    sheet = read_sheet(base64.b64decode(OLD.read_text()))
    assert list(sheet.rows[0])[:3] == ["gx-finance-tax", "税费征管系统", "gx-finance"]
    assert sheet.rows[0][3:] == [3.0, date(2026, 5, 1)]


# -- what is refused


def test_nothing_is_refused_as_empty() -> None:
    for content in (b"", b"  \r\n", b"\xef\xbb\xbf", a_sheet(), b",,,\n,,\n"):
        assert codes(content) in (["empty_file"], ["no_headings"]), content
    book = openpyxl.Workbook()
    assert codes(saved(book)) == ["empty_file"]


def test_a_sheet_without_headings_is_told_to_take_the_template() -> None:
    assert codes(a_csv(a_row()).split("\r\n")[1].encode()) == ["no_headings"]
    assert "template" in said("一,二,三\n1,2,3\n".encode())


def test_an_unknown_heading_gets_the_one_that_was_meant() -> None:
    text = "系统编码,系统名称,单位,灾备登级\ngx-a,甲,gx-finance,2\n"
    assert codes(text.encode()) == ["unknown_heading"]
    assert "did you mean '灾备等级'?" in said(text.encode())


def test_a_heading_twice_a_column_without_one_and_a_missing_code_are_all_told() -> None:
    text = "系统名称,名称,,单位\n甲,乙,丙,gx-finance\n"
    assert codes(text.encode()) == ["heading_twice", "no_heading", "no_code_column"]


def test_a_second_sheet_with_data_is_refused_until_one_is_named() -> None:
    book = openpyxl.Workbook()
    fill(book.active, [a_row()])
    book.active.title = "本级"
    fill(book.create_sheet("所属单位"), [a_row("gx-finance-other")])
    assert codes(saved(book)) == ["second_sheet"]
    assert "本级、所属单位" in said(saved(book))
    assert read_sheet(saved(book), "所属单位").rows[0][0] == "gx-finance-other"
    assert codes(saved(book), "别的") == ["unknown_sheet"]


def test_sheets_that_are_empty_hidden_or_our_own_help_do_not_count() -> None:
    book = openpyxl.Workbook()
    fill(book.active, [a_row()])
    book.create_sheet("空")
    hidden = book.create_sheet("选项")
    hidden["A1"], hidden.sheet_state = "财政厅", "hidden"
    book.create_sheet("填写说明")["A1"] = "填写说明"
    assert read_sheet(saved(book)).rows[0][0] == "gx-finance-tax"


def test_merged_cells_among_the_data_are_named() -> None:
    book = openpyxl.Workbook()
    fill(book.active, [a_row(), a_row("gx-finance-b")])
    book.active.merge_cells("C2:C3")
    assert codes(saved(book)) == ["merged_cells"]
    assert "C2:C3" in said(saved(book))


def test_formulas_are_named_by_their_cells() -> None:
    book = openpyxl.Workbook()
    fill(book.active, [a_row(mlps_level=2), a_row("gx-finance-b", mlps_level="=D2+1")])
    assert codes(saved(book)) == ["formula"]
    assert "D3" in said(saved(book))
    odd = with_part(saved(book), SHEET, lambda body: body.replace(b'<c r="D3"', b"<c\tr = 'D3'"))
    assert codes(odd) == ["formula"]
    prefixed = with_part(
        saved(book),
        SHEET,
        lambda body: body.replace(b"<", b"<x:").replace(b"<x:/", b"</x:").replace(b"xmlns=", b"xmlns:x="),
    )
    assert codes(prefixed) == ["formula"]


def test_error_values_are_not_taken_for_empty_cells() -> None:
    book = openpyxl.Workbook()
    fill(book.active, [a_row(person="#N/A")])
    assert codes(saved(book)) == ["error_value"]
    assert "D2" in said(saved(book))


def test_more_than_200_columns_are_refused() -> None:
    wide = {**a_row(), **{f"列{number}": "x" for number in range(200)}}
    assert codes(a_sheet(wide)) == ["too_many_columns"]
    assert codes(a_csv(wide).encode()) == ["too_many_columns"]


def test_a_cell_far_out_is_refused_before_it_fills_the_memory() -> None:
    def moved(cell: bytes) -> bytes:
        return with_part(a_sheet(a_row()), SHEET, lambda body: body.replace(b'r="C2"', cell))

    for cell in (b'r="XFD2"', b"r = 'XFD2'", b'r="xfd2"', b'r="AAA2"', b'r="GT2"'):
        assert codes(moved(cell)) == ["too_many_columns"], cell
    for cell in (b'r="C1048576"', b'r="C200000"', b"r='C0200000'"):
        assert codes(moved(cell)) == ["too_many_rows"], cell


def test_formats_far_out_are_no_cells() -> None:
    def formatted(body: bytes) -> bytes:
        row = b'<row r="1048576" ht="15"><c r="A1048576" s="0"/></row></sheetData>'
        return body.replace(b"</sheetData>", row)

    sheet = read_sheet(with_part(a_sheet(a_row()), SHEET, formatted))
    assert len(sheet.rows) == 1


def test_more_rows_than_anybody_looks_through_are_refused() -> None:
    text = "系统编码,系统名称\n" + "gx-a,甲\n" * (MOST_ROWS + 2)
    assert codes(text.encode()) == ["too_many_rows"]


def test_a_file_too_large_is_refused() -> None:
    assert codes(b"x" * (MOST_BYTES + 1)) == ["file_too_large"]


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\x00\x01",
        b"PK\x03\x04 no zip at all",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 2000,
        b"\x89PNG\r\n\x1a\n\x00\x00",
        "<html><table><tr><td>系统编码</td></tr></table></html>".encode(),
        b"\x00\x01\x02\x03" * 100,
    ],
)
def test_what_is_no_workbook_is_told_so(content: bytes) -> None:
    assert codes(content) == ["not_a_workbook"]


def test_a_zip_that_is_no_workbook_is_told_so() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.txt", "hello")
    assert codes(file.getvalue()) == ["not_a_workbook"]


def test_a_locked_workbook_is_told_so() -> None:
    locked = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + b"\0" * 512
        + "EncryptedPackage".encode("utf-16-le")
        + b"\0" * 512
    )
    assert codes(locked) == ["encrypted"]
    assert "password" in said(locked)


def test_a_zip_bomb_is_refused_without_unpacking_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MOST_UNPACKED_MIB", 4)
    file = io.BytesIO(a_sheet(a_row()))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr("xl/media/bomb.bin", b"\0" * 5 * package.MIB)
    assert len(file.getvalue()) < package.MIB
    assert codes(file.getvalue()) == ["zip_bomb"]


def test_a_zip_bomb_that_lies_about_its_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MOST_UNPACKED_MIB", 4)
    honest = with_part(a_sheet(a_row()), SHEET, lambda body: body + b" " * 5 * package.MIB)
    with zipfile.ZipFile(io.BytesIO(honest)) as made:
        real = made.getinfo(SHEET).file_size
    lying = honest.replace(real.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lying != honest
    assert codes(lying) == ["zip_bomb"]


def test_xml_that_expands_is_refused() -> None:
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'

    def with_entities(body: bytes) -> bytes:
        begin = body.find(b"<worksheet")
        return body[:begin] + entities + body[begin:]

    assert codes(with_part(a_sheet(a_row()), SHEET, with_entities)) == ["not_a_workbook"]


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_workbook_never_breaks_the_reader(data: st.DataObject) -> None:
    content = bytearray(A_WORKBOOK)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_sheet(bytes(content))
    except BadInput as error:
        assert error.faults
