"""What a fault cost, counted in sentinels: RPO as it was reached, and what is missing. Pure.

`rpo_s` is the time from the acknowledgement of the newest sentinel that came back to the fault. Nothing is
said finer than the clocks allow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dr.sentinels.found import Found
from dr.sentinels.record import Moment, digest

WINDOW = timedelta(days=1)  # what an application gives back at least
_MARGIN = timedelta(minutes=1)  # of that day: a record at its edge may be gone while it is read
_STEPS_S = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0)
_LEAST_BOUND_S = 0.001


@dataclass(frozen=True)
class Entry:
    """One sentinel as the journal has it. `acked` is None while no answer came."""

    writer: str
    seq: int
    sent: Moment
    acked: Moment | None
    code: str


@dataclass(frozen=True)
class Loss:
    """What was acknowledged before the fault, and what of it came back.

    `rpo_s` is None where nothing was acknowledged; `is_at_least`: nothing came back, so that it is no less
    than this. What was really lost is between `least_s` and `rpo_s`: between two sentinels nobody looks.
    """

    rpo_s: float | None
    least_s: float
    clock_bound_s: float
    acked: int
    found: int
    missing: int
    holes: int  # missing, though a later one came back
    resurrected: int  # came back, and was never acknowledged
    newest: int | None  # number of the newest that came back
    is_at_least: bool = False
    is_genuine: bool | None = None  # the bytes that came back are those written; None: it cannot be told
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """As a report keeps it."""
        return dict(vars(self))


def count(journal: Sequence[Entry], found: Found | None, fault: Moment, read_at: datetime) -> Loss:
    """The loss of a fault at that moment, by what was read back at `read_at`.

    Only sentinels of the day before `read_at` are counted: an application need not give more.
    """
    begin = read_at - WINDOW + _MARGIN
    known = [one for one in journal if one.acked is not None and one.acked.at >= begin]
    before = [one for one in known if one.acked is not None and _gap_s(one.acked, fault) >= 0]
    if not before:
        return Loss(None, 0.0, _LEAST_BOUND_S, 0, 0, 0, 0, 0, None, why="nothing was acknowledged before it")
    if found is None:
        oldest = max(_gap_s(one.acked, fault) for one in before if one.acked is not None)
        bound_s = clock_bound_s([*before], fault)
        return Loss(shown(oldest, bound_s), 0.0, bound_s, len(before), 0, len(before), 0, 0, None, True,
                    why="the sentinels could not be read back")  # fmt: skip
    return _counted(journal, before, found, fault)


def _counted(journal: Sequence[Entry], before: Sequence[Entry], found: Found, fault: Moment) -> Loss:
    back = [one for one in before if found.has(one.writer, one.seq)]
    missing = [one for one in before if not found.has(one.writer, one.seq)]
    last = {one.writer: max(found.numbers(one.writer), default=0) for one in before}
    ages = sorted((_gap_s(one.acked, fault), one.seq) for one in back if one.acked is not None)
    oldest = max(_gap_s(one.acked, fault) for one in before if one.acked is not None)
    age_s, newest = ages[0] if ages else (oldest, None)
    later = [_gap_s(one.acked, fault) for one in missing if one.acked is not None]
    least = max((gap for gap in later if gap < age_s), default=0.0)
    since = [one for one in before if _gap_s(one.acked, fault) <= age_s]
    bound_s = clock_bound_s(since, fault)
    return Loss(
        rpo_s=shown(age_s, bound_s),
        least_s=shown(least, bound_s) if ages else shown(oldest, bound_s),
        clock_bound_s=bound_s,
        acked=len(before),
        found=len(back),
        missing=len(missing),
        holes=sum(one.seq < last[one.writer] for one in missing),
        resurrected=_resurrected(journal, found),
        newest=newest,
        is_at_least=not ages,
        is_genuine=_is_genuine(journal, found),
        why="" if ages else "none of them came back",
    )


def shown(seconds: float, bound_s: float) -> float:
    """A span as it may be said: rounded up to what the clocks can tell apart."""
    step = next((one for one in _STEPS_S if one >= bound_s), _STEPS_S[-1])
    return round(math.ceil(round(max(0.0, seconds) / step, 6)) * step, 3)


def clock_bound_s(entries: Sequence[Entry], fault: Moment) -> float:
    """How far apart the two clocks of the figures may be.

    `entries`: from the newest that came back to the fault. On one boot of one machine the monotonic clock
    says how far the wall's was moved meanwhile. Else it is what both systems say of themselves.
    """
    acked = [one.acked for one in entries if one.acked is not None]
    if acked and fault.boot and all(one.boot == fault.boot for one in acked):
        return _LEAST_BOUND_S
    if acked and not fault.boot and len({one.boot for one in acked}) == 1:
        offsets = [one.at.timestamp() - one.monotonic_s for one in acked]
        return max(_LEAST_BOUND_S, round(max(offsets) - min(offsets), 3), fault.error_s)
    errors = [one.error_s for one in acked]
    return max(_LEAST_BOUND_S, max(errors, default=0.0) + fault.error_s)


def _gap_s(before: Moment | None, after: Moment) -> float:
    assert before is not None
    if before.boot and before.boot == after.boot:
        return after.monotonic_s - before.monotonic_s
    return (after.at - before.at).total_seconds()


def _resurrected(journal: Sequence[Entry], found: Found) -> int:
    """What came back and was never acknowledged: its answer was lost, or it was written by nobody we know."""
    known: dict[str, set[int]] = {}
    for one in journal:
        numbers = known.setdefault(one.writer, set())
        if one.acked is not None:
            numbers.add(one.seq)
    first = {writer: min(numbers, default=0) for writer, numbers in known.items()}
    return sum(
        seq not in numbers and seq >= first[writer]
        for writer, numbers in known.items()
        for seq in found.numbers(writer)
    )


def _is_genuine(journal: Sequence[Entry], found: Found) -> bool | None:
    """Whether what came back has the codes that were written; only where the journal knows all of it."""
    codes = {(one.writer, one.seq): one.code for one in journal}
    keys = [(writer, seq) for writer in found.spans for seq in found.numbers(writer)]
    if not found.is_whole or any(key not in codes for key in keys):
        return None
    return digest((*key, codes[key]) for key in keys) == found.digest
