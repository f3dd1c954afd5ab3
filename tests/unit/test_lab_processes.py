"""A daemon is known by its pid and start time, and by nothing less."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import processes
from lab.processes import Identity, Record

STAT = "4242 (a (name) b) S 1 4242 4242 0 -1 4194560 155 0 0 0 7 3 0 0 20 0 6 0 158233 2654208 405"


@pytest.fixture
def sleeper() -> Iterator[Record]:
    """A session of two processes, the way a daemon with a worker is."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'])"], start_new_session=True
    )
    processes.wait_until(lambda: len(session(process.pid)) == 2, timeout_s=10)
    stat = processes.read_stat(process.pid)
    assert stat is not None
    yield Record(stat.identity, "", time.time())
    for pid in session(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def session(leader: int) -> list[int]:
    return [stat.identity.pid for stat in processes.all_processes() if stat.session == leader]


#: The first thread ends and the other one stays, as with a daemon that is just being killed.
HALF_DEAD = """
import ctypes, os, threading
libc, ended = ctypes.CDLL(None), threading.Thread(target=lambda: os.read(0, 1))
ended.start()
print("begun", flush=True)
libc.pthread_exit(None)
"""


def test_a_process_of_which_a_thread_is_left_is_still_there() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HALF_DEAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    stat = Path("/proc", str(process.pid), "stat")
    try:
        assert processes.wait_until(
            lambda: processes.parse_stat(stat.read_text()).state == "Z", timeout_s=10, pause_s=0.01
        )
        assert processes.read_stat(process.pid) is not None
        assert session(process.pid) == [process.pid]
        os.kill(process.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: processes.read_stat(process.pid) is None, timeout_s=10)
    finally:
        process.kill()
        process.communicate()


def test_a_name_with_brackets_and_blanks_is_read() -> None:
    stat = processes.parse_stat(STAT)
    assert (stat.identity, stat.state, stat.session) == (Identity(4242, 158233), "S", 4242)


def test_a_process_is_itself(sleeper: Record) -> None:
    assert processes.is_alive(sleeper)
    assert len(processes.session_of(sleeper)) == 2


def test_a_pid_that_came_round_again_is_a_stranger(sleeper: Record) -> None:
    earlier = replace(sleeper, identity=Identity(sleeper.identity.pid, sleeper.identity.start_ticks - 1))
    assert not processes.is_alive(earlier)
    assert processes.session_of(earlier) == []
    processes.kill_session(earlier)
    assert processes.is_alive(sleeper)


def test_workers_of_a_killed_daemon_are_still_ours(sleeper: Record) -> None:
    os.kill(sleeper.identity.pid, signal.SIGKILL)
    processes.wait_until(lambda: not processes.is_alive(sleeper), timeout_s=5)
    assert len(processes.session_of(sleeper)) == 1
    processes.kill_session(sleeper)
    assert processes.session_of(sleeper) == []


def test_stopping_forgets_the_daemon_and_its_workers(sleeper: Record, tmp_path: Path) -> None:
    path = tmp_path / "sleeper.pid"
    stat = Path(f"/proc/{sleeper.identity.pid}/stat").read_text().strip()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path.write_text(f"{stat}\n{boot}\ndigest\n")
    record = processes.read_record(path)
    assert record is not None
    assert (record.identity, record.digest) == (sleeper.identity, "digest")
    processes.stop_together([(path, 5)])
    assert not path.exists()
    assert session(sleeper.identity.pid) == []


@pytest.mark.parametrize(
    "text", ["", "4242", f"{STAT}\n", f"{STAT}\nanother-boot\ndigest\n", "x\ny\nz\n"],
    ids=["empty", "torn", "half", "other boot", "nonsense"],
)  # fmt: skip
def test_a_record_that_says_nothing_is_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.pid"
    path.write_text(text)
    assert processes.read_record(path) is None


def test_no_record_is_no_daemon(tmp_path: Path) -> None:
    assert processes.read_record(tmp_path / "none.pid") is None
    assert not processes.is_alive(None)
