"""From the bytes of a file to a sheet: .xlsx and .xls through calamine, .csv in UTF-8 or GBK.

What a file is, is told from its bytes and never from its name. Everything that would silently lose something
is refused with its places: formulas, error values, merged cells, a second sheet with data.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from cloudctl.errors import BadInput, Fault
from tenants.register import package
from tenants.register.parsing import Cell
from tenants.register.sheet import MOST_COLUMNS, MOST_ROWS, Row, Sheet, column_letters, find_sheet

MOST_BYTES = 16 * 2**20
HELP_SHEET = "填写说明"  # of the template: read over
_DELIMITERS = ",;\t"
_GUARDED = re.compile(r"'+[=+\-@\t\r]")  # what the export has made harmless
_MARKUP = re.compile(rb"\s*<(?:!DOCTYPE|html|\?xml|table|meta)", re.IGNORECASE)
_NAMED = 5


def read_sheet(content: bytes, sheet: str | None = None) -> Sheet:
    """The sheet of a file; `sheet` names one of several. BadInput with everything that stands against it."""
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise _refused(Fault("file", "empty_file", "there is nothing in it"))
    if len(content) > MOST_BYTES:
        raise _refused(
            Fault("file", "file_too_large", "is larger than {most} MiB", {"most": MOST_BYTES // 2**20})
        )
    if package.is_encrypted(content):
        raise package.encrypted()
    if package.is_zip(content):
        return _from_workbook(content, sheet, package.look_into(content))
    if package.is_old_workbook(content):
        return _from_workbook(content, sheet, None)
    return _from_csv(content, sheet)


# -- workbooks


def _from_workbook(content: bytes, wanted: str | None, looks: list[package.Look] | None) -> Sheet:
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        name, index = _choose(workbook, wanted, looks)
        sheet = workbook.get_sheet_by_index(index)
    except PasswordError as error:
        raise package.encrypted() from error
    except BaseException as error:
        if isinstance(error, CalamineError) or type(error).__name__ == "PanicException":  # Rust's own
            raise _refused(Fault("file", "not_a_workbook", "it is no workbook, or it is broken")) from error
        raise
    if sheet.total_height > MOST_ROWS + 1:
        raise package.too_many_rows()
    if sheet.total_width > MOST_COLUMNS:
        params = {"count": sheet.total_width, "most": MOST_COLUMNS}
        template = "has {count} columns; at most {most} are read"
        raise _refused(Fault("file", "too_many_columns", template, params))
    start = sheet.start
    if start is None:
        raise _refused(Fault("file", "empty_file", "there is nothing in it"))
    rows: Sequence[Row] = sheet.to_python()
    if start[1]:  # columns are counted from A, and the faults are told so
        rows = [["" for _ in range(start[1])] + list(row) for row in rows]
    found = find_sheet(name, rows, start[0] + 1)
    faults = list(_merged(sheet, found))
    if looks is not None:
        faults += _computed(looks[index])
    if faults:
        raise _refused(*faults)
    return found


def _choose(
    workbook: CalamineWorkbook, wanted: str | None, looks: list[package.Look] | None
) -> tuple[str, int]:
    """Name and index of the sheet to read. BadInput when it is not clear which one is meant."""
    names = [one.name for one in workbook.sheets_metadata]
    if wanted is not None:
        if wanted not in names:
            params = {"sheet": wanted, "known": "、".join(names)}
            raise _refused(
                Fault("sheet", "unknown_sheet", "there is no sheet '{sheet}'", params, "it has: {known}")
            )
        return wanted, names.index(wanted)
    shown = [
        index
        for index, one in enumerate(workbook.sheets_metadata)
        if one.typ == SheetTypeEnum.WorkSheet
        and one.visible == SheetVisibleEnum.Visible
        and one.name != HELP_SHEET
        and _has_data(workbook, index, looks)
    ]
    if not shown:
        raise _refused(Fault("file", "empty_file", "there is nothing in it"))
    if len(shown) > 1:  # which of them is meant is not known, so nothing is said of what is in them
        params = {"sheets": "、".join(names[index] for index in shown[:_NAMED])}
        template, hint = "several sheets hold data: {sheets}", "name the one to read, or take the others out"
        raise _refused(Fault("file", "second_sheet", template, params, hint))
    return names[shown[0]], shown[0]


def _has_data(workbook: CalamineWorkbook, index: int, looks: list[package.Look] | None) -> bool:
    if looks is not None and len(looks) == len(workbook.sheets_metadata):
        return looks[index].has_cells
    return workbook.get_sheet_by_index(index).start is not None


def _computed(look: package.Look) -> Iterator[Fault]:
    """Formulas and errors: what a cell shows there is not what it holds."""
    if look.formulas:
        params = {"cells": package.told(look.formulas)}
        hint = "copy the column and paste it as values"
        yield Fault("file", "formula", "has formulas in {cells}", params, hint)
    if look.errors:
        params = {"cells": package.told(look.errors)}
        yield Fault(
            "file", "error_value", "has error values such as #N/A in {cells}", params, "write what is meant"
        )


def _merged(sheet: CalamineSheet, found: Sheet) -> Iterator[Fault]:
    """Merged cells below the headings: only the first of them holds anything. A title above may be merged."""
    areas = [
        f"{column_letters(left)}{top + 1}:{column_letters(right)}{bottom + 1}"
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        if bottom + 1 >= found.first_row - 1
    ]
    if areas:
        params = {"cells": "、".join(areas[:_NAMED]) + ("…" if len(areas) > _NAMED else "")}
        hint = "unmerge them and write the value into each row"
        yield Fault("file", "merged_cells", "has merged cells in {cells}", params, hint)


# -- text


def _from_csv(content: bytes, wanted: str | None) -> Sheet:
    if _MARKUP.match(content):
        hint = "open it in the office program and save it as .xlsx"
        raise _refused(
            Fault("file", "not_a_workbook", "it is a web page with the name of a workbook", hint=hint)
        )
    if wanted is not None:
        raise _refused(Fault("sheet", "unknown_sheet", "a .csv has no sheets"))
    text = _decoded(content)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        rows: list[Row] = [[_unguarded(cell) for cell in row] for row in lines]
    except csv.Error as error:
        raise _refused(Fault("file", "not_a_workbook", "it is no workbook, or it is broken")) from error
    if len(rows) > MOST_ROWS + 1:
        raise package.too_many_rows()
    width = max(map(len, rows), default=0)
    return find_sheet("", [[*row, *("" for _ in range(width - len(row)))] for row in rows], is_csv=True)


def _decoded(content: bytes) -> str:
    """The text: UTF-8 with or without its mark, UTF-16 with one, else GBK as offices still save it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif b"\0" in content:
        encodings = []
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    hint = "send .xlsx, .xls, or .csv in UTF-8 or GBK"
    raise _refused(Fault("file", "not_a_workbook", "it is neither a workbook nor text", hint=hint))


def _delimiter(text: str) -> str:
    """What stands between the cells of most of the first lines."""
    head = "".join(text.splitlines(keepends=True)[:20])
    return max(_DELIMITERS, key=head.count)


def _unguarded(cell: str) -> Cell:
    """The cell without the mark that keeps a program from taking it for a formula, and without blanks."""
    return cell[1:] if _GUARDED.match(cell) else cell if not cell.isspace() else ""


def _refused(*faults: Fault) -> BadInput:
    return BadInput("the file cannot be imported", faults=faults)
