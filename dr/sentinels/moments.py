"""The moment it is: on the wall's clock, how far off that may be, and on the monotonic clock of this boot."""

import ctypes
import ctypes.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cloudctl.clock import Clock, monotonic
from dr.sentinels.record import Moment

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NOT_SYNCHRONISED = 5  # what adjtimex answers then (TIME_ERROR)
_UNKNOWN_S = 16.0  # the kernel's own largest error
_MICROSECOND = 1e-6
_WORDS = 64  # more than struct timex has
_MAX_ERROR = 3  # its fourth word: the largest error, in microseconds


@cache
def boot_id() -> str:
    """What tells this boot of this machine from every other; empty where the system does not say."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Moments:
    """Tells moments."""

    clock: Clock
    boot: str = field(default_factory=boot_id)
    seconds: Callable[[], float] = monotonic

    def now(self) -> Moment:
        return Moment(self.clock.now(), round(self.seconds(), 6), self.boot, clock_error_s())


def clock_error_s() -> float:
    """How far the wall's clock may be off, as the kernel says; 16 s where nobody sets it by others."""
    library = _libc()
    if library is None:
        return _UNKNOWN_S
    words = (ctypes.c_long * _WORDS)()
    state = library.adjtimex(ctypes.byref(words))
    if state in (-1, _NOT_SYNCHRONISED):
        return _UNKNOWN_S
    return round(min(_UNKNOWN_S, words[_MAX_ERROR] * _MICROSECOND), 6)


@cache
def _libc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")
        return library if hasattr(library, "adjtimex") else None
    except OSError:
        return None
