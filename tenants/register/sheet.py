"""A sheet as it was sent: headings, rows, where they stood, and which field each column is. Pure."""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloudctl.errors import BadInput, Fault
from tenants.register.fields import FIELDS, Field
from tenants.register.parsing import Cell

Row = Sequence[Cell]

FAULTS_HEADING = "问题 / Faults"  # the last column of a sheet that came back; ignored when it comes again
MOST_COLUMNS = 200
MOST_ROWS = 100_000
_LOOKED_AT = 20  # rows above the headings: titles, who filled it in, when
_MARKS = re.compile(r"[*＊]|[(（](?:必填|选填)[)）]")


@dataclass(frozen=True)
class Sheet:
    """The rows of one sheet. `above` is what stood over the headings; `first_row` counts from 1."""

    name: str
    headings: tuple[str, ...]
    rows: Sequence[Row]
    first_row: int
    above: Sequence[Row] = ()
    is_csv: bool = False

    def address(self, row: int, column: int) -> str:
        """`D12` for a row of `rows` and a column, both counted from 0."""
        return f"{column_letters(column)}{self.first_row + row}"


def find_sheet(name: str, rows: Sequence[Row], first_row: int = 1, *, is_csv: bool = False) -> Sheet:
    """The sheet in these rows, the first of which is row `first_row` of the file. BadInput without headings.

    The headings are the first row that holds at least two of them.
    """
    for index, row in enumerate(rows[:_LOOKED_AT]):
        known = [cell for cell in row if isinstance(cell, str) and plain_heading(cell) in _BY_HEADING]
        if len(known) >= 2:
            headings = tuple(str(cell).strip() for cell in row)
            return Sheet(name, headings, rows[index + 1 :], first_row + index + 1, rows[:index], is_csv)
    if not any(any(cell != "" for cell in row) for row in rows):
        fault = Fault("file", "empty_file", "there is nothing in it")
    else:
        hint = "take the template: its first row names the columns"
        fault = Fault("file", "no_headings", "no row names the columns of the register", hint=hint)
    raise BadInput("the file cannot be imported", faults=[fault])


def match_headings(sheet: Sheet) -> dict[int, Field]:
    """Which field each column is, by its index. BadInput with everything that cannot be meant."""
    found: dict[int, Field] = {}
    faults: list[Fault] = []
    if len(sheet.headings) > MOST_COLUMNS:
        params: dict[str, object] = {"count": len(sheet.headings), "most": MOST_COLUMNS}
        raise BadInput(
            "the file cannot be imported",
            faults=[
                Fault("file", "too_many_columns", "has {count} columns; at most {most} are read", params)
            ],
        )
    taken: dict[str, int] = {}
    for index, heading in enumerate(sheet.headings):
        place = f"{column_letters(index)}{sheet.first_row - 1}"
        if heading == FAULTS_HEADING:
            continue
        if not heading:
            if any(len(row) > index and row[index] != "" for row in sheet.rows):
                faults.append(Fault(place, "no_heading", "the column holds something and has no heading"))
            continue
        field = _BY_HEADING.get(plain_heading(heading))
        if field is None:
            faults.append(_unknown(place, heading))
        elif field.name in taken:
            params = {"heading": heading, "column": column_letters(taken[field.name])}
            template = "'{heading}' is there twice: also column {column}"
            faults.append(Fault(place, "heading_twice", template, params))
        else:
            found[index] = field
            taken[field.name] = index
    if "code" not in taken:
        title = FIELDS[0].title
        faults.append(Fault("file", "no_code_column", "the column {heading} is missing", {"heading": title}))
    if faults:
        raise BadInput("the file cannot be imported", faults=faults)
    return found


def plain_heading(heading: str) -> str:
    """A heading as it is compared: without marks, blanks and differences of width."""
    return "".join(_MARKS.sub("", unicodedata.normalize("NFKC", heading)).split()).lower()


def column_letters(index: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _unknown(place: str, heading: str) -> Fault:
    titles = {plain_heading(field.title): field.title for field in FIELDS}
    close = difflib.get_close_matches(plain_heading(heading), titles, 1, cutoff=0.5)
    params = {"heading": heading[:40], "close": titles[close[0]] if close else None}
    hint = "did you mean '{close}'?" if close else "take the template, or leave the column out"
    return Fault(place, "unknown_heading", "no field of the register is called '{heading}'", params, hint)


_BY_HEADING: Mapping[str, Field] = {
    plain_heading(word): field for field in FIELDS for word in (field.name, field.title, *field.also)
}
