"""What a backup does next at the site's Cinder, from its rows and one look. Pure: no clock, cloud or store.

The same for snapshots and for backups: what carries the tag of the point and the position of the volume is
the row's; what is broken or stuck goes and is made once more; what is asked for has been looked for before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from cloudctl.errors import BuildFailed
from cloudctl.ports import Backup, Snapshot
from dr import marks

Thing = Snapshot | Backup
Kind = Literal["snapshot", "backup"]

INTENDED, SNAPSHOTTED, MADE, RELEASED = "intended", "snapshotted", "made", "released"
ATTEMPTS = 6  # a scheduler that does not know its backup service yet fails backups for a while
STUCK_COUNTS = 5  # one that hung has cost its time: it is tried once more
PAUSE_S = (0, 5, 15, 30, 60, 120)  # before the nth attempt
_READY = {"snapshot": frozenset({"available", "backing-up"}), "backup": frozenset({"available", "restoring"})}
_AFTER = {"snapshot": SNAPSHOTTED, "backup": MADE}
_BEFORE = {"snapshot": INTENDED, "backup": SNAPSHOTTED}


@dataclass(frozen=True)
class Part:
    """One volume of a point as its row stands."""

    position: int
    name: str
    volume_id: str
    state: str
    size_gib: int = 0
    is_incremental: bool = False
    ids: Mapping[str, str | None] = field(default_factory=dict)  # snapshot, backup
    spec: Mapping[str, Any] = field(default_factory=dict)

    def attempt(self, kind: Kind) -> int:
        return int(self.spec.get(f"{kind}_attempt", 1))

    def dropped(self, kind: Kind) -> list[str]:
        """What was made for an earlier try and has to go before the next one begins."""
        return list(self.spec.get(f"{kind}_dropped", ()))

    def not_before(self, kind: Kind, now: datetime) -> datetime:
        """When the next try may begin."""
        word = self.spec.get(f"{kind}_not_before")
        return datetime.fromisoformat(word) if word else now

    def tried_at(self, kind: Kind) -> datetime | None:
        word = self.spec.get(f"{kind}_tried_at")
        return datetime.fromisoformat(word) if word else None


@dataclass(frozen=True)
class Next:
    """What one pass does: columns to write by position (`spec` is merged), what to start and what to drop."""

    changes: Mapping[int, Mapping[str, Any]]
    start: tuple[int, ...]
    drop: tuple[str, ...]
    failure: BuildFailed | None
    is_complete: bool
    why: str


def decide(
    kind: Kind,
    parts: Sequence[Part],
    seen: Sequence[Thing],
    point_id: str,
    now: datetime,
    slots: int,
    patience: timedelta,
) -> Next:
    """The next pass for all volumes side by side, at most `slots` under way at once.

    `patience`: how long one may be under way, and a little more for each GiB, before it counts as stuck.
    """
    changes: dict[int, Mapping[str, Any]] = {}
    start: list[int] = []
    drop: list[str] = []
    failure: BuildFailed | None = None
    under_way = 0
    sizes = {part.position: part.size_gib for part in parts}
    for part in parts:
        if part.state != _BEFORE[kind]:
            continue
        found = of_part(seen, point_id, part, kind)
        going = [one for one in seen if one.id in part.dropped(kind)]
        judged = _judge(kind, part, found, now, patience)
        drop += [one.id for one in going if one.status != "deleting"]
        if judged.is_ready:
            changes[part.position] = {"state": _AFTER[kind], f"{kind}_id": found[0].id}
        elif judged.trouble and part.attempt(kind) >= ATTEMPTS:
            failure = failure or _failed(kind, part, judged.trouble)
        elif judged.trouble:
            changes[part.position] = _again(kind, part, found, judged, now)
            drop += [one.id for one in found]
        elif found:
            under_way += 1
            if part.ids.get(kind) != found[0].id:
                changes[part.position] = {f"{kind}_id": found[0].id}
        elif not going and now >= part.not_before(kind, now):
            start.append(part.position)
    free = max(0, slots - under_way)
    start.sort(key=lambda position: -sizes[position])  # the greatest first: none is left to run on alone
    ready = sum(change.get("state") == _AFTER[kind] for change in changes.values())
    waiting = sum(part.state == _BEFORE[kind] for part in parts) - ready
    return Next(
        changes,
        tuple(start[:free]),
        tuple(drop),
        failure,
        not waiting and failure is None,
        f"{waiting} {kind}{'s' if waiting != 1 else ''}",
    )


def of_part(seen: Sequence[Thing], point_id: str, part: Part, kind: Kind) -> list[Thing]:
    """What belongs to the volume: the one the row names first, what is broken last."""
    mine = [
        one
        for one in seen
        if one.tags.get(marks.TAG_POINT) == point_id
        and marks.position_of(one.tags) == part.position
        and one.id not in part.dropped(kind)
        and one.status != "deleting"
    ]
    return sorted(mine, key=lambda one: (one.id != part.ids.get(kind), _is_broken(one), one.id))


def extras(
    parts: Sequence[Part], seen: Sequence[Thing], installation: str, point_id: str, kind: Kind
) -> list[Thing]:
    """Things of the point that no row names: two of one, from an answer that got lost."""
    named = {part.ids.get(kind) for part in parts}
    return [
        one
        for one in seen
        if marks.is_of(one.tags, installation, marks.TAG_POINT, point_id) and one.id not in named
    ]


def rests_on(
    backups: Sequence[Backup],
    volume_id: str,
    size_gib: int,
    parent_backup_id: str | None,
    parent_size_gib: int,
) -> str | None:
    """Why an increment of the volume cannot be; None when it can.

    Cinder takes the newest backup of the volume, whosever it is: that has to be the one of our parent.
    """
    if parent_backup_id is None:
        return "the volume was not in the point before"
    if size_gib != parent_size_gib:
        return f"the volume has grown from {parent_size_gib} to {size_gib} GiB"
    of_volume = [one for one in backups if one.volume_id == volume_id and one.status in _READY["backup"]]
    if parent_backup_id not in {one.id for one in of_volume}:
        return "the backup before is gone from the site"
    newest = max(
        of_volume, key=lambda one: (one.data_at is not None, one.data_at, one.id == parent_backup_id)
    )
    if newest.id != parent_backup_id:
        return "somebody else has made a backup of the volume since"
    return None


@dataclass(frozen=True)
class _Judged:
    is_ready: bool = False
    trouble: str = ""
    counts: int = 1


def _judge(kind: Kind, part: Part, found: Sequence[Thing], now: datetime, patience: timedelta) -> _Judged:
    if not found:
        return _Judged(trouble="gone from the cloud") if part.ids.get(kind) else _Judged()
    thing = found[0]
    if thing.status in _READY[kind]:
        return _Judged(is_ready=True)
    if _is_broken(thing):
        return _Judged(trouble=getattr(thing, "error", None) or f"it is {thing.status}")
    since = part.tried_at(kind)
    if since is not None and now - since > patience + timedelta(seconds=_S_PER_GIB * part.size_gib):
        trouble = f"stuck in {thing.status} since {since:%Y-%m-%d %H:%M:%S} UTC"
        return _Judged(trouble=trouble, counts=STUCK_COUNTS)
    return _Judged()


def _again(
    kind: Kind, part: Part, found: Sequence[Thing], judged: "_Judged", now: datetime
) -> dict[str, Any]:
    """The columns of a row that is tried once more; what is there of the try before has to go first."""
    attempt, trouble = part.attempt(kind) + judged.counts, judged.trouble
    pause = timedelta(seconds=PAUSE_S[min(attempt, len(PAUSE_S)) - 1])
    spec = {
        f"{kind}_attempt": attempt,
        f"{kind}_not_before": (now + pause).isoformat(),
        f"{kind}_tried_at": None,
        f"{kind}_dropped": [*part.dropped(kind), *(one.id for one in found)],
        "note": f"{kind}: {trouble}; tried again",
    }
    if kind == "backup" and part.is_incremental:
        spec["full_because"] = trouble  # whatever was wrong with the increment is not wrong with a full one
    return {f"{kind}_id": None, "spec": spec}


_S_PER_GIB = 120  # Cinder's own driver reads about 40 MiB a second; three times that


def _is_broken(thing: Thing) -> bool:
    return thing.status.startswith("error")


def _failed(kind: Kind, part: Part, trouble: str) -> BuildFailed:
    return BuildFailed(
        "the {kind} of {name} failed {attempts} times: {trouble}",
        kind=kind,
        name=part.name,
        attempts=part.attempt(kind),
        trouble=trouble,
    )
