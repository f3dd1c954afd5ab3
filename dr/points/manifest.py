"""The manifest of a point: what belongs to it, with all hashes. Sealed, the same in every vault.

It names no version ids of a vault: readers take whatever version of a key has the bytes whose hash is
written here, so what somebody puts on top changes nothing, and a piece that was put again is found.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloudctl.envelopes import Digest, sealed_size
from cloudctl.errors import Fault
from dr.points.fields import SHA256, Fields, canonical, is_printable, loaded, refuse
from dr.points.head import data_prefix, point_context

FORMAT = "cloudctl-point-manifest-1"
MAX_BYTES = 512 << 20
MAX_PIECES = 2_000_000
CINDER, BUCKET, FILES = "cinder-chunked-1", "bucket-1", "files-1"
DATA, HASHES, DESCRIPTION, OBJECT = "data", "hashes", "description", "object"
ROLES = frozenset({DATA, HASHES, DESCRIPTION, OBJECT})
_HEADER = re.compile(r"[^\x00-\x1f\x7f]{0,8192}")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")
_SHA256_OR_NONE = re.compile(r"([0-9a-f]{64})?")


@dataclass(frozen=True)
class Piece:
    """One object of a point: number 1 and up, in the vault under that number."""

    number: int
    part: int  # position of the part it belongs to
    role: str  # data, hashes, description (of Cinder's format), object (of a bucket)
    name: str  # its key in the bucket it came from
    plain: Digest
    sealed: Digest
    version: str | None = None  # of the bucket it came from
    stored_at: datetime | None = None  # when that bucket took it
    headers: Mapping[str, str] = field(default_factory=dict)  # of a department's object: its type, its own


@dataclass(frozen=True)
class Removal:
    """A delete marker of a bucket: from then on the object was gone to whoever asked for the latest."""

    name: str
    version: str
    at: datetime
    over: str | None = None  # the version right beneath it; None: there was none


@dataclass(frozen=True)
class Gone:
    """A version that the points before have, and that was no longer in the bucket."""

    name: str
    version: str


@dataclass(frozen=True)
class Part:
    """One volume or bucket of a point. Position 0 is what the system boots from."""

    position: int
    format: str  # which PointFormat reads its pieces
    name: str  # of the volume or the bucket
    container: str  # the bucket in which its objects were
    size_bytes: int = 0  # of the volume
    volume_id: str = ""
    volume_type: str = ""
    is_incremental: bool = False
    backup_id: str = ""
    parent_backup_id: str | None = None
    service: str = ""  # Cinder's record: the class of the driver
    url: str = ""  # Cinder's record: base64 JSON
    block_bytes: int = 0
    root_sha256: str = ""  # over the hashes of all blocks, in order: `blocks.BlockList.root_sha256`
    removals: tuple[Removal, ...] = ()  # of a bucket
    gone: tuple[Gone, ...] = ()  # of an increment of a bucket


@dataclass(frozen=True)
class Manifest:
    """All of a point. `topology` is the flow's own: flavors, images, networks, groups, quotas."""

    installation: str
    point: str
    taken_at: datetime
    parts: tuple[Part, ...]
    pieces: tuple[Piece, ...]
    topology: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plain_bytes(self) -> int:
        return sum(piece.plain.size_bytes for piece in self.pieces)

    def pieces_of(self, part: Part) -> tuple[Piece, ...]:
        """The pieces of one part, in order."""
        return tuple(piece for piece in self.pieces if piece.part == part.position)

    def body(self) -> bytes:
        """The plain bytes, before they are sealed."""
        return canonical(
            {
                "format": FORMAT,
                "installation": self.installation,
                "point": self.point,
                "taken_at": self.taken_at.isoformat(),
                "topology": dict(self.topology),
                "parts": [_told_part(part) for part in self.parts],
                "pieces": [_told(piece) for piece in self.pieces],
            }
        )


def _told_part(part: Part) -> dict[str, object]:
    removals = [
        {"name": one.name, "version": one.version, "at": one.at.isoformat(), "over": one.over}
        for one in part.removals
    ]
    gone = [{"name": one.name, "version": one.version} for one in part.gone]
    return {**vars(part), "removals": removals, "gone": gone}


def _told(piece: Piece) -> dict[str, object]:
    return {
        "number": piece.number,
        "part": piece.part,
        "role": piece.role,
        "name": piece.name,
        "version": piece.version,
        "stored_at": piece.stored_at.isoformat() if piece.stored_at else None,
        "bytes": piece.plain.size_bytes,
        "sha256": piece.plain.sha256,
        "sealed_bytes": piece.sealed.size_bytes,
        "sealed_sha256": piece.sealed.sha256,
        **({"headers": dict(piece.headers)} if piece.headers else {}),
    }


def piece_context(installation: str, point: str, number: int) -> str:
    """What a piece is sealed for; number 0 is the manifest."""
    return f"{point_context(installation, point)}/{number}"


def piece_key(installation: str, point: str, number: int) -> str:
    """Where a sealed piece is in the vault."""
    return f"{data_prefix(installation, point)}{number:05d}"


def parse_manifest(body: bytes, place: str) -> Manifest:
    """The manifest out of its plain bytes. NotProved with all faults."""
    fields = loaded(body, place, MAX_BYTES, frozenset({FORMAT}))
    manifest = Manifest(
        installation=fields.id("installation"),
        point=fields.id("point"),
        taken_at=fields.moment("taken_at"),
        parts=tuple(_part(one) for one in fields.parts("parts", 10_000)),
        pieces=tuple(_piece(one) for one in fields.parts("pieces", MAX_PIECES)),
        topology=fields.mapping("topology"),
    )
    refuse(fields.faults)
    refuse(together(manifest, place))
    return manifest


def _part(fields: Fields) -> Part:
    return Part(
        position=fields.number("position", 0, 10_000),
        format=fields.one_of("format", frozenset({CINDER, BUCKET, FILES})),
        name=fields.text("name", is_empty_fine=True),
        container=fields.text("container", is_empty_fine=True),
        size_bytes=fields.number("size_bytes"),
        volume_id=fields.text("volume_id", is_empty_fine=True),
        volume_type=fields.text("volume_type", is_empty_fine=True),
        is_incremental=fields.flag("is_incremental"),
        backup_id=fields.text("backup_id", is_empty_fine=True),
        parent_backup_id=fields.maybe("parent_backup_id", fields.text),
        service=fields.text("service", is_empty_fine=True),
        url=fields.text("url", _BASE64, is_empty_fine=True),
        block_bytes=fields.number("block_bytes"),
        root_sha256=fields.text("root_sha256", _SHA256_OR_NONE, is_empty_fine=True),
        removals=tuple(
            Removal(_name(one), one.text("version"), one.moment("at"), one.maybe("over", one.text))
            for one in fields.parts("removals", MAX_PIECES)
        ),
        gone=tuple(
            Gone(_name(one), one.text("version"))
            for one in fields.maybe("gone", lambda name: fields.parts(name, MAX_PIECES)) or ()
        ),
    )


def _piece(fields: Fields) -> Piece:
    return Piece(
        number=fields.number("number", 1, MAX_PIECES),
        part=fields.number("part", 0, 10_000),
        role=fields.one_of("role", ROLES),
        name=_name(fields),
        plain=Digest(fields.number("bytes"), fields.text("sha256", SHA256)),
        sealed=Digest(fields.number("sealed_bytes"), fields.text("sealed_sha256", SHA256)),
        version=fields.maybe("version", fields.text),
        stored_at=fields.maybe("stored_at", fields.moment),
        headers=fields.maybe("headers", lambda name: fields.texts(name, _HEADER)) or {},
    )


def _name(fields: Fields) -> str:
    """It becomes an object's key when the piece is staged or restored."""
    found = fields.text("name", re.compile(r"(?s).{1,1024}"))
    fault = bad_name(found, fields.place)
    if found and fault:
        fields.faults.append(fault)
    return found


def bad_name(name: str, place: str) -> Fault | None:
    """What is wrong with the key of an object: too long, hidden characters, or a way out of its folder."""
    steps = name.split("/")
    is_bad = len(name.encode(errors="replace")) > 1024 or not is_printable(name)
    if is_bad or name.startswith("/") or ".." in steps or "." in steps:
        return Fault(place, "bad_name", "'{name}' cannot be an object's key", {"name": name[:80]})
    return None


def together(manifest: Manifest, place: str) -> list[Fault]:
    """What does not fit together: numbers and names told twice, pieces of no part, sizes that cannot be."""
    faults = []
    positions = Counter(part.position for part in manifest.parts)
    containers = {part.position: part.container for part in manifest.parts}
    numbers = Counter(piece.number for piece in manifest.pieces)
    names = Counter((containers.get(piece.part), piece.name, piece.version) for piece in manifest.pieces)
    for number in (one for one, n in positions.items() if n > 1):
        faults.append(Fault(place, "part_twice", "there are two parts {number}", {"number": number}))
    for number in (one for one, n in numbers.items() if n > 1):
        faults.append(Fault(place, "piece_twice", "there are two pieces {number}", {"number": number}))
    for _, name, _ in (one for one, n in names.items() if n > 1):
        faults.append(Fault(place, "name_twice", "two pieces are called '{name}'", {"name": name[:80]}))
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        faults.append(Fault(place, "piece_gap", "the pieces are not numbered one after the other"))
    for piece in manifest.pieces:
        faults += _piece_faults(piece, positions, place)
    return faults


def _piece_faults(piece: Piece, positions: Counter[int], place: str) -> list[Fault]:
    faults = []
    if piece.part not in positions:
        template = "piece {number} belongs to part {part}, which there is not"
        faults.append(Fault(place, "no_part", template, {"number": piece.number, "part": piece.part}))
    if piece.sealed.size_bytes != sealed_size(piece.plain.size_bytes):
        template = "piece {number} cannot have {sealed} sealed bytes for {plain} plain ones"
        params = {"number": piece.number, "sealed": piece.sealed.size_bytes, "plain": piece.plain.size_bytes}
        faults.append(Fault(place, "bad_size", template, params))
    return faults
