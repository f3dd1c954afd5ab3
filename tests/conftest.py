"""Fixtures everyone uses: a home, a frozen clock, a core on SQLite."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from cloudctl.audit import Audit
from cloudctl.clock import FrozenClock
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.secrets import Signer
from cloudctl.store import Store
from tests.etcd import etcd_members
from tests.rabbitmq import rabbitmq, rabbitmq_node
from tests.services import postgres_cluster, postgres_url

__all__ = [
    "etcd_members",
    "postgres_cluster",
    "postgres_url",
    "rabbitmq",
    "rabbitmq_node",
]  # fixtures from elsewhere

# How fast examples are drawn says how busy the machine is, and nothing about the code.
settings.register_profile("cloudctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cloudctl")


@dataclass
class RecordingBell:
    """Remembers who was rung for; nobody wakes."""

    rung: list[int] = field(default_factory=list)

    def ring(self, operation_id: int) -> None:
        self.rung.append(operation_id)


@cache
def _migrated_sqlite() -> bytes:
    """An empty database of the newest schema."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "cloudctl.db"
        store = Store(f"sqlite:///{file}")
        store.migrate()
        store.close()
        return file.read_bytes()


def make_core(home: Path, database: str = "", clock: FrozenClock | None = None) -> Core:
    """A core with a migrated database; `database` is a URL, empty for SQLite in home."""
    settings = Settings(home=home, installation="test-installation", database=database)
    if not (settings.keys / "audit.key").exists():
        Signer.make_key(settings.keys / "audit.key")
    file = home / "cloudctl.db"
    if not database and not file.exists():
        file.write_bytes(_migrated_sqlite())  # the migrations take longer than most tests
    store = Store(settings.database_url)
    if database:
        store.migrate()
    clock = clock or FrozenClock()
    audit = Audit(clock, Signer(settings.keys / "audit.key"), settings.audit_heads)
    return Core(settings, store, clock, audit, RecordingBell())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def core(home: Path, clock: FrozenClock) -> Iterator[Core]:
    home.mkdir()
    made = make_core(home, clock=clock)
    yield made
    made.store.close()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything must run, a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CLOUDCTL_MUST_RUN") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
