"""What to do next, from the rows of a build and one look at the cloud. Pure: no clock, no cloud, no store.

The same look gives the same answer, whoever asks and however often: that is what makes a crash harmless.
A thing at the cloud belongs to a row when it carries the row's id as its tag. A port may be without tags
for a moment (older Neutron tags in a second call); then its name, which is unique, says whose it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cloudctl.errors import BuildFailed
from cloudctl.lifecycle import ResourceState
from cloudctl.ports import TAG_INSTALLATION, TAG_RESOURCE, Port, Server, Volume
from provisioning.desired import PORT, SERVER, VOLUME

Thing = Server | Volume | Port

ATTEMPTS = {SERVER: 2, VOLUME: 6, PORT: 3}  # a scheduler that just restarted refuses volumes for a while
PAUSE_S = (0, 2, 5, 15, 30, 60)  # before the nth attempt
_VOLUME_READY = frozenset({"available", "in-use", "reserved", "attaching"})


@dataclass(frozen=True)
class Row:
    """What the decision needs of a Resource row."""

    id: str
    kind: str
    name: str
    state: str
    external_id: str | None
    spec: Mapping[str, Any]

    @property
    def is_tried(self) -> bool:
        """Somebody has asked the cloud for it, or was about to."""
        return "tried_at" in self.spec

    @property
    def is_ready(self) -> bool:
        return self.state == ResourceState.ACTIVE


@dataclass(frozen=True)
class Seen:
    """One look at the project: a kind that was not listed is not there."""

    by_kind: Mapping[str, Sequence[Thing]] = field(default_factory=dict)

    def of(self, row: Row) -> list[Thing]:
        """The things that belong to the row; the one the row names comes first."""
        found = [thing for thing in self.by_kind.get(row.kind, ()) if belongs(thing, row)]
        return sorted(
            found, key=lambda thing: (thing.id != row.external_id, thing.status == "ERROR", thing.id)
        )


@dataclass(frozen=True)
class Change:
    """What is new about a row. `attempt` and `not_before` are for another try."""

    state: str
    external_id: str | None
    note: str = ""
    attempt: int | None = None
    not_before: datetime | None = None


@dataclass(frozen=True)
class Next:
    """What one pass does: write the changes, drop the broken, start what is ready to be started."""

    changes: Mapping[str, Change]
    start: tuple[str, ...]
    drop: tuple[tuple[str, str], ...]  # kind, external id
    attach: tuple[str, ...]  # ids of rows of volumes to be attached
    failure: BuildFailed | None
    is_complete: bool
    why: str


def belongs(thing: Thing, row: Row) -> bool:
    """Whether the thing at the cloud is what the row stands for."""
    tag = thing.tags.get(TAG_RESOURCE)
    if tag is not None:
        return tag == row.id
    is_untagged = isinstance(thing, Port) and TAG_INSTALLATION not in thing.tags
    return is_untagged and thing.name == row.name


def kinds_to_list(rows: Iterable[Row]) -> frozenset[str]:
    """What has to be looked at in this pass; nothing for what nobody has tried yet."""
    rows = tuple(rows)
    has_servers_to_start = any(row.kind == SERVER and row.external_id is None for row in rows)
    kinds = set()
    for row in rows:
        if not row.is_tried:
            continue
        is_open = not row.is_ready or (row.kind == VOLUME and has_servers_to_start)
        if is_open:
            kinds.add(row.kind)
    return frozenset(kinds)


def decide(rows: Sequence[Row], seen: Seen, now: datetime, has_ground: bool = True) -> Next:
    """The next pass of a build. Until the ground is laid, group and key included, no server is started."""
    changes: dict[str, Change] = {}
    drop: list[tuple[str, str]] = []
    failure: BuildFailed | None = None
    for row in rows:
        if row.kind not in seen.by_kind:
            continue
        change, is_broken = _look(row, seen, now)
        if change is not None:
            changes[row.id] = change
        if is_broken and change is not None and change.external_id is not None:
            if _attempt(row) >= ATTEMPTS[row.kind]:
                failure = failure or _failed(row, change)
            else:
                drop.append((row.kind, change.external_id))
    after = {row.id: _after(row, changes.get(row.id)) for row in rows}
    startable = [row for row in after.values() if has_ground or row.kind != SERVER]
    startable = [row for row in startable if _can_start(row, after, seen, now)]
    start = tuple(row.id for row in sorted(startable, key=_turn))
    attach = tuple(row.id for row in after.values() if _can_attach(row, seen))
    is_complete = all(row.is_ready for row in after.values())
    why = _why(list(after.values()), start)
    return Next(changes, start, tuple(drop), attach, failure, is_complete, why)


def extras(rows: Sequence[Row], seen: Seen) -> list[tuple[str, str]]:
    """Things that belong to a row but are not the one it names: two of one, from an answer that got lost."""
    return [(row.kind, thing.id) for row in rows for thing in seen.of(row) if thing.id != row.external_id]


def _look(row: Row, seen: Seen, now: datetime) -> tuple[Change | None, bool]:
    """What the look says about one row, and whether the thing is broken."""
    found = seen.of(row)
    if not found:
        if row.external_id is None:
            return None, False
        attempt = _attempt(row) + 1
        pause = timedelta(seconds=PAUSE_S[min(attempt, len(PAUSE_S)) - 1])
        gone = "gone from the cloud"
        return Change(ResourceState.INTENDED, None, gone, attempt, now + pause), False
    thing = found[0]
    status = _status(row, thing)
    note = (getattr(thing, "error", None) or "") if status == ResourceState.ERROR else ""
    change = Change(status, thing.id, note)
    is_new = (row.state, row.external_id) != (status, thing.id) or status == ResourceState.ERROR
    return (change if is_new else None), status == ResourceState.ERROR


def _status(row: Row, thing: Thing) -> ResourceState:
    """Our word for the cloud's."""
    if isinstance(thing, Port):
        return ResourceState.ACTIVE
    if isinstance(thing, Server):
        words = {"ACTIVE": ResourceState.ACTIVE, "ERROR": ResourceState.ERROR}
        return words.get(thing.status, ResourceState.BUILDING)
    if thing.status.startswith("error"):
        return ResourceState.ERROR
    is_ready = thing.status == "in-use" if row.spec.get("attach_to") else thing.status in _VOLUME_READY
    return ResourceState.ACTIVE if is_ready else ResourceState.BUILDING


def _after(row: Row, change: Change | None) -> Row:
    if change is None:
        return row
    more = {"not_before": change.not_before.isoformat()} if change.not_before else {}
    return Row(row.id, row.kind, row.name, change.state, change.external_id, {**row.spec, **more})


def _can_start(row: Row, rows: Mapping[str, Row], seen: Seen, now: datetime) -> bool:
    if row.external_id is not None or row.state != ResourceState.INTENDED:
        return False
    if row.is_tried and row.kind not in seen.by_kind:
        return False  # look first
    not_before = row.spec.get("not_before")
    if not_before and now < datetime.fromisoformat(not_before):
        return False
    if row.kind != SERVER:
        return True
    volumes = [rows[row.spec["boot"]], *(rows[one] for one in row.spec["data"])]
    return rows[row.spec["port"]].is_ready and all(_is_available(volume, seen) for volume in volumes)


def _turn(row: Row) -> tuple[bool, int, str, str]:
    """Servers first, then what belongs to one server together: the first of many is not kept waiting."""
    owner = row.name if row.kind == SERVER else row.name.rpartition("-")[0]
    return (row.kind != SERVER, len(owner), owner, row.name)


def _is_available(row: Row, seen: Seen) -> bool:
    return any(thing.id == row.external_id and thing.status == "available" for thing in seen.of(row))


def _can_attach(row: Row, seen: Seen) -> bool:
    return bool(row.spec.get("attach_to")) and row.kind == VOLUME and _is_available(row, seen)


def _attempt(row: Row) -> int:
    return int(row.spec.get("attempt", 1))


def _failed(row: Row, change: Change) -> BuildFailed:
    return BuildFailed(
        "{kind} {name} went to ERROR {attempts} times: {reason}",
        kind=row.kind,
        name=row.name,
        attempts=_attempt(row),
        reason=change.note or "the cloud gives no reason",
    )


def _why(rows: Sequence[Row], start: Sequence[str]) -> str:
    """What is waited for, in a few words: "2 volumes, 1 server"."""
    waiting = [row.kind for row in rows if not row.is_ready]
    counts = [(kind, waiting.count(kind)) for kind in (PORT, VOLUME, SERVER)]
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts if n)
