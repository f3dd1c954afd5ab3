"""Whether a site is lost, by what observers at different places saw of it. Pure.

A site that only the recovery site does not see may be well: then it is the recovery site that is cut off.
So two places have to say it, one of them neither of the two sites.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.errors import Fault
from cloudctl.ports import Observation

NEEDED = 2  # places that have to say that it is gone


@dataclass(frozen=True)
class Verdict:
    """What the places say: gone, there, or nothing at all."""

    gone: tuple[str, ...]  # places that see nothing of it that works
    there: tuple[str, ...]  # places that see something of it
    faults: tuple[Fault, ...]  # why that is not enough; empty: it is

    @property
    def is_enough(self) -> bool:
        return not self.faults


def judge(seen: Iterable[Observation], lost: str, recovery: str) -> Verdict:
    """Whether `lost` is gone. A place that sees one thing of it working does not say that it is gone.

    What the lost site says of itself counts only for it: it can show that it is there, not that it is gone.
    """
    by_place: dict[str, list[bool]] = {}
    for one in seen:
        if one.site == lost:
            by_place.setdefault(one.place, []).append(one.is_ok)
    gone = tuple(sorted(place for place, oks in by_place.items() if not any(oks) and place != lost))
    there = tuple(sorted(place for place, oks in by_place.items() if any(oks)))
    return Verdict(gone, there, tuple(_faults(gone, there, lost, recovery)))


def _faults(gone: tuple[str, ...], there: tuple[str, ...], lost: str, recovery: str) -> Iterable[Fault]:
    params: dict[str, object] = {
        "site": lost, "gone": ", ".join(gone) or "-", "there": ", ".join(there) or "-", "needed": NEEDED,
    }  # fmt: skip
    if set(gone) == {recovery}:
        template = "only {gone}, where it shall go, does not see {site}: it may itself be cut off"
        yield Fault("evidence", "only_recovery_site", template, params)
    elif len(gone) < NEEDED:
        template = (
            "{needed} places have to say that {site} is gone; it is said by {gone}, and seen by {there}"
        )
        yield Fault("evidence", "too_few", template, params)


def told(seen: Iterable[Observation], lost: str) -> list[dict[str, Any]]:
    """What each place saw of the site, as the move keeps it."""
    keys = ("place", "site", "what", "is_ok", "at", "detail")
    return [{key: getattr(one, key) for key in keys} for one in seen if one.site == lost]


def of_told(group: str, rows: Iterable[Mapping[str, Any]]) -> list[Observation]:
    """The same back from a row."""
    return [Observation(group, **row) for row in rows]
