"""Which version of a key is the right one: whoever may put can cover it, so the latest means nothing.

Of heads it is the oldest whose signature is right; of everything else the one that has the hash.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudctl.envelopes import Digest, Hashing
from cloudctl.errors import Fault, NotProved, ObjectMissing
from cloudctl.ports.objects import ObjectStore, StoredObject
from dr.points.head import MAX_BYTES, Head, parse_head


@dataclass(frozen=True)
class PickedHead:
    """What lies under the key of a head. Without a right one, `faults` says what is there instead."""

    key: str
    head: Head | None
    same: tuple[StoredObject, ...]  # versions with its bytes, the newest first, as the store lists them
    stored_at: datetime | None
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]


def versions_of(store: ObjectStore, key: str) -> list[StoredObject]:
    """All versions and delete markers of one key, the newest first."""
    return [one for one in store.list_versions(key) if one.key == key]


def with_bytes(versions: Iterable[StoredObject]) -> list[StoredObject]:
    """Those that are no delete markers, in the order in which it pays to look: the newest, which usually is
    the right one, then from the oldest on, since what was put later than the right one covers it."""
    found = [one for one in versions if not one.is_delete_marker]
    return [*found[:1], *reversed(found[1:])]


def pick_head(
    store: ObjectStore, key: str, trusted: tuple[str, ...], versions: Sequence[StoredObject] | None = None
) -> PickedHead:
    """Read the versions of the key from the oldest on, until one is rightly signed."""
    versions = versions_of(store, key) if versions is None else versions
    faults: list[Fault] = []
    for one in reversed(versions):
        if one.is_delete_marker:
            continue
        head, wrong = _read_head(store, one, trusted)
        if head is not None:
            notes = [*faults, *_covering(store, head, one, versions[0], trusted)]
            same = [
                other for other in versions if (other.etag, other.size_bytes) == (one.etag, one.size_bytes)
            ]
            return PickedHead(key, head, tuple(same), one.stored_at, (), tuple(notes))
        faults += wrong
    if not faults:
        faults.append(Fault(key, "missing", "the vault does not have it"))
    return PickedHead(key, None, (), None, tuple(faults), ())


def _read_head(
    store: ObjectStore, one: StoredObject, trusted: tuple[str, ...]
) -> tuple[Head | None, list[Fault]]:
    if one.size_bytes > MAX_BYTES:
        params = {"found": one.size_bytes, "most": MAX_BYTES}
        return None, [Fault(one.key, "too_big", "it has {found} bytes, more than {most}", params)]
    try:
        head = parse_head(store.read(one.key, one.version_id), one.key)
    except NotProved as error:
        return None, list(error.faults)
    if head.is_signed_by(trusted):
        return head, []
    if head.signer in trusted:
        return None, [Fault(one.key, "forged", "the signature of this head is wrong")]
    template = "this head was signed by {signer}, who is not trusted"
    return None, [Fault(one.key, "other_signer", template, {"signer": head.signer[:16]})]


def _covering(
    store: ObjectStore, head: Head, right: StoredObject, newest: StoredObject, trusted: tuple[str, ...]
) -> list[Fault]:
    """What lies on top of the right head."""
    if newest == right or newest.version_id == right.version_id:
        return []
    if newest.is_delete_marker:
        return [Fault(right.key, "hidden", "a delete marker lies over it")]
    other, faults = _read_head(store, newest, trusted)
    if other is not None and other != head:
        return [Fault(right.key, "two_heads", "two different heads are rightly signed; the older one counts")]
    return faults


def read_right(store: ObjectStore, key: str, wanted: Digest) -> bytes:
    """The bytes with that hash, from whichever version has them.

    ObjectMissing when there is no version at all, NotProved when none has them.
    """
    try:
        body = _read(store, key, None, wanted)
    except ObjectMissing:
        body = None  # perhaps behind a delete marker
    if body is None:
        body = _read(store, key, _search(store, key, wanted).version_id, wanted)
    if body is None:
        raise _not_there(key)
    return body


def _read(store: ObjectStore, key: str, version: str | None, wanted: Digest) -> bytes | None:
    """The bytes if they are the wanted ones; of what is greater no more than that is read."""
    chunks: list[bytes] = []
    size = 0
    for chunk in store.stream(key, version):
        chunks.append(chunk)
        size += len(chunk)
        if size > wanted.size_bytes:
            return None
    body = b"".join(chunks)
    return body if Digest.of(body) == wanted else None


def right_version(store: ObjectStore, key: str, wanted: Digest) -> StoredObject:
    """The version with that hash; reads what it must, in a stream, when several could be it.

    With one candidate nothing is read: who reads it checks its hash anyway. Errors as `read_right`.
    """
    there = with_bytes(versions_of(store, key))
    candidates = [one for one in there if one.size_bytes == wanted.size_bytes]
    return candidates[0] if len(candidates) == 1 else _search(store, key, wanted, there)


def _search(
    store: ObjectStore, key: str, wanted: Digest, there: list[StoredObject] | None = None
) -> StoredObject:
    there = with_bytes(versions_of(store, key)) if there is None else there
    if not there:
        raise ObjectMissing("the bucket has no object '{key}'", key=key)
    for one in there:
        if one.size_bytes == wanted.size_bytes:
            if Hashing(store.stream(key, one.version_id)).drain() == wanted:
                return one
    raise _not_there(key)


def _not_there(key: str) -> NotProved:
    fault = Fault(key, "altered", "no version of it has the bytes that were put")
    return NotProved("the vault does not have what was put into it", faults=[fault])
