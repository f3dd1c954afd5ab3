"""The history of every system: the one writer of `system_version`, and the register as of any past moment.

A version says what is counted of a system from one moment to the next, and in `changes` what was changed by
it. A past record is the one of now with all later changes taken back, so that it can be told even where the
beginning of the history is missing. A system that became classified has no content in its past either.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from cloudctl.clock import Clock
from cloudctl.models import FOREVER, InformationSystem, SystemVersion
from cloudctl.queries.register_history import COUNTED, begin_history, undone
from cloudctl.store import UnitOfWork
from tenants.register.fields import BY_NAME, CLASSIFIED_NAME, Record, Value
from tenants.register.offices import Offices, read_offices
from tenants.register.records import (
    BLANK,
    CONTENT,
    ENDED,
    Changes,
    columns_of,
    differences,
    from_json,
    record_of,
)

PLACED = ("department_id", "division_code", "level")  # a version has these resolved
_NAMES = ("system_id", "valid_from", "valid_to", *PLACED, *COUNTED, "changes", "changed_by", "reason")
_placed, _counted = itemgetter("id", *PLACED), itemgetter(*COUNTED)
_CHUNK = 5000  # ids in one statement


class Written(NamedTuple):
    """The columns of a system's row as they are from now on, and what of its record changed."""

    columns: Mapping[str, Any]
    changes: Changes


def begin_versions(uow: UnitOfWork, clock: Clock, ids: Sequence[str], by: str, reason: str) -> None:
    """The first version of systems whose rows were just written, in the caller's transaction."""
    uow.flush()
    begin_history(uow, ids, clock.now(), by, reason)


def write_versions(
    uow: UnitOfWork, clock: Clock, offices: Offices, written: Sequence[Written], by: str, reason: str
) -> None:
    """Close the open version of each system and open the next, in the caller's transaction.

    For thousands of systems at once; the rows themselves are the caller's to write. `by` is who, `reason`
    why: `import:budget.xlsx`, `set`, `merge`, `topology` ...
    """
    now = clock.now()
    for chunk in _chunks([one.columns["id"] for one in written]):
        open_ones = (SystemVersion.system_id.in_(chunk), SystemVersion.valid_to == FOREVER)
        uow.update(SystemVersion, *open_ones, valid_to=now)
    _forget_content(uow, written)
    rows = []
    for columns, changes in written:
        id_, department, division, level = _placed(columns)
        place = offices.division_of(department, division)
        level = offices.level_of(department, division, level)
        counted = _counted(columns)
        rows.append((id_, now, FOREVER, department, place, level, *counted, changes, by, reason))
    uow.insert_many(SystemVersion, _NAMES, rows)


def change_record(
    uow: UnitOfWork,
    clock: Clock,
    row: InformationSystem,
    values: Mapping[str, Value],
    by: str,
    reason: str,
) -> Changes:
    """Make the row say these values of fields, and write the version of it; what changed.

    No rule is looked at here, and what is the same already changes nothing. `retired_at` follows from the
    life state.
    """
    before = record_of(row)
    after = {**before, **values}
    if before == after:
        return {}
    for column, value in columns_of(after).items():
        setattr(row, column, value)
    row.changed_at = clock.now()
    row.retired_at = ended_at(after, row.retired_at, row.changed_at)
    return write_version_of(uow, clock, row, before, by, reason)


def write_version_of(
    uow: UnitOfWork, clock: Clock, row: InformationSystem, before: Record | None, by: str, reason: str
) -> Changes:
    """The version of a row that was changed already; `before` is its record until now, None if new."""
    uow.flush()
    if before is None:
        begin_versions(uow, clock, [row.id], by, reason)
        return {}
    changes = changes_of(before, record_of(row))
    columns = {name: getattr(row, name) for name in ("id", *PLACED, *COUNTED)}
    write_versions(uow, clock, read_offices(uow), [Written(columns, changes)], by, reason)
    return changes


def changes_of(before: Record, after: Record) -> Changes:
    """What a version says was changed; of a classified system never its content."""
    changes = differences(before, after)
    if after["is_classified"]:
        return {name: both for name, both in changes.items() if name not in CONTENT}
    return changes


def ended_at(record: Record, was: datetime | None, now: datetime) -> datetime | None:
    """Since when the system is retired or merged; None while it is not."""
    return (was or now) if record["life_state"] in ENDED else None


# -- looking back


def record_at(uow: UnitOfWork, system_id: str, moment: datetime) -> dict[str, Value] | None:
    """The record just before the moment (`end_of_day` of a day); None when the system was not there yet."""
    return records_at(uow, moment, [system_id]).get(system_id)


def records_at(
    uow: UnitOfWork, moment: datetime, ids: Sequence[str] | None = None
) -> dict[str, dict[str, Value]]:
    """The records just before the moment by code, of these systems or of the whole register."""
    chosen = [] if ids is None else [InformationSystem.id.in_(ids)]
    rows = uow.all(InformationSystem, *chosen, order_by=[InformationSystem.id])
    past = undone(uow, moment, ids)
    return {
        row.id: back(record_of(row), past.before.get(row.id)) for row in rows if row.id not in past.unborn
    }


def back(record: Record, before: Mapping[str, Any] | None) -> dict[str, Value]:
    """The record with later changes taken back; `before` is what `undone` says of the system.

    What is classified now, or was then, shows no content.
    """
    known = {name: value for name, value in (before or {}).items() if name in BY_NAME}
    past = {**record, **{name: from_json(name, value) for name, value in known.items()}}
    if record["is_classified"] or past["is_classified"]:
        past |= {name: BLANK[name] for name in CONTENT} | {"name": CLASSIFIED_NAME}
    return past


def history(uow: UnitOfWork, system_id: str) -> list[SystemVersion]:
    """Every version of the system, the newest first."""
    return uow.all(
        SystemVersion,
        SystemVersion.system_id == system_id,
        order_by=[SystemVersion.valid_from.desc(), SystemVersion.id.desc()],
    )


def _forget_content(uow: UnitOfWork, written: Iterable[Written]) -> None:
    """Take the content out of the history of what has become classified."""
    ids = [
        one.columns["id"]
        for one in written
        if one.columns["is_classified"] and "is_classified" in one.changes
    ]
    for chunk in _chunks(ids):
        for version in uow.all(SystemVersion, SystemVersion.system_id.in_(chunk)):
            version.changes = {name: both for name, both in version.changes.items() if name not in CONTENT}
    uow.flush()


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
