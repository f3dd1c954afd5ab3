"""Transactions and the schema."""

import threading

import pytest

from cloudctl.core import Core
from cloudctl.errors import Conflict, NotFound
from cloudctl.models import Division, Document, QuotaRow, User
from cloudctl.store import Encoded, Store


def a_counter(core: Core) -> int:
    with core.store.write() as uow:
        return uow.add(QuotaRow(scope_kind="project", scope_id="p", site="*", kind="vcpus")).id


def test_the_migrated_schema_is_what_the_models_say(core: Core) -> None:
    assert core.store.schema_differences() == []


def test_migrating_again_changes_nothing(core: Core) -> None:
    core.store.migrate()
    assert core.store.schema_differences() == []


def test_threads_that_read_and_then_write_lose_no_update(core: Core) -> None:
    counter = a_counter(core)

    def add_ten() -> None:
        for _ in range(10):
            with core.store.write() as uow:
                row = uow.need(QuotaRow, counter)
                row.held = row.held + 1

    threads = [threading.Thread(target=add_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with core.store.read() as uow:
        assert uow.need(QuotaRow, counter).held == 80


def test_an_error_in_the_block_leaves_no_trace(core: Core, clock: object) -> None:
    with pytest.raises(RuntimeError), core.store.write() as uow:
        uow.add(User(id="x", name="x", created_at=core.clock.now()))
        raise RuntimeError
    with core.store.read() as uow:
        assert uow.get(User, "x") is None


def test_hooks_run_before_the_commit_and_only_a_commit_runs_the_ones_after(core: Core) -> None:
    seen: list[str] = []
    with core.store.write() as uow:
        uow.before_commit("a", lambda _uow: seen.append("before"))
        uow.after_commit(lambda: seen.append("after"))
    with pytest.raises(RuntimeError), core.store.write() as uow:
        uow.after_commit(lambda: seen.append("never"))
        raise RuntimeError
    assert seen == ["before", "after"]


def test_a_second_row_with_the_same_key_is_a_conflict(core: Core) -> None:
    a_counter(core)
    with pytest.raises(Conflict):
        a_counter(core)


def test_inserting_what_is_missing_leaves_what_is_there(core: Core) -> None:
    counter = a_counter(core)
    rows = [
        {"scope_kind": "project", "scope_id": "p", "site": "*", "kind": kind} for kind in ("vcpus", "volumes")
    ]
    defaults = {"guarantee": 0, "held": 0, "used": 0, "load": 0}
    with core.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.id == counter, held=7)
        uow.insert_missing(QuotaRow, [{**row, **defaults} for row in rows])
    with core.store.read() as uow:
        assert sorted(uow.column(QuotaRow.held)) == [0, 7]


def test_a_guarded_update_whose_guard_does_not_hold_changes_nothing(core: Core) -> None:
    counter = a_counter(core)
    with core.store.write() as uow:
        assert uow.update(QuotaRow, QuotaRow.id == counter, QuotaRow.held > 0, held=QuotaRow.held + 1) == 0
        assert uow.update_one_returning(
            QuotaRow, [QuotaRow.id == counter], {"held": QuotaRow.held + 3}, [QuotaRow.held]
        ) == (3,)


def test_what_does_not_exist_is_said_by_name(core: Core) -> None:
    with core.store.read() as uow, pytest.raises(NotFound, match="user 'nobody' does not exist"):
        uow.need(User, "nobody")


def test_a_reader_sees_one_state_while_a_writer_commits(core: Core) -> None:
    counter = a_counter(core)
    other = Store(core.settings.database_url)
    with core.store.read() as reading:
        before = reading.need(QuotaRow, counter).held
        with other.write() as writing:
            writing.update(QuotaRow, QuotaRow.id == counter, held=5)
        reading.session.expire_all()
        assert reading.need(QuotaRow, counter).held == before
    other.close()


def test_rows_written_in_bulk_read_like_any_other(core: Core) -> None:
    names = ("id", "kind", "name", "media_type", "content", "sha256", "owner_id", "subject", "operation_id",
             "made_at", "expires_at")  # fmt: skip
    now = core.clock.now()
    rows = [(f"d{n}", "k", "名'字", "t", b"\x00%s", "h", None, "", n, now, None) for n in range(3)]
    with core.store.write() as uow:
        uow.insert_many(Document, names, rows)
        uow.insert_many(Document, names, [])
        kept = uow.need(Document, "d1")
        uow.update_many(Document, ("id", "name", "expires_at"), [("d0", "甲", now), ("d1", "乙", None)])
        assert kept.name == "乙", "what was loaded is read afresh"
    with core.store.read() as uow:
        found = uow.tuples((Document.id, Document.name, Document.expires_at), order_by=[Document.id])
        assert found == [("d0", "甲", now), ("d1", "乙", None), ("d2", "名'字", None)]
        assert uow.need(Document, "d2").content == b"\x00%s"


def test_documents_written_in_bulk_may_be_text_already(core: Core) -> None:
    names = ("code", "name", "level", "parent_code", "served_by", "retired_at")
    rows = [
        ("1", "甲", "city", None, Encoded('["a","乙"]'), None),
        ("2", "乙", "city", "1", Encoded("[]"), None),
    ]
    with core.store.write() as uow:
        uow.insert_many(Division, names, rows)
        uow.insert_many(Division, names, [("3", "丙", "city", None, ["c"], None)])
    with core.store.read() as uow:
        assert uow.column(Division.served_by) == [["a", "乙"], [], ["c"]]
