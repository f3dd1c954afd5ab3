"""What has to be done with a replicated volume next, from what the storages of both sites say. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cloudctl.ports import Named
from cloudctl.ports.replication import Replica, ReplicaState

_FOLLOWS = frozenset({ReplicaState.REPLICA})


@dataclass(frozen=True)
class Pair:
    """One replicated volume: what it is called by the storage, and what it becomes at the target."""

    id: str  # Replica.id
    row: str  # the id of the resource that it becomes, in its tag
    name: str
    type: str  # Cinder's, at the target
    is_bootable: bool = False


class Turn(StrEnum):
    """What brings the copy at the old site back into step with the new primary."""

    KEEP_ASIDE = "keep_aside"  # it was written to, or may have been: kept whole, and copied anew
    WAIT = "wait"
    MARK = "mark"  # it follows: a mark has to go the whole way
    DONE = "done"


def turn(old: Replica, word_there: str, word: str) -> Turn:
    """The next thing for the old site's side of a pair, once the new site is primary.

    Both primaries: the move was forced. A copy anew has begun when the image is absent or syncing, and is
    believed only when a mark of the new primary has arrived in it.
    """
    if old.state in {ReplicaState.PRIMARY, ReplicaState.SPLIT_BRAIN}:
        return Turn.KEEP_ASIDE
    if old.state not in _FOLLOWS:
        return Turn.WAIT
    return Turn.DONE if word_there == word else Turn.MARK


def not_ready(replicas: Iterable[Replica], is_planned: bool) -> list[Replica]:
    """The copies that cannot be promoted as they are. One that follows nobody is whole, only older than it
    might be: after a loss that is what there is, and a planned move would not get the last writes into it."""
    fine = {ReplicaState.REPLICA, ReplicaState.PRIMARY, *(() if is_planned else (ReplicaState.STOPPED,))}
    return [one for one in replicas if one.state not in fine]


def is_mark(found: str, word: str) -> bool:
    """Whether it is the mark of one of the attempts to let a volume go for the move that has this word."""
    return found.startswith(f"{word}:") and found[len(word) + 1 :].isdigit()


def next_mark(found: str, word: str) -> str:
    """The mark of the next attempt."""
    return f"{word}:{int(found[len(word) + 1 :]) + 1 if is_mark(found, word) else 1}"


@dataclass(frozen=True)
class Lag:
    """How far a copy is behind, by the last beat that has arrived in it; None: no beat has arrived yet."""

    pair_id: str
    state: ReplicaState
    behind_s: float | None


def beat_word(now: datetime) -> str:
    """The mark of a beat: the moment, so that whoever reads it knows how old what is before it is at most."""
    return f"beat:{now.isoformat()}"


def lag(replica: Replica, word: str, now: datetime) -> Lag:
    """Everything written before the beat's moment has arrived with it. What the storage says itself counts
    where it is the better figure."""
    told = [replica.behind_s] if replica.behind_s is not None else []
    kind, _, moment = word.partition(":")
    if kind == "beat":
        told.append(max(0.0, (now - datetime.fromisoformat(moment)).total_seconds()))
    return Lag(replica.id, replica.state, min(told) if told else None)


def rehearsal_type(kinds: Sequence[Named], wanted: str) -> str | None:
    """The type under which a copy of a volume of the wanted type is adopted: that type, or where its volumes
    are replicated one whose volumes lie in the same place and are not. None: there is no such type."""
    own = next((one for one in kinds if wanted in (one.name, one.id)), None)
    if own is None or not own.details.get("is_replicated"):
        return wanted
    beside = sorted(
        one.name
        for one in kinds
        if not one.details.get("is_replicated") and one.details.get("backend") == own.details.get("backend")
    )
    return beside[0] if beside else None


def worst(lags: Sequence[Lag]) -> float | None:
    """The lag of volumes that belong together; None when one of them is not known."""
    known = [one.behind_s for one in lags if one.behind_s is not None]
    return max(known) if lags and len(known) == len(lags) else None
