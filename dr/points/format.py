"""How the objects of one backup belong together is the business of a PointFormat.

The first are Cinder's chunked format and a department's bucket. A block engine of our own and
`rbd export-diff` fit beside them: a format tells which objects belong to a part, and what their plain bytes
must be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from cloudctl.errors import Fault
from cloudctl.ports.objects import ObjectStore
from dr.points.manifest import Part

if TYPE_CHECKING:
    from dr.points.blocks import BlockList


@dataclass(frozen=True)
class Source:
    """One object of a part, as it lies in the bucket it comes from."""

    role: str
    name: str
    size_bytes: int
    version: str | None = None
    stored_at: datetime | None = None


@dataclass(frozen=True)
class Prepared:
    """A part with what its own description told, and its objects in order."""

    part: Part
    sources: tuple[Source, ...]


class Expectation(Protocol):
    """What the plain bytes of one part must be, as its own description tells."""

    @property
    def blocks(self) -> "BlockList | None":
        """The hash of each block of the volume; None for what has none."""

    def faults(self) -> list[Fault]:
        """What is wrong with the description itself: bytes of the volume that no object covers, or two do."""

    def opened_bytes(self, name: str) -> int:
        """How many bytes the object takes in memory once it is inflated."""

    def check(self, name: str, plain: bytes) -> list[Fault]:
        """What is wrong with one object, all of it."""


class PointFormat(Protocol):
    """A way in which backups lie in a bucket."""

    name: str

    def prepare(self, part: Part, native: ObjectStore) -> Prepared:
        """Which objects belong to the part. NotProved with all faults when some are missing or too many."""

    def described(self, part: Part, descriptions: Mapping[str, bytes]) -> Expectation:
        """What the part must be, out of the plain bytes of its objects of role `hashes` and `description`,
        by name. NotProved when they cannot be read."""


Progressing = Callable[["Progress"], None]
Stopping = Callable[[], bool]


@dataclass(frozen=True)
class Progress:
    """How far a run is; objects that were there already count as done."""

    objects_done: int
    objects_total: int
    bytes_done: int
    bytes_total: int


def nothing(_: Progress) -> None:
    """Nobody wants to know."""


def never() -> bool:
    """Nobody stops it."""
    return False
