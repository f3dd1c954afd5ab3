"""Volumes whose bytes the storage copies to the other site; one contract suite for every implementation.

A site is asked by its own means only: what has to be done at the recovery site needs nothing of the other
one, which may be gone. All calls may raise StorageUnavailable and StorageBusy (try again) and StorageRefused
(do not).

A volume is named by Cinder's id of it at the site that is asked, or by `Replica.id`: the pair's own name, the
same at all sites, which outlives that the recovery site's Cinder adopts the copy under an id of its own.
What is written at the primary arrives at the copy in the order in which it was written, marks and moments
among it: a mark that has arrived proves that everything written before it has.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ReplicaState(StrEnum):
    """What a copy is at one site, as the storage there says."""

    PRIMARY = "primary"  # may be written here
    REPLICA = "replica"  # follows the other site
    SYNCING = "syncing"  # is being copied anew, or catches up
    STOPPED = "stopped"  # does not follow: cut off, demoted at both sites, or the daemon is away
    SPLIT_BRAIN = "split_brain"  # both sides were written to; a person decides which goes
    ABSENT = "absent"


@dataclass(frozen=True)
class Replica:
    """One volume at one site."""

    volume_id: str  # as it was asked for
    site: str
    state: ReplicaState
    image: str = ""  # its name in the storage of this site
    behind_s: float | None = None  # how old the newest byte here is at most, where the storage tells
    seen_at: datetime | None = None  # of what moment that is
    detail: str = ""
    id: str = ""  # the pair's: the same at all sites, whatever the image is called
    copy_id: str = ""  # another one once it has been copied anew


class Mark(StrEnum):
    """Of what a mark tells. Marks of two kinds do not replace each other."""

    MOVE = "move"  # of a move or its way back: who reads it goes on
    BEAT = "beat"  # a moment, written all the time: how far the copy is behind


class Replication(Protocol):
    """The storage of all sites that copy volumes to each other."""

    def sites(self) -> tuple[str, ...]:
        """Where volumes can be primary or copy; the ids of sites."""

    def replicas(self, site: str, volume_ids: tuple[str, ...]) -> list[Replica]:
        """Each volume as the storage of that site has it, in the order asked; ABSENT where it has none."""

    def mark(self, site: str, volume_id: str, word: str, kind: Mark = Mark.MOVE) -> None:
        """Write a word (letters, digits, `-:.+`) behind everything written so far; it replaces the one of
        its kind before. StorageRefused unless the volume is primary there."""

    def marked(self, site: str, volume_id: str, kind: Mark = Mark.MOVE) -> str:
        """The word of this kind that has arrived there last; empty: none."""

    def must_be_closed(self, site: str, volume_id: str) -> None:
        """StorageBusy while somebody has it open there; changes nothing."""

    def demote(self, site: str, volume_id: str) -> None:
        """No writer can open it there any more; again changes nothing. StorageBusy while it is open."""

    def evict(self, site: str, volume_id: str) -> None:
        """Whoever has it open there loses it for good: what they still send is refused. Again changes
        nothing. Who opens it anew is not kept from that: `demote` follows, and waits until it is closed. At a
        copy that was promoted by force: what followed the other site and does not let go."""

    def promote(self, site: str, volume_id: str, *, is_forced: bool = False) -> None:
        """It may be written there, and renamed, as soon as this has returned; again changes nothing.
        StorageBusy until the demotion at the other site, and so everything written before it, has arrived,
        and while what followed the other site still has it open. By force: also while the other site is
        primary or away, which makes two primaries: only after a fence."""

    def resync(self, site: str, volume_id: str) -> None:
        """Throw away what is there and copy anew from the other site, as a person has said. StorageRefused on
        a primary. It has begun when `copy_id` is another or the image is absent, and is done when the state
        is REPLICA after that."""

    def set_aside(self, site: str, volume_id: str, name: str) -> None:
        """Keep what is there, whole, as an image of that name which follows nobody; the place it leaves is
        copied anew from the other site. For what was written on the losing side of a forced promotion; Cinder
        there must have released the volume. StorageBusy while it is open, and until the other site says that
        it is primary; again changes nothing."""

    def moment(self, site: str, volume_id: str, name: str) -> None:
        """Make a moment of that name at the primary; it arrives at the copy like a write. Again changes
        nothing."""

    def drop_moment(self, site: str, volume_id: str, name: str) -> None:
        """The moment goes, at the copy a little later; gone already is fine. Its copies go first."""

    def copy_for_drill(self, site: str, volume_id: str, moment: str, name: str) -> None:
        """An image of that name with the bytes of the moment, written to without touching the replica; again
        changes nothing. StorageBusy while the moment has not arrived."""

    def drop_copy(self, site: str, name: str) -> None:
        """The image of that name, from `copy_for_drill` or `set_aside`, goes; gone already is fine.
        StorageBusy while it is open; StorageRefused for an image that is part of a pair."""
