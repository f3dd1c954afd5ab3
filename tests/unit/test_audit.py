"""The audit chain: one chain however many write, and whatever is done to it shows."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudctl.audit import GENESIS, Verdict, event_hash
from cloudctl.audit_heads import BEGUN
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import StoreUnavailable
from cloudctl.models import AuditEvent, AuditHead
from cloudctl.secrets import Signer
from tests.conftest import make_core

WRITERS, COMMITS = 4, 25


def write_events(core: Core, commits: int, by: str = "alice", each: int = 1) -> None:
    for number in range(commits):
        with core.store.write() as uow:
            for part in range(each):
                core.audit.record(uow, by, "test.write", "thing", number, {"part": part, "名": "值"})


def codes(verdict: Verdict) -> set[str]:
    return {fault.code for fault in verdict.faults}


def relink(core: Core, from_seq: int) -> None:
    """What someone with the database and our source would do: all hashes anew, so that the links fit."""
    with core.store.write() as uow:
        before = uow.get(AuditEvent, from_seq - 1)
        previous = before.hash if before is not None else GENESIS
        for event in uow.all(AuditEvent, AuditEvent.seq >= from_seq, order_by=[AuditEvent.seq]):
            event.previous_hash = previous
            previous = event.hash = event_hash(event)
        last = uow.first(AuditEvent, order_by=[AuditEvent.seq.desc()])
        assert last is not None
        uow.update(AuditHead, AuditHead.id == 1, seq=last.seq, hash=last.hash)


def test_a_chain_that_nobody_touched_is_intact(core: Core) -> None:
    write_events(core, 3, each=2)
    verdict = core.audit.verify(core.store)
    assert verdict.is_intact
    assert (verdict.events, verdict.heads, verdict.unsigned_tail) == (6, 6, 0)


def test_an_empty_chain_is_intact(core: Core) -> None:
    assert core.audit.verify(core.store) == Verdict(0, 0, 0, ())


def test_what_is_rolled_back_leaves_no_event_and_no_fault(core: Core) -> None:
    write_events(core, 1)
    with pytest.raises(ZeroDivisionError), core.store.write() as uow:
        core.audit.record(uow, "alice", "test.write", "thing", 1)
        _ = 1 / 0
    write_events(core, 1)
    verdict = core.audit.verify(core.store)
    assert verdict.is_intact
    assert verdict.events == 2


def change(core: Core) -> None:
    with core.store.write() as uow:
        uow.update(AuditEvent, AuditEvent.seq == 3, actor="mallory")


def change_and_rehash(core: Core) -> None:
    change(core)
    relink(core, 3)


def remove(core: Core) -> None:
    with core.store.write() as uow:
        uow.delete(AuditEvent, AuditEvent.seq == 3)


def remove_the_first(core: Core) -> None:
    with core.store.write() as uow:
        uow.delete(AuditEvent, AuditEvent.seq == 1)


def remove_and_close_the_gap(core: Core) -> None:
    remove(core)
    with core.store.write() as uow:
        for seq in (4, 5, 6):
            uow.update(AuditEvent, AuditEvent.seq == seq, seq=seq - 1)
    relink(core, 3)


def copy_of(event: AuditEvent, seq: int) -> AuditEvent:
    return AuditEvent(
        seq=seq, at=event.at, actor="mallory", action=event.action, subject_kind=event.subject_kind,
        subject_id=event.subject_id, details=event.details, trace_id=None, previous_hash="", hash="",
    )  # fmt: skip


def insert(core: Core) -> None:
    with core.store.write() as uow:
        for seq in (6, 5, 4):
            uow.update(AuditEvent, AuditEvent.seq == seq, seq=seq + 1)
        uow.add(copy_of(uow.need(AuditEvent, 3), 4))
    relink(core, 4)


def insert_before_the_first(core: Core) -> None:
    with core.store.write() as uow:
        event = copy_of(uow.need(AuditEvent, 1), 0)
        event.previous_hash = GENESIS
        event.hash = event_hash(event)
        uow.add(event)


def reorder(core: Core) -> None:
    with core.store.write() as uow:
        for old, new in ((3, 100), (4, 3), (100, 4)):
            uow.update(AuditEvent, AuditEvent.seq == old, seq=new)
    relink(core, 3)


def cut_off(core: Core) -> None:
    with core.store.write() as uow:
        uow.delete(AuditEvent, AuditEvent.seq > 4)
        uow.update(AuditHead, AuditHead.id == 1, seq=4, hash=uow.need(AuditEvent, 4).hash)


def cut_off_everything(core: Core) -> None:
    with core.store.write() as uow:
        uow.delete(AuditEvent)
        uow.delete(AuditHead)


def rewrite(core: Core) -> None:
    with core.store.write() as uow:
        for event in uow.all(AuditEvent):
            event.actor = "mallory"
    relink(core, 1)


def append_past_cloudctl(core: Core) -> None:
    with core.store.write() as uow:
        uow.add(copy_of(uow.need(AuditEvent, 6), 7))
    relink(core, 7)


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (change, "changed"),
        (change_and_rehash, "rewritten"),
        (remove, "gap"),
        (remove_the_first, "gap"),
        (remove_and_close_the_gap, "rewritten"),
        (insert, "rewritten"),
        (insert_before_the_first, "unsigned"),
        (reorder, "rewritten"),
        (cut_off, "cut_off"),
        (cut_off_everything, "cut_off"),
        (rewrite, "rewritten"),
        (append_past_cloudctl, "unsigned"),
    ],
)
def test_whatever_is_done_to_the_chain_shows(core: Core, tamper: Callable[[Core], None], code: str) -> None:
    write_events(core, 6)
    tamper(core)
    assert code in codes(core.audit.verify(core.store))


def test_an_event_written_past_cloudctl_shows_also_after_the_next_commit_was_built_on_it(core: Core) -> None:
    write_events(core, 6)
    append_past_cloudctl(core)
    write_events(core, 1)
    verdict = core.audit.verify(core.store)
    assert [str(fault) for fault in verdict.faults] == [
        "event 7: was not written by cloudctl: no signed head covers it"
    ]


def test_a_head_row_that_was_moved_back_shows(core: Core) -> None:
    write_events(core, 3)
    with core.store.write() as uow:
        uow.update(AuditHead, AuditHead.id == 1, seq=2)
    assert codes(core.audit.verify(core.store)) == {"head_differs"}


def test_heads_signed_with_another_key_are_named_by_their_line(core: Core, home: Path) -> None:
    write_events(core, 2)
    Signer.make_key(home / "keys" / "other.key")
    other = Signer(home / "keys" / "other.key")
    lines = []
    for line in core.settings.audit_heads.read_text().splitlines():
        head = json.loads(line)
        del head["signature"]
        message = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
        lines.append(json.dumps({**head, "signature": other.sign(message)}))
    core.settings.audit_heads.write_text("\n".join(lines) + "\n")
    verdict = core.audit.verify(core.store)
    assert {"bad_head", "unsigned"} == codes(verdict)
    assert verdict.faults[0].place == "audit-heads.jsonl:1"


@pytest.mark.parametrize("line", ["", "nonsense", "[]", '{"seq": 1}', '{"first":"1","seq":"1"}', "\xff\x00"])
def test_a_line_that_is_no_head_is_a_fault_and_no_crash(core: Core, line: str) -> None:
    write_events(core, 1)
    with core.settings.audit_heads.open("a") as file:
        file.write(line + "\n")
    assert codes(core.audit.verify(core.store)) == {"bad_head"}


def test_a_line_left_unfinished_does_not_spoil_the_next(core: Core) -> None:
    write_events(core, 1)
    with core.settings.audit_heads.open("a") as file:
        file.write('{"first": 2, "se')
    write_events(core, 1)
    verdict = core.audit.verify(core.store)
    assert [fault.code for fault in verdict.faults] == ["bad_head"]
    assert verdict.heads == 4


def test_a_process_killed_right_after_its_commit_leaves_no_fault(core: Core) -> None:
    write_events(core, 2)
    lines = core.settings.audit_heads.read_text().splitlines()
    assert json.loads(lines[-2])["stage"] == BEGUN
    core.settings.audit_heads.write_text("\n".join(lines[:-1]) + "\n")
    verdict = core.audit.verify(core.store)
    assert verdict.is_intact
    assert verdict.unsigned_tail == 1
    write_events(core, 1)
    assert core.audit.verify(core.store).unsigned_tail == 0


def test_nothing_is_changed_when_the_promise_cannot_be_kept_on_record(core: Core) -> None:
    core.settings.audit_heads.mkdir()
    with pytest.raises(StoreUnavailable), core.store.write() as uow:
        core.audit.record(uow, "alice", "test.write", "thing", 1)
    with core.store.read() as uow:
        assert uow.count(AuditEvent) == 0


def test_an_event_recorded_by_a_last_minute_hook_is_not_lost(core: Core) -> None:
    with core.store.write() as uow:
        core.audit.record(uow, "alice", "first", "thing", 1)
        uow.before_commit("later", lambda last: core.audit.record(last, "alice", "second", "thing", 1))
    with core.store.read() as uow:
        assert uow.column(AuditEvent.action) == ["first", "second"]
    assert core.audit.verify(core.store).is_intact


def test_text_that_no_database_takes_does_not_stop_the_record(core: Core) -> None:
    with core.store.write() as uow:
        core.audit.record(uow, "alice", "test.write", "thing", 1, {"reason": "half a \ud83d sign"})
    assert core.audit.verify(core.store).is_intact


def test_heads_of_another_host_count_when_they_are_brought_here(core: Core, home: Path) -> None:
    write_events(core, 1)
    here = core.settings.audit_heads
    elsewhere = make_core(home, clock=FrozenClock())
    here.rename(home / "audit-heads-worker2.jsonl")
    write_events(elsewhere, 1)
    assert core.audit.verify(core.store).is_intact
    elsewhere.store.close()


def test_the_newest_part_can_be_verified_alone(core: Core) -> None:
    write_events(core, 10)
    assert core.audit.verify_tail(core.store, events=4) == Verdict(4, 8, 0, ())
    change(core)
    assert core.audit.verify_tail(core.store, events=4).is_intact
    assert not core.audit.verify_tail(core.store, events=9).is_intact


def _writer(home: Path, name: str, gate: "multiprocessing.synchronize.Barrier") -> None:
    core = make_core(home)
    gate.wait()
    write_events(core, COMMITS, by=name, each=2)
    core.store.close()


def test_many_processes_keep_one_chain(core: Core, home: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(WRITERS)
    writers = [spawn.Process(target=_writer, args=(home, f"writer{n}", gate)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    verdict = core.audit.verify(core.store)
    assert verdict.is_intact
    assert (verdict.events, verdict.unsigned_tail) == (WRITERS * COMMITS * 2, 0)
