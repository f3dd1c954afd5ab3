#!/usr/bin/python3
"""The keeper: starts the writers of a server while a lease lasts, and stops them before it ends.

It reads what the agent grants from its standard input and writes a sign of life to its standard output.
Nothing else can hold it up: it does not touch the network, and waits for no program. When the agent hangs,
the lease is not renewed and the writers are stopped; when the agent ends, at once. It needs nothing but
Python's own library (3.7 or newer).

    {"n": 7, "until": 1234.5}    let them run until then, by CLOCK_BOOTTIME
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

    Never waits for it. `runs` and `kill` are begun anew when they take longer than `most_s`.
    """

    def __init__(self, program: str, most_s: float) -> None:
        self._program, self._most_s = program, most_s
        self._ended: list[subprocess.Popen[bytes]] = []
        self._child: subprocess.Popen[bytes] | None = None
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
            self._child = subprocess.Popen([self._program, word], stdin=subprocess.DEVNULL, stdout=sys.stderr)
        except OSError as error:
            say(f"{self._program} {word}: {error}")
            self._child = None

    def result(self, word: str) -> int | None:
        """The exit code of what was done last, if it was this and it has ended."""
        return self._child.poll() if self._child is not None and self._word == word else None

    def end(self) -> None:
        """End the program, not the writers."""
        self._ended = [child for child in self._ended if child.poll() is None]
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._ended.append(self._child)  # may hang in the kernel, and then must not hold us up
        self._child = None


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
        self._is_still = False
        self._looked = self._tried = 0.0
        self._tries = 0

    def take(self, message: Json, now: float) -> None:
        """What the agent grants; the newest counts. Stopping is looked at anew, whatever was seen before."""
        self.number = message["n"]
        if message["until"]:
            self.until = message["until"]
        else:
            self.until, self._phase = min(self.until, now + self._soft_s), ""

    def turn(self, now: float) -> None:
        """Look at the clock, do what it demands, give a sign."""
        wanted = phase(now, self.until, self._soft_s, self._hard_s)
        if wanted != self._phase:
            self._phase, self._is_still = wanted, False
            self._looked = now if wanted != RUN else 0.0
            self._tries = 0
            if wanted != RUN:
                self._writers.begin(wanted, now)
        self._act(wanted, now)
        if may_pet(now, self.until, self._watchdog.timeout_s, self._is_still):
            self._watchdog.pet()
        self._tell({"n": self.number, "phase": self._phase, "still": self._is_still})

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
        if writers.result("runs") == 1:
            self._is_still = True
            if now - self._looked >= self._look_s:
                self._looked = now
                writers.begin("runs", now)
            return
        self._is_still = False
        if writers.result(wanted) is not None:
            writers.begin("runs", now)
            return
        if self._tries > MOST_TRIES and now - self._tried < self._look_s:
            return
        self._tries, self._tried = self._tries + 1, now
        writers.begin(wanted, now)
        if wanted == KILL and self._reset and 0 < self.until - self._hard_s / 2 <= now:
            reset(self._reset)


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
