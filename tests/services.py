"""Throw-away services for tests: a PostgreSQL cluster of one's own, gone when the session ends."""

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


@dataclass(frozen=True)
class PostgresCluster:
    """A running cluster; every test takes a database of its own from it."""

    port: int
    password: str

    def new_database(self) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/{name}"

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres password={self.password} dbname={database}"


@contextmanager
def a_postgres_cluster() -> Iterator[PostgresCluster]:
    """Start a cluster on a free loopback port, without fsync; stop and remove it at the end."""
    programs = postgres_programs()
    home = Path(tempfile.mkdtemp(prefix="cloudctl-pg-"))
    owner = _owner(home)
    password = secrets.token_hex(16)
    port = free_port()
    password_file, data = home / "password", home / "data"
    password_file.write_text(password)
    password_file.chmod(0o600)
    if owner is not None:
        shutil.chown(password_file, owner)
    _run(
        [programs / "initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", "--no-sync",
         f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8"],
        owner,
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home}"
    options += "".join(f" -c {setting}" for setting in _QUICK)
    control = [programs / "pg_ctl", "-D", data, "-w"]
    _run([*control, "-l", home / "log", "-o", options, "start"], owner)
    try:
        yield PostgresCluster(port, password)
    finally:
        _run([*control, "-m", "immediate", "stop"], owner)
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    with a_postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> str:
    """An empty database on a PostgreSQL of our own."""
    return postgres_cluster.new_database()


def postgres_programs() -> Path:
    """The newest version that Debian's package put there; a missing one fails, and never skips."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if not found:
        pytest.fail("PostgreSQL is missing: apt-get install -y postgresql")
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))


def _owner(home: Path) -> str | None:
    """PostgreSQL refuses to run as root; then the package's own user runs it."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres").pw_name
    shutil.chown(home, user)
    return user


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[object], user: str | None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, check=False, user=user, cwd="/", text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"{' '.join(words)}: {done.stderr}")
