"""A department's bucket as a part of a point: versions that are new, delete markers, and what is gone.

A full point has every version of every object. An increment has those that are new since the point before,
and says which of that one's are no longer there. `as_of` tells from them what the bucket was at any moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cloudctl.errors import Fault, NotProved
from cloudctl.ports.objects import NULL_VERSION, ObjectStore, StoredObject
from dr.points.blocks import BlockList
from dr.points.format import Prepared, Source
from dr.points.listing import Identity, entries_of, removals_of, root_of
from dr.points.manifest import BUCKET, OBJECT, Manifest, Part, Piece, Removal, bad_name

_ANY_TIME = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)
Chain = Sequence[tuple[Manifest, Part]]  # of one bucket, the full point first


class BucketExpectation:
    """A bucket says nothing about its bytes beyond the hashes of the manifest. An `Expectation`."""

    @property
    def blocks(self) -> BlockList | None:
        return None

    def faults(self) -> list[Fault]:
        return []

    def opened_bytes(self, name: str) -> int:
        return 0

    def check(self, name: str, plain: bytes) -> list[Fault]:
        return []


class BucketFormat:
    """A `PointFormat`: objects as they are, with their versions."""

    name = BUCKET

    def prepare(self, part: Part, native: ObjectStore) -> Prepared:
        """All versions that `native` lists; what the part says of itself already (its root) stays as it is.

        NotProved for keys that could not be put back safely."""
        listed = list(native.list_versions())
        faults = [fault for fault in (bad_name(one.key, native.bucket) for one in listed) if fault]
        if faults:
            raise NotProved("the bucket has objects that cannot be put back", faults=faults)
        sources = tuple(
            Source(OBJECT, one.key, one.size_bytes, one.version_id, one.stored_at)
            for one in listed
            if not one.is_delete_marker
        )
        is_settled = bool(part.root_sha256)
        return Prepared(part if is_settled else _described(part, listed, native.bucket), sources)

    def described(self, part: Part, descriptions: Mapping[str, bytes]) -> BucketExpectation:
        return BucketExpectation()


def _described(part: Part, listed: Sequence[StoredObject], container: str) -> Part:
    entries = list(entries_of(listed, _ANY_TIME, None))
    sizes = {one.identity: one.size_bytes for one in entries if one.is_held}
    return replace(
        part,
        container=container,
        size_bytes=sum(sizes.values()),
        removals=removals_of(entries),
        root_sha256=root_of(sizes),
    )


def contradictions(manifest: Manifest, part: Part, place: str) -> list[Fault]:
    """What a full point says of its pieces that is not so; an increment alone cannot be judged."""
    if part.is_incremental or not part.root_sha256:
        return []
    template = "the objects of part {number} are not those that the bucket had"
    is_right = root_of(_sizes(contents([(manifest, part)]))) == part.root_sha256
    return [] if is_right else [Fault(place, "root_differs", template, {"number": part.position})]


@dataclass(frozen=True)
class Held:
    """A version of an object, and the point of the chain that has its bytes."""

    point: str
    piece: Piece

    @property
    def identity(self) -> Identity:
        return self.piece.name, self.piece.version or NULL_VERSION


def contents(chain: Chain) -> tuple[Held, ...]:
    """Every version that the bucket had when the last point was taken, in the order they came."""
    found: dict[Identity, Held] = {}
    for manifest, part in chain:
        for one in part.gone:
            found.pop((one.name, one.version), None)
        for piece in reversed(manifest.pieces_of(part)):  # of a name the newest version comes first
            held = Held(manifest.point, piece)
            found[held.identity] = held
    return tuple(found.values())


def must_add_up(chain: Chain) -> None:
    """NotProved unless the points of the chain together have exactly what the bucket had."""
    part = chain[-1][1]
    if root_of(_sizes(contents(chain))) != part.root_sha256:
        fault = Fault(
            part.name, "root_differs", "the points of the chain do not add up to what the bucket had"
        )
        raise NotProved("the point cannot be restored from here", faults=[fault])


def as_of(chain: Chain, at: datetime | None = None) -> tuple[Held, ...]:
    """The objects that the bucket had at the moment, one version each, by name; None: when it was taken.

    Told from the first point of the chain that is not older than the moment: a version that was deleted for
    good before that point was taken, yet is in the point before, counts as still there.
    """
    moment = at or chain[-1][0].taken_at
    links = _until(chain, moment)
    manifest, part = links[-1]
    found = contents(
        [*links[:-1], (manifest, replace(part, gone=()))] if manifest.taken_at > moment else links
    )
    age = {one.identity: (one.piece.stored_at or _NEVER, number) for number, one in enumerate(found)}
    newest: dict[str, Held] = {}
    for one in found:
        before = newest.get(one.piece.name)
        is_there = (one.piece.stored_at or _NEVER) <= moment
        if is_there and (before is None or age[one.identity] > age[before.identity]):
            newest[one.piece.name] = one
    hidden = {
        removal.name
        for removal in part.removals
        if removal.at <= moment and removal.name in newest and _hides(removal, newest[removal.name], age)
    }
    return tuple(newest[name] for name in sorted(newest) if name not in hidden)


def _until(chain: Chain, moment: datetime) -> Chain:
    """The chain up to the first point that is not older than the moment; else all of it."""
    for number, (manifest, _) in enumerate(chain):
        if manifest.taken_at >= moment:
            return chain[: number + 1]
    return chain


def _hides(removal: Removal, one: Held, age: Mapping[Identity, tuple[datetime, int]]) -> bool:
    """Whether the marker lies over the version. Some stores tell whole seconds: where both have the same one,
    the version that the listing showed beneath the marker says it."""
    if removal.over is None:
        return removal.at > (one.piece.stored_at or _NEVER)
    beneath = age.get((removal.name, removal.over))
    if beneath is None:
        return removal.at >= (one.piece.stored_at or _NEVER)
    return age[one.identity] <= beneath


def _sizes(found: Sequence[Held]) -> dict[Identity, int]:
    return {one.identity: one.piece.plain.size_bytes for one in found}
