"""Rows of many tables as plain JSON, and back: what one installation tells another of itself.

A table is a mapping from a row's key (its primary key as JSON text) to its columns. Columns that each
installation has of its own are neither read nor written. Writing makes the tables as they were read: what is
not in them goes, and so does whatever hangs on it in tables that are not mirrored.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from cloudctl.models import Row, UtcDateTime
from cloudctl.store import UnitOfWork

Columns = dict[str, Any]
Rows = dict[str, Columns]
Tables = dict[str, Rows]
_BATCH = 500


@dataclass(frozen=True)
class Mirrored:
    """A table that is mirrored, and the columns of it that are not.

    `has_own_rows`: rows that are only here stay.
    """

    model: type[Row]
    own: frozenset[str] = frozenset()
    has_own_rows: bool = False

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)

    @property
    def table(self) -> Any:
        return self.model.__table__

    @property
    def columns(self) -> list[Any]:
        return [one for one in self.table.columns if one.name not in self.own]

    def key_of(self, row: Mapping[str, Any]) -> str:
        """The row's primary key, as text."""
        return json.dumps([row[one.name] for one in self.table.primary_key], ensure_ascii=False)


def read(uow: UnitOfWork, mirrored: Iterable[Mirrored]) -> Tables:
    """All rows of the tables, as they are in this transaction."""
    found: Tables = {}
    for one in mirrored:
        names = [column.name for column in one.columns]
        chosen = one.table.select().with_only_columns(*one.columns)
        rows = ({name: _plain(value) for name, value in zip(names, values, strict=True)}
                for values in uow.session.execute(chosen))  # fmt: skip
        found[one.name] = {one.key_of(row): row for row in rows}
    return found


def write(
    uow: UnitOfWork, mirrored: Sequence[Mirrored], wanted: Mapping[str, Rows], is_emptied: bool = False
) -> int:
    """Make the tables as `wanted` says; how many rows are different now.

    What goes, goes first, so that its unique names are free. Conflict where the order of single rows matters
    beyond that: `clear` first then.
    """
    in_order = _in_order(mirrored)
    have = read(uow, in_order)
    gone = {one.name: [key for key in have[one.name] if key not in wanted.get(one.name, {})]
            for one in in_order if is_emptied or not one.has_own_rows}  # fmt: skip
    for one in reversed(in_order):
        old = _parents_first(one, [have[one.name][key] for key in gone.get(one.name, ())])
        _delete(uow, one, list(reversed(old)), in_order)
    changed = sum(len(keys) for keys in gone.values())
    for one in in_order:
        rows, known = wanted.get(one.name, {}), have[one.name]
        fresh = _parents_first(one, [row for key, row in rows.items() if key not in known])
        for row in fresh:
            uow.session.execute(one.table.insert().values(typed(one, row)))
        other = [row for key, row in rows.items() if key in known and known[key] != row]
        for row in other:
            uow.session.execute(one.table.update().where(*_is(one, row)).values(typed(one, row)))
        changed += len(fresh) + len(other)
        if fresh:
            _go_on_counting(uow, one)
    uow.session.expire_all()
    return changed


def clear(uow: UnitOfWork, mirrored: Sequence[Mirrored]) -> None:
    """Empty the tables, and those that hang on them."""
    write(uow, mirrored, {}, is_emptied=True)


def insert(uow: UnitOfWork, one: Mirrored, row: Mapping[str, Any]) -> None:
    """One row more, as it was read somewhere else."""
    uow.session.execute(one.table.insert().values(typed(one, row)))
    _go_on_counting(uow, one)


def update(uow: UnitOfWork, one: Mirrored, row: Mapping[str, Any]) -> None:
    """The row of that key as it was read somewhere else."""
    uow.session.execute(one.table.update().where(*_is(one, row)).values(typed(one, row)))
    uow.session.expire_all()


def references(one: Mirrored) -> dict[str, str]:
    """The columns that name a row of another table: column to that table."""
    return {column.name: next(iter(column.foreign_keys)).column.table.name
            for column in one.columns if column.foreign_keys}  # fmt: skip


def typed(one: Mirrored, row: Mapping[str, Any]) -> Columns:
    """The columns as the model wants them, those that are not mirrored left out."""
    told = [column for column in one.columns if column.name in row]
    return {column.name: _typed(column.type, row[column.name]) for column in told}


# -- the pieces


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _typed(kind: Any, value: Any) -> Any:
    """The value as the column wants it. UtcDateTime is asked first: it is none of the library's own types."""
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    if kind.python_type is date:
        return date.fromisoformat(value)
    return base64.b64decode(value) if kind.python_type is bytes else value


def _is(one: Mirrored, row: Mapping[str, Any]) -> list[Any]:
    return [column == _typed(column.type, row[column.name]) for column in one.table.primary_key]


def _in_order(mirrored: Sequence[Mirrored]) -> list[Mirrored]:
    """Tables that others name come before those."""
    place = {table.name: number for number, table in enumerate(Row.metadata.sorted_tables)}
    return sorted(mirrored, key=lambda one: place[one.name])


def _parents_first(one: Mirrored, rows: list[Columns]) -> list[Columns]:
    """Where a table names rows of its own: those that are named before those that name them."""
    own = [name for name, table in references(one).items() if table == one.name]
    if not own:
        return rows
    [key] = [column.name for column in one.table.primary_key]
    done: set[Any] = set()
    waiting, ordered = list(rows), list[Columns]()
    mine = {row[key] for row in rows}
    while waiting:
        ready = [row for row in waiting if all(row[name] in done or row[name] not in mine for name in own)]
        ordered += ready or waiting  # a circle: the database says what it thinks of it
        done |= {row[key] for row in ready or waiting}
        waiting = [row for row in waiting if row[key] not in done]
    return ordered


def _delete(uow: UnitOfWork, one: Mirrored, rows: list[Columns], mirrored: Sequence[Mirrored]) -> None:
    if not rows:
        return
    kept = {each.name for each in mirrored}
    for table in Row.metadata.sorted_tables:
        named = [column for column in table.columns if table.name not in kept
                 and any(key.column.table.name == one.name for key in column.foreign_keys)]  # fmt: skip
        for column in named:
            target = next(iter(column.foreign_keys)).column.name
            values = [row[target] for row in rows]
            for start in range(0, len(values), _BATCH):
                some = column.in_(values[start : start + _BATCH])
                uow.session.execute(cast("Any", table).delete().where(some))
    for row in rows:
        uow.session.execute(one.table.delete().where(*_is(one, row)))


def _go_on_counting(uow: UnitOfWork, one: Mirrored) -> None:
    """PostgreSQL counts by itself: the next number has to come after those that were given."""
    connection = uow.session.connection()
    keys = list(one.table.primary_key)
    if connection.dialect.name != "postgresql" or len(keys) != 1 or keys[0].type.python_type is not int:
        return
    name, column = one.name, keys[0].name
    counter = connection.exec_driver_sql(
        "SELECT pg_get_serial_sequence(%s, %s)", (f'"{name}"', column)
    ).scalar()
    if counter:
        last = max(uow.column(one.table.columns[column]), default=1)
        connection.exec_driver_sql("SELECT setval(%s, %s)", (counter, last))
