"""RTO as it was reached: segments on one monotonic clock, from the fault until the application was verified.

Pure. What was not exercised is named and counts nothing; what somebody had to touch makes it assisted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

DETECT, DECIDE, FENCE, RESTORE, PROBE = "detect", "decide", "fence", "restore", "probe"
BOOT, APP_READY, TRAFFIC, VERIFIED = "boot", "app_ready", "traffic", "verified"
SEGMENTS = (DETECT, DECIDE, FENCE, RESTORE, BOOT, APP_READY, TRAFFIC, VERIFIED)
#: A rehearsal begins with the data and ends with the checks: nobody is told, cut off or moved. It starts
#: nothing before its probe has spoken, for which no move waits.
OF_DRILLS = (RESTORE, PROBE, BOOT, APP_READY, VERIFIED)
_ORDER = (DETECT, DECIDE, FENCE, RESTORE, PROBE, BOOT, APP_READY, TRAFFIC, VERIFIED)


@dataclass(frozen=True)
class Span:
    """A piece of work: its segment, and from when to when in seconds of one monotonic clock.

    Spans may overlap, as parts that are started side by side do. `ended_s` None: it never ended.
    """

    segment: str
    begun_s: float
    ended_s: float | None = None


@dataclass(frozen=True)
class Touch:
    """Somebody did by hand what should have gone by itself."""

    at: str
    by: str
    what: str


@dataclass(frozen=True)
class Segment:
    """What a segment added; None: it was not exercised, or never ended."""

    name: str
    seconds: float | None
    is_exercised: bool


@dataclass(frozen=True)
class RecoveryTime:
    """`rto_s` None: it was not verified; it took longer than `until_s` then (right-censored)."""

    rto_s: float | None
    until_s: float
    segments: tuple[Segment, ...]
    touches: tuple[Touch, ...] = ()

    @property
    def not_exercised(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.segments if not one.is_exercised)

    @property
    def is_assisted(self) -> bool:
        return bool(self.touches)

    def as_json(self) -> dict[str, Any]:
        """As a report keeps it."""
        return {
            "rto_s": self.rto_s,
            "until_s": self.until_s,
            "segments": [vars(one) for one in self.segments],
            "not_exercised": list(self.not_exercised),
            "is_assisted": self.is_assisted,
            "touches": [vars(one) for one in self.touches],
        }


def measure(
    spans: Sequence[Span],
    exercised: Iterable[str] = OF_DRILLS,
    fault_s: float | None = None,
    until_s: float | None = None,
    touches: Sequence[Touch] = (),
) -> RecoveryTime:
    """The time from the fault (default: the begin of the first piece) until the end of `verified`.

    Each segment counts from where those before it ended to where it ended itself, so that they add up to the
    whole. `until_s`: when it was given up, where it was; all on the same clock.
    """
    wanted = [one for one in _ORDER if one in set(exercised)]
    own = [one for one in spans if one.segment in wanted]
    start = fault_s if fault_s is not None else min((one.begun_s for one in own), default=0.0)
    cursor, told = start, dict[str, float | None]()
    for name in wanted:
        ends = [one.ended_s for one in own if one.segment == name]
        if not ends or None in ends:
            told[name] = None
            continue
        end = max(cursor, *(one for one in ends if one is not None))
        told[name] = round(end - cursor, 3)
        cursor = end
    is_whole = all(told[name] is not None for name in wanted if name == VERIFIED) and bool(wanted)
    shown = [name for name in _ORDER if name in SEGMENTS or name in wanted]
    segments = tuple(Segment(name, told.get(name), name in wanted) for name in shown)
    ended = [one.ended_s for one in own if one.ended_s is not None]
    last = max([cursor, *ended, *([until_s] if until_s is not None else [])])
    rto = round(cursor - start, 3) if is_whole else None
    return RecoveryTime(rto, round(last - start, 3), segments, tuple(touches))


def since_fault(taken: RecoveryTime, detect_s: float) -> RecoveryTime:
    """The same, where what came before it began is known as well: `detect_s` seconds from the fault until
    somebody asked; fewer than none count as none."""
    detect_s = round(max(0.0, detect_s), 3)
    segments = tuple(
        replace(one, seconds=detect_s, is_exercised=True) if one.name == DETECT else one
        for one in taken.segments
    )
    rto_s = None if taken.rto_s is None else round(taken.rto_s + detect_s, 3)
    return replace(taken, rto_s=rto_s, until_s=round(taken.until_s + detect_s, 3), segments=segments)
