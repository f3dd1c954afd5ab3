"""The database as one file and back: of one moment, while everybody goes on writing.

SQLite is copied by its own online backup and compressed; PostgreSQL by pg_dump, which sees the snapshot of
the transaction that reads the end of the audit chain. A password goes through a file of mode 0600, never
through arguments or the environment.
"""

import gzip
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl.errors import Fault, Misconfigured
from cloudctl.models import AuditHead, Row
from cloudctl.secrets import write_private
from cloudctl.store import Store, UnitOfWork

SQLITE, POSTGRESQL = "sqlite", "postgresql"
PATIENCE_S = 4 * 3600
_CHUNK = 1 << 20
_NO_RIGHT = "42501"  # PostgreSQL's insufficient_privilege
_SSL = ("sslmode", "sslrootcert", "sslcert", "sslkey")


@dataclass(frozen=True)
class Dumped:
    """What a dump holds: its kind, the schema, and the end of the audit chain at its moment."""

    dialect: str
    schema: str
    audit_seq: int
    audit_hash: str


def dump(store: Store, file: Path) -> Dumped:
    """Write the database into `file`, as it is at one moment. Misconfigured says why it cannot be.

    Needs room for the database beside it; pg_dump not older than the server.
    """
    dialect = store.engine.dialect.name
    schema = store.schema_version()[0] or ""
    with store.read() as uow:
        head = uow.get(AuditHead, 1)  # the snapshot begins here
        if dialect == SQLITE:
            _dump_sqlite(uow, file)
        else:
            snapshot = uow.session.connection().exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
            words = ["--format=custom", f"--snapshot={snapshot}", f"--file={file}"]
            _run_postgres(store.engine.url, "pg_dump", words)
        return Dumped(dialect, schema, head.seq if head else 0, head.hash if head else "")


def _dump_sqlite(uow: UnitOfWork, file: Path) -> None:
    plain = file.with_name(file.name + ".plain")
    source: Any = uow.session.connection().connection.driver_connection
    try:
        with closing(sqlite3.connect(plain)) as target:
            source.backup(target)
        with plain.open("rb") as read, gzip.GzipFile(file, "wb", compresslevel=6, mtime=0) as write:
            shutil.copyfileobj(read, write, _CHUNK)
    finally:
        plain.unlink(missing_ok=True)


def load(file: Path, dialect: str, url: str) -> None:
    """Fill the empty database at `url` with a dump; whole or not at all. Misconfigured says why not."""
    if dialect == SQLITE:
        plain = Path(url.removeprefix("sqlite:///"))
        with gzip.open(file, "rb") as read, open(plain, "wb", opener=_private) as write:
            shutil.copyfileobj(read, write, _CHUNK)
            write.flush()
            os.fsync(write.fileno())
        return
    store = Store(url)
    try:
        words = [
            "--single-transaction",
            "--exit-on-error",
            f"--dbname={store.engine.url.database}",
            str(file),
        ]
        _run_postgres(store.engine.url, "pg_restore", words)
    finally:
        store.close()


@contextmanager
def loaded(file: Path, dialect: str, beside: Store, directory: Path, name: str) -> Iterator[Store]:
    """The dump as a database of its own, gone at the end: a file in `directory`, or one beside our own.

    Misconfigured where the account may not make one (PostgreSQL: CREATEDB). One that a crash left under the
    same name is thrown away first.
    """
    if dialect == SQLITE:
        place = directory / f"{name}.db"
        _drop_file(place)
        url = f"sqlite:///{place}"
    else:
        _administer(
            beside, f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}" TEMPLATE template0'
        )
        url = beside.engine.url.set(database=name).render_as_string(hide_password=False)
    try:
        load(file, dialect, url)
        store = Store(url)
        try:
            yield store
        finally:
            store.close()
    finally:
        if dialect == SQLITE:
            _drop_file(directory / f"{name}.db")
        else:
            _administer(beside, f'DROP DATABASE IF EXISTS "{name}"')


def faults_of(store: Store) -> list[Fault]:
    """What the database's own check finds wrong; PostgreSQL checked every constraint while it was loaded."""
    if store.engine.dialect.name != SQLITE:
        return []
    with store.engine.connect() as connection:
        said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
        loose = list(connection.exec_driver_sql("PRAGMA foreign_key_check"))
    faults = [
        Fault("integrity", "damaged", "the database says: {detail}", {"detail": one[:200]})
        for one in said
        if one != "ok"
    ]
    for row in loose[:20]:
        params = {"table": str(row[0]), "other": str(row[2])}
        faults.append(
            Fault("integrity", "loose_row", "a row of {table} names one of {other} that is not there", params)
        )
    return faults


def count_rows(store: Store) -> int:
    """The rows of all tables."""
    with store.read() as uow:
        return sum(uow.count(mapper.class_) for mapper in Row.registry.mappers)


def program_problem(dialect: str) -> str | None:
    """Which program is missing for copies of such a database; None when nothing is."""
    missing = [
        one for one in ("pg_dump", "pg_restore") if dialect == POSTGRESQL and shutil.which(one) is None
    ]
    return ", ".join(missing) or None


# -- the pieces


def _drop_file(place: Path) -> None:
    for one in (place, place.with_name(place.name + "-wal"), place.with_name(place.name + "-shm")):
        one.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _administer(store: Store, *statements: str) -> None:
    try:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    except Exception as error:  # whatever the driver raises
        if getattr(getattr(error, "orig", None), "sqlstate", "") != _NO_RIGHT:
            raise
        hint = "give the account of the database the right CREATEDB"
        raise Misconfigured("no database can be made to try a copy in", hint=hint) from error


def _run_postgres(url: Any, program: str, words: Sequence[str]) -> None:
    """Run one of PostgreSQL's programs against the server of the URL."""
    path = shutil.which(program)
    if path is None:
        hint = "run: apt-get install postgresql-client"
        raise Misconfigured("the program {program} is missing", program=program, hint=hint)
    with tempfile.TemporaryDirectory(prefix="cloudctl-") as directory:
        environment = {**os.environ, **_environment(url)}
        if url.password:
            passes = Path(directory) / "pgpass"
            secret = str(url.password).replace("\\", "\\\\").replace(":", "\\:")
            write_private(passes, f"*:*:*:*:{secret}\n".encode())
            environment["PGPASSFILE"] = str(passes)
        ended = subprocess.run(
            [path, "--no-owner", "--no-privileges", "--no-password", *words],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.strip()] or [str(ended.returncode)]
        raise Misconfigured("{program} failed: {detail}", program=program, detail=lines[0][:300])


def _environment(url: Any) -> dict[str, str]:
    """Where the server is, as PostgreSQL's programs are told."""
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    found = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username,
        "PGDATABASE": url.database,
        **{f"PG{name.upper()}": query.get(name) for name in _SSL},
    }
    return {name: value for name, value in found.items() if value}
