"""A sentinel: a numbered record bound to a key, written through an application as any user would. Pure.

Whoever reads it back needs no key: a digest over numbers and codes is compared with what the journal has.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

FORMAT = "cloudctl-sentinel-1"


@dataclass(frozen=True)
class Moment:
    """A moment on two clocks: the wall's, and the monotonic one of the boot of one machine, in seconds.

    `error_s` is how far the wall's may be off, as the system says.
    """

    at: datetime
    monotonic_s: float = 0.0
    boot: str = ""
    error_s: float = 0.0


@dataclass(frozen=True)
class Sentinel:
    """One record. `seq` counts within the writer, from 1, and no number is used twice."""

    plan: str
    writer: str
    seq: int
    sent: Moment
    code: str = ""  # HMAC-SHA256, in hex

    @property
    def key(self) -> tuple[str, int]:
        return self.writer, self.seq

    def body(self) -> bytes:
        """What is posted."""
        return _canonical({**self._words(), "code": self.code})

    def coded(self, key: bytes) -> "Sentinel":
        """The same, bound to the key."""
        code = hmac.new(key, _canonical(self._words()), hashlib.sha256).hexdigest()
        return replace(self, code=code)

    def is_genuine(self, key: bytes) -> bool:
        """Whether it was bound to this key and not changed since."""
        return hmac.compare_digest(self.code, self.coded(key).code)

    def _words(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "plan": self.plan,
            "writer": self.writer,
            "seq": self.seq,
            "at": self.sent.at.astimezone(UTC).isoformat(),
            "monotonic_s": float(self.sent.monotonic_s),
        }


def of_json(row: Mapping[str, Any]) -> Sentinel:
    """The record as `body` gave it. ValueError, KeyError or TypeError for anything else."""
    if row["format"] != FORMAT:
        raise ValueError(f"'{row['format']}' is not {FORMAT}")
    sent = Moment(datetime.fromisoformat(row["at"]), float(row["monotonic_s"]))
    return Sentinel(str(row["plan"]), str(row["writer"]), int(row["seq"]), sent, str(row["code"]))


def digest(records: Iterable[tuple[str, int, str]]) -> str:
    """SHA-256 over (writer, number, code) of all records, in their order; the probe computes it alike."""
    lines = sorted({f"{writer} {seq} {code}" for writer, seq, code in records})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _canonical(words: Mapping[str, Any]) -> bytes:
    return json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
