"""The head of a point: small, in clear, signed, put last. When a vault has it, the point exists.

A head says who made the point, for what system, which point came before it (so that a missing one shows),
what the sealed manifest is, and to which escrow keys the data key is wrapped. It names no host, address or
person. Of a point there is one head, the same bytes in every vault: what it says is settled before anything
is copied, and Ed25519 signs the same words always the same.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from cloudctl.envelopes import Digest
from cloudctl.errors import Fault
from cloudctl.escrow import WRAPPING, is_signed
from dr.points.fields import HEX, SHA256, Fields, canonical, is_id, loaded, refuse

FORMAT = "cloudctl-point-head-1"
MAX_BYTES = 64 << 10
KINDS = frozenset({"full", "incremental"})
HEADS = "heads/"
DATA = "data/"


class Signs(Protocol):
    """What signs heads: `cloudctl.secrets.Signer` with the key file `keys/points.key`."""

    @property
    def public(self) -> str: ...

    def sign(self, message: bytes) -> str: ...


@dataclass(frozen=True)
class Previous:
    """The point of the same member whose head came before."""

    sequence: int
    head_sha256: str


@dataclass(frozen=True)
class Head:
    """What a vault tells in clear about one point. `members` are told apart by any stable id."""

    installation: str
    member: str
    sequence: int  # rises within the member; numbers of points that failed are missing
    point: str
    kind: str  # full, incremental
    parent: str | None  # the point an increment rests on
    system: str
    site: str  # where the data was
    consistency: str
    taken_at: datetime
    locked_until: datetime | None  # until when every object of the point is promised to be locked
    previous: Previous | None  # None: the first of the member
    manifest: Digest  # of the sealed manifest
    objects: int  # without manifest and head
    plain_bytes: int  # of all objects as they were read
    volume_bytes: int  # of the volumes and buckets they make up
    keys: Mapping[str, str]  # id of an escrow key -> the data key wrapped to it, hex
    signer: str = ""  # public key, hex
    signature: str = ""
    wrapping: str = WRAPPING
    key: str = field(default="", compare=False)  # where it was read

    @property
    def context(self) -> str:
        """What the data key is wrapped for, and the first part of what each object is sealed for."""
        return point_context(self.installation, self.point)

    def content(self) -> dict[str, object]:
        """All that is signed, as JSON has it."""
        return {
            "format": FORMAT,
            "installation": self.installation,
            "member": self.member,
            "sequence": self.sequence,
            "point": self.point,
            "kind": self.kind,
            "parent": self.parent,
            "system": self.system,
            "site": self.site,
            "consistency": self.consistency,
            "taken_at": self.taken_at.isoformat(),
            "locked_until": self.locked_until.isoformat() if self.locked_until else None,
            "previous": None
            if self.previous is None
            else {"sequence": self.previous.sequence, "head_sha256": self.previous.head_sha256},
            "manifest": {"bytes": self.manifest.size_bytes, "sha256": self.manifest.sha256},
            "objects": self.objects,
            "plain_bytes": self.plain_bytes,
            "volume_bytes": self.volume_bytes,
            "wrapping": self.wrapping,
            "keys": dict(self.keys),
            "signer": self.signer,
        }

    def body(self) -> bytes:
        """The bytes of the object in the vault."""
        return canonical({**self.content(), "signature": self.signature})

    @property
    def sha256(self) -> str:
        """Of the bytes in the vault; the next head of the member has it as `previous`."""
        return hashlib.sha256(self.body()).hexdigest()

    def signed(self, signer: Signs) -> "Head":
        """The same head with the signature of `signer`."""
        named = replace(self, signer=signer.public)
        return replace(named, signature=signer.sign(canonical(named.content())))

    def is_signed_by(self, trusted: tuple[str, ...]) -> bool:
        """Whether one of the trusted public keys signed exactly this."""
        return self.signer in trusted and is_signed(canonical(self.content()), self.signature, self.signer)


def point_context(installation: str, point: str) -> str:
    """See `Head.context`; for `escrow.wrap` before there is a head."""
    return f"{installation}/{point}"


def head_key_of(installation: str, member: str, sequence: int, point: str) -> str:
    """Where the head of such a point belongs in the vault."""
    return f"{HEADS}{installation}/{member}/{sequence}-{point}.json"


def head_key(head: Head) -> str:
    """Where the head belongs in the vault."""
    return head_key_of(head.installation, head.member, head.sequence, head.point)


def data_prefix(installation: str, point: str) -> str:
    """Under which all sealed objects of the point are, the manifest included."""
    return f"{DATA}{installation}/{point}/"


def manifest_key(head: Head) -> str:
    """Where the sealed manifest is in the vault."""
    return data_prefix(head.installation, head.point) + "manifest"


def parse_head(body: bytes, key: str) -> Head:
    """The head that was read from `key`. NotProved with all faults, also when it belongs under another key;
    the signature is not looked at."""
    fields = loaded(body, key, MAX_BYTES, frozenset({FORMAT}))
    manifest = fields.inner("manifest")
    head = Head(
        installation=fields.id("installation"),
        member=fields.id("member"),
        sequence=fields.number("sequence", 1),
        point=fields.id("point"),
        kind=fields.one_of("kind", KINDS),
        parent=fields.maybe("parent", fields.id),
        system=fields.text("system"),
        site=fields.text("site"),
        consistency=fields.text("consistency", is_empty_fine=True),
        taken_at=fields.moment("taken_at"),
        locked_until=fields.maybe("locked_until", fields.moment),
        previous=fields.maybe("previous", lambda name: _previous(fields.inner(name))),
        manifest=Digest(manifest.number("bytes"), manifest.text("sha256", SHA256)),
        objects=fields.number("objects"),
        plain_bytes=fields.number("plain_bytes"),
        volume_bytes=fields.number("volume_bytes"),
        keys=fields.texts("keys", HEX),
        signer=fields.text("signer", SHA256),
        signature=fields.text("signature", HEX),
        wrapping=fields.one_of("wrapping", frozenset({WRAPPING})),
        key=key,
    )
    if not fields.faults and head_key(head) != key:
        template = "this head belongs under {key}"
        fields.faults.append(Fault(key, "replayed", template, {"key": head_key(head)}))
    if (head.kind == "incremental") != (head.parent is not None):
        fields.wrong("parent", "bad_parent", "an increment names its parent, and nothing else does")
    refuse(fields.faults)
    return head


def _previous(fields: Fields) -> Previous:
    return Previous(fields.number("sequence", 1), fields.text("head_sha256", SHA256))


def check_ids(*ids: str) -> list[Fault]:
    """A fault for each that cannot be part of a key in a vault."""
    template = "'{text}' cannot be part of an object's key"
    return [Fault("id", "bad_id", template, {"text": one[:80]}) for one in ids if not is_id(one)]
