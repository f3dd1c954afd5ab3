"""From the cells of a sheet to values of fields, column by column. Pure.

Codes, numbers, dates and choices are read as they are meant: full-width digits and letters, 1.0 for 1, a code
that a spreadsheet took for a number, dates in six ways of writing. Free text keeps its characters. What is
distinct in a column is read once, so that a sheet costs what is different in it.
"""

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from cloudctl.errors import Fault
from tenants.register import texts
from tenants.register.dates import read_date
from tenants.register.fields import Field, FieldKind, Value
from tenants.register.numbers import read_integer, written_number
from tenants.register.offices import Offices

Cell = str | float | int | bool | date | datetime | time | timedelta
MOST_DIGITS = 15  # a spreadsheet keeps no more of a number
_YES = frozenset("是 有 对 yes y true 1 √ ✓ ✔ ☑".split())
_NO = frozenset("否 无 不是 no n false 0 × ✗ ✘ x".split())
_NAMED = 12  # choices told in a hint
_HINTED = 30  # faults of a column that say what was probably meant
_Read = Callable[[Field, str], Value | Fault]


@dataclass(frozen=True)
class Known:
    """What a cell may name: codes and names of departments and divisions; None where several have a name.

    Without `is_hinting` no fault says what was probably meant: looking for it takes time.
    """

    departments: Mapping[str, str | None]
    divisions: Mapping[str, str | None]
    is_hinting: bool = True


@dataclass(frozen=True)
class Column:
    """The values of a column from its first row down, None for an empty cell, and its faults by index."""

    values: Sequence[Value]
    faults: Mapping[int, Fault]


def known_to(offices: Offices) -> Known:
    """What cells may name: departments that still are, and every division."""
    current = [one for one in offices.departments.values() if not one.is_retired]
    return Known(
        _names((one.id, one.name) for one in current),
        _names((one.code, one.name) for one in offices.divisions.values()),
    )


def read_column(field: Field, cells: Sequence[Cell], known: Known) -> Column:
    """Every cell of a column as a value of the field."""
    distinct = set(cells)
    if texts.are_plain(field, distinct):
        return Column([cell or None for cell in cells], {})
    if True in distinct or False in distinct:  # True equals 1: tell them apart by what is written
        cells = [str(cell).upper() if isinstance(cell, bool) else cell for cell in cells]
        distinct = set(cells)
    read = _read_all(field, distinct, known)
    values = [read[cell] for cell in cells]
    if Fault not in map(type, read.values()):
        return Column(values, {})
    faults = {index: value for index, value in enumerate(values) if isinstance(value, Fault)}
    return Column([None if isinstance(value, Fault) else value for value in values], faults)


def _read_all(field: Field, cells: Iterable[Cell], known: Known) -> dict[Cell, Value | Fault]:
    """What each cell means; only the first of many faults say what was probably meant."""
    read: dict[Cell, Value | Fault] = {}
    faults, silent = 0, replace(known, is_hinting=False)
    for cell in cells:
        value = read[cell] = read_value(field, cell, known if faults < _HINTED else silent)
        faults += isinstance(value, Fault)
    return read


def read_value(field: Field, cell: Cell, known: Known) -> Value | Fault:
    """One cell as a value of the field; None when it is empty, a Fault when it cannot be meant."""
    if isinstance(cell, str) and (cell.isspace() or not cell):
        return None
    if field.kind is FieldKind.DATE:
        return read_date(cell)
    written = _written(cell)
    if isinstance(written, Fault):
        return written
    if field.kind is FieldKind.TEXT:
        return texts.read_text(field, written)
    normal = unicodedata.normalize("NFKC", written)
    if field.kind in (FieldKind.CODE, FieldKind.SYSTEM):
        return _code(field, normal.strip())
    plain = "".join(normal.split())
    if field.kind is FieldKind.CHOICE:
        return _choice(field, plain, known)
    return _READ[field.kind](field, plain) if field.kind in _READ else _place(field, written, known)


def _written(cell: Cell) -> str | Fault:
    """The cell as it was typed; a Fault where the spreadsheet has made something else of it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, date):
        template = "the spreadsheet has made a date of this: {day}"
        hint = "format the cell as text and write it again"
        return Fault("", "became_date", template, {"day": str(cell)[:10]}, hint)
    if isinstance(cell, time | timedelta):
        return Fault("", "became_time", "the spreadsheet has made a time of day of this")
    number = written_number(cell)
    if number is not None:
        return number
    template = "a spreadsheet keeps {most} digits of a number; the rest is lost"
    return Fault("", "digits_lost", template, {"most": MOST_DIGITS}, "format the cell as text")


# -- kinds


def _choice(field: Field, plain: str, known: Known) -> Value | Fault:
    by_word = {_plain(word): value for value, word in field.choices.items()}
    value = by_word.get(plain.lower()) or (plain.lower() if plain.lower() in field.choices else None)
    if value is not None:
        return value
    words = list(field.choices.values())
    params = {"word": plain[:40], "known": "、".join(words[:_NAMED])}
    close = _close(plain, [*words, *field.choices], known)
    if close:
        template = "'{word}' is not one of the choices"
        return Fault("", "unknown_choice", template, {**params, "close": close}, "did you mean '{close}'?")
    return Fault("", "unknown_choice", "'{word}' is not one of the choices", params, "one of: {known}")


def _flag(_field: Field, plain: str) -> Value | Fault:
    word = plain.lower()
    if word in _YES or word in _NO:
        return word in _YES
    return Fault("", "no_flag", "'{word}' is neither yes nor no", {"word": plain[:40]}, "write 是 or 否")


def _code(field: Field, plain: str) -> Value | Fault:
    code = plain.lower()
    if texts.CODE.fullmatch(code):
        return code
    template = "'{word}' is no code: small letters, digits, '.', '_' and '-', at most {most}"
    return Fault("", "bad_code", template, {"word": plain[:80], "most": field.most})


_READ: Mapping[FieldKind, _Read] = {
    FieldKind.FLAG: _flag,
    FieldKind.INTEGER: read_integer,
}


def _place(field: Field, written: str, known: Known) -> Value | Fault:
    """A department or a division by code, by name, or by both as the template's lists write them."""
    names = known.departments if field.kind is FieldKind.DEPARTMENT else known.divisions
    text = unicodedata.normalize("NFKC", written).strip()
    for word in (text, text.split()[0], text.lower(), "".join(text.split())):
        if word in names:
            code = names[word]
            if code is not None:
                return code
            return Fault(
                "", "several", "several have the name '{word}'", {"word": word[:80]}, "write the code"
            )
    params = {"word": text[:80], "close": _close(text, names, known)}
    hint = "did you mean '{close}'?" if params["close"] else None
    if field.kind is FieldKind.DEPARTMENT:
        return Fault("", "unknown_department", "there is no department '{word}'", params, hint)
    return Fault("", "unknown_division", "there is no division '{word}'", params, hint)


def _names(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    codes = {}
    for code, name in pairs:
        codes[code] = code
        plain = unicodedata.normalize("NFKC", name)
        found[plain] = code if plain not in found else None
    return {**found, **codes}


def _close(word: str, words: Iterable[str], known: Known) -> str | None:
    found = difflib.get_close_matches(word[:80], list(words), 1, cutoff=0.5) if known.is_hinting else []
    return found[0] if found else None


def _plain(word: str) -> str:
    return "".join(unicodedata.normalize("NFKC", word).split()).lower()
