"""The same on PostgreSQL: dumped at one moment, proved in a database beside it, brought back into another."""

import threading
from pathlib import Path

import psycopg
import pytest

from cloudctl import dumps
from cloudctl.bringing_back import Source, bring_back
from cloudctl.clock import FrozenClock
from cloudctl.config import load
from cloudctl.errors import BadInput, Conflict
from cloudctl.initialise import Wish
from cloudctl.models import AuditEvent, AuditHead, DatabaseCopy
from cloudctl.observing import is_observing
from cloudctl.store import Store
from dr.database import recovery
from tests.conftest import make_core
from tests.own_database import Owned, own
from tests.services import PostgresCluster

pytestmark = pytest.mark.postgres
FROM = "s3://vault-city-1"


@pytest.fixture
def owned(postgres_url: str, home: Path, clock: FrozenClock) -> Owned:
    home.mkdir()
    return own(make_core(home, postgres_url, clock), clock)


def back(owned: Owned, home: Path, database: str) -> None:
    source = Source(FROM, owned.core.settings.keys / recovery.PRIVATE)
    bring_back(home, Wish(database), source, "local:root", stores=owned.stores, clock=owned.clock)


def test_it_is_proved_in_a_database_of_its_own_and_brought_back_into_an_empty_one(
    owned: Owned, tmp_path: Path, postgres_cluster: PostgresCluster
) -> None:
    copy = owned.back_up()
    assert (copy.state, copy.level, copy.error_message) == ("protected", "L2", None)
    with owned.core.store.engine.connect() as connection:
        left = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_database WHERE starts_with(datname, 'cloudctl_proof')"
        )
        assert left.scalar_one() == 0
    elsewhere, other = tmp_path / "elsewhere", postgres_cluster.new_database()
    back(owned, elsewhere, other)
    assert load(elsewhere).database == other
    store = Store(other)
    assert is_observing(store)
    with store.read() as uow:
        assert uow.need(DatabaseCopy, copy.id).state == "sealed"
    store.close()
    (elsewhere / "cloudctl.yaml").unlink()
    (elsewhere / "restoring").mkdir()
    with pytest.raises(Conflict, match="is not empty"):
        back(owned, elsewhere, other)
    with pytest.raises(BadInput) as refused:
        back(owned, tmp_path / "third", "")
    assert refused.value.faults[0].code == "other_kind"
    owned.core.store.close()


def test_a_dump_is_of_one_moment_while_many_write(owned: Owned, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            owned.change()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        dumped = dumps.dump(owned.core.store, tmp_path / "dump")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with dumps.loaded(
        tmp_path / "dump", dumped.dialect, owned.core.store, tmp_path, "cloudctl_proof_x"
    ) as store:
        with store.read() as uow:
            head = uow.need(AuditHead, 1)
            assert (head.seq, head.hash) == (dumped.audit_seq, dumped.audit_hash)
            assert uow.count(AuditEvent) == dumped.audit_seq
    owned.core.store.close()


def test_an_account_that_may_make_no_database_proves_by_reading_and_says_what_it_lacks(
    owned: Owned, postgres_url: str, home: Path
) -> None:
    url = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    role = "plain_" + url.rsplit("_", maxsplit=1)[1]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'only-a-test:1'")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    owned.core.store.close()
    place = postgres_url.split("@", maxsplit=1)[1]
    owned.core = make_core(home, f"postgresql+psycopg://{role}:only-a-test%3A1@{place}", owned.clock)
    copy = owned.back_up()
    assert (copy.state, copy.level) == ("protected", "L1")
    assert "CREATEDB" in str(copy.error_message)
    owned.core.store.close()
