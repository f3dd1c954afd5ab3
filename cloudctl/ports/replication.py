"""Volumes whose bytes the storage copies to the other site; one contract suite for every implementation.

A site is asked by its own means only: what has to be done at the recovery site needs nothing of the other
one, which may be gone. All calls may raise StorageUnavailable (try again) and StorageRefused (do not).
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
    STOPPED = "stopped"  # does not follow: promoted by force, cut off, or the daemon is away
    SPLIT_BRAIN = "split_brain"  # both sides were written to; a person decides which goes
    ABSENT = "absent"


@dataclass(frozen=True)
class Replica:
    """One volume at one site."""

    volume_id: str  # Cinder's id at the site where it was made
    site: str
    state: ReplicaState
    image: str = ""  # its name in the storage of this site
    behind_s: float | None = None  # how old the newest byte here is, where the storage tells
    seen_at: datetime | None = None  # of what moment that is
    detail: str = ""


class Replication(Protocol):
    """The storage of all sites that copy volumes to each other."""

    def replicas(self, site: str, volume_ids: tuple[str, ...]) -> list[Replica]:
        """Each volume as the storage of that site has it, in the order asked; ABSENT where it has none."""

    def demote(self, site: str, volume_id: str) -> None:
        """No writer can open it there any more; again changes nothing. StorageRefused while it is open."""

    def promote(self, site: str, volume_id: str, *, is_forced: bool = False) -> None:
        """It may be written there; again changes nothing. By force: also while the other site is primary or
        away, which makes two primaries: only after a fence. StorageRefused where that would be needed."""

    def resync(self, site: str, volume_id: str) -> None:
        """Throw away what is there and copy anew from the other site, as a person has said. StorageRefused on
        a primary."""

    def copy_for_drill(self, site: str, volume_id: str, name: str) -> str:
        """A copy of what is there now that is written to without touching the replica; its image's name.
        Again gives the same."""

    def drop_drill_copy(self, site: str, name: str) -> None:
        """The copy of that name goes; gone already is fine."""
