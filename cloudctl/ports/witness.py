"""The vote of three places: one entry for each protection group, and what an agent says of its own writers.

Reading and swapping are what a majority of the members agreed on, never what one of them remembers. All calls
may raise WitnessUnavailable: no majority answers from here, and whoever asks must not go on.
"""

from dataclasses import dataclass
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
    """An agent's word that the writers of its site stand still and that it asked for no lease since."""

    group: str
    site: str
    epoch: int  # the newest of which it ever held a lease
    at: str  # ISO 8601, by the agent's own clock: for people


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
        """The newest word of the agent of that site; None when it never said one."""

    def members(self) -> list[Member]:
        """Each member as it answers now; never raises for one that does not."""
