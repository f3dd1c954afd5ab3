"""When the database is copied, which copies are given up, and a dump of one moment."""

import gzip
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudctl import dumps
from cloudctl.core import Core
from cloudctl.errors import Misconfigured
from cloudctl.models import AuditEvent, AuditHead, DatabaseCopy
from dr.database.copies import is_due
from dr.database.expiring import Kept, given_up
from dr.database.packing import DATABASE, HEADS, HOME, pack, read_home

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def kept(number: int, state: str = "protected", age: timedelta = DAY, lock: timedelta | None = None) -> Kept:
    return Kept(f"c{number}", state, NOW - age, None if lock is None else NOW + lock)


def test_what_is_locked_stays() -> None:
    assert given_up([kept(1, lock=HOUR), kept(2, lock=-HOUR)], DAY, NOW, 0) == ["c2"]


def test_the_newest_that_are_proved_stay_however_old_they_are() -> None:
    copies = [kept(number, age=number * DAY, lock=-HOUR) for number in range(1, 5)]
    assert given_up(copies, DAY, NOW, 2) == ["c3", "c4"]


def test_suspect_ones_do_not_count_among_those() -> None:
    copies = [kept(1, "suspect", DAY, -HOUR), kept(2, "protected", 2 * DAY, -HOUR)]
    assert given_up(copies, DAY, NOW, 1) == ["c1"]


def test_what_never_became_complete_goes_when_its_lock_would_have_ended() -> None:
    copies = [kept(1, "failed", 2 * DAY), kept(2, "failed", HOUR), kept(3, "making", 9 * DAY)]
    assert given_up(copies, DAY, NOW, 7) == ["c1"]


@pytest.mark.parametrize(
    ("state", "age", "due"),
    [
        ("protected", HOUR, False),
        ("protected", 6 * HOUR, True),
        ("failed", HOUR, True),
        ("failed", HOUR / 2, False),
    ],
)
def test_the_next_copy_is_due_after_the_span_and_soon_after_a_failure(
    state: str, age: timedelta, due: bool
) -> None:
    assert is_due(DatabaseCopy(state=state, created_at=NOW - age), 6 * HOUR, NOW) is due
    assert is_due(None, 6 * HOUR, NOW)


def test_a_dump_is_of_one_moment_while_many_write(core: Core, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with core.store.write() as uow:
                core.audit.record(uow, "test", "test.write", "thing", 1)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        dumped = dumps.dump(core.store, tmp_path / "dump")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with dumps.loaded(tmp_path / "dump", dumped.dialect, core.store, tmp_path, "restored") as store:
        assert dumps.faults_of(store) == []
        with store.read() as uow:
            assert uow.count(AuditEvent) == dumped.audit_seq
            head = uow.get(AuditHead, 1)
            assert (head.seq, head.hash) if head else (0, "") == (dumped.audit_seq, dumped.audit_hash)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["dump"]


def test_a_damaged_database_and_a_loose_row_are_named(core: Core, tmp_path: Path) -> None:
    dumped = dumps.dump(core.store, tmp_path / "dump")
    plain = tmp_path / "plain.db"
    plain.write_bytes(gzip.decompress((tmp_path / "dump").read_bytes()))
    with closing(sqlite3.connect(plain, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO step (operation_id, name, state, note, started_at) VALUES (77, 'a', 'b', '', 'c')"
        )
    (tmp_path / "dump").write_bytes(gzip.compress(plain.read_bytes()))
    with dumps.loaded(tmp_path / "dump", dumped.dialect, core.store, tmp_path, "restored") as store:
        [fault] = dumps.faults_of(store)
    assert (fault.code, fault.params["table"], fault.params["other"]) == ("loose_row", "step", "operation")


def test_a_copy_has_every_key_and_no_head_of_a_later_event(core: Core, tmp_path: Path) -> None:
    for number in range(3):
        with core.store.write() as uow:
            core.audit.record(uow, "test", "test.write", "thing", number)
    core.settings.audit_heads.open("a").write('{"seq": 99, "later": true}\nno head at all\n')
    facts = pack(core.store, core.settings, tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {DATABASE, HEADS, HOME}
    lines = gzip.decompress((tmp_path / "copy" / HEADS).read_bytes()).decode().splitlines()
    assert (
        len(lines) == 7
    )  # begun and written of each event, and what is no head: whoever verifies shall see it
    assert facts["audit_seq"] == 3
    home = read_home(tmp_path / "copy")
    assert home.installation == core.settings.installation
    assert home.keys["audit.key"] == (core.settings.keys / "audit.key").read_bytes()


def test_a_program_that_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert dumps.program_problem(dumps.POSTGRESQL) == "pg_dump, pg_restore"
    assert dumps.program_problem(dumps.SQLITE) is None
    with pytest.raises(Misconfigured) as refused:
        dumps._run_postgres(None, "pg_dump", [])
    assert "postgresql-client" in refused.value.text()
