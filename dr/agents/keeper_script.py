#!/usr/bin/python3
"""The keeper: starts the writers of a server while a lease lasts, and stops them before it ends.

It reads what the agent grants from its standard input and writes a sign of life to its standard output.
Nothing else can hold it up: it does not touch the network, and waits for no program. When the agent hangs,
the lease is not renewed and the writers are stopped; when the agent ends, at once. It needs nothing but
Python's own library (3.7 or newer).

    {"n": 7, "until": 1234.5}    let them run until then, by CLOCK_BOOTTIME; "host": and by the host's clock
    {"n": 8, "until": 0}         stop them now
    ->  {"n": 8, "phase": "stop", "still": true}
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

RUN, STOP, KILL = "run", "stop", "kill"
WDIOC_SETTIMEOUT = 0xC0045706
MOST_TRIES = 20  # to stop them at once; then once for each question of the agent

Json = Any


def clock() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def host_clock_of(folder: str = "/sys/class/ptp") -> Callable[[], float | None]:
    """What reads the clock of the host of a guest of KVM, which goes on while the guest is paused.

    It reads None where there is none. The module ptp_kvm brings it.
    """
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with contextlib.suppress(OSError):
            with open(f"{folder}/{name}/clock_name") as file:
                is_of_host = file.read().strip() == "KVM virtual PTP"
            if is_of_host:
                number = (~os.open(f"/dev/{name}", os.O_RDONLY) << 3) | 3  # FD_TO_CLOCKID of the kernel
                return lambda: read_clock(number)
    return lambda: None


def read_clock(number: int) -> float | None:
    """Seconds; None when it cannot be read."""
    try:
        return time.clock_gettime(number)
    except OSError:
        return None


def phase(now: float, until: float, soft_s: float, hard_s: float) -> str:
    """What is to be done with the writers at this moment."""
    if now >= until - hard_s:
        return KILL
    return STOP if now >= until - soft_s else RUN


def may_pet(now: float, until: float, timeout_s: float, is_still: bool) -> bool:
    """Whether a hardware watchdog may be given its time anew: it must bite before the lease is over."""
    return is_still or now + timeout_s <= until


class Watchdog:
    """The machine's own watchdog, which resets it when the keeper gives no sign; none without a path."""

    def __init__(self, path: str, timeout_s: int) -> None:
        self.timeout_s = timeout_s
        self._file = os.open(path, os.O_WRONLY) if path else -1
        if path:
            with contextlib.suppress(OSError):  # a file in its place, in tests
                fcntl.ioctl(self._file, WDIOC_SETTIMEOUT, struct.pack("i", timeout_s))

    def pet(self) -> None:
        """Once more the whole time."""
        if self._file >= 0:
            os.write(self._file, b"\0")

    def close(self) -> None:
        """Switch it off: the writers stand still."""
        if self._file >= 0:
            os.write(self._file, b"V")
            os.close(self._file)


class Writers:
    """The program that starts, stops and kills the writers, and says whether one runs (exit code 1: none).

    Never waits for it. `runs` and `kill` are begun anew when they take longer than `most_s`. Each is a group
    of processes of its own: what a start has begun may go on, and start a writer, when its shell is gone.
    """

    def __init__(self, program: str, most_s: float) -> None:
        self._program, self._most_s = program, most_s
        self._ended: list[subprocess.Popen[bytes]] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._starts: set[int] = set()  # groups of processes of starts, of which something may still live
        self._word = ""
        self._begun = 0.0

    def is_busy(self, word: str, now: float) -> bool:
        """Whether it still does this; what takes too long is ended, but for a start or a stop."""
        if self._child is None or self._word != word or self._child.poll() is not None:
            return False
        return word in ("start", "stop") or now - self._begun < self._most_s

    def begin(self, word: str, now: float) -> None:
        """Do that now; whatever it was doing is ended."""
        self.end()
        self._word, self._begun = word, now
        try:
            self._child = subprocess.Popen(
                [self._program, word], stdin=subprocess.DEVNULL, stdout=sys.stderr,
                preexec_fn=os.setpgrp,  # noqa: PLW1509  # no threads here, and process_group= is of Python 3.11
            )  # fmt: skip
            if word == "start":
                self._starts.add(self._child.pid)
        except OSError as error:
            say(f"{self._program} {word}: {error}")
            self._child = None

    def result(self, word: str) -> int | None:
        """The exit code of what was done last, if it was this and it has ended."""
        return self._child.poll() if self._child is not None and self._word == word else None

    def end(self) -> None:
        """End the program and what it has begun, not the writers."""
        self._ended = [child for child in self._ended if child.poll() is None]
        if self._child is not None and self._child.poll() is None:
            if self._word == "start":  # some programs give their children a group of their own
                self._starts |= groups_below(self._child.pid)
            kill_group(self._child.pid)
            self._ended.append(self._child)  # may hang in the kernel, and then must not hold us up
        self._child = None

    def kill_starts(self) -> None:
        """What is left of starts."""
        for group in self._starts:
            kill_group(group)

    def is_starting(self) -> bool:
        """Whether anything is left of a start that may still start a writer."""
        found = {row[2] for row in processes()} if self._starts else set()
        self._starts &= found
        return bool(self._starts)

    def forget(self) -> None:
        """Starts of which nothing is left: their numbers come round again."""
        self._starts = {group for group in self._starts if has_group(group)}


def processes() -> list[tuple[int, int, int]]:
    """The number, the parent and the group of each process that is not dead."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
            words = file.read().rpartition(")")[2].split()
            if words[0] not in "ZX":
                found.append((int(name), int(words[1]), int(words[2])))
    return found


def groups_below(pid: int) -> set[int]:
    """The groups of a process and of all that it and its children have begun."""
    found, known = processes(), {pid}
    for _ in found:
        more = {one for one, parent, _group in found if parent in known} - known
        if not more:
            break
        known |= more
    return {group for one, _parent, group in found if one in known} | {pid}


def has_group(group: int) -> bool:
    """Whether anything of a group is there, dead or alive."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def kill_group(group: int) -> None:
    """All of it; one that is gone is fine."""
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


class Keeper:
    """One turn after the other; `turn` is all there is to it, and never waits."""

    def __init__(
        self, config: Json, writers: Writers, watchdog: Watchdog, tell: Callable[[Json], None]
    ) -> None:
        times = config["timing"]
        self._soft_s, self._hard_s = times["soft_s"], times["hard_s"]
        self._look_s = times["renew_s"]
        self._reset = config.get("reset", "")
        self._writers, self._watchdog, self._tell = writers, watchdog, tell
        self.number, self.until, self._phase = 0, 0.0, ""
        self.host_clock: Callable[[], float | None] = lambda: None
        self._host_until: float | None = None
        self._is_still = False
        self._was_clear = False  # nothing was left of a start when it was looked whether a writer runs
        self._looked = self._tried = 0.0
        self._tries = 0

    def take(self, message: Json, now: float) -> None:
        """What the agent grants; the newest counts. Stopping is looked at anew, whatever was seen before."""
        self.number = message["n"]
        if message["until"]:
            self.until, self._host_until = message["until"], message.get("host")
        else:
            self.until, self._phase = min(self.until, now + self._soft_s), ""

    def turn(self, now: float) -> None:
        """Look at the clock, do what it demands, give a sign."""
        host = self.host_clock()
        if self._host_until is not None:  # whichever of the two clocks is first
            self.until = now if host is None else min(self.until, now + self._host_until - host)
        wanted = phase(now, self.until, self._soft_s, self._hard_s)
        if wanted != self._phase:
            self._phase, self._is_still = wanted, False
            self._looked = now if wanted != RUN else 0.0
            self._tries = 0
            if wanted == KILL or (wanted == STOP and not self._writers.is_busy("start", now)):
                self._writers.begin(wanted, now)  # a start that runs is let end before the stop
        if wanted == RUN:
            self._writers.forget()
        self._act(wanted, now)
        if may_pet(now, self.until, self._watchdog.timeout_s, self._is_still):
            self._watchdog.pet()
        told = {"n": self.number, "phase": self._phase, "still": self._is_still}
        self._tell(told if host is None else {**told, "host": host})

    def is_still(self) -> bool:
        """Whether the writers were seen to stand still since this phase began."""
        return self._is_still

    def _act(self, wanted: str, now: float) -> None:
        if self._writers.is_busy("runs", now):
            return
        if wanted == RUN:
            self._keep_running(now)
        elif not self._writers.is_busy(wanted, now):
            self._end(wanted, now)

    def _keep_running(self, now: float) -> None:
        writers = self._writers
        if writers.is_busy("start", now):
            return
        if writers.result("runs") == 1:
            writers.begin("start", now)
        elif now - self._looked >= self._look_s:
            self._looked = now
            writers.begin("runs", now)

    def _end(self, wanted: str, now: float) -> None:
        """One attempt after the other until none runs; then look again and again: somebody may start one."""
        writers = self._writers
        if wanted == STOP and writers.is_busy("start", now):
            self._is_still = False
            return
        if wanted == KILL:
            writers.kill_starts()
        if writers.result("runs") == 1:
            is_starting = writers.is_starting()
            self._is_still = self._was_clear and not is_starting
            if not self._was_clear or now - self._looked >= self._look_s:
                self._look(now, not is_starting)
            return
        self._is_still = False
        if writers.result(wanted) is not None:
            self._look(now, not writers.is_starting())
            return
        if self._tries > MOST_TRIES and now - self._tried < self._look_s:
            return
        self._tries, self._tried = self._tries + 1, now
        writers.begin(wanted, now)
        if wanted == KILL and self._reset and 0 < self.until - self._hard_s / 2 <= now:
            reset(self._reset)

    def _look(self, now: float, is_clear: bool) -> None:
        self._looked, self._was_clear = now, is_clear
        self._writers.begin("runs", now)


def reset(path: str) -> None:
    """Restart the machine without any ceremony: its writers cannot be stopped otherwise."""
    say("the writers do not stop: the machine is reset")
    with open(path, "w") as trigger:
        trigger.write("b")


def say(line: str) -> None:
    """For the log."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def tell(status: Json) -> None:
    """To the agent; one that does not read, since it hangs, must not hold us up."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(status).encode() + b"\n")


def main(path: str) -> None:
    """Turn until the agent ends, then kill the writers and end."""
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The agent is asked to stop, and ends us. Not SIG_IGN, which writers that we start would inherit.
        signal.signal(number, lambda _number, _frame: None)
    os.set_blocking(0, False)
    os.set_blocking(1, False)
    writers = Writers(config["writers"], config["timing"]["hard_s"] / 4)
    watchdog = Watchdog(config.get("watchdog", ""), max(1, int(config["timing"]["hard_s"])))
    keeper = Keeper(config, writers, watchdog, tell)
    keeper.host_clock = host_clock_of()
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], config["timing"]["tick_s"])
        if ready:
            said = os.read(0, 65536)
            if not said:
                break
            *lines, rest = (rest + said).split(b"\n")
            for line in lines:
                keeper.take(json.loads(line), clock())
        keeper.turn(clock())
    keeper.take({"n": keeper.number + 1, "until": 0}, clock())
    while not keeper.is_still():
        keeper.turn(clock())
        select.select([], [], [], config["timing"]["tick_s"])
    watchdog.close()


if __name__ == "__main__":
    main(sys.argv[1])
