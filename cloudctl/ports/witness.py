"""The vote of three places: one entry for each protection group, and what an agent says of its own writers.

Reading and swapping are what a majority of the members agreed on, never what one of them remembers. All calls
may raise WitnessUnavailable: no majority answers from here, and whoever asks must not go on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class Register:
    """Who may write for a group. docs/model/failover.pml says why each field is there."""

    group: str  # the name of the protection plan
    epoch: int  # counts the changes of the writer, from 1; never goes back
    holder: str  # the site whose agent may take the lease while the epoch is open
    is_open: bool
    last: str  # the site that was open last: the only one whose writers may be running
    owner: str = ""  # the move that made the epoch; empty: none, or it was given back
    version: int = 0  # of the entry at the witness, set by it; 0: not there yet


@dataclass(frozen=True)
class Stopped:
    """An agent's word that the writers of its site stand still and that it asked for no lease since.

    A site with agents on several servers has said it when each of them has; it is then the weakest of their
    words. A server is counted from before its first lease until it is taken off the list.
    """

    group: str
    site: str
    epoch: int  # the newest of which it ever held a lease; 0: never one
    at: str  # ISO 8601, by the agent's own clock: for people
    seen: int = 0  # the epoch of the register when it said so, which did not let it write

    def is_proof(self, epoch: int) -> bool:
        """Whether no writer of the site runs under an epoch older than `epoch`, which was made closed.

        A word from an earlier move proves nothing: the site may have been opened again since.
        """
        return self.seen >= epoch > self.epoch


def weakest(words: Iterable[Stopped | None]) -> Stopped | None:
    """What the words of all servers of a site say together; None when one is missing, or there is none."""
    listed = list(words)
    said = [word for word in listed if word is not None]
    if not said or len(said) < len(listed):
        return None
    newest = max(said, key=lambda word: word.at)
    return replace(newest, epoch=max(word.epoch for word in said), seen=min(word.seen for word in said))


@dataclass(frozen=True)
class Observation:
    """What somebody at one place saw of a site. One that is not renewed is forgotten by the witness."""

    group: str
    place: str  # where it was looked from: a site, or the third place
    site: str  # what was looked at
    what: str  # `api` ..., or `application`
    is_ok: bool
    at: str  # ISO 8601, by the observer's own clock: for people
    detail: str = ""


@dataclass(frozen=True)
class Member:
    """One member as it answers now."""

    name: str
    place: str  # its URL
    is_ok: bool
    is_leader: bool = False
    detail: str = ""  # its version, or why it does not answer


class Witness(Protocol):
    """The register of all groups."""

    def read(self, group: str) -> Register | None:
        """The newest entry, as a majority has it; None when the group has none."""

    def swap(self, before: Register | None, after: Register) -> Register:
        """Put `after` in the place of `before` (None: there was none); the entry as it is now.

        Conflict when it is another by now, also when `after` is there already: whoever lost the answer reads.
        """

    def read_stopped(self, group: str, site: str) -> Stopped | None:
        """The word of the agents of that site; None when one of them never said one, or it has none."""

    def servers(self, group: str, site: str) -> list[str]:
        """The servers whose agents count, in the order of their names."""

    def lease_s(self, group: str, site: str) -> float:
        """The longest lease that one of its agents runs with, as they said; 0: nobody said."""

    def settle(self, group: str, machine: str, site: str, server: str) -> None:
        """Whose agent it is that wakes on that machine (its UUID) with a disk that was copied there."""

    def home(self, group: str, machine: str) -> tuple[str, str] | None:
        """The site and server that the machine was settled as; None: nobody did."""

    def read_observations(self, group: str) -> list[Observation]:
        """What was seen last and not too long ago, in the order of place, site and what."""

    def members(self) -> list[Member]:
        """Each member as it answers now; never raises for one that does not."""


class Agents(Protocol):
    """What an agent or an observer may say; the register is none of their business. The same errors."""

    def enrol(self, group: str, site: str, server: str, lease_s: float = 0) -> None:
        """The server counts from now on, though it never said a word; one that did keeps its word.

        `lease_s` is what it runs with. A longer one than it had said counts at once.
        """

    def say_stopped(self, word: Stopped, server: str, lease_s: float = 0) -> None:
        """The word of one server takes the place of its last one, and so does the lease it runs with."""

    def dismiss(self, group: str, site: str, server: str) -> None:
        """The server is gone for good, as a person has said; one that is not listed is fine."""

    def observe(self, seen: Observation, keep_s: int) -> None:
        """What was seen takes the place of what was; it is forgotten after so many seconds."""
