"""The private directory of one run of Ansible: mode 0700, gone afterwards, swept up when its process died.

Whoever owns a run holds a lock on a file in it, which the kernel lets go with the process. What a dead run
left running is found by its environment, which names the directory.
"""

import fcntl
import logging
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

log = logging.getLogger(__name__)

_LOCK = "owner.lock"
_ENDS_S = 10.0  # whoever is killed and does not end by then hangs in the kernel


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
    """Kill every process whose environment names the directory: Ansible, and the connections SSH keeps.

    Whoever was killed is waited for, and who was forked meanwhile is looked for, until nobody is left.
    """
    mark = b"AWX_ISOLATED_DATA_DIR=" + os.fsencode(place) + b"/"
    end = time.monotonic() + _ENDS_S
    while alive := _marked(mark):
        with ExitStack() as handles:
            for handle in alive:
                handles.callback(os.close, handle)
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            for handle in alive:
                ended = select.poll()  # select() takes no handle above 1023
                ended.register(handle, select.POLLIN)
                ended.poll(1000 * max(0.0, end - time.monotonic()))
        if time.monotonic() >= end:
            log.warning("%s processes of the run in %s do not end", len(alive), place)
            return


def _marked(mark: bytes) -> list[int]:
    """A handle of each living process but this one that has the mark in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            handle = os.pidfd_open(int(entry.name))  # before the look: a number may be given to another one
            try:
                words = (entry / "environ").read_bytes().split(b"\0")  # empty once it has ended
            except OSError:
                words = []
            if any(word.startswith(mark) for word in words):
                found.append(handle)
            else:
                os.close(handle)
    return found
