"""Many records at once, field by field, and as their rows hold them."""

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any

from cloudctl.store import Encoded
from tenants.register.fields import BY_NAME, FIELDS, FieldKind, Record, Value
from tenants.register.records import BLANK, COLUMNS, DETAILS, as_json

Table = Mapping[str, Sequence[Value]]  # every field with its value in each record, in one order
NAMES = (*COLUMNS.values(), "details")  # the columns of `stored_rows`
_every = itemgetter(*(field.name for field in FIELDS))


def table_of(records: Sequence[Record]) -> Table:
    """The records as a table."""
    columns = list(zip(*map(_every, records), strict=True)) if records else [()] * len(FIELDS)
    return {field.name: column for field, column in zip(FIELDS, columns, strict=True)}


def picked(table: Table, positions: Sequence[int]) -> Table:
    """The records at these positions."""
    if len(positions) == len(table["code"]):
        return table
    return {name: [column[position] for position in positions] for name, column in table.items()}


def stored_rows(table: Table) -> list[tuple[Any, ...]]:
    """What the rows of the records hold: their columns in the order of NAMES, the details as JSON text."""
    columns = [table[name] for name in COLUMNS]
    return list(zip(*columns, encoded_details(table), strict=True))


def encoded_details(table: Table) -> list[Encoded]:
    """What `details_of` says of each record, as JSON text."""
    members = [_members(name, table[name]) for name in DETAILS]
    return [Encoded("{" + "".join(row)[1:] + "}") for row in zip(*members, strict=True)]


def _members(name: str, values: Sequence[Value]) -> Sequence[str]:
    """The member of the field for each value, a comma before it; nothing for the default."""
    opening, default = f',"{name}":', BLANK[name]
    if BY_NAME[name].kind is FieldKind.TEXT:  # each its own: there is nothing to remember
        return ["" if value is None else opening + encode_basestring(str(value)) for value in values]
    known = {value: opening + _encoded(value) for value in set(values)} | {None: "", default: ""}
    return [known[value] for value in values]


def _encoded(value: Value) -> str:
    plain = as_json(value)
    return encode_basestring(plain) if isinstance(plain, str) else str(plain).lower()  # true, 3
