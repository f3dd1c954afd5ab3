"""Starts daemons without a supervisor, knows them again, and stops them.

A daemon is a session of its own. Its first process writes its pid and start time to the record before it
becomes the daemon, so nothing is started and lost, and somebody else's process is never taken for ours.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.services import Service

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
#: Writes the record, then becomes the daemon: the pid and its start time survive exec.
_RECORD_AND_EXEC = (
    "read -r stat </proc/$$/stat && read -r boot </proc/sys/kernel/random/boot_id"
    ' && printf "%s\\n%s\\n%s\\n" "$stat" "$boot" "$1" >"$0" && shift && exec "$@"'
)


@dataclass(frozen=True)
class Identity:
    """One process of one boot: a pid alone is not enough, since pids come round again."""

    pid: int
    start_ticks: int


@dataclass(frozen=True)
class ProcessStat:
    """The fields of /proc/PID/stat that matter here."""

    identity: Identity
    state: str
    session: int
    threads: int


def parse_stat(line: str) -> ProcessStat:
    """Reads a line of /proc/PID/stat; the program's name may hold spaces and brackets."""
    head, _, tail = line.rpartition(")")
    fields = tail.split()
    identity = Identity(int(head.split(" ", 1)[0]), int(fields[19]))
    return ProcessStat(identity, fields[0], int(fields[3]), int(fields[17]))


def read_stat(pid: int) -> ProcessStat | None:
    """The process as it is now; None if there is none.

    A zombie counts as none when its last thread has ended: until then it has its files and devices open, and
    who takes its place finds them busy.
    """
    try:
        stat = parse_stat((_PROC / str(pid) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    is_over = stat.state == "X" or (stat.state == "Z" and stat.threads <= 1)
    return None if is_over else stat


def all_processes() -> Iterator[ProcessStat]:
    """Every process of the machine, as it is now."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (stat := read_stat(int(entry.name))):
            yield stat


@dataclass(frozen=True)
class Record:
    """What was written when a daemon was started; one of an earlier boot counts as none."""

    identity: Identity
    digest: str
    started_at: float


def read_record(path: Path) -> Record | None:
    """The record, or None if there is none or its writing was cut short."""
    try:
        stat, boot, digest = path.read_text().splitlines()
        if boot != _BOOT_ID.read_text().strip():
            return None
        return Record(parse_stat(stat).identity, digest, path.stat().st_mtime)
    except (FileNotFoundError, ValueError, IndexError):
        return None


def is_alive(record: Record | None) -> bool:
    """True if the very process of the record still runs."""
    if record is None:
        return False
    stat = read_stat(record.identity.pid)
    return stat is not None and stat.identity == record.identity


def session_of(record: Record, processes: Iterable[ProcessStat] | None = None) -> list[int]:
    """The pids of a daemon's session, its orphans included when its leader was killed.

    The kernel gives no pid away while a session carries it, so members without a leader are still ours; a
    leader with another start time is a stranger, and so is his session.
    """
    leader = read_stat(record.identity.pid)
    if leader is not None and leader.identity != record.identity:
        return []
    members = processes if processes is not None else all_processes()
    return [stat.identity.pid for stat in members if stat.session == record.identity.pid]


def digest_of(service: Service) -> str:
    """Changes when the command, the environment or a configuration file of the service does."""
    digest = hashlib.sha256(repr((service.argv, sorted(service.env.items()))).encode())
    for path in service.files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def start(service: Service, namespace: str, record: Path, log: Path) -> None:
    """Starts the daemon in its site's namespace; the caller has seen that it is not running."""
    record.unlink(missing_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{namespace}", "--", "/bin/sh", "-c", _RECORD_AND_EXEC,
             str(record), digest_of(service), *service.argv],
            env=dict(service.env), cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, umask=0o077,
        )  # fmt: skip
    wait_until(
        lambda: read_record(record) is not None or process.poll() is not None, timeout_s=20, pause_s=0.01
    )
    # The daemon outlives this object on purpose: without this Python would warn about it.
    process.returncode = 0


def stop_together(records: Iterable[tuple[Path, float]]) -> None:
    """Asks daemons to stop, all at once; kills what has not stopped in its time, and forgets them."""
    known = [(path, record, grace_s) for path, grace_s in records if (record := read_record(path))]
    _signal([record.identity.pid for _, record, _ in known if is_alive(record)], signal.SIGTERM)
    asked = time.monotonic()
    for path, record, grace_s in known:
        wait_until(lambda r=record: not is_alive(r), timeout_s=asked + grace_s - time.monotonic())  # type: ignore[misc]
        kill_session(record)
        path.unlink(missing_ok=True)


def kill_session(known: Record) -> None:
    """Kills what is left of a daemon's session."""
    deadline = time.monotonic() + 20
    while (pids := session_of(known)) and time.monotonic() < deadline:
        _signal(pids, signal.SIGKILL)
        time.sleep(0.05)


def kill_all(pids: Callable[[], list[int]]) -> None:
    """Kills until the list is empty."""
    deadline = time.monotonic() + 20
    while (left := pids()) and time.monotonic() < deadline:
        _signal(left, signal.SIGKILL)
        time.sleep(0.1)


def memory_mib(pids: Iterable[int]) -> int:
    """The proportional share of memory: pages that processes share are counted once."""
    total_kib = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kib += int(line.split()[1])
    return total_kib // 1024


def wait_until(happened: Callable[[], bool], *, timeout_s: float, pause_s: float = 0.1) -> bool:
    """Waits for something; False if it did not come in time."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
