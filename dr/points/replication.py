"""Copying a point from where the cloud's own service wrote it into a vault, sealed, in parallel, resumable.

Sealing gives the same bytes every time, so a run that follows a crash seals again and compares with what the
vault lists: what is there is checked, not trusted, and costs no line. The head comes last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cloudctl.envelopes import DataKey, Digest, Hashing, Sealed, seal, seal_stream
from cloudctl.errors import Fault, NotProved, ObjectMissing
from cloudctl.ports.objects import ObjectStore, StoredObject
from dr.points.format import Prepared, Progress, Progressing, Source, Stopping, never, nothing
from dr.points.formats import format_of
from dr.points.head import Head, Previous, Signs, check_ids, head_key, point_context
from dr.points.manifest import OBJECT, Manifest, Part, Piece, piece_context, piece_key, together
from dr.points.parallel import HELD, STREAM_ABOVE_BYTES, Budget, each
from dr.points.picking import pick_head
from dr.points.putting import Putting, VaultView

__all__ = ["Copied", "Draft", "Journal", "VaultView", "replicate"]


@dataclass(frozen=True)
class Draft:
    """What is settled about a point before its objects are copied; must be the same in every run and for
    every vault, then manifest and head are the same bytes everywhere."""

    installation: str
    member: str
    sequence: int
    point: str
    kind: str  # full, incremental
    parent: str | None
    system: str
    site: str
    consistency: str
    taken_at: datetime
    locked_until: datetime | None
    previous: Previous | None
    keys: Mapping[str, str]  # escrow key id -> wrapped data key: `escrow.wrap(key, public, context)`
    parts: tuple[Part, ...]  # block_bytes and root_sha256 are filled in here
    topology: Mapping[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> str:
        """For `escrow.wrap` and `EscrowKey.unwrap`."""
        return point_context(self.installation, self.point)


@dataclass
class Journal:
    """What one process has put already, so that its next pass need not read the source again. Losing it
    costs time only: a run without one reads, seals and compares with what the vault has."""

    pieces: dict[int, Piece] = field(default_factory=dict)
    etags: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Copied:
    """The copy of a point in one vault, or how far it has come."""

    is_complete: bool
    objects_total: int
    objects_done: int
    bytes_total: int
    bytes_done: int
    put_objects: int  # by this run
    put_bytes: int
    head: Head | None = None
    manifest: Manifest | None = None


def replicate(  # noqa: PLR0913
    draft: Draft,
    key: DataKey,
    signer: Signs,
    natives: Mapping[int, ObjectStore],
    vault: VaultView,
    *,
    journal: Journal | None = None,
    threads: int = 8,
    on_progress: Progressing = nothing,
    stop: Stopping = never,
) -> Copied:
    """Put every object of the point, then the manifest, then the head, which makes it exist.

    `natives` has the bucket of each part by its position. What the vault has already, checked by hash, is
    not put again; nothing is written over. Ends early, incomplete, when `stop` says so. Memory: at most
    `parallel.MEMORY_BYTES`, plain and sealed together. Errors: NotProved (the source is not whole, or the
    vault has another head: all faults), VaultFull, CloudUnavailable and its kin; then nothing of what was
    put is lost to the next run.
    """
    faults = check_ids(draft.installation, draft.member, draft.point)
    if faults:
        raise NotProved("the point cannot be named in a vault", faults=faults)
    prepared = [format_of(part.format).prepare(part, natives[part.position]) for part in draft.parts]
    items = _numbered(prepared)
    putting = Putting(vault, draft.installation, draft.point, draft.locked_until)
    run = _Run(draft, key, natives, putting, journal or Journal())
    state = Copied(False, len(items), 0, sum(item.source.size_bytes for item in items), 0, 0, 0)
    pieces: list[Piece] = []
    for piece in each(items, run.copy, threads, stop):
        pieces.append(piece)
        state = replace(state, objects_done=len(pieces), bytes_done=state.bytes_done + piece.plain.size_bytes)
        on_progress(Progress(state.objects_done, state.objects_total, state.bytes_done, state.bytes_total))
    if len(pieces) == len(items):
        ordered = tuple(sorted(pieces, key=lambda piece: piece.number))
        state = _finish(draft, key, signer, putting, prepared, ordered, state)
    return replace(state, put_objects=putting.objects, put_bytes=putting.bytes)


@dataclass(frozen=True)
class _Item:
    number: int
    position: int
    source: Source


def _numbered(prepared: list[Prepared]) -> list[_Item]:
    sources = [(one.part.position, source) for one in prepared for source in one.sources]
    return [_Item(number, position, source) for number, (position, source) in enumerate(sources, 1)]


@dataclass
class _Run:
    """One run over the objects; `copy` is called by many threads."""

    draft: Draft
    key: DataKey
    natives: Mapping[int, ObjectStore]
    putting: Putting
    journal: Journal
    budget: Budget = field(default_factory=Budget)

    def copy(self, item: _Item) -> Piece:
        key = piece_key(self.draft.installation, self.draft.point, item.number)
        known = self.journal.pieces.get(item.number)
        if known and self.putting.has_etag(key, known.sealed.size_bytes, self.journal.etags[item.number]):
            return known
        native, source = self.natives[item.position], item.source
        context = piece_context(self.draft.installation, self.draft.point, item.number)
        try:
            if source.size_bytes > STREAM_ABOVE_BYTES:
                plain, sealed, stored = self._streamed(native, source, context, key)
            else:
                plain, sealed, stored = self._whole(native, source, context, key)
            headers = native.head(source.name, source.version).headers if source.role == OBJECT else {}
        except ObjectMissing as error:
            fault = Fault(source.name, "missing", "it is not in the bucket")
            raise NotProved("the backup is not whole in its own bucket", faults=[fault]) from error
        piece = Piece(
            item.number,
            item.position,
            source.role,
            source.name,
            plain,
            sealed,
            source.version,
            source.stored_at,
            headers,
        )
        self.journal.etags[item.number] = stored.etag
        self.journal.pieces[item.number] = piece
        return piece

    def _whole(
        self, native: ObjectStore, source: Source, context: str, key: str
    ) -> tuple[Digest, Digest, StoredObject]:
        with self.budget.hold(HELD * source.size_bytes):
            sealed = seal(self.key, context, native.read(source.name, source.version))
            _must_have(source, sealed.plain.size_bytes)
            return sealed.plain, sealed.sealed, self.putting.put(key, sealed.body, sealed.sealed)

    def _streamed(
        self, native: ObjectStore, source: Source, context: str, key: str
    ) -> tuple[Digest, Digest, StoredObject]:
        """Read twice: once for the digest, which the seal is made of, and once to seal."""

        def read() -> Hashing:
            return Hashing(native.stream(source.name, source.version))

        plain = read().drain()
        _must_have(source, plain.size_bytes)

        def sealed() -> Hashing:
            return Hashing(seal_stream(self.key, context, plain, read()))

        digest, stored = self.putting.put_stream(key, plain.size_bytes, sealed)
        return plain, digest, stored


def _must_have(source: Source, found: int) -> None:
    if found != source.size_bytes:
        template = "it has {found} bytes, the bucket lists {wanted}"
        fault = Fault(source.name, "truncated", template, {"found": found, "wanted": source.size_bytes})
        raise NotProved("the backup is not whole in its own bucket", faults=[fault])


def _finish(
    draft: Draft,
    key: DataKey,
    signer: Signs,
    putting: Putting,
    prepared: list[Prepared],
    pieces: tuple[Piece, ...],
    state: Copied,
) -> Copied:
    """Put manifest and head, unless they are there."""
    parts = tuple(one.part for one in prepared)
    manifest = Manifest(draft.installation, draft.point, draft.taken_at, parts, pieces, draft.topology)
    faults = together(manifest, draft.point)
    if faults:
        raise NotProved("the backup is not whole in its own bucket", faults=faults)
    sealed = sealed_manifest(manifest, key)
    putting.put(putting.prefix + "manifest", sealed.body, sealed.sealed)
    head = _head(draft, manifest, sealed.sealed).signed(signer)
    _put_head(head, putting)
    return replace(state, is_complete=True, head=head, manifest=manifest)


def sealed_manifest(manifest: Manifest, key: DataKey) -> Sealed:
    """The manifest as it lies in every vault."""
    return seal(key, piece_context(manifest.installation, manifest.point, 0), manifest.body())


def _head(draft: Draft, manifest: Manifest, sealed: Digest) -> Head:
    return Head(
        installation=draft.installation,
        member=draft.member,
        sequence=draft.sequence,
        point=draft.point,
        kind=draft.kind,
        parent=draft.parent,
        system=draft.system,
        site=draft.site,
        consistency=draft.consistency,
        taken_at=draft.taken_at,
        locked_until=draft.locked_until,
        previous=draft.previous,
        manifest=sealed,
        objects=len(manifest.pieces),
        plain_bytes=manifest.plain_bytes,
        volume_bytes=sum(part.size_bytes for part in manifest.parts),
        keys=draft.keys,
    )


def _put_head(head: Head, putting: Putting) -> None:
    """Put it unless it is there; NotProved when the vault has another one, rightly signed, in its place."""
    key, store = head_key(head), putting.vault.read
    found = pick_head(store, key, (head.signer,))
    if found.head is None:
        putting.put_new(key, head.body())
    elif found.head.sha256 != head.sha256:
        fault = Fault(key, "other_head", "the vault has another head of this point, made before")
        raise NotProved("the point was settled otherwise before", faults=[fault])
