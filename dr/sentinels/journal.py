"""The journal of acknowledgements of one plan: lines that are only ever added, kept outside the site.

`sentinels/PLAN.jsonl` in the home: first what is about to be sent, then that it was acknowledged, each line
on the disk (fsync) before the next thing happens. So no number is ever used twice, and a line that says
`acked` is never true by memory alone. A line cut off by a crash is passed over.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from cloudctl.clock import new_id
from dr.sentinels.loss import Entry
from dr.sentinels.record import Moment, Sentinel

LOG, SENT, ACKED = "log", "sent", "acked"
MOST_READ = 256 << 20  # of the newest: some months at rest
_WRITER_DIGITS = 8


class Journal:
    """The journal of one plan, open for writing by one process at a time (a lock of the system)."""

    def __init__(self, folder: Path, plan: str) -> None:
        """Open it, or begin it. BlockingIOError while another process has it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = path_of(folder, plan)
        self.plan = plan
        self._file: BinaryIO = open(self.path, "ab", buffering=0)  # closed by close()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path.chmod(0o600)
            self._go_on()
        except BaseException:
            self._file.close()
            raise

    def _go_on(self) -> None:
        rows = list(_rows(self.path))
        heads = [row for row in rows if row["what"] == LOG]
        self.writer = str(heads[-1]["writer"]) if heads else new_id()[:_WRITER_DIGITS]
        own = [int(row["seq"]) for row in rows if row["what"] == SENT and row["writer"] == self.writer]
        self.last = max(own, default=0)
        if _is_torn(self.path):
            self._file.write(b"\n")  # what a crash cut off stays a line of its own
        if not heads:
            self._add({"what": LOG, "plan": self.plan, "writer": self.writer})

    def begin(self, moment: Moment, key: bytes) -> Sentinel:
        """The next sentinel, written down before anybody sends it."""
        made = Sentinel(self.plan, self.writer, self.last + 1, moment).coded(key)
        self._add({"what": SENT, "writer": made.writer, "seq": made.seq, "code": made.code, **_told(moment)})
        self.last = made.seq
        return made

    def acknowledge(self, made: Sentinel, moment: Moment) -> None:
        """The application has answered that it has it."""
        self._add({"what": ACKED, "writer": made.writer, "seq": made.seq, **_told(moment)})

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()

    def _add(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._file.fileno())


def path_of(folder: Path, plan: str) -> Path:
    """Where the journal of a plan is, in this folder."""
    return folder / f"{quote(plan, safe='')}.jsonl"


def read(folder: Path, plan: str, copies: Path | None = None) -> list[Entry]:
    """What is known of the plan's sentinels, in the order of their sending; none where there is no journal.

    Copies at a third place count as well: whoever has lost the home still knows what was acknowledged.
    """
    paths = [path_of(folder, plan)]
    if copies is not None:
        paths += sorted(copies.glob(f"{quote(plan, safe='')}.*.jsonl"))
    return entries(row for path in paths if path.exists() for row in _rows(path))


def entries(rows: Iterable[dict[str, Any]]) -> list[Entry]:
    """One entry for each sentinel, whichever of its lines comes first or twice."""
    sent: dict[tuple[str, int], tuple[Moment, str]] = {}
    acked: dict[tuple[str, int], Moment] = {}
    for row in rows:
        if row["what"] == LOG:
            continue
        key = str(row["writer"]), int(row["seq"])
        if row["what"] == SENT:
            sent.setdefault(key, (_moment(row), str(row["code"])))
        else:
            acked.setdefault(key, _moment(row))
    known = [Entry(*key, at, acked.get(key), code) for key, (at, code) in sent.items()]
    return sorted(known, key=lambda one: (one.sent.at, one.writer, one.seq))


def copy(source: Path, target: Path, writer: str) -> int:
    """Add to the copy at the third place what it lacks; how many bytes. OSError when it cannot be reached."""
    target.mkdir(parents=True, exist_ok=True)
    there = target / f"{source.stem}.{writer}.jsonl"
    with source.open("rb") as own, there.open("ab") as other:
        own.seek(other.tell())
        lacking = own.read()
        other.write(lacking)
        other.flush()
        os.fsync(other.fileno())
    return len(lacking)


def _is_torn(path: Path) -> bool:
    """Whether the last line has no end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1))
        return file.read(1) not in (b"", b"\n")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MOST_READ))
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and row.get("what") in (LOG, SENT, ACKED):
                yield row


def _told(moment: Moment) -> dict[str, Any]:
    return {
        "at": moment.at.isoformat(),
        "monotonic_s": moment.monotonic_s,
        "boot": moment.boot,
        "error_s": moment.error_s,
    }


def _moment(row: dict[str, Any]) -> Moment:
    at = datetime.fromisoformat(row["at"])
    return Moment(at, float(row["monotonic_s"]), str(row["boot"]), float(row["error_s"]))
