"""Importing a sheet of systems: all of it or nothing, unless only the right rows are asked for.

A column that is not in the sheet leaves its field as it is. An empty cell clears its field, but says nothing
about stage and life state. A row is known by its code, so the same sheet again changes nothing.
"""

import gc
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault
from cloudctl.store import UnitOfWork
from tenants import documents
from tenants.register.fields import Value
from tenants.register.intake import Intake, Line, Placed, take_in
from tenants.register.reading import read_sheet
from tenants.register.records import BLANK, CONTENT
from tenants.register.sheet import Sheet
from tenants.register.workbook import faults_workbook
from tenants.register.writing import Change, Writer

LISTED = 500  # faulty rows and warnings that are listed; all are counted
KEPT_DAYS = 7
_AUDITED = 1000  # codes in an audit event
_MOST_NAME = 100
Say = Callable[[Fault], str]


@dataclass(frozen=True)
class ImportResult:
    """What an import did or would do: how many rows of each kind, and what is wrong with the faulty ones."""

    file_name: str
    sha256: str
    sheet: str
    is_written: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    faulty: int = 0
    cleared: int = 0  # values that an empty cell takes away
    exemptions_asked: int = 0
    rows: Sequence[dict[str, Any]] = field(default_factory=tuple)  # faulty ones
    warnings: Sequence[dict[str, Any]] = field(default_factory=tuple)
    faults_document: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The result for API, command line and page."""
        return {
            "id": self.sha256,
            "name": self.file_name,
            "state": "imported" if self.is_written else "preview",
            "sheet": self.sheet,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "faulty": self.faulty,
            "cleared": self.cleared,
            "exemptions_asked": self.exemptions_asked,
            "rows": list(self.rows),
            "warnings": list(self.warnings),
            "faults_document": self.faults_document,
        }


@dataclass(frozen=True)
class Sent:
    """A file as it was sent: its bytes, its name, which sheet of it is meant, and how to speak of faults."""

    content: bytes
    file_name: str
    sheet: str | None = None
    say: Say = Fault.text


def preview_import(
    core: Core, actor: Actor, content: bytes, file_name: str, sheet: str | None = None, say: Say = Fault.text
) -> ImportResult:
    """What importing the file would do; nothing of it is written. Needs `system.change` somewhere.

    Where rows have faults, the sheet with the faults in red is kept for a week, for the actor alone. `say`
    puts a fault into words. BadInput for a file that cannot be read as a whole.
    """
    sent = Sent(content, file_name, sheet, say)
    with _uncollected():
        found = _read(actor, sent)
        with core.store.read() as uow:
            taken = take_in(uow, core, actor, found)
        result = _result(taken, sent, is_written=False)
        if not taken.faulty:
            return result
        with core.store.write() as uow:
            return _with_document(uow, core, actor, taken, result, say)


def import_systems(
    core: Core,
    actor: Actor,
    content: bytes,
    file_name: str,
    is_partial: bool = False,
    sheet: str | None = None,
    say: Say = Fault.text,
) -> ImportResult:
    """Write what the file says, in one transaction; the same file again changes nothing.

    BadInput with the faults of the first rows, and nothing is written, when any row has one; with
    `is_partial` the rows without faults are written and the others come back in a sheet.
    """
    sent = Sent(content, file_name, sheet, say)
    with _uncollected():
        found = _read(actor, sent)  # before the transaction: others may write meanwhile
        with core.store.write() as uow:
            taken = take_in(uow, core, actor, found, is_locked=True)
            if taken.faulty and not is_partial:
                raise _refused(taken)
            result = _result(taken, sent, is_written=True)
            right = [line for line in taken.lines if not line.faults]
            writer = Writer(core, actor, taken.offices, f"import:{result.file_name}")
            writer.write(uow, [Change(line.standing, line.judged) for line in right], taken.fresh)
            written = [*taken.fresh["code"], *(line.code for line in right if line.is_changed)]
            _record(uow, core, actor, result, written)
            return _with_document(uow, core, actor, taken, result, say) if taken.faulty else result


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: half a million values come into being here, and none is in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(actor: Actor, sent: Sent) -> Sheet:
    if not actor.scopes("system.change"):
        actor.must("system.change")
    return read_sheet(sent.content, sent.sheet)


def _result(taken: Intake, sent: Sent, *, is_written: bool) -> ImportResult:
    right = [line for line in taken.lines if not line.faults]
    created = len(taken.fresh["code"]) + sum(line.is_new for line in right)
    updated = sum(not line.is_new and line.is_changed for line in right)
    warned = [line for line in right if line.warnings]
    return ImportResult(
        file_name=PurePath(sent.file_name.replace("\\", "/")).name[:_MOST_NAME] or "systems",
        sha256=hashlib.sha256(sent.content).hexdigest(),
        sheet=taken.sheet.name,
        is_written=is_written,
        created=created,
        updated=updated,
        unchanged=taken.count - len(taken.faulty) - created - updated,
        faulty=len(taken.faulty),
        cleared=sum(_cleared(taken, line) for line in right if line.is_changed),
        exemptions_asked=sum(line.judged.asks is not None for line in right),
        rows=[_told(taken, line, line.faults, "faulty", sent.say) for line in taken.faulty[:LISTED]],
        warnings=[_told(taken, line, line.warnings, "warning", sent.say) for line in warned[:LISTED]],
    )


def _told(taken: Intake, line: Line, found: Sequence[Placed], state: str, say: Say) -> dict[str, Any]:
    return {
        "id": line.code,
        "name": None,
        "state": state,
        "row": taken.sheet.first_row + line.row,
        "faults": [
            {
                "place": one.fault.place,
                "field": taken.fields[one.column].name if one.column is not None else None,
                "code": one.fault.code,
                "message": say(one.fault),
            }
            for one in found
        ],
    }


def _cleared(taken: Intake, line: Line) -> int:
    """How many values of the system an empty cell takes away."""
    if line.standing is None:
        return 0
    before, after, cells = line.standing.record, line.record, taken.sheet.rows[line.row]
    return sum(
        cells[column] == "" and before[one.name] != after[one.name] == BLANK[one.name]
        for column, one in taken.fields.items()
    )


def _refused(taken: Intake) -> BadInput:
    faults = [one.fault for line in taken.faulty[:LISTED] for one in line.faults]
    return BadInput(
        "{faulty} of {count} rows have faults; nothing was imported",
        faults=faults,
        hint="correct them, or import only the rows without faults",
        faulty=len(taken.faulty),
        count=taken.count,
    )


def _with_document(
    uow: UnitOfWork, core: Core, actor: Actor, taken: Intake, result: ImportResult, say: Say
) -> ImportResult:
    """The result with the sheet of its faults kept beside it."""
    content_columns = frozenset(index for index, one in taken.fields.items() if one.name in CONTENT)
    made = faults_workbook(
        taken.sheet,
        {
            line.row: [(one.column, one.fault.place, say(one.fault)) for one in line.faults]
            for line in taken.faulty
        },
        {line.row: content_columns for line in taken.lines if not line.is_open},
    )
    stem = PurePath(result.file_name).stem
    day = local_day(core.clock.now())
    file = documents.File(
        "import_faults",
        f"{stem}_问题_{day.isoformat()}.xlsx",
        documents.XLSX,
        made,
        owner_id=actor.user_id,
        subject=result.sha256,
        days=KEPT_DAYS,
    )
    kept = documents.keep(uow, core.clock, file)
    return ImportResult(**{**vars(result), "faults_document": kept})


def _record(uow: UnitOfWork, core: Core, actor: Actor, result: ImportResult, ids: Sequence[Value]) -> None:
    details = {
        "file": result.file_name,
        "sha256": result.sha256,
        "created": result.created,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "faulty": result.faulty,
        "exemptions_asked": result.exemptions_asked,
        "ids": list(ids[:_AUDITED]),
    }
    subject = ("register", result.sha256[:12])
    core.audit.record(uow, actor.user_id, "system.import", *subject, details, actor.trace_id)
