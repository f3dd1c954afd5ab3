"""A record of the register, and the row that keeps it: the one place that knows which field lies where.

A record has a value for every field of `fields.py`: text, int, bool, `date` or None. What a column of
`information_system` holds is there, the rest lies in `details`, dates as ISO text, defaults left out.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from operator import attrgetter, itemgetter
from typing import Any

from cloudctl.models import InformationSystem
from tenants.register.fields import FIELDS, FieldKind, Record, Value

Changes = dict[str, list[Any]]  # field -> [before, after], as JSON has them

BLANK: Mapping[str, Value] = {field.name: field.default for field in FIELDS}  # what a new system starts from
COLUMNS: Mapping[str, str] = {field.name: field.column for field in FIELDS if field.column}
DETAILS = tuple(field.name for field in FIELDS if field.column is None)
CONTENT = frozenset(field.name for field in FIELDS if field.is_content)
DECISION = ("decision_document", "decision_on", "decision_reviewer")
REGISTER = "register"  # the origin of what the topology file no longer changes
ENDED = ("retired", "merged")  # stage and life state of a system that is counted no more
_DATES = frozenset(field.name for field in FIELDS if field.kind is FieldKind.DATE)
_DETAILED_DATES = tuple(name for name in DETAILS if name in _DATES)
_decision = itemgetter(*DECISION)
_of_row = attrgetter(*COLUMNS.values())


def record_of(row: InformationSystem) -> dict[str, Value]:
    """What the register says of a system now."""
    return record_from(_of_row(row), row.details)


def record_from(columns: Sequence[Any], details: Mapping[str, Any]) -> dict[str, Value]:
    """The record that lies in these values of the columns, in the order of COLUMNS, and these details."""
    record = {**BLANK}
    record.update(zip(COLUMNS, columns, strict=True))
    record.update(details)
    for name in _DETAILED_DATES:
        if name in details:
            record[name] = date.fromisoformat(details[name])
    if len(record) > len(BLANK):  # what an older version kept under another name is not lost, and not shown
        return {name: record[name] for name in BLANK}
    return record


def columns_of(record: Record) -> dict[str, Any]:
    """The columns that make a row keep the record, `details` and what follows from it included."""
    columns = {column: record[name] for name, column in COLUMNS.items()}
    return {**columns, "has_decision": has_decision(record), "details": details_of(record)}


def details_of(record: Record) -> dict[str, Any]:
    """What of the record has no column, without defaults."""
    return {
        name: as_json(value)
        for name in DETAILS
        if (value := record[name]) is not None and value != BLANK[name]
    }


def has_decision(record: Record) -> bool:
    """Whether the classification decision is proved: document, day and reviewer."""
    return None not in _decision(record)


def differences(before: Record, after: Record) -> Changes:
    """The fields that are not the same, each with both values as JSON has them."""
    return {
        name: [as_json(before[name]), as_json(value)]
        for name, value in after.items()
        if before[name] != value
    }


def as_json(value: Value) -> Any:
    """A value as JSON has it: dates in ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value


def from_json(name: str, value: Any) -> Value:
    """A value of the field as the record has it, from what `as_json` made."""
    if value is not None and name in _DATES:
        return date.fromisoformat(value)
    return value if value is not None else BLANK[name]
