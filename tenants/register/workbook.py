"""Sheets that go out: lists of systems as .xlsx or .csv, and the sheet that came in with its faults in red.

Nothing in a cell can become a formula: in .xlsx texts are written as texts, in .csv what a program would take
for a formula gets a mark in front, which the import takes off again.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from tenants.register.fields import FIELDS, Field, FieldKind, Record, Value
from tenants.register.parsing import Cell
from tenants.register.sheet import FAULTS_HEADING, Sheet

SHEET = "信息系统"
_RISKY = re.compile(r"'*[=+\-@\t\r]")
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd",
}
_HEADING = {"bold": True, "bg_color": "#1F4E79", "font_color": "#FFFFFF", "border": 1, "text_wrap": True,
            "valign": "vcenter", "align": "center"}  # fmt: skip
_RED = {"bg_color": "#FFC7CE", "font_color": "#9C0006", "border": 1, "border_color": "#9C0006"}
_SAID = {"font_color": "#9C0006", "text_wrap": True, "valign": "top"}
_WIDTHS = {"code": 24, "name": 36, "department": 24, "notes": 30}
_MOST_COMMENTS = 2000  # more of them and office programs crawl; the last column says all of it anyway
_FAULTS_WIDTH = 60
_MOST_LETTERS = 32767  # of a cell


class Workbook:
    """A workbook in memory with the formats of ours; `content` closes it."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self.book = xlsxwriter.Workbook(self._file, _OPTIONS)
        self.heading = self.book.add_format(_HEADING)
        self.required = self.book.add_format({**_HEADING, "bg_color": "#C00000"})
        self.text = self.book.add_format({"num_format": "@"})
        self.day = self.book.add_format({"num_format": "yyyy-mm-dd"})
        self.red = self.book.add_format(_RED)
        self.red_day = self.book.add_format({**_RED, "num_format": "yyyy-mm-dd"})
        self.said = self.book.add_format(_SAID)

    def add_sheet(self, name: str) -> Worksheet:
        return self.book.add_worksheet(name)

    def content(self) -> bytes:
        """The bytes of the finished file."""
        self.book.close()
        return self._file.getvalue()


# -- lists of systems


def export_xlsx(records: Iterable[Record]) -> bytes:
    """The records as a workbook that can be changed and imported again."""
    made = Workbook()
    sheet = made.add_sheet(SHEET)
    write_headings(made, sheet)
    for row, record in enumerate(records, 1):
        for column, field in enumerate(FIELDS):
            value = record[field.name]
            if isinstance(value, date):
                sheet.write_datetime(row, column, datetime.combine(value, datetime.min.time()), made.day)
            elif field.kind is FieldKind.INTEGER and isinstance(value, int):
                sheet.write_number(row, column, value)
            elif value is not None:
                sheet.write_string(row, column, shown(field, value))
    return made.content()


def export_csv(records: Iterable[Record]) -> bytes:
    """The records as .csv in UTF-8 with a mark, so that office programs show Chinese."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(field.title for field in FIELDS)
    lines.writerows([_harmless(shown(field, record[field.name])) for field in FIELDS] for record in records)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def write_headings(made: Workbook, sheet: Worksheet) -> None:
    """The first row: the fields' titles, those that have to be filled in marked; and how wide columns are."""
    for column, field in enumerate(FIELDS):
        is_text = field.kind not in (FieldKind.DATE, FieldKind.INTEGER)
        width = _WIDTHS.get(field.name, max(12, 2 * len(field.title) + 4))
        sheet.set_column(column, column, width, made.text if is_text else None)
        sheet.write_string(0, column, heading(field), made.required if field.is_required else made.heading)
    sheet.set_row(0, 30)
    sheet.freeze_panes(1, 2)


def heading(field: Field) -> str:
    """The title of a column; a star says that it has to be filled in."""
    return f"{field.title}*" if field.is_required else field.title


def shown(field: Field, value: Value) -> str:
    """A value as an office would write it."""
    if value is None:
        return ""
    if field.kind is FieldKind.FLAG:
        return field.choices["yes" if value else "no"]
    if field.choices:
        return field.choices.get(str(value), str(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _harmless(cell: str) -> str:
    return f"'{cell}" if _RISKY.match(cell) else cell


# -- the sheet that came in


def faults_workbook(
    sheet: Sheet,
    faults: Mapping[int, Sequence[tuple[int | None, str, str]]],
    blanked: Mapping[int, frozenset[int]],
) -> bytes:
    """The same sheet with faulty cells in red, a comment on each, and all faults of a row in the last column.

    `faults` are column (None: there is none of that name), place and words by row; `blanked` are columns by
    row that must not go out again: content of a classified system. Importing it reads the last column over.
    """
    made = Workbook()
    out = made.add_sheet(sheet.name[:31] or SHEET)
    headings = [one for one in sheet.headings if one != FAULTS_HEADING]
    kept = [index for index, one in enumerate(sheet.headings) if one != FAULTS_HEADING]
    top = sheet.first_row - 2
    for offset, row in enumerate(sheet.above):
        _write_row(made, out, top - len(sheet.above) + offset, row, kept)
    for column, words in enumerate(headings):
        out.write_string(top, column, words, made.heading)
        out.set_column(column, column, min(40, max(12, 2 * len(words) + 4)))
    out.write_string(top, len(headings), FAULTS_HEADING, made.required)
    out.set_column(len(headings), len(headings), _FAULTS_WIDTH)
    out.freeze_panes(top + 1, 1)
    out.autofilter(top, 0, top + max(1, len(sheet.rows)), len(headings))
    comments = 0
    for index, row in enumerate(sheet.rows):
        at = top + 1 + index
        hidden = blanked.get(index, frozenset())
        _write_row(made, out, at, ["" if column in hidden else cell for column, cell in enumerate(row)], kept)
        found = faults.get(index, ())
        if found:
            said = "\n".join(f"{place}: {words}" for _, place, words in found)
            out.write_string(at, len(headings), said, made.said)
        for column in dict.fromkeys(one for one, _, _ in found if one is not None):
            words = "\n".join(said for one, _, said in found if one == column)
            _mark(made, out, at, kept.index(column), "" if column in hidden else row[column])
            comments += 1
            if comments <= _MOST_COMMENTS:
                out.write_comment(at, kept.index(column), words, {"x_scale": 2})
    return made.content()


def _write_row(made: Workbook, out: Worksheet, at: int, row: Sequence[Cell], kept: Sequence[int]) -> None:
    for column, index in enumerate(kept):
        if index < len(row) and row[index] != "":
            _write(made, out, at, column, row[index])


def _write(made: Workbook, out: Worksheet, at: int, column: int, cell: Cell) -> None:
    if isinstance(cell, datetime):
        out.write_datetime(at, column, cell, made.day)
    elif isinstance(cell, date):
        out.write_datetime(at, column, datetime.combine(cell, datetime.min.time()), made.day)
    elif isinstance(cell, bool):
        out.write_boolean(at, column, cell)
    elif isinstance(cell, int | float):
        out.write_number(at, column, cell)
    else:
        out.write_string(at, column, str(cell)[:_MOST_LETTERS])


def _mark(made: Workbook, out: Worksheet, at: int, column: int, cell: Any) -> None:
    """The cell in red, with what stood in it."""
    if isinstance(cell, date):
        out.write_datetime(at, column, _moment(cell), made.red_day)
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        out.write_number(at, column, cell, made.red)
    elif cell == "":
        out.write_blank(at, column, None, made.red)
    else:
        out.write_string(at, column, str(cell)[:_MOST_LETTERS], made.red)


def _moment(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime.combine(day, datetime.min.time())
