"""The private directory of one run of Ansible: mode 0700, gone afterwards, swept up when its process died.

Whoever owns a run holds a lock on a file in it, which the kernel lets go with the process. What a dead run
left running is found by its environment, which names the directory.
"""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

_LOCK = "owner.lock"


@contextmanager
def play_directory(root: Path) -> Iterator[Path]:
    """A directory for one run; nothing in it, and nothing started for it, outlives the block."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(mkdtemp(prefix="play-", dir=root))
    lock = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield place
    finally:
        end_processes(place)
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def sweep(root: Path) -> int:
    """Remove what runs of dead processes left, and end what still works for them; how many there were."""
    count = 0
    for place in sorted(root.glob("play-*")):
        with suppress(FileNotFoundError):  # another process sweeps too
            lock = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it is at work
            else:
                end_processes(place)
                shutil.rmtree(place, ignore_errors=True)
                count += 1
            finally:
                os.close(lock)
    return count


def end_processes(place: Path) -> None:
    """Kill every process whose environment names the directory: Ansible, and the connections SSH keeps."""
    mark = b"AWX_ISOLATED_DATA_DIR=" + os.fsencode(place) + b"/"
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if any(one.startswith(mark) for one in (entry / "environ").read_bytes().split(b"\0")):
                os.kill(int(entry.name), signal.SIGKILL)
