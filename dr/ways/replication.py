"""What moves and rehearsals do with replicated volumes. Everything looks first and may be asked again after
any crash; a Later says for what it waits.

Volumes of a system arrive one by one: storage of this kind keeps the order of the writes of one volume, not
of several. A planned move has stopped the writers before; after a loss each volume is at a moment of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloudctl.errors import BuildFailed, StorageBusy, StorageRefused, StorageUnavailable
from cloudctl.lifecycle import Later
from cloudctl.ports import TAG_RESOURCE, CloudInProject, NewAdoption, Replication, Tags
from cloudctl.ports.replication import Mark, Replica, ReplicaState
from dr.ways.pairs import Lag, Pair, Turn, beat_word, is_mark, lag, next_mark, turn

_LOOK_S = 2.0
Hold = Callable[[], None]  # asked right before each change; raises when it is no longer ours to do
Name = Callable[[str], str]  # of the copy of a pair
_HERE = ("available", "in-use", "reserved", "attaching")


def ids_of(replication: Replication, site: str, volume_ids: Sequence[str]) -> dict[str, str]:
    """The pair of each volume, by Cinder's id at that site or, before it is adopted, at the other one. A
    volume that is in no pair is not in the answer."""
    found = replication.replicas(site, tuple(volume_ids))
    return {one.volume_id: one.id for one in found if one.id and one.state is not ReplicaState.ABSENT}


# -- while nothing is wrong


def beat(replication: Replication, source: str, pair_ids: Sequence[str], now: datetime) -> None:
    """Write the moment behind what has been written; StorageRefused where a volume is not primary."""
    for pair_id in pair_ids:
        replication.mark(source, pair_id, beat_word(now), Mark.BEAT)


def lags(replication: Replication, target: str, pair_ids: Sequence[str], now: datetime) -> list[Lag]:
    """How far each copy is behind, asked at the target alone: also when the source is gone."""
    found = with_beats(replication, target, pair_ids, now)
    return [Lag(one.id, one.state, one.behind_s) for one in found]


def with_beats(
    replication: Replication, target: str, volume_ids: Sequence[str], now: datetime
) -> list[Replica]:  # fmt: skip
    """The copies as the target has them, and how far each is behind by the last beat that has arrived, where
    that is a better figure than what the storage tells."""
    found = []
    for one in replication.replicas(target, tuple(volume_ids)):
        word = replication.marked(target, one.volume_id, Mark.BEAT) if one.id else ""
        found.append(replace(one, behind_s=lag(one, word, now).behind_s))
    return found


# -- a move


def final_sync(
    replication: Replication,
    source: str,
    target: str,
    pair_ids: Sequence[str],
    word: str,
    now: datetime,
    hold: Hold,
) -> dict[str, Any] | Later:
    """The writers stand still: what was written last arrives, shown by a mark that was written after it and
    is read at the target. The source can be written to no more after this.

    While somebody has a volume open, what he still holds back could be written behind the mark, so there is
    none yet. One that could not be let go may have been written to since its mark: each attempt has a mark of
    its own, and the last one at the source is the one that has to arrive.
    """
    for one in replication.replicas(source, tuple(pair_ids)):
        if one.state is ReplicaState.PRIMARY:
            try:
                replication.must_be_closed(source, one.id)
                hold()
                replication.mark(source, one.id, next_mark(replication.marked(source, one.id), word))
                hold()
                replication.demote(source, one.id)
            except StorageBusy as error:
                return Later(_LOOK_S, error.text())
    last = {one: replication.marked(source, one) for one in pair_ids}
    missing = [
        one
        for one, mark in last.items()
        if not is_mark(mark, word) or replication.marked(target, one) != mark
    ]
    if missing:
        return Later(_LOOK_S, f"the last writes of {len(missing)} volumes to arrive")
    return {"word": word, "volumes": len(pair_ids), "read_at": now.isoformat(), "site": target}


def promote(
    replication: Replication,
    target: str,
    pair_ids: Sequence[str],
    hold: Hold,
    *,
    is_forced: bool,
    is_over: Callable[[str], bool] = lambda _pair_id: False,
) -> Later | None:
    """They are written at the target from now on. By force only where the fence has proved that nobody
    writes at the other site.

    What followed a site that is gone may keep the copy open for ever: Ceph's daemon was found to where many
    volumes had just been opened anew. It is put out when `is_over` says that its time for a pair is over.
    """
    busy = []
    for pair_id in pair_ids:
        try:
            hold()
            replication.promote(target, pair_id, is_forced=is_forced)
        except StorageBusy as error:
            why = error.text()
            if is_forced and is_over(pair_id):
                hold()
                try:
                    replication.evict(target, pair_id)
                    why = f"{why}; who held it was put out"
                except StorageRefused as refused:  # it may still let go by itself, or be restarted by people
                    why = refused.text()
            busy.append(why)
    return Later(_LOOK_S, f"{busy[0]} ({len(busy)} of {len(pair_ids)})") if busy else None


def give_back(replication: Replication, source: str, pair_ids: Sequence[str], hold: Hold) -> Later | None:
    """A planned move is given up before promotion: the source is primary again, nothing is lost."""
    for pair_id in pair_ids:
        try:
            hold()
            replication.promote(source, pair_id)
        except StorageBusy as error:
            return Later(_LOOK_S, error.text())
    return None


@dataclass(frozen=True)
class Adopter:
    """What adoption takes: images of the site's storage, and the project that gets them."""

    inside: CloudInProject
    site: str
    image_of: Callable[[Pair], str]  # what the image is called in the storage just now
    tags_of: Callable[[Pair], Tags]
    #: Takes away the row of a vain attempt, by its id. It must not take the image of a move with it.
    let_go: Callable[[str], None]
    may_try_again: Callable[[Pair], bool]  # writes the vain attempt down; False: there were enough
    tag: str = TAG_RESOURCE  # the one that has the row of a pair


def adopt(adopter: Adopter, pairs: Sequence[Pair], hold: Hold) -> dict[str, str] | Later:
    """Each image is a volume of the project: Cinder's ids by row. What carries the row's tag already was
    adopted before a crash. What Cinder could not adopt is let go and tried anew, so often as may be."""
    inside = adopter.inside
    there = {one.tags.get(adopter.tag): one for one in inside.list_volumes()}
    waits = []
    for pair in pairs:
        found = there.get(pair.row)
        if found is None:
            image = adopter.image_of(pair)
            hold()
            inside.adopt_volume(
                NewAdoption(pair.name, image, pair.type, adopter.tags_of(pair), pair.is_bootable)
            )
            waits.append(pair.name)
        elif found.status.startswith("error"):
            if not adopter.may_try_again(pair):
                raise BuildFailed(
                    "volume {name} could not be adopted at {site}: {status}",
                    name=pair.name, site=adopter.site, status=found.status,
                )  # fmt: skip
            hold()
            adopter.let_go(found.id)
            waits.append(pair.name)
        elif found.status not in _HERE:
            waits.append(pair.name)
    if waits:
        return Later(_LOOK_S, f"to be adopted: {', '.join(waits)}")
    return {pair.row: there[pair.row].id for pair in pairs}


def reprotect(
    replication: Replication,
    old: str,
    new: str,
    pair_ids: Sequence[str],
    word: str,
    keep: Callable[[Sequence[str]], Mapping[str, str]],
    hold: Hold,
) -> Later | None:
    """The old site follows the new one, shown by a mark that has gone the whole way; None then.

    What was written at the old site after a loss is kept whole before anything is copied over it, under the
    names that `keep` gives and writes down before the first is renamed. The old site's Cinder has released
    its volumes before.
    """
    waits, steps = [], {}
    for pair_id, replica in zip(pair_ids, replication.replicas(old, tuple(pair_ids)), strict=True):
        follows = replica.state is ReplicaState.REPLICA
        word_there = replication.marked(old, pair_id) if follows else ""
        steps[pair_id] = (replica, turn(replica, word_there, word))
    kept = keep([one for one, (_, step) in steps.items() if step is Turn.KEEP_ASIDE])
    for pair_id, (replica, step) in steps.items():
        try:
            if step is Turn.KEEP_ASIDE:
                hold()
                replication.set_aside(old, pair_id, kept[pair_id])
                waits.append("a volume to be copied anew")
            elif step is Turn.MARK:
                if replication.marked(new, pair_id) != word:
                    hold()
                    replication.mark(new, pair_id, word)
                waits.append("a mark to arrive")
            elif step is Turn.WAIT:
                waits.append(f"a volume that is {replica.state.value} at {old}")
        except StorageBusy as error:
            waits.append(error.text())
    return Later(_LOOK_S, "; ".join(sorted(set(waits)))) if waits else None


# -- a rehearsal


def moments(
    replication: Replication, source: str, pair_ids: Sequence[str], moment: str, hold: Hold
) -> None:  # fmt: skip
    """A moment of each volume at the source; the copies have it when it has arrived."""
    for pair_id in pair_ids:
        hold()
        replication.moment(source, pair_id, moment)


def copies(
    replication: Replication, target: str, pair_ids: Sequence[str], moment: str, name: Name, hold: Hold
) -> Later | None:
    """An image with the bytes of the moment for each volume; the replicas go on as they are."""
    for done, pair_id in enumerate(pair_ids):
        try:
            hold()
            replication.copy_for_drill(target, pair_id, moment, name(pair_id))
        except StorageBusy as error:
            return Later(_LOOK_S, f"{error.text()} ({done} of {len(pair_ids)})")
    return None


def drop(
    replication: Replication,
    source: str,
    target: str,
    pair_ids: Sequence[str],
    moment: str,
    name: Name,
    hold: Hold,
) -> int:
    """Copies that no Cinder has adopted go, then the moments; how much is still there. Those that were
    adopted are deleted as volumes before. With the source away its moments stay, and are counted.

    A moment goes where its volume is primary now: a move may have come in between.
    """
    left = 0
    for pair_id in pair_ids:
        try:
            hold()
            replication.drop_copy(target, name(pair_id))
            found = [one for site in (source, target) for one in replication.replicas(site, (pair_id,))]
            primary = [one.site for one in found if one.state is ReplicaState.PRIMARY]
            for site in primary:
                hold()
                replication.drop_moment(site, pair_id, moment)
            left += not primary and any(one.state is not ReplicaState.ABSENT for one in found)
        except StorageUnavailable:
            left += 1
    return left
