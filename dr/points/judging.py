"""What is wrong with a copy, decided from what was read of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloudctl.envelopes import Digest
from cloudctl.errors import Fault
from cloudctl.ports.objects import StoredObject
from dr.points.blocks import BlockList
from dr.points.head import Head
from dr.points.manifest import Manifest

L0, L1 = "L0", "L1"


@dataclass(frozen=True)
class Tried:
    """A version that was read and has not the bytes that were put."""

    version: StoredObject
    sealed_sha256: str
    is_opening: bool  # it opens with the point's key in this place: sealed here once, from other bytes


@dataclass(frozen=True)
class Seen:
    """One object of the vault as it was found."""

    key: str
    wanted: Digest  # of the sealed bytes
    versions: tuple[StoredObject, ...]  # newest first, delete markers too
    right: StoredObject | None  # the version that has them; at L0, the newest of the right size
    is_read: bool = False
    tried: tuple[Tried, ...] = ()
    content: tuple[Fault, ...] = ()  # what the format says about the plain bytes


@dataclass(frozen=True)
class Judgement:
    """What a check found. `level` is what holds now: None, "L0" or "L1"."""

    level: str | None
    is_complete: bool  # False: stopped before its end; then the level says nothing
    faults: tuple[Fault, ...]  # each names an object of the vault and what is wrong with it
    notes: tuple[Fault, ...]  # odd but harmless: the right bytes are there beneath
    objects: int  # checked
    read_bytes: int
    locked_until: datetime | None  # the earliest over all objects; None: one has no lock
    broken: tuple[str, ...] = ()  # keys in the vault that `healing.heal` can put again
    head: Head | None = None
    manifest: Manifest | None = None
    blocks: Mapping[int, BlockList] = field(default_factory=dict)  # by position; after L1


@dataclass(frozen=True)
class Promise:
    """What the copy has to keep: until when each object is locked; None where no lock was promised, or the
    store has none."""

    locked_until: datetime | None


def judged(seen: list[Seen], promise: Promise) -> tuple[list[Fault], list[Fault], list[str]]:
    """Faults, notes and the keys that have to be put again."""
    owners = {one.wanted.sha256: one.key for one in seen}
    whole = {one.key for one in seen if one.right is not None}
    faults: list[Fault] = []
    notes: list[Fault] = []
    broken: list[str] = []
    for one in seen:
        found = _bytes_fault(one, owners, whole) if one.right is None else _lock_fault(one, promise)
        if found:
            faults.append(found)
            broken.append(one.key)
        faults += one.content
        notes += _over(one)
    return faults, notes, broken


def _bytes_fault(one: Seen, owners: Mapping[str, str], whole: Iterable[str]) -> Fault:
    """Why no version has the bytes that were put: the newest tells."""
    there = [version for version in one.versions if not version.is_delete_marker]
    if not there:
        return Fault(one.key, "missing", "the vault does not have it")
    newest = one.tried[0] if one.tried else None
    owner = owners.get(newest.sealed_sha256) if newest else None
    if owner is not None:
        if owner in whole:
            return Fault(one.key, "duplicated", "the bytes of {other} are in its place too", {"other": owner})
        return Fault(one.key, "swapped", "the bytes of {other} are in its place", {"other": owner})
    size, wanted = there[0].size_bytes, one.wanted.size_bytes
    if newest and newest.is_opening:
        return Fault(one.key, "rolled_back", "it is of this point, yet not the bytes that the manifest names")
    if size < wanted:
        template = "it has {found} of {wanted} bytes"
        return Fault(one.key, "truncated", template, {"found": size, "wanted": wanted})
    if size > wanted:
        template = "it has {found} bytes instead of {wanted}"
        return Fault(one.key, "altered", template, {"found": size, "wanted": wanted})
    return Fault(one.key, "flipped", "it has as many bytes as were put, yet others")


def _lock_fault(one: Seen, promise: Promise) -> Fault | None:
    promised, until = promise.locked_until, one.right.retain_until if one.right else None
    if promised is None or (until is not None and until >= promised):
        return None
    params = {"until": until.isoformat() if until else "-", "promised": promised.isoformat()}
    return Fault(one.key, "lock_short", "it is locked until {until}, promised was {promised}", params)


def _over(one: Seen) -> list[Fault]:
    """What lies over the right version."""
    if one.right is None or not one.versions or one.versions[0].version_id == one.right.version_id:
        return []
    if one.versions[0].is_delete_marker:
        return [Fault(one.key, "hidden", "a delete marker lies over it")]
    return [Fault(one.key, "covered", "another version lies over the right one")]


def foreign(keys: Iterable[str], known: Iterable[str]) -> list[Fault]:
    """Objects among those of the point that its manifest does not know."""
    template = "it lies among the objects of the point and belongs to none"
    return [Fault(key, "foreign", template) for key in sorted(set(keys) - set(known))]


def earliest_lock(seen: list[Seen]) -> datetime | None:
    """Until when all of them are locked; None when one is not."""
    untils = [one.right.retain_until if one.right else None for one in seen]
    known = [until for until in untils if until is not None]
    return min(known) if known and len(known) == len(untils) else None


def level_of(faults: Sequence[Fault], *, is_opened: bool, is_all_read: bool) -> str | None:
    """L1 when every byte was read and is right; L0 when all is there and locked, as far as the store tells;
    None also when the manifest could not be opened though there was a key, or head or manifest are wrong."""
    if any(fault.code in _BREAKS_L0 for fault in faults) or (faults and not is_opened):
        return None
    return L1 if is_all_read and not faults else L0


_BREAKS_L0 = frozenset({"missing", "truncated", "altered", "lock_short", "replayed"})
