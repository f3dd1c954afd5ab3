"""What Ceph's mirroring says of an image, in the words of the port. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cloudctl.ports.replication import Replica, ReplicaState

Row = Mapping[str, Any]

_FOLLOWS: Final = {
    "up+replaying": ReplicaState.REPLICA,
    "up+syncing": ReplicaState.SYNCING,
    "up+starting_replay": ReplicaState.SYNCING,
}
#: The daemon looks at the primary's journal every 5 s and the primary notes its end every 5 s.
_KNOWN_LATE_S: Final = 10.0


def replica(volume_id: str, site: str, info: Row, status: Row, now: datetime) -> Replica:
    """One image: `info` is `rbd info`, `status` its row in `rbd mirror pool status`, both as JSON."""
    mirroring = info.get("mirroring") or {}
    name = str(info.get("name", ""))
    if mirroring.get("state") != "enabled":
        return Replica(
            volume_id, site, ReplicaState.ABSENT, name, seen_at=now, detail="the image is not mirrored"
        )
    description = str(status.get("description", ""))
    state = state_of(bool(mirroring.get("primary")), str(status.get("state", "")), description)
    seen_at = _moment(status.get("last_update"))
    behind = entries_behind(description)
    return Replica(
        volume_id,
        site,
        state,
        name,
        behind_s(behind, seen_at, now) if state is ReplicaState.REPLICA else None,
        seen_at or now,
        description.partition(", {")[0] if behind is None else f"{behind} writes behind",
        str(mirroring.get("global_id", "")),
        str(info.get("id", "")),
    )


def state_of(is_primary: bool, state: str, description: str) -> ReplicaState:
    """What the image is: the image itself says whether it is primary, the daemon whether it follows."""
    if is_primary:
        return ReplicaState.PRIMARY
    if state == "up+error" and "split-brain" in description:
        return ReplicaState.SPLIT_BRAIN
    return _FOLLOWS.get(state, ReplicaState.STOPPED)


def entries_behind(description: str) -> int | None:
    """How many writes have not been replayed yet; None where the daemon does not tell."""
    _, brace, rest = description.partition("{")
    try:
        found = json.loads(brace + rest)["entries_behind_primary"]
    except (ValueError, KeyError, TypeError):
        return None
    return int(found)


def behind_s(entries: int | None, seen_at: datetime | None, now: datetime) -> float | None:
    """How old the newest byte is at most. Ceph keeps no times in its journal: only where nothing is missing,
    the age of the report and what the report may be late is an answer."""
    if entries != 0 or seen_at is None:
        return None
    return max(0.0, (now - seen_at).total_seconds()) + _KNOWN_LATE_S


def is_primary_elsewhere(status: Row) -> bool:
    """True if a peer has told this site that the image is primary there."""
    return any(
        one.get("state") == "up+stopped" and "local image is primary" in str(one.get("description"))
        for one in status.get("peer_sites") or ()
    )


def _moment(text: object) -> datetime | None:
    """The command is run in UTC and prints no zone."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
