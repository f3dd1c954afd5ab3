"""Checking the copy of a point in a vault: L0 everything is there and locked, L1 every byte is right.

Here things are read, in parallel; what they mean is decided in `judging`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cloudctl.envelopes import DataKey, Digest
from cloudctl.errors import Fault, NotProved, SealBroken
from cloudctl.escrow import EscrowKey
from cloudctl.ports.objects import LockMode, ObjectStore, StoredObject
from dr.points.blocks import BlockList
from dr.points.bucket import contradictions
from dr.points.cinder_chunked import CinderExpectation
from dr.points.format import Expectation, Progress, Progressing, Stopping, never, nothing
from dr.points.formats import format_of
from dr.points.head import Head, data_prefix, manifest_key
from dr.points.judging import (
    L1,
    Judgement,
    Promise,
    Seen,
    earliest_lock,
    foreign,
    judged,
    level_of,
)
from dr.points.looking import Look
from dr.points.manifest import BUCKET, DATA, DESCRIPTION, HASHES, Manifest, Part, piece_key
from dr.points.parallel import each
from dr.points.picking import PickedHead, pick_head
from dr.points.reading import opened_manifest, unlocked

__all__ = ["Judgement", "check"]


def check(  # noqa: PLR0913
    vault: ObjectStore,
    head_key: str,
    trusted: tuple[str, ...],
    key: EscrowKey | DataKey | None,
    *,
    now: datetime,
    level: str = L1,
    expected_head_sha256: str | None = None,
    parents: Mapping[str, BlockList] | None = None,
    threads: int = 8,
    rotation: tuple[int, int] | None = None,
    on_progress: Progressing = nothing,
    stop: Stopping = never,
) -> Judgement:
    """Read the copy through the READ credential and judge it.

    `parents` has the blocks of the backups that increments rest on, by Cinder backup id. `rotation` (turn,
    turns) reads only the objects whose number is `turn` modulo `turns`, and the level stays L0: after all
    turns without a fault every object was read. Without a key nothing can be opened: L0 is the most, and
    only head, manifest and the number of objects are looked at. Memory: `parallel.MEMORY_BYTES`, and 1/1024
    of the volumes for their blocks. Errors: CloudUnavailable and its kin; whatever is wrong with the copy is
    in the answer.
    """
    picked = pick_head(vault, head_key, trusted)
    if picked.head is None:
        return _without_head(picked)
    run = _Run(vault, picked.head, now, level, rotation, parents or {})
    if expected_head_sha256 not in (None, picked.head.sha256):
        template = "this head is not the one that was put; an older or another one was put back"
        run.faults.append(Fault(head_key, "replayed", template))
    run.notes += picked.notes
    run.see_head(picked)
    run.open(key)
    if run.manifest is None:
        return run.judgement(is_complete=True)
    is_complete = run.see_all(threads, on_progress, stop)
    return run.judgement(is_complete=is_complete)


def _without_head(picked: PickedHead) -> Judgement:
    return Judgement(None, True, picked.faults, (), 0, 0, None, (picked.key,))


@dataclass
class _Run:
    """One check, as far as it has come."""

    vault: ObjectStore
    head: Head
    now: datetime
    level: str
    rotation: tuple[int, int] | None
    parents: Mapping[str, BlockList]
    manifest: Manifest | None = None
    data_key: DataKey | None = None
    faults: list[Fault] = field(default_factory=list)  # beyond those of single objects
    notes: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    expected: dict[int, Expectation] = field(default_factory=dict)
    read_bytes: int = 0

    def __post_init__(self) -> None:
        promised = self.head.locked_until
        is_due = promised is not None and promised > self.now
        can_lock = is_due and self.vault.lock_mode() is not LockMode.NONE
        if is_due and not can_lock:
            self.notes.append(Fault(self.head.key, "no_lock", "the store of this vault locks nothing"))
        self.promise = Promise(promised if can_lock else None)
        self.versions: dict[str, list[StoredObject]] = {}
        for one in self.vault.list_versions(data_prefix(self.head.installation, self.head.point)):
            self.versions.setdefault(one.key, []).append(one)
        self.look = Look(self.vault, self.head, self.versions, self.promise.locked_until)

    def see_head(self, picked: PickedHead) -> None:
        """The head counts as one of the objects: its lock is looked at."""
        right = self.look.best_locked(picked.same)
        body = self.head.body()
        self.seen.append(Seen(picked.key, Digest.of(body), (right,) if right else (), right, is_read=True))

    def open(self, key: EscrowKey | DataKey | None) -> None:
        """The manifest: found by its hash, opened where there is a key."""
        seen, body = self.look.at(manifest_key(self.head), self.head.manifest, None)
        self.seen.append(seen)
        self.read_bytes += len(body or b"")
        if key is None:
            self._count_objects()
        elif body is not None:
            try:
                self.data_key = unlocked(self.head, key) if isinstance(key, EscrowKey) else key
                self.manifest = opened_manifest(body, self.head, self.data_key)
            except SealBroken as error:
                self.faults.append(Fault(manifest_key(self.head), "wrong_key", error.template, error.params))
            except NotProved as error:
                self.faults += error.faults

    def _count_objects(self) -> None:
        alive = [key for key, all_ in self.versions.items() if not all(one.is_delete_marker for one in all_)]
        found = len([key for key in alive if key != manifest_key(self.head)])
        if found < self.head.objects:
            template = "{missing} of {wanted} objects are missing"
            params = {"missing": self.head.objects - found, "wanted": self.head.objects}
            self.faults.append(Fault(self.head.key, "missing", template, params))

    def see_all(self, threads: int, on_progress: Progressing, stop: Stopping) -> bool:
        """Every piece, descriptions first: they tell what the others must be. Whether it came to an end."""
        manifest, key = self._opened()
        if self.level == L1:
            for part in manifest.parts:
                self._describe(part)
        numbers = [piece.number for piece in manifest.pieces if not self._is_seen(piece.number)]
        by_number = {piece.number: piece for piece in manifest.pieces}

        def see(number: int) -> tuple[Seen, int]:
            piece = by_number[number]
            if self.level != L1 or not self._is_turn(number):
                return self.look.from_afar(self._key_of(number), piece.sealed), 0
            return self.look.content(piece, key, self.expected.get(piece.part))

        total = sum(piece.sealed.size_bytes for piece in manifest.pieces)
        done_bytes = sum(one.wanted.size_bytes for one in self.seen[2:])
        for seen, read_bytes in each(numbers, see, threads, stop):
            self.seen.append(seen)
            self.read_bytes += read_bytes
            done_bytes += seen.wanted.size_bytes
            on_progress(Progress(len(self.seen) - 2, len(manifest.pieces), done_bytes, total))
        return len(self.seen) - 2 == len(manifest.pieces)

    def _opened(self) -> tuple[Manifest, DataKey]:
        assert self.manifest is not None
        assert self.data_key is not None
        return self.manifest, self.data_key

    def _key_of(self, number: int) -> str:
        return piece_key(self.head.installation, self.head.point, number)

    def _is_seen(self, number: int) -> bool:
        return any(one.key == self._key_of(number) for one in self.seen)

    def _is_turn(self, number: int) -> bool:
        return self.rotation is None or number % self.rotation[1] == self.rotation[0]

    def _describe(self, part: Part) -> None:
        """Read what the part tells of itself, and judge that."""
        manifest, key = self._opened()
        descriptions: dict[str, bytes] = {}
        for piece in manifest.pieces_of(part):
            if piece.role in (HASHES, DESCRIPTION):
                seen, plain = self.look.plain(piece, key)
                self.seen.append(seen)
                self.read_bytes += piece.sealed.size_bytes if plain is not None else 0
                if plain is None:
                    return  # said already; the bytes of all others are still compared with our own hashes
                descriptions[piece.name] = plain
        try:
            expected = format_of(part.format).described(part, descriptions)
        except NotProved as error:
            self.faults += error.faults
            return
        self.expected[part.position] = expected
        self.faults += expected.faults()
        self.faults += self._part_faults(manifest, part, expected)

    def _part_faults(self, manifest: Manifest, part: Part, expected: Expectation) -> list[Fault]:
        """What is said in two places must be the same, and an increment must rest on what it rested on."""
        faults: list[Fault] = []
        place = manifest_key(self.head)
        if expected.blocks is not None and expected.blocks.root_sha256 != part.root_sha256:
            template = "the blocks of part {number} are not those of the manifest"
            faults.append(Fault(place, "root_differs", template, {"number": part.position}))
        if isinstance(expected, CinderExpectation):
            names = {piece.name for piece in manifest.pieces_of(part) if piece.role == DATA}
            for name in sorted(names ^ set(expected.extents)):
                template = "manifest and Cinder's description do not agree about '{name}'"
                faults.append(Fault(place, "other_objects", template, {"name": name}))
            parent = self.parents.get(part.parent_backup_id or "")
            faults += expected.rests_on(parent) if parent else []
        if part.format == BUCKET:
            faults += contradictions(manifest, part, place)
        return faults

    def judgement(self, *, is_complete: bool) -> Judgement:
        """Everything together."""
        self.seen.sort(key=lambda one: one.key)  # they came in any order
        faults, notes, broken = judged(self.seen, self.promise)
        known = [one.key for one in self.seen]
        notes += foreign(self.versions, known) if self.manifest and is_complete else []
        everything = [*self.faults, *faults]
        is_opened = self.manifest is not None
        is_all_read = is_opened and self.level == L1 and self.rotation is None
        return Judgement(
            level=level_of(everything, is_opened=is_opened, is_all_read=is_all_read) if is_complete else None,
            is_complete=is_complete,
            faults=tuple(everything),
            notes=(*self.notes, *notes),
            objects=len(self.seen),
            read_bytes=self.read_bytes,
            locked_until=earliest_lock(self.seen),
            broken=tuple(broken),
            head=self.head,
            manifest=self.manifest,
            blocks=_blocks(self.expected),
        )


def _blocks(expected: Mapping[int, Expectation]) -> dict[int, BlockList]:
    return {position: one.blocks for position, one in expected.items() if one.blocks is not None}
