"""The audit chain: every change by anyone, each event hashed together with the hash of the one before.

Signed heads are kept in a file outside the database (`audit-heads.jsonl`). Together they show an edit, a
cut, an insertion, a new order, a shortened end, a chain written anew, and events written past cloudctl.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudctl.audit_heads import BEGUN, WRITTEN, Heads, HeadsFile, Signs
from cloudctl.clock import Clock
from cloudctl.errors import Fault, StoreUnavailable
from cloudctl.models import AuditEvent, AuditHead
from cloudctl.store import Store, UnitOfWork

log = logging.getLogger(__name__)

GENESIS = "0" * 64
_HOOK = "audit"
_BATCH = 1000


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: how many events, how many signed heads, and every fault.

    `unsigned_tail` counts the newest events that no head says were written: the last commit of a process
    that was killed right after it. The next commit covers them.
    """

    events: int
    heads: int
    unsigned_tail: int
    faults: tuple[Fault, ...]

    @property
    def is_intact(self) -> bool:
        return not self.faults


class Audit:
    """Writes events into the chain and verifies it."""

    def __init__(self, clock: Clock, signer: Signs, heads_file: Path) -> None:
        self._clock = clock
        self._signer = signer
        self._heads = HeadsFile(heads_file, signer)

    def seal(self, purpose: str, content: Mapping[str, Any]) -> str:
        """The installation's signature under something it says; `purpose` keeps it apart from all else."""
        return self._signer.sign(_sealed(purpose, content))

    def is_sealed(self, purpose: str, content: Mapping[str, Any], signature: str) -> bool:
        """Whether the installation has said exactly this, for this purpose."""
        return self._signer.verifies(_sealed(purpose, content), signature)

    def record(
        self,
        uow: UnitOfWork,
        actor: str,
        action: str,
        subject_kind: str,
        subject_id: object,
        details: Mapping[str, Any] | None = None,
        trace_id: str | None = None,
    ) -> None:
        """Add an event to the transaction; it gets its place in the chain as the last thing before commit."""
        event = (actor, action, subject_kind, str(subject_id), dict(details or {}), trace_id)
        uow.pending.setdefault(_HOOK, []).append(event)
        uow.before_commit(_HOOK, self._append)

    def _append(self, uow: UnitOfWork) -> None:
        uow.flush()
        uow.insert_missing(AuditHead, [{"id": 1, "seq": 0, "hash": GENESIS}])
        head = uow.for_update(AuditHead, 1)
        first, seq, previous = head.seq + 1, head.seq, head.hash
        for actor, action, subject_kind, subject_id, details, trace_id in uow.pending.pop(_HOOK, []):
            seq += 1
            event = AuditEvent(
                seq=seq,
                at=self._clock.now(),
                actor=actor,
                action=action,
                subject_kind=subject_kind,
                subject_id=subject_id,
                details=json.loads(_canonical(details).encode("utf-8", "replace")),
                trace_id=trace_id,
                previous_hash=previous,
            )
            previous = event.hash = event_hash(event)
            uow.add(event)
        head.seq, head.hash = seq, previous
        self._heads.append(first, seq, previous, BEGUN, self._clock.now())
        uow.after_commit(lambda: self._confirm(first, seq, previous))

    def _confirm(self, first: int, seq: int, hash_: str) -> None:
        """The events are on disk. Not being able to say so must not look as if they were not."""
        try:
            self._heads.append(first, seq, hash_, WRITTEN, self._clock.now())
        except StoreUnavailable:
            log.exception("the head of the audit chain at %s could not be signed", seq)

    def verify(self, store: Store) -> Verdict:
        """Read the whole chain and all signed heads; name every place where they do not fit.

        Others may write meanwhile: what is looked at is the chain as it is now, with heads read after it.
        """
        return self._verify(store, after=0)

    def verify_tail(self, store: Store, events: int = _BATCH) -> Verdict:
        """The same for the newest events only: quick, and what came before them is taken as it is."""
        with store.read() as uow:
            return self._verify(store, max(0, _last_event(uow)[0] - events))

    def _verify(self, store: Store, after: int) -> Verdict:
        with store.read() as uow:
            last = _last_event(uow)[0]
            before = uow.get(AuditEvent, after)
        heads = self._heads.read(after)
        faults, events, expected = list(heads.faults), 0, after + 1
        previous = before.hash if before is not None else GENESIS
        for event in _events(store, after, last):
            events += 1
            faults += _event_faults(event, expected, previous, heads)
            expected, previous = event.seq + 1, event.hash
        faults += _end_faults(store, heads)
        return Verdict(events, heads.count, max(0, expected - 1 - heads.last_written), tuple(faults))


def event_hash(event: AuditEvent) -> str:
    """SHA-256 over every column but the hash itself."""
    content = {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "action": event.action,
        "subject_kind": event.subject_kind,
        "subject_id": event.subject_id,
        "details": event.details,
        "trace_id": event.trace_id,
        "previous_hash": event.previous_hash,
    }
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _sealed(purpose: str, content: Mapping[str, Any]) -> bytes:
    """What is signed: no head of the chain begins so."""
    return f"{purpose}\n{_canonical(content)}".encode("utf-8", "replace")


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _event_faults(event: AuditEvent, expected: int, previous: str, heads: Heads) -> list[Fault]:
    """What is wrong with one event that should be number `expected` and follow from `previous`."""
    place = f"event {event.seq}"
    faults = []
    if event.seq != expected:
        gap = {"a": expected, "b": event.seq - 1}
        faults.append(Fault(place, "gap", "events {a} to {b} are missing", gap))
    if event.previous_hash != previous:
        faults.append(Fault(place, "broken_link", "does not follow from the event before"))
    if event_hash(event) != event.hash:
        faults.append(Fault(place, "changed", "was changed after it was written"))
    if not heads.covers(event.seq):
        faults.append(Fault(place, "unsigned", "was not written by cloudctl: no signed head covers it"))
    elif not heads.agrees(event.seq, event.hash):
        faults.append(Fault(place, "rewritten", "differs from the signed head"))
    return faults


def _end_faults(store: Store, heads: Heads) -> list[Fault]:
    """Whether the chain ends where its signed heads and its own head row say."""
    faults = []
    with store.read() as uow:
        last = _last_event(uow)
        row = uow.get(AuditHead, 1)
    if heads.last_written > last[0]:
        cut = {"a": last[0] + 1, "b": heads.last_written}
        faults.append(Fault("end", "cut_off", "events {a} to {b} were signed and are gone", cut))
    if (row.seq, row.hash) != last if row is not None else last[0] > 0:
        faults.append(Fault("end", "head_differs", "the head row does not name the last event"))
    return faults


def _last_event(uow: UnitOfWork) -> tuple[int, str]:
    """Number and hash of the last event; 0 and the genesis hash when there is none."""
    event = uow.first(AuditEvent, order_by=[AuditEvent.seq.desc()])
    return (event.seq, event.hash) if event is not None else (0, GENESIS)


def _events(store: Store, after: int, last: int) -> Iterator[AuditEvent]:
    """The events after one number and up to another, in batches; from 0 on, also what was put before it."""
    conditions: list[Any] = [AuditEvent.seq > after] if after else []
    while True:
        with store.read() as uow:
            batch = uow.all(
                AuditEvent, AuditEvent.seq <= last, *conditions, order_by=[AuditEvent.seq], limit=_BATCH
            )
        if not batch:
            return
        yield from batch
        conditions = [AuditEvent.seq > batch[-1].seq]
