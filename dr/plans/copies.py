"""How far behind a database is that follows another, by what was seen of both at one moment. Pure.

While the stream runs, the writing one tells how late its follower is. When it does not, whatever was written
since it was last seen to run would be lost, so that time counts, and goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

FRESH = timedelta(minutes=5)  # for so long the lateness that was told stands for now


@dataclass(frozen=True)
class Copy:
    """What was seen last. `since`: the moment up to which the follower was known to have everything."""

    at: datetime
    is_streaming: bool
    late_s: float | None = None
    behind_bytes: int | None = None
    since: datetime | None = None
    problem: str = ""  # why nothing was seen

    def as_json(self) -> dict[str, Any]:
        """As the row of the plan keeps it."""
        since = None if self.since is None else self.since.isoformat()
        return {**vars(self), "at": self.at.isoformat(), "since": since}


def of_json(row: Mapping[str, Any]) -> Copy:
    """The copy as `as_json` gave it."""
    since = row.get("since")
    at = datetime.fromisoformat(row["at"])
    return Copy(**{**row, "at": at, "since": None if since is None else datetime.fromisoformat(since)})


def behind_s(copy: Copy, now: datetime) -> float | None:
    """What would be lost now, in seconds; None where it was never seen to follow."""
    if copy.is_streaming and copy.late_s is not None and now - copy.at <= FRESH:
        return copy.late_s
    return None if copy.since is None else max(0.0, (now - copy.since).total_seconds())


def after(before: Copy | None, now: Copy) -> Copy:
    """What is kept of another look: one that saw no stream keeps the last moment at which there was one."""
    if now.is_streaming and now.late_s is not None:
        return Copy(now.at, True, now.late_s, now.behind_bytes, now.at - timedelta(seconds=now.late_s))
    since = None if before is None else before.since
    return Copy(now.at, False, None, now.behind_bytes, since, now.problem)
