"""The same schema and the same locks on PostgreSQL."""

import threading
from pathlib import Path

import pytest

from cloudctl.models import QuotaRow
from cloudctl.queries import quota
from cloudctl.store import Store, UnitOfWork
from tenants import ledger, requests
from tests.builders import a_province, a_vm_form, an_actor
from tests.conftest import make_core

pytestmark = pytest.mark.postgres


def test_the_same_migrations_make_the_same_schema_on_postgresql(postgres_url: str) -> None:
    store = Store(postgres_url)
    store.migrate()
    store.migrate()
    assert store.schema_differences() == []
    store.close()


def test_guarded_updates_of_many_writers_stop_exactly_at_the_limit(postgres_url: str, home: Path) -> None:
    core = make_core(home, postgres_url)
    with core.store.write() as uow:
        row = uow.add(QuotaRow(scope_kind="division", scope_id="45", site="*", kind="vcpus", limit=50))
        counter = row.id
    granted: list[int] = []

    def take_ten_times() -> None:
        for _ in range(10):
            with core.store.write() as uow:
                fits = (QuotaRow.id == counter, QuotaRow.load + 1 <= QuotaRow.limit)
                granted.append(uow.update(QuotaRow, *fits, load=QuotaRow.load + 1))

    threads = [threading.Thread(target=take_ten_times) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with core.store.read() as uow:
        assert (sum(granted), uow.need(QuotaRow, counter).load) == (50, 50)
    core.store.close()


def test_the_audit_chain_stays_one_chain_under_many_writers(postgres_url: str, home: Path) -> None:
    core = make_core(home, postgres_url)

    def write_ten() -> None:
        for number in range(10):
            with core.store.write() as uow:
                core.audit.record(uow, "test", "test.write", "thing", number)

    threads = [threading.Thread(target=write_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = core.audit.verify(core.store)
    assert (verdict.events, verdict.is_intact, verdict.unsigned_tail) == (80, True, 0)
    core.store.close()


def test_a_project_that_comes_while_a_repair_waits_for_its_locks_is_counted(
    postgres_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = make_core(home, postgres_url)
    a_province(core)
    alice = an_actor(core, "alice")
    requests.submit(core, alice, a_vm_form(), "first")
    lock = quota.lock_counters

    def somebody_is_faster(uow: UnitOfWork) -> None:
        requests.submit(core, alice, a_vm_form(environment="test"), "second")
        lock(uow)

    monkeypatch.setattr(quota, "lock_counters", somebody_is_faster)
    assert ledger.repair(core, an_actor(core, "dave")) == []
    monkeypatch.undo()
    assert ledger.drift(core) == []
    core.store.close()
