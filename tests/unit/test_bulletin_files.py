"""Page and workbook: self-contained, safe against what people write, and the same numbers in both."""

import re
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import jinja2
import openpyxl
import pytest
from jinja2.ext import extract_from_ast
from openpyxl.worksheet.worksheet import Worksheet

from cloudctl.texts import has_entry
from tenants.bulletin import page, tables, workbook
from tenants.bulletin.content import SHIFTS, IdleSystem
from tenants.bulletin.telling import Telling
from tenants.bulletin.values import NOTHING, Kind, shown
from tenants.bulletin.wording import Wording
from tests.bulletins import a_bulletin

EVIL = '=HYPERLINK("http://x","云")'
SHEETS = ["总表", "排名", "各单位", "落后单位", "假上云", "变化", "口径"]


@pytest.fixture(scope="module")
def html() -> str:
    return page.render(a_bulletin())


@pytest.fixture(scope="module")
def sheets() -> dict[str, Worksheet]:
    book = openpyxl.load_workbook(BytesIO(workbook.make(a_bulletin())))
    return {sheet.title: sheet for sheet in book.worksheets}


# -- the page


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(html: str) -> None:
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|javascript:|\son\w+=", html)
    assert "default-src 'none'" in html
    assert '<html lang="zh-CN">' in html


def test_the_page_has_every_area_and_every_department(html: str) -> None:
    for line in (*a_bulletin().areas, *a_bulletin().units):
        assert f">{line.name}</td>" in html


def test_what_people_wrote_is_text_on_the_page() -> None:
    evil = IdleSystem("gx-x", "<script>alert(1)</script>", "财政厅&<b>", "南宁市")
    shown_page = page.render(a_bulletin(idle=(evil,), issuer="<i>局"))
    assert "<script" not in shown_page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown_page
    assert "&lt;i&gt;局" in shown_page


def test_each_bar_is_as_long_as_its_rate_and_has_the_line_of_the_target(html: str) -> None:
    bars = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(bars) == 14
    first = a_bulletin().areas[0]
    assert first.rate is not None
    width = re.findall(r'width="([\d.]+)" height="8"', bars[0])[1]
    assert float(width) == pytest.approx(first.rate * page.BAR_WIDTH / page.FULL, abs=0.1)
    assert 'x="190.0"' in bars[0]  # 95 % of 200


def test_a_place_with_nothing_to_count_has_a_dash_and_no_rank() -> None:
    one = a_bulletin()
    [empty] = [line for line in one.units if line.count.denominator == 0]
    assert empty == one.units[-1]
    row = tables.units(one, Wording(one)).rows[-1]
    assert [shown(Kind.RATE, value) for value in (row[0], row[4], row[5], row[6])] == [NOTHING] * 4


def test_without_areas_targets_or_idle_systems_the_page_still_says_so() -> None:
    one = a_bulletin()
    total = replace(one.total, goal=None)
    bare = replace(one, areas=(), units=(), idle=(), shifts=(), flags=(), outlook=None, total=total)
    shown_page = page.render(bare)
    for words in ("尚未设定目标", "下级地区没有纳入统计的系统", "未发现长期无运行资源的系统", "均已达到目标"):
        assert words in shown_page, words
    assert not tables.ranking(bare, Wording(bare)).rows


def test_the_line_on_top_is_as_large_as_fits_into_one_line(html: str) -> None:
    assert 'class="masthead" style="font-size: 23pt"' in html
    short = page.render(replace(a_bulletin(), division="山东省"))
    assert 'style="font-size: 29pt"' in short


# -- the workbook


def test_the_sheets_are_named_as_offices_name_them(sheets: dict[str, Worksheet]) -> None:
    assert list(sheets) == SHEETS


def test_numbers_are_numbers_and_rates_are_fractions_that_read_as_on_the_page(
    sheets: dict[str, Worksheet],
) -> None:
    one = a_bulletin()
    rows = list(sheets["排名"].iter_rows(min_row=3, max_row=2 + len(one.areas)))
    for line, cells in zip(one.areas, rows, strict=True):
        assert [cells[0].value, cells[1].value, cells[2].value] == [
            line.rank,
            line.name,
            line.count.denominator,
        ]
        rate, change = cells[4], cells[6]
        assert rate.number_format == "0.00%"
        assert f"{round(rate.value * 100, 2):.2f}%" == shown(Kind.RATE, line.rate)
        assert f"{change.value:+.2f}" == shown(Kind.POINTS, line.change)


def test_no_cell_is_a_formula_nor_becomes_one_when_it_is_edited() -> None:
    idle = tuple(IdleSystem(f"gx-{n}", lead + "1+1", EVIL, "南宁市") for n, lead in enumerate("=+-@\t"))
    made = workbook.make(a_bulletin(idle=idle, issuer=EVIL))
    book = openpyxl.load_workbook(BytesIO(made))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert not [cell for cell in cells if cell.hyperlink]
    evil = [
        cell
        for cell in cells
        if cell.data_type == "s" and str(cell.value).startswith(("=", "+1", "-1", "@", "\t"))
    ]
    assert len(evil) == 10
    assert all(cell.quotePrefix for cell in evil)


def test_every_sheet_prints_on_a4_across_with_its_header_on_every_page(sheets: dict[str, Worksheet]) -> None:
    for sheet in sheets.values():
        assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "landscape")
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.freeze_panes == "A3"
        assert sheet.print_title_rows == "$1:$2"
        assert all(sheet.column_dimensions[letter].width >= 8 for letter in "AB")


def test_the_summary_tells_in_sentences_what_the_page_tells(sheets: dict[str, Worksheet]) -> None:
    texts = [cell.value for cell in sheets["总表"]["A"]]
    one = a_bulletin()
    assert set(Telling(one, Wording(one)).overall()) <= set(texts)


def test_the_changes_name_each_system_in_a_row_of_its_own(sheets: dict[str, Worksheet]) -> None:
    named = sum(one.count for one in a_bulletin().shifts)
    rows = [row for row in sheets["变化"].iter_rows(min_row=3, max_col=3, values_only=True) if row[2]]
    assert len(rows) == named
    assert {row[1] for row in rows} == {1, -1}


def test_a_workbook_of_the_same_bulletin_has_its_date_and_not_that_of_the_clock() -> None:
    book = openpyxl.load_workbook(BytesIO(workbook.make(a_bulletin())))
    assert book.properties.created.date() == date(2026, 12, 1)
    assert book.properties.title == "关于2026年11月全区政务信息系统上云情况的通报"


# -- words


def test_everything_on_the_page_has_chinese_words() -> None:
    environment = jinja2.Environment()
    path = Path(page.__file__).parent / "templates/bulletin.html"
    tree = environment.parse(path.read_text(encoding="utf-8"))
    texts = [message[0] for _, _, message in extract_from_ast(tree, ["_"]) if isinstance(message, tuple)]
    texts += [message for _, _, message in extract_from_ast(tree, ["_"]) if isinstance(message, str)]
    assert texts
    assert not [text for text in texts if text and not has_entry(text)]
    assert all(has_entry(reason, "denominator") for reason in SHIFTS)


def test_no_english_is_left_in_the_chinese_page(html: str) -> None:
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    words = set(re.findall(r"[A-Za-z]{3,}", text))
    assert {word for word in words if not re.fullmatch(r"SHA|gx|sys|[0-9a-f]+", word)} == set()


def test_the_english_page_is_english(html: str) -> None:
    english = page.render(a_bulletin(), "en")
    assert '<html lang="en">' in english
    assert "The month in short" in english
    assert "总体情况" not in english
