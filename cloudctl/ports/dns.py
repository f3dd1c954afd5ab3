"""The name service that steers people to a site; one contract suite for every implementation.

What is read comes from the server that is master of the zone, never from a cache. All calls may raise
NameServiceUnavailable (try again) and NameServiceRefused (do not: no such zone, no right, bad key).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LUA = "LUA"  # of PowerDNS: `A "script"`, worked out for each asker. Written and compared, never read


@dataclass(frozen=True)
class RecordSet:
    """All records of a name and a type, in the order of their text."""

    name: str  # fully qualified, with the dot at its end
    type: str  # A, AAAA, TXT, LUA ...
    ttl_s: int
    values: tuple[str, ...]


class Dns(Protocol):
    """One zone or several, each at its one master."""

    def gives_shares(self, name: str) -> bool:
        """Whether the master of that name takes sets of type LUA, and so answers each asker by weights."""

    def read(self, name: str, kind: str) -> RecordSet | None:
        """The records of the name and type as the master has them now; None when there are none.

        NameServiceRefused for LUA: the master answers what the script says, never the script.
        """

    def replace(self, before: Sequence[RecordSet], after: Sequence[RecordSet]) -> None:
        """Put the sets of `after` in the place of those of `before`, all of them or none, in one update.

        A set that is only in `before` goes, one that is only in `after` comes. Conflict when the master does
        not have exactly the values of `before` any more, has a set already that was to come, or has another
        name in the place of this one (CNAME). Times to live are not compared. All names are of one zone.
        With the same sets on both sides it only compares. RFC 2136.
        """
