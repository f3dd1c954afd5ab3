"""Reading a vault with nothing but a READ credential, an escrow key and the signer it trusts: no database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cloudctl.envelopes import DataKey, Hashing, open_sealed, open_stream
from cloudctl.errors import Fault, NotFound, NotProved, SealBroken
from cloudctl.escrow import EscrowKey
from cloudctl.ports.objects import ObjectStore, StoredObject
from dr.points.head import HEADS, Head, manifest_key
from dr.points.manifest import Manifest, Piece, parse_manifest, piece_context, piece_key
from dr.points.parallel import each
from dr.points.picking import PickedHead, pick_head, read_right, right_version


@dataclass(frozen=True)
class FoundPoint:
    """A point that a vault has, with the hash of its head and when the store took it."""

    head: Head
    head_sha256: str
    stored_at: datetime | None


@dataclass(frozen=True)
class Reading:
    """The points of a vault, ordered by member and sequence, and all that is odd."""

    points: tuple[FoundPoint, ...]
    faults: tuple[Fault, ...]  # forged, other_signer, replayed, unreadable, twice, gap
    notes: tuple[Fault, ...] = ()  # hidden or covered by a later version, yet there

    def point(self, point: str) -> FoundPoint:
        """The point of that id. NotFound when there is none."""
        for found in self.points:
            if found.head.point == point:
                return found
        raise NotFound("the vault has no point '{point}'", point=point)

    def chain(self, point: str) -> tuple[FoundPoint, ...]:
        """The point and all it rests on, the full one first. NotProved when one is missing."""
        found = [self.point(point)]
        by_id = {one.head.point: one for one in self.points}
        while (parent := found[-1].head.parent) is not None:
            if parent not in by_id or len(found) > len(by_id):
                template = "the point '{point}', on which it rests, is not in the vault"
                fault = Fault(found[-1].head.key, "no_parent", template, {"point": parent})
                raise NotProved("the point cannot be restored from here", faults=[fault])
            found.append(by_id[parent])
        return tuple(reversed(found))


def read_heads(
    vault: ObjectStore, trusted: tuple[str, ...], installation: str = "", *, threads: int = 16
) -> Reading:
    """All heads, of every installation or of one. Of each key the oldest rightly signed version counts;
    delete markers hide nothing. A head whose `previous` is not there leaves a gap, which is a fault."""
    versions: dict[str, list[StoredObject]] = {}
    for one in vault.list_versions(f"{HEADS}{installation}/" if installation else HEADS):
        versions.setdefault(one.key, []).append(one)

    def pick(key: str) -> PickedHead:
        return pick_head(vault, key, trusted, versions[key])

    return judge_heads(each(versions, pick, threads))


def judge_heads(found: Iterator[PickedHead]) -> Reading:
    """Order them by member and sequence, and look whether the chain of each member is whole."""
    picked = sorted(found, key=lambda one: one.key)
    points = [FoundPoint(one.head, one.head.sha256, one.stored_at) for one in picked if one.head]
    points.sort(key=lambda one: (one.head.installation, one.head.member, one.head.sequence, one.head.key))
    faults = [fault for one in picked for fault in one.faults]
    members: dict[tuple[str, str], list[FoundPoint]] = {}
    for point in points:
        members.setdefault((point.head.installation, point.head.member), []).append(point)
    faults += [fault for member in members.values() for fault in _chain_faults(member)]
    return Reading(tuple(points), tuple(faults), tuple(note for one in picked for note in one.notes))


def _chain_faults(member: list[FoundPoint]) -> Iterator[Fault]:
    by_sequence: dict[int, FoundPoint] = {}
    for at, point in enumerate(member):
        head = point.head
        params = {"sequence": head.sequence if head.previous is None else head.previous.sequence}
        if head.sequence in by_sequence:
            yield Fault(head.key, "sequence_twice", "there are two points {sequence} of the member",
                        {"sequence": head.sequence})  # fmt: skip
        elif head.previous is None and at > 0:
            yield Fault(head.key, "chain_broken", "it claims to be the first of its member, and is not")
        elif head.previous is not None:
            before = by_sequence.get(head.previous.sequence)
            if before is None:
                yield Fault(head.key, "gap", "the point {sequence}, which came before, is not here", params)
            elif before.head_sha256 != head.previous.head_sha256:
                template = "the point {sequence} that is here is not the one that came before"
                yield Fault(head.key, "chain_broken", template, params)
        by_sequence.setdefault(head.sequence, point)


def unlocked(head: Head, escrow: EscrowKey) -> DataKey:
    """The data key of the point. SealBroken when it was not wrapped to this key."""
    wrapped = head.keys.get(escrow.id)
    if wrapped is None:
        raise SealBroken("the key of the point was not wrapped to the escrow key {key}", key=escrow.id)
    return escrow.unwrap(wrapped, head.context)


def open_manifest(vault: ObjectStore, head: Head, key: DataKey) -> Manifest:
    """The manifest that the head names. ObjectMissing, SealBroken, or NotProved when it is another."""
    place = manifest_key(head)
    return opened_manifest(read_right(vault, place, head.manifest), head, key)


def opened_manifest(sealed: bytes, head: Head, key: DataKey) -> Manifest:
    """The same out of its sealed bytes."""
    place = manifest_key(head)
    body = open_sealed(key, piece_context(head.installation, head.point, 0), sealed)
    manifest = parse_manifest(body, place)
    told = (head.installation, head.point, head.taken_at, head.objects, head.plain_bytes)
    found = (
        manifest.installation, manifest.point, manifest.taken_at, len(manifest.pieces), manifest.plain_bytes,
    )  # fmt: skip
    if told != found:
        fault = Fault(place, "other_manifest", "head and manifest do not say the same about the point")
        raise NotProved("what was read is not what cloudctl writes", faults=[fault])
    return manifest


def read_piece(vault: ObjectStore, manifest: Manifest, key: DataKey, piece: Piece) -> bytes:
    """The plain bytes of one piece, from whichever version has them. ObjectMissing or NotProved."""
    place = piece_key(manifest.installation, manifest.point, piece.number)
    sealed = read_right(vault, place, piece.sealed)
    return open_sealed(key, piece_context(manifest.installation, manifest.point, piece.number), sealed)


def stream_piece(vault: ObjectStore, manifest: Manifest, key: DataKey, piece: Piece) -> Iterator[bytes]:
    """The same for what does not fit into memory; right once the iterator has ended without an error."""
    place = piece_key(manifest.installation, manifest.point, piece.number)
    version = right_version(vault, place, piece.sealed)
    context = piece_context(manifest.installation, manifest.point, piece.number)
    opened = Hashing(open_stream(key, context, vault.stream(place, version.version_id)))
    yield from opened
    if opened.digest != piece.plain:
        fault = Fault(place, "altered", "no version of it has the bytes that were put")
        raise NotProved("the vault does not have what was put into it", faults=[fault])
