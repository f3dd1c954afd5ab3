"""The bulletin as a workbook: numbers that can be counted with, in the same words as on the page.

Rates are fractions cut off at the hundredth of a percent, so that a cell shows what the page shows. No cell
is a formula, nor becomes one when somebody edits it, whatever a name begins with.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from fractions import Fraction
from io import BytesIO
from typing import Any

import xlsxwriter

from tenants.bulletin import tables
from tenants.bulletin.content import Bulletin
from tenants.bulletin.tables import Column, Table
from tenants.bulletin.telling import Telling
from tenants.bulletin.values import NOTHING, Kind, Value
from tenants.bulletin.wording import CHINESE, Wording

_A4, _FONT = 9, "宋体"
_MARGINS_IN = {"left": 0.6, "right": 0.6, "top": 0.7, "bottom": 0.7}
_LEADS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may take for a formula
_FORMATS = {Kind.NUMBER: "0", Kind.RATE: "0.00%", Kind.POINTS: "+0.00;-0.00;0.00"}
_TITLE_ROW, _HEAD_ROW, _LINE_PT, _MOST_PT = 0, 1, 15, 409
_HEAD = {"bold": True, "border": 1, "align": "center", "text_wrap": True, "bg_color": "#EDEFF2"}


def make(bulletin: Bulletin, language: str = CHINESE) -> bytes:
    """The workbook, one table a sheet: 总表, 排名, 各单位, 落后单位, 假上云, 变化, 口径."""
    words = Wording(bulletin, language)
    telling = Telling(bulletin, words)
    sheets: tuple[tuple[str, Table, Iterable[str]], ...] = (
        (words.to("Summary"), tables.summary(bulletin, words), (*telling.overall(), *telling.outlook())),
        (words.to("Ranking"), tables.ranking(bulletin, words), (telling.ranking(),)),
        (words.to("Departments"), tables.units(bulletin, words), ()),
        (words.to("Behind"), tables.late(bulletin, words), ()),
        (words.to("Idle"), tables.idle(bulletin, words), (telling.idle(),)),
        (words.to("Changes"), tables.changed(bulletin, words), (*telling.changes(), *telling.flags())),
        (words.to("Method"), tables.method(bulletin, words), ()),
    )
    content = BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        made_at = datetime.combine(bulletin.made_on, time())
        book.set_properties({"title": words.title(), "author": words.issuer(), "created": made_at})
        looks = _Looks(book)
        for name, table, told in sheets:
            _fill(book.add_worksheet(name), looks, table, words, told)
    return content.getvalue()


class _Looks:
    """The formats of a book, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, object], ...], Any] = {}

    def __call__(self, **properties: object) -> Any:
        wanted = {"font_name": _FONT, "font_size": 11, "valign": "vcenter", **properties}
        key = tuple(sorted(wanted.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(wanted)
        return self._made[key]


def _fill(sheet: Any, looks: _Looks, table: Table, words: Wording, told: Iterable[str]) -> None:
    """Title, header, rows, and below them what the page tells in sentences; set up for paper."""
    columns = [column for column in table.columns if column.kind is not Kind.BAR]
    sheet.write_string(_TITLE_ROW, 0, table.caption, looks(bold=True, font_size=14))
    sheet.set_row(_TITLE_ROW, 26)
    sheet.set_row(_HEAD_ROW, 32)
    for index, column in enumerate(columns):
        sheet.set_column(index, index, _width(column))
        sheet.write_string(_HEAD_ROW, index, _heading(column, words), looks(**_HEAD))
    at = _HEAD_ROW
    for at, row in enumerate(table.rows, _HEAD_ROW + 1):  # the last one is where the words begin
        values = [v for c, v in zip(table.columns, row, strict=True) if c.kind is not Kind.BAR]
        for index, (column, value) in enumerate(zip(columns, values, strict=True)):
            _write(sheet, (at, index), column.kind, value, looks)
        sheet.set_row(
            at, _height(max(_lines(value, _width(c)) for c, value in zip(columns, values, strict=True)))
        )
    for number, text in enumerate(told, at + 2):
        _tell(sheet, number, text, columns, looks)
    _set_up(sheet, len(columns))


def _tell(sheet: Any, row: int, text: str, columns: Sequence[Column], looks: _Looks) -> None:
    """A sentence over the whole width, in as many lines as it takes."""
    form = looks(text_wrap=True, quote_prefix=text.startswith(_LEADS))
    sheet.merge_range(row, 0, row, len(columns) - 1, "", form)
    sheet.write_string(row, 0, text, form)
    sheet.set_row(row, _height(_lines(text, sum(map(_width, columns)))))


def _lines(value: Value, width: int) -> int:
    """How many lines a text takes in a column so many digits wide; one of Chinese takes two."""
    digits = sum(1 if letter.isascii() else 2 for letter in value) if isinstance(value, str) else 0
    return 1 + digits // max(1, width - 3)


def _height(lines: int) -> int:
    """In points; a spreadsheet shows no row higher than its most."""
    return min(_MOST_PT, _LINE_PT * lines + 2)


def _width(column: Column) -> int:
    return max(8, column.width + 2)


def _write(sheet: Any, cell: tuple[int, int], kind: Kind, value: Value, looks: _Looks) -> None:
    """One cell: numbers as numbers, everything else as text that stays text."""
    if value is None:
        sheet.write_string(*cell, NOTHING, looks(border=1, align="right"))
    elif isinstance(value, int | Fraction):
        number, form = _number(kind, value)
        sheet.write_number(*cell, number, looks(border=1, num_format=form, align="right"))
    else:
        text = str(value)
        place = {"align": "center"} if kind is Kind.DAY else {"align": "left", "indent": 1}
        look = looks(border=1, text_wrap=True, quote_prefix=text.startswith(_LEADS), **place)
        sheet.write_string(*cell, text, look)


def _number(kind: Kind, value: int | Fraction) -> tuple[float, str]:
    """The value in the unit that its column names, cut off as on the page, and its format."""
    if kind is Kind.SYSTEMS:
        return float(value) / 100, "0" if value % 100 == 0 else "0.00"
    if kind is Kind.RATE:
        return int(value) / 10_000, _FORMATS[kind]
    if kind is Kind.POINTS:
        return int(value) / 100, _FORMATS[kind]  # towards zero
    return int(value), _FORMATS[Kind.NUMBER]


def _heading(column: Column, words: Wording) -> str:
    return column.title + (words.to("({unit})", unit=column.unit) if column.unit else "")


def _set_up(sheet: Any, columns: int) -> None:
    """A4 across, the header on every page and always in sight."""
    sheet.freeze_panes(_HEAD_ROW + 1, 0)
    sheet.repeat_rows(_TITLE_ROW, _HEAD_ROW)
    sheet.set_paper(_A4)
    sheet.set_landscape()
    sheet.set_margins(**_MARGINS_IN)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&C&P / &N")
    sheet.hide_gridlines(2)
    sheet.set_selection(_HEAD_ROW + 1, 0, _HEAD_ROW + 1, max(0, columns - 1))
