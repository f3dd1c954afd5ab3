"""Throw-away services for tests: a PostgreSQL cluster of one's own, gone when the session ends."""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
#: What was committed is there when its processes are killed; it need not outlive the machine.
_LASTING = ("fsync=off", "synchronous_commit=on", "max_connections=200")


@dataclass(frozen=True)
class PostgresCluster:
    """A running cluster; every test takes a database of its own from it."""

    port: int
    password: str
    home: Path
    settings: Sequence[str]
    owner: str | None

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.home}"
        options += "".join(f" -c {setting}" for setting in self.settings)
        _run([*self._control, "-l", self.home / "log", "-o", options, "start"], self.owner)

    def stop(self) -> None:
        """Stop at once."""
        _run([*self._control, "-m", "immediate", "stop"], self.owner)

    def kill(self) -> None:
        """SIGKILL to all its processes; returns when they are gone."""
        first = int((self.home / "data" / "postmaster.pid").read_text().split(maxsplit=1)[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in (first, *map(int, children)):
            _await_end(pid)
        # where nobody has fetched its end yet, the number in these files is that of a process that exists
        for lock in (self.home / "data" / "postmaster.pid", self.home / f".s.PGSQL.{self.port}.lock"):
            lock.unlink()

    def new_database(self, like: str = "template0") -> str:
        """The SQLAlchemy URL of a new database, empty or a copy of the one at that URL, which nobody uses."""
        name, like = f"test_{secrets.token_hex(6)}", like.rpartition("/")[2]
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like} ENCODING 'UTF8'")
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/{name}"

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres password={self.password} dbname={database}"

    @property
    def _control(self) -> list[object]:
        return [postgres_programs() / "pg_ctl", "-D", self.home / "data", "-w"]


@contextmanager
def a_postgres_cluster(is_lasting: bool = False) -> Iterator[PostgresCluster]:
    """Start a cluster on a free loopback port, without fsync; stop and remove it at the end.

    `is_lasting`: what was committed is there after `kill`.
    """
    programs = postgres_programs()
    home = Path(tempfile.mkdtemp(prefix="cloudctl-pg-"))
    owner = _owner(home)
    password = secrets.token_hex(16)
    password_file = home / "password"
    password_file.write_text(password)
    password_file.chmod(0o600)
    if owner is not None:
        shutil.chown(password_file, owner)
    _run(
        [programs / "initdb", "-D", home / "data", "-U", "postgres", "--auth=scram-sha-256", "--no-sync",
         f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8"],
        owner,
    )  # fmt: skip
    cluster = PostgresCluster(free_port(), password, home, _LASTING if is_lasting else _QUICK, owner)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
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


def _await_end(pid: int) -> None:
    """A killed process holds its sockets and shared memory until it is gone; a zombie holds nothing."""
    while True:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return
        except OSError:
            return
        threading.Event().wait(0.01)


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
