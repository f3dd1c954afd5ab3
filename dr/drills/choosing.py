"""Which recovery point a drill takes, and whether any of them is fresh enough to say something. Pure.

A drill of stale data would show nothing about what would be there on the day: it is refused when the newest
point is older than three times its rhythm, unless somebody names the point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.errors import Fault
from dr.levels import reaches

STALE_AFTER = 3  # rhythms
LEAST_LEVEL = "L1"


@dataclass(frozen=True)
class Candidate:
    """A point as it may be chosen. `every_s` is the rhythm of its policy."""

    id: str
    system: str
    taken_at: datetime
    stored_at: datetime
    level: str | None
    every_s: int


def choose(
    points: Sequence[Candidate], fault_at: datetime, now: datetime
) -> tuple[Candidate | None, list[Fault]]:
    """The newest point that was in a vault at the moment of the fault, or why there is none to take."""
    proved = [one for one in points if reaches(one.level, LEAST_LEVEL)]
    if not proved:
        hint = "take one: cloudctl backup run SYSTEM"
        return None, [
            Fault("point", "no_point", "no point of the system was read back from a vault", {}, hint)
        ]
    newest = max(proved, key=lambda one: one.taken_at)
    faults = []
    age_s = (now - newest.taken_at).total_seconds()
    if age_s > STALE_AFTER * newest.every_s:
        template = "the newest point is {age} s old, more than three times its rhythm of {every} s"
        hint = "take a new one, or name the point to be rehearsed"
        faults.append(Fault("point", "stale", template, {"age": int(age_s), "every": newest.every_s}, hint))
    in_time = [one for one in proved if one.stored_at <= fault_at]
    if not in_time:
        faults.append(
            Fault("fault", "no_point", "no point was in a vault at {at}", {"at": fault_at.isoformat()})
        )
    if faults:
        return None, faults
    return max(in_time, key=lambda one: one.taken_at), []


def fault_of(share: float, points: Sequence[Candidate], now: datetime) -> datetime:
    """A moment of the last rhythm: `share` (0 to 1) of it before now; a fault keeps to no timetable."""
    proved = [one for one in points if reaches(one.level, LEAST_LEVEL)]
    newest = max(proved, key=lambda one: one.taken_at, default=None)
    return now if newest is None else now - timedelta(seconds=share * newest.every_s)
