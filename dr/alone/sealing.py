"""An export: a signed head that is put again and again, and a sealed body that is put when something changed.

    standby/INSTALLATION/TO/head            who, for whom, the body's name, and when it was last known to hold
    standby/INSTALLATION/TO/body/NUMBER-HASH

TO is a site, or `from-SITE` for what a site that works alone puts for the home. The body is JSON, compressed,
in an envelope; its key is wrapped to the key of the site (HPKE), or on the way back sealed by the box that
home and site share. A file is a head, a line feed and a body. Pure: bytes in, bytes out.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from cloudctl.envelopes import DataKey, open_sealed, seal
from cloudctl.errors import Fault, NotProved
from cloudctl.escrow import is_signed
from dr.points.fields import canonical
from dr.points.head import Signs

FORMAT = "cloudctl-standby-1"
HOME = "home"
_PURPOSE = b"cloudctl standby head 1\n"
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Head:
    """What can be read without a key; times are those of whoever put it."""

    installation: str
    by: str  # `home`, or the site that works alone
    to: str  # a site, or `home`
    sequence: int  # of the body
    tables_sha256: str  # of the rows in it: what a merge answers
    changed_at: datetime  # when the body was made
    seen_at: datetime  # when it was last found to hold
    body: str  # its key in the bucket
    body_sha256: str
    wrapped: str  # the body's key, for the key of the site; empty on the way back
    boxed: str  # the same in the box that both have; empty on the way there
    merged_sha256: str = ""  # the home to a site: what it has merged of it
    alone_at: datetime | None = None  # a site to the home: since when
    signature: str = ""

    @property
    def context(self) -> str:
        return f"standby/{self.installation}/{self.by}/{self.to}/{self.sequence}"


def folder(installation: str, by: str, to: str) -> str:
    """Below which everything for one receiver is put."""
    return f"standby/{installation}/{to if to != HOME else f'from-{by}'}/"


def head_key(installation: str, by: str, to: str) -> str:
    """Where the head is."""
    return folder(installation, by, to) + "head"


def sealed_body(head: Head, key: DataKey, content: Mapping[str, Any]) -> tuple[Head, bytes]:
    """The body of a head whose number is settled; the head with its name and hash."""
    plain = gzip.compress(canonical(content), mtime=0)
    body = seal(key, head.context, plain).body
    sha256 = hashlib.sha256(body).hexdigest()
    place = f"{folder(head.installation, head.by, head.to)}body/{head.sequence:010}-{sha256[:16]}"
    return replace(head, body=place, body_sha256=sha256), body


def signed(head: Head, signer: Signs) -> bytes:
    """The head as it is put."""
    content = _content(head)
    return canonical({**content, "signature": signer.sign(_PURPOSE + canonical(content))})


def read_head(raw: bytes, signers: tuple[str, ...], installation: str) -> Head:
    """The head of that installation. NotProved for anything that nobody of these has signed."""
    try:
        head = of_told(json.loads(raw))
        content = _content(head)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _odd("unreadable", "this is no export of a known format") from error
    if not any(is_signed(_PURPOSE + canonical(content), head.signature, one) for one in signers):
        raise _odd("bad_signature", "nobody who is trusted has signed this")
    if head.installation != installation:
        raise _odd("other_installation", "this is of another installation")
    return head


def read_body(head: Head, body: bytes, open_key: Callable[[Head], DataKey]) -> dict[str, Any]:
    """What the head speaks of. NotProved when it is anything else; SealBroken for a wrong key."""
    if hashlib.sha256(body).hexdigest() != head.body_sha256:
        raise _odd("other_body", "the body is not the one that the head speaks of")
    plain = gzip.decompress(open_sealed(open_key(head), head.context, body))
    content: dict[str, Any] = json.loads(plain)
    return content


def as_file(head: bytes, body: bytes) -> bytes:
    """Head and body in one."""
    return head + b"\n" + body


def of_file(raw: bytes) -> tuple[bytes, bytes]:
    """Both again."""
    head, _, body = raw[:_MOST_BYTES].partition(b"\n")
    return head, body


def told(head: Head) -> dict[str, Any]:
    """The head as it is kept on record."""
    return {**_content(head), "signature": head.signature}


def of_told(row: Mapping[str, Any]) -> Head:
    """The head again. ValueError, KeyError, TypeError for what is none."""
    if row["format"] != FORMAT or set(row) != {"format", *(one.name for one in fields(Head))}:
        raise ValueError(row["format"])
    times = {name: datetime.fromisoformat(row[name]) if row[name] else None
             for name in ("changed_at", "seen_at", "alone_at")}  # fmt: skip
    return Head(**{name: value for name, value in row.items() if name != "format"} | times)


def _content(head: Head) -> dict[str, Any]:
    content = {name: value.isoformat() if isinstance(value, datetime) else value
               for name, value in asdict(head).items() if name != "signature"}  # fmt: skip
    return {"format": FORMAT, **content}


def _odd(code: str, template: str) -> NotProved:
    return NotProved("the export cannot be used", faults=[Fault("export", code, template)])
