"""Signed heads of the audit chain, in a file outside the database: what was promised and what was written.

Each commit leaves two lines. `begun` is written before it: an event that no `begun` covers was not written
by cloudctl. `written` follows it: an event up to there that is missing was cut off. A crash in between
leaves a `begun` for events that never came to be, which proves nothing against anyone. Where workers run
on other hosts, their files belong beside this one (`audit-heads-HOST.jsonl`) when the chain is verified.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from cloudctl.errors import Fault, StoreUnavailable

BEGUN, WRITTEN = "begun", "written"


class Signs(Protocol):
    """What the heads need of a signer."""

    def sign(self, message: bytes) -> str: ...

    def verifies(self, message: bytes, signature: str) -> bool: ...


@dataclass(frozen=True)
class Head:
    """The end of the chain after one commit, whose events begin at `first`."""

    first: int
    seq: int
    hash: str
    stage: str
    at: str
    signature: str = ""

    def message(self) -> bytes:
        """What is signed."""
        content = {key: value for key, value in vars(self).items() if key != "signature"}
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@dataclass
class Heads:
    """All signed heads, and every line that is not one."""

    count: int = 0
    last_written: int = 0
    faults: list[Fault] = field(default_factory=list)
    _hashes: dict[int, set[str]] = field(default_factory=dict)  # by the seq of the commit's last event
    _covered: set[int] = field(default_factory=set)

    def add(self, head: Head) -> None:
        self.count += 1
        self._hashes.setdefault(head.seq, set()).add(head.hash)
        self._covered.update(range(head.first, head.seq + 1))
        if head.stage == WRITTEN:
            self.last_written = max(self.last_written, head.seq)

    def covers(self, seq: int) -> bool:
        """Whether cloudctl said that it would write the event."""
        return seq in self._covered

    def agrees(self, seq: int, hash_: str) -> bool:
        """Whether no head says otherwise."""
        return hash_ in self._hashes.get(seq, {hash_})


class HeadsFile:
    """The file, appended to by every process of this home."""

    def __init__(self, path: Path, signer: Signs) -> None:
        self._path = path
        self._signer = signer

    def append(self, first: int, seq: int, hash_: str, stage: str, at: datetime) -> None:
        """Sign and write one head; lines of processes do not mix. StoreUnavailable when it cannot be."""
        head = Head(first, seq, hash_, stage, at.isoformat())
        line = json.dumps({**vars(head), "signature": self._signer.sign(head.message())}) + "\n"
        try:
            with open(self._path, "ab+", opener=_private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(_line_end_missing(file) + line.encode())
        except OSError as error:
            raise StoreUnavailable(
                "the signed heads of the audit chain cannot be written: {detail}", detail=str(error)
            ) from error

    def read(self, after: int = 0) -> Heads:
        """The heads of events after that number, those brought here from other hosts too.

        A line whose signature does not fit is a fault.
        """
        heads = Heads()
        for place, line in self._lines():
            head = self._parse(line)
            if head is not None and head.seq <= after:
                continue
            if head is None or not self._signer.verifies(head.message(), head.signature):
                heads.faults.append(Fault(place, "bad_head", "the signature does not fit"))
            else:
                heads.add(head)
        return heads

    def _lines(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self._path.parent.glob(f"{self._path.stem}*{self._path.suffix}")):
            with path.open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    yield f"{path.name}:{number}", line

    def _parse(self, line: str) -> Head | None:
        try:
            head = Head(**json.loads(line))
        except (ValueError, TypeError):
            return None
        numbers, texts = (head.first, head.seq), (head.hash, head.signature)
        is_head = all(type(n) is int for n in numbers) and all(isinstance(text, str) for text in texts)
        return head if is_head else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _line_end_missing(file: IO[bytes]) -> bytes:
    """What ends a line that a full disk or a crash left unfinished."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
