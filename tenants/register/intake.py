"""A sheet as what it would change: every row read, matched with what stands, and judged. Writes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import Fault
from cloudctl.store import UnitOfWork
from tenants.register.fields import BY_NAME, Field, Record, Value
from tenants.register.objections import Facts
from tenants.register.offices import Offices, read_offices
from tenants.register.parsing import Column, known_to, read_column
from tenants.register.records import BLANK, CONTENT, REGISTER
from tenants.register.rules import AS_SAID, Judged, judge
from tenants.register.settled import settle
from tenants.register.sheet import Sheet, match_headings
from tenants.register.standing import Standing, Stored, read_facts, read_stored
from tenants.register.stored import Table, picked, stored_rows


@dataclass(frozen=True)
class Placed:
    """A fault or a warning of a row, and the column it is about; None where the sheet has no such column."""

    fault: Fault
    column: int | None


@dataclass(slots=True)
class Line:
    """One row of the sheet: what it says, what stands, what becomes of it, and what is against it.

    `is_open` while it is certain that the row is about no classified system.
    """

    row: int  # in the sheet's rows, from 0
    given: Mapping[str, Value]
    standing: Standing | None
    judged: Judged
    is_open: bool = True
    faults: Sequence[Placed] = ()
    warnings: Sequence[Placed] = ()

    @property
    def code(self) -> str | None:
        return self.given.get("code")  # type: ignore[return-value]

    @property
    def record(self) -> Record:
        return self.judged.record

    @property
    def is_new(self) -> bool:
        return self.standing is None

    @property
    def is_changed(self) -> bool:
        return self.standing is None or not self.judged.is_same


@dataclass(frozen=True)
class Intake:
    """The whole sheet: `fresh` new systems that are right as they are, `same` rows that say what stands, and
    a line for every other row.
    """

    sheet: Sheet
    fields: Mapping[int, Field]  # by column
    offices: Offices
    lines: Sequence[Line]
    fresh: Table
    same: int = 0

    @property
    def count(self) -> int:
        return len(self.lines) + len(self.fresh["code"]) + self.same

    @property
    def faulty(self) -> list[Line]:
        return [line for line in self.lines if line.faults]


def take_in(uow: UnitOfWork, core: Core, actor: Actor, sheet: Sheet, *, is_locked: bool = False) -> Intake:
    """Read and judge every row; `is_locked` when the rows are to be written in this transaction.

    BadInput for headings that cannot be meant; what is wrong with a row is with its line.
    """
    fields = match_headings(sheet)
    offices = read_offices(uow)
    rows = [row for row, cells in enumerate(sheet.rows) if cells.count("") < len(cells)]
    cells = list(zip(*(sheet.rows[row] for row in rows), strict=True))
    known = known_to(offices)
    columns = {index: read_column(one, cells[index] if cells else (), known) for index, one in fields.items()}
    table = _table(fields, columns, len(rows))
    codes = [str(code) for code in table["code"] if code is not None]
    stored = read_stored(uow, codes, is_locked=is_locked)
    facts = read_facts(uow, core, actor, offices, _named(table, {one.name for one in fields.values()}))
    may = cache(lambda department: actor.may("system.change", offices.path(department)))
    simple = _simple(table, columns, may)
    same = _same(table, simple, stored) if len(fields) == len(table) else set()
    fresh = settle(table, [one for one in simple if table["code"][one] not in stored], facts)
    settled = same.union(fresh)
    lines = [
        _line(row, given, stored.get(str(given.get("code"))), facts, may)
        for row, given in _given(
            fields, columns, table, [one for one in range(len(rows)) if one not in settled], rows
        )
    ]
    taken = Intake(sheet, fields, offices, lines, picked(table, fresh), len(same))
    _place_faults(taken, columns, {row: position for position, row in enumerate(rows)})
    _add_twice(taken)
    _add_hanging(taken)
    return taken


def _table(
    fields: Mapping[int, Field], columns: Mapping[int, Column], count: int
) -> dict[str, MutableSequence[Value]]:
    """Every field in every row: what its cells say, the default for empty ones and without a column."""
    table: dict[str, MutableSequence[Value]] = {name: [default] * count for name, default in BLANK.items()}
    for index, one in fields.items():
        default, values = BLANK[one.name], columns[index].values
        is_kept = default is None or one.name in AS_SAID
        table[one.name] = (
            list(values) if is_kept else [default if value is None else value for value in values]
        )
    return table


def _named(table: Table, names: Set[str]) -> list[dict[str, Value]]:
    """What of the rows the rules look for elsewhere."""
    wanted = [name for name in ("code", "merged_into", "split_from", "stage") if name in names]
    return [
        dict(zip(wanted, row, strict=True)) for row in zip(*(table[name] for name in wanted), strict=True)
    ]


def _simple(table: Table, columns: Mapping[int, Column], may: Callable[[str], bool]) -> list[int]:
    """Positions of rows that can be read, have a code to themselves, and are of one's own department."""
    unread = {position for column in columns.values() for position in column.faults}
    codes, departments = table["code"], table["department"]
    counts = Counter(codes)
    own = {one for one in set(departments) if one is not None and may(str(one))}
    return [
        position
        for position, code in enumerate(codes)
        if code is not None and counts[code] == 1 and departments[position] in own and position not in unread
    ]


def _same(table: Table, simple: Sequence[int], stored: Mapping[str, Stored]) -> set[int]:
    """Positions of rows that say of every field what the register's own row says already."""
    there = [position for position in simple if table["code"][position] in stored]
    rows = stored_rows(picked(table, there))
    return {
        position
        for position, row in zip(there, rows, strict=True)
        if stored[row[0]].values == row and stored[row[0]].origin == REGISTER
    }


def _given(
    fields: Mapping[int, Field],
    columns: Mapping[int, Column],
    table: Table,
    positions: Sequence[int],
    rows: Sequence[int],
) -> Iterator[tuple[int, dict[str, Value]]]:
    """What each of these rows says, with its place in the sheet; nothing of cells that cannot be read."""
    for position in positions:
        yield (
            rows[position],
            {
                one.name: table[one.name][position]
                for index, one in fields.items()
                if position not in columns[index].faults
            },
        )


def _line(
    row: int, given: Mapping[str, Value], stored: Stored | None, facts: Facts, may: Callable[[str], bool]
) -> Line:
    standing = Standing.of(stored) if stored is not None else None
    if standing is not None and not may(str(standing.record["department"])):
        template = "the system belongs to a department that is not yours"
        return Line(row, given, standing, Judged(BLANK, (Fault("code", "not_allowed", template),)))
    judged = judge(standing.record if standing else None, given, facts)
    department = judged.record["department"]
    if department is not None and not may(str(department)):
        template = "you may not change systems of this department"
        judged = Judged(BLANK, (Fault("department", "not_allowed", template),))
    return Line(row, given, standing, judged)


def _place_faults(taken: Intake, columns: Mapping[int, Column], position_of: Mapping[int, int]) -> None:
    """Give every fault its cell. Nothing is quoted from a row that is, or may be, classified."""
    column_of = {one.name: index for index, one in taken.fields.items()}
    unread: dict[int, dict[str, Fault]] = {}
    for index, one in taken.fields.items():
        for position, fault in columns[index].faults.items():
            unread.setdefault(position, {})[one.name] = fault
    for line in taken.lines:
        cells = unread.get(position_of[line.row], {})
        if not cells and not line.judged.faults and not line.judged.warnings:
            line.is_open = not line.record["is_classified"]
            continue
        if any(fault.code == "not_allowed" for fault in line.judged.faults):
            cells = {}
        line.is_open = not line.record["is_classified"] and "is_classified" not in cells
        faults = [*cells.items(), *((one.place, one) for one in line.judged.faults if one.place not in cells)]
        if not line.is_open:
            faults = [(name, fault) for name, fault in faults if name not in CONTENT]
        line.faults = [_placed(taken, line.row, column_of.get(name), name, one) for name, one in faults]
        line.warnings = [
            _placed(taken, line.row, column_of.get(one.place), one.place, one) for one in line.judged.warnings
        ]


def _placed(taken: Intake, row: int, column: int | None, name: str, fault: Fault) -> Placed:
    title = BY_NAME[name].title if name in BY_NAME else name
    number = taken.sheet.first_row + row
    where = taken.sheet.address(row, column) if column is not None else str(number)
    return Placed(replace(fault, place=f"{where} {title}"), column)


def _add_twice(taken: Intake) -> None:
    """A code that stands in several rows is a fault of all of them."""
    counts = Counter(line.code for line in taken.lines)
    if len(counts) == len(taken.lines):
        return
    firsts: dict[str, int] = {}
    column = next(index for index, one in taken.fields.items() if one.name == "code")
    for line in taken.lines:
        code = line.code
        if code is None or counts[code] == 1:
            continue
        first = firsts.setdefault(code, line.row)
        params = {"code": code, "count": counts[code], "row": taken.sheet.first_row + first}
        template = "the code {code} stands in {count} rows, first in row {row}"
        fault = Fault("code", "code_twice", template, params)
        line.faults = [*line.faults, _placed(taken, line.row, column, "code", fault)]


def _add_hanging(taken: Intake) -> None:
    """A row that names a new system whose own row has faults has nothing to hang on."""
    while hanging := list(_hanging(taken)):
        for line, name in hanging:
            template = "the row of {system} has faults itself"
            fault = Fault(name, "hangs", template, {"system": line.given[name]})
            column = next((index for index, one in taken.fields.items() if one.name == name), None)
            line.faults = [*line.faults, _placed(taken, line.row, column, name, fault)]


def _hanging(taken: Intake) -> Iterator[tuple[Line, str]]:
    missing = {line.code for line in taken.lines if line.faults and line.is_new}
    for line in taken.lines if missing else ():
        for name in ("merged_into", "split_from"):
            if not line.faults and line.given.get(name) in missing and line.given.get(name) is not None:
                yield line, name
                break
