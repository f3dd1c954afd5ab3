"""The database: one engine, short transactions, guarded updates that are right on SQLite and PostgreSQL.

Conditions are written on the rows' attributes (`QuotaRow.load + n <= QuotaRow.limit`), so that use cases
need no SQL library. SQLite writers say BEGIN IMMEDIATE: its default would lose updates without an error
(a SELECT there opens no transaction at all).
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from cloudctl.errors import Conflict, NotFound, StoreUnavailable
from cloudctl.models import Row

R = TypeVar("R", bound=Row)

_MIGRATIONS = Path(__file__).parent / "migrations"


class Encoded(str):
    """A document that is JSON text already, as all of its column are: the bulk writers leave it as it is."""


class UnitOfWork:
    """One transaction. Leaving the block commits; an exception rolls everything back."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._before_commit: dict[str, Callable[[UnitOfWork], None]] = {}
        self._after_commit: list[Callable[[], None]] = []
        self.pending: dict[str, list[Any]] = {}  # what before-commit hooks gather, by hook

    # -- reading

    def get(self, model: type[R], key: object) -> R | None:
        return self.session.get(model, key)

    def need(self, model: type[R], key: object) -> R:
        """The row by its primary key; NotFound when there is none."""
        row = self.session.get(model, key)
        if row is None:
            raise NotFound("{what} '{key}' does not exist", what=model.__tablename__, key=str(key))
        return row

    def first(self, model: type[R], *conditions: Any, order_by: Sequence[Any] = ()) -> R | None:
        return self.session.scalars(select(model).where(*conditions).order_by(*order_by).limit(1)).first()

    def all(
        self, model: type[R], *conditions: Any, order_by: Sequence[Any] = (), limit: int | None = None
    ) -> list[R]:
        return list(self.session.scalars(select(model).where(*conditions).order_by(*order_by).limit(limit)))

    def column(self, attribute: Any, *conditions: Any) -> list[Any]:
        """One column of the rows that meet the conditions."""
        return list(self.session.scalars(select(attribute).where(*conditions)))

    def tuples(
        self,
        attributes: Sequence[Any],
        *conditions: Any,
        order_by: Sequence[Any] = (),
        limit: int | None = None,
        is_locked: bool = False,
    ) -> list[tuple[Any, ...]]:
        """Several columns of the rows that meet the conditions, without an object for each row.

        `is_locked` keeps others from changing the rows until the end of the transaction.
        """
        wanted = select(*attributes).where(*conditions).order_by(*order_by).limit(limit)
        found = self.session.execute(wanted.with_for_update() if is_locked else wanted)
        return [tuple(row) for row in found]

    def count(self, model: type[Row], *conditions: Any) -> int:
        return self.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0

    def for_update(self, model: type[R], key: object) -> R:
        """The row, locked until the end of the transaction and read afresh (SQLite: the writer's lock).

        Its key stays, so whoever refers to it need not wait: two transactions that have each written a
        reference to the row and then lock it would wait for each other for ever.
        """
        no_key = {"key_share": True}  # FOR NO KEY UPDATE
        row = self.session.get(model, key, with_for_update=no_key, populate_existing=True)
        if row is None:
            raise NotFound("{what} '{key}' does not exist", what=model.__tablename__, key=str(key))
        return row

    # -- writing

    def add(self, row: R) -> R:
        """Write the row now, so that its id and its constraint errors are here and not at commit."""
        self.session.add(row)
        self.session.flush()
        return row

    def insert_many(self, model: type[Row], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert thousands of rows, each its values in the order of `names`; defaults are not filled in.

        Values are converted column by column: row by row that costs more than the database's own work.
        """
        table: Any = model.__table__
        statement = insert(table).inline().values({name: bindparam(name) for name in names})
        self._execute_many(statement, [table.c[name] for name in names], names, rows)

    def update_many(self, model: type[Row], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write the columns `names` of thousands of rows, the first of which is the primary key.

        Rows already loaded are read afresh when next touched.
        """
        table: Any = model.__table__
        bound = [f"new_{name}" for name in names]  # a name of its own: the key stands in WHERE
        values: Any = {name: bindparam(one) for name, one in zip(names[1:], bound[1:], strict=True)}
        statement = update(table).where(table.c[names[0]] == bindparam(bound[0])).values(values)
        self._execute_many(statement, [table.c[name] for name in names], bound, rows)
        self.session.expire_all()

    def _execute_many(
        self, statement: Any, columns: Sequence[Any], bound: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        if not rows:
            return
        self.session.flush()
        connection = self.session.connection()
        dialect = connection.dialect
        compiled = statement.compile(dialect=dialect)
        values: dict[str, Sequence[Any]] = {
            name: _bound(column.type.dialect_impl(dialect).bind_processor(dialect), given)
            for column, name, given in zip(columns, bound, zip(*rows, strict=True), strict=True)
        }
        order = compiled.positiontup or bound
        in_order = zip(*(values[name] for name in order), strict=True)
        many: Any = (
            in_order if compiled.positiontup else (dict(zip(order, one, strict=True)) for one in in_order)
        )
        connection.exec_driver_sql(str(compiled), list(many))

    def insert_missing(self, model: type[Row], rows: Sequence[Mapping[str, object]]) -> None:
        """Insert those rows that no unique constraint forbids; the others stay as they are."""
        if not rows:
            return
        dialect = self.session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self.session.execute(insert(model).values([dict(row) for row in rows]).on_conflict_do_nothing())

    def update(self, model: type[Row], *conditions: Any, **values: Any) -> int:
        """Guarded update: set `values` where the conditions hold; how many rows did.

        Rows already loaded are read afresh when next touched.
        """
        self.session.flush()
        statement = update(model).where(*conditions).values(**values)
        result = self.session.execute(statement, execution_options={"synchronize_session": False})
        self.session.expire_all()
        return cast("CursorResult[Any]", result).rowcount

    def update_one_returning(
        self, model: type[Row], conditions: Sequence[Any], values: Mapping[str, Any], returning: Sequence[Any]
    ) -> tuple[Any, ...] | None:
        """Guarded update of one row; the named columns after it, or None when the guard did not hold."""
        self.session.flush()
        statement = update(model).where(*conditions).values(**values).returning(*returning)
        found = self.session.execute(statement, execution_options={"synchronize_session": False}).first()
        self.session.expire_all()
        return tuple(found) if found is not None else None

    def delete(self, model: type[Row], *conditions: Any) -> int:
        result = self.session.execute(delete(model).where(*conditions))
        return cast("CursorResult[Any]", result).rowcount

    def flush(self) -> None:
        self.session.flush()

    # -- around the commit

    def before_commit(self, name: str, hook: Callable[["UnitOfWork"], None]) -> None:
        """Run `hook` once, as the last thing in the transaction (the rows most fought over come last)."""
        self._before_commit[name] = hook

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run `hook` when the transaction is on disk; never when it was rolled back."""
        self._after_commit.append(hook)

    def _commit(self) -> None:
        while self._before_commit:  # a hook may ask for another, or for one that has run already
            self._before_commit.pop(next(iter(self._before_commit)))(self)
        self.session.commit()
        for after in self._after_commit:
            after()


class Store:
    """The database of one installation."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writers = sessionmaker(
            self.engine.execution_options(cloudctl_write=True), expire_on_commit=False
        )
        one_state = {} if url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
        self._readers = sessionmaker(self.engine.execution_options(**one_state), expire_on_commit=False)

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """A transaction that may write. Commits when the block ends well.

        Conflict when a unique constraint is met; StoreUnavailable when the database does not answer.
        """
        with self._session(self._writers) as uow:
            yield uow
            uow._commit()

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """A transaction that only reads, and sees one state of the database."""
        with self._session(self._readers) as uow:
            yield uow

    @contextmanager
    def _session(self, make: Callable[[], Session]) -> Iterator[UnitOfWork]:
        with make() as session:
            try:
                yield UnitOfWork(session)
            except IntegrityError as error:
                session.rollback()
                raise Conflict(
                    "the row exists already or is in use: {detail}", detail=str(error.orig)
                ) from error
            except OperationalError as error:
                session.rollback()
                raise StoreUnavailable(
                    "the database did not answer: {detail}", detail=str(error.orig)
                ) from error
            except BaseException:
                session.rollback()
                raise

    # -- schema

    def migrate(self) -> None:
        """Bring the schema to the newest version; again changes nothing."""
        with self.engine.execution_options(cloudctl_write=True).begin() as connection:
            command.upgrade(_alembic(connection), "head")

    def schema_version(self) -> tuple[str | None, str | None]:
        """The version the database has, None when it is empty, and the one this code wants."""
        with self.engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            return current, ScriptDirectory.from_config(_alembic(connection)).get_current_head()

    def schema_differences(self) -> list[Any]:
        """What the tables in the database and the models disagree on; empty when none."""
        with self.engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))

    def close(self) -> None:
        self.engine.dispose()


def _bound(process: Callable[[Any], Any] | None, column: Sequence[Any]) -> Sequence[Any]:
    """The values as the driver takes them; equal ones are converted once where they can be compared."""
    if process is None or isinstance(column[0], Encoded):
        return column
    try:
        known = {value: process(value) for value in set(column)}
    except TypeError:  # documents cannot be
        return [process(value) for value in column]
    return [known[value] for value in column]


def _alembic(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=24)
    engine = create_engine(
        url, connect_args={"timeout": 30, "check_same_thread": False}, pool_size=8, max_overflow=24
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is said below, not guessed by the driver
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=30000", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("cloudctl_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
