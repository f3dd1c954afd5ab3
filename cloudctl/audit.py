"""The audit chain: every change by anyone, each event hashed together with the hash of the one before.

Signed heads are kept in a file outside the database (`audit-heads.jsonl`), one line a commit. Together
they show an edit, a cut, an insertion, a new order, a shortened end and a chain written anew.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cloudctl.clock import Clock
from cloudctl.errors import Fault
from cloudctl.models import AuditEvent, AuditHead
from cloudctl.store import Store, UnitOfWork

GENESIS = "0" * 64
_HOOK = "audit"
_BATCH = 1000


class Signs(Protocol):
    """What the chain needs of a signer."""

    def sign(self, message: bytes) -> str: ...

    def verifies(self, message: bytes, signature: str) -> bool: ...


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: how many events, how many signed heads, and every fault."""

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
        self._heads_file = heads_file

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
        seq, previous = head.seq, head.hash
        for actor, action, subject_kind, subject_id, details, trace_id in uow.pending.pop(_HOOK, []):
            seq += 1
            event = AuditEvent(
                seq=seq,
                at=self._clock.now(),
                actor=actor,
                action=action,
                subject_kind=subject_kind,
                subject_id=subject_id,
                details=json.loads(_canonical(details)),
                trace_id=trace_id,
                previous_hash=previous,
            )
            previous = event.hash = event_hash(event)
            uow.add(event)
        head.seq, head.hash = seq, previous
        uow.after_commit(lambda: self._sign_head(seq, previous))

    def _sign_head(self, seq: int, hash_: str) -> None:
        head = {"seq": seq, "hash": hash_, "at": self._clock.now().isoformat()}
        line = json.dumps({**head, "signature": self._signer.sign(_canonical(head).encode())}) + "\n"
        descriptor = os.open(self._heads_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def verify(self, store: Store) -> Verdict:
        """Read the whole chain and all signed heads; name every place where they do not fit."""
        faults: list[Fault] = []
        heads, head_count = self._heads(faults)
        expected, previous, events = 1, GENESIS, 0
        for event in _events(store):
            events += 1
            place = f"event {event.seq}"
            if event.seq != expected:
                faults.append(
                    Fault(place, "gap", "events {a} to {b} are missing", {"a": expected, "b": event.seq - 1})
                )
            if event.previous_hash != previous:
                faults.append(Fault(place, "broken_link", "does not follow from the event before"))
            if event_hash(event) != event.hash:
                faults.append(Fault(place, "changed", "was changed after it was written"))
            if event.seq in heads and heads[event.seq] != event.hash:
                faults.append(Fault(place, "rewritten", "differs from the signed head"))
            expected, previous = event.seq + 1, event.hash
        last_signed = max(heads, default=0)
        if last_signed >= expected:
            cut = {"a": expected, "b": last_signed}
            faults.append(Fault("end", "cut_off", "events {a} to {b} were signed and are gone", cut))
        return Verdict(events, head_count, max(0, expected - 1 - last_signed), tuple(faults))

    def _heads(self, faults: list[Fault]) -> tuple[dict[int, str], int]:
        heads: dict[int, str] = {}
        count = 0
        lines = self._heads_file.read_text().splitlines() if self._heads_file.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                head = json.loads(line)
                signature = head.pop("signature")
                signed = self._signer.verifies(_canonical(head).encode(), signature)
                seq, hash_ = int(head["seq"]), str(head["hash"])
            except (ValueError, KeyError, AttributeError):
                signed = False
            if not signed:
                faults.append(
                    Fault(f"{self._heads_file.name}:{number}", "bad_head", "the signature does not fit")
                )
                continue
            if heads.setdefault(seq, hash_) != hash_:
                place = f"{self._heads_file.name}:{number}"
                faults.append(Fault(place, "forked", "two signed heads for event {seq}", {"seq": seq}))
            count += 1
        return heads, count


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


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _events(store: Store) -> Iterator[AuditEvent]:
    last = None
    while True:
        with store.read() as uow:
            conditions: list[Any] = [] if last is None else [AuditEvent.seq > last]
            batch = uow.all(AuditEvent, *conditions, order_by=[AuditEvent.seq], limit=_BATCH)
        if not batch:
            return
        yield from batch
        last = batch[-1].seq
