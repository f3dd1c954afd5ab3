"""What the two servers of a database told, and what follows from it. Pure.

Places in the log are bytes from its beginning; whoever is past one has everything before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.errors import Fault
from dr.plans.copies import Copy

PRIMARY, STANDBY, STOPPED = "primary", "standby", "stopped"
STREAMING = "streaming"


@dataclass(frozen=True)
class Told:
    """One server. `position` is None where it did not end in order; `standbys` are those that follow it."""

    role: str
    position: int | None
    timeline: int
    system: str  # the number that all copies of one database share
    is_streaming: bool = False
    late_s: float | None = None
    standbys: tuple[Mapping[str, Any], ...] = ()
    is_primary: bool = False  # also of one that does not run: it writes as soon as it does

    @property
    def follower(self) -> Mapping[str, Any] | None:
        """The one that follows it now."""
        return next((one for one in self.standbys if one.get("state") == STREAMING), None)


def of_play(told: Mapping[str, Any]) -> Told | None:
    """What a play told; None where it told nothing of a database."""
    if "role" not in told:
        return None
    position, late_s = told.get("position"), told.get("late_s")
    return Told(
        str(told["role"]),
        None if position is None else int(position),
        int(told["timeline"]),
        str(told["system"]),
        bool(told.get("is_streaming")),
        None if late_s is None else float(late_s),
        tuple(told.get("standbys") or ()),
        bool(told.get("is_primary", told["role"] == PRIMARY)),
    )


def in_the_way(
    part: str, seen: Mapping[str, Told | str], source: str, target: str, is_planned: bool
) -> list[Fault]:
    """All that keeps the part from being turned round to `target`. `seen`: by site; or why nothing was."""
    here, there = seen.get(source, ""), seen.get(target, "")
    place = f"parts.{part}"
    if isinstance(there, str):
        return [_silent(place, target, there)]
    found = []
    if there.role != STANDBY:
        params: dict[str, object] = {"site": target, "role": there.role}
        template = "the database at {site} does not follow another one: it is {role}"
        found.append(Fault(place, "no_standby", template, params, "see: cloudctl dr database setup"))
    if not is_planned:
        return found
    if isinstance(here, str):
        return [*found, _silent(place, source, here)]
    if here.system != there.system:
        template = "the databases at {site} and {target} are two different ones"
        found.append(Fault(place, "other_database", template, {"site": source, "target": target}))
    elif here.role == PRIMARY and here.follower is None:
        template = "the database at {target} does not follow the one at {site} now"
        found.append(Fault(place, "not_streaming", template, {"site": source, "target": target}))
    elif here.role != PRIMARY:
        template = "the database at {site} does not write: it is {role}"
        found.append(Fault(place, "no_primary", template, {"site": source, "role": here.role}))
    return found


def has_all(position: int, there: Told) -> bool:
    """Whether the other one has everything that was written before the place."""
    return there.position is not None and there.position >= position


def copy_of(seen: Mapping[str, Told | str], source: str, target: str, at: datetime) -> Copy:
    """How far behind the target is, as both tell: whoever writes knows who follows, and how late that is."""
    here, there = seen.get(source, ""), seen.get(target, "")
    problems = [one for one in (here, there) if isinstance(one, str)]
    if isinstance(here, str) or isinstance(there, str):
        return Copy(at, False, problem="; ".join(problems))
    follower = here.follower
    if here.role != PRIMARY or follower is None or not there.is_streaming or here.system != there.system:
        return Copy(at, False, problem=f"{source}: {here.role}, {target}: {there.role}, no stream")
    return Copy(at, True, float(follower.get("late_s") or 0.0), int(follower.get("behind") or 0))


def is_set_up(seen: Mapping[str, Told | str], source: str, target: str) -> bool:
    """Whether the stream runs as it is wanted: nothing need be done."""
    here, there = seen.get(source), seen.get(target)
    return (
        isinstance(here, Told)
        and isinstance(there, Told)
        and (here.role, there.role) == (PRIMARY, STANDBY)
        and there.is_streaming
        and here.system == there.system
    )


def _silent(place: str, site: str, why: str) -> Fault:
    template = "the database at {site} tells nothing: {reason}"
    return Fault(place, "no_answer", template, {"site": site, "reason": why or "-"})
