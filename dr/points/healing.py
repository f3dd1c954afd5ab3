"""Putting single objects of a copy again, from another vault or from the source, while one has them.

Sealing gives the same bytes every time, so what is put again has the hash that the manifest names, and
readers find it under the same key, whatever lies beside it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloudctl.envelopes import DataKey, Digest, Hashing, seal_stream
from cloudctl.errors import CloudctlError, Fault, SealBroken
from cloudctl.ports.objects import ObjectStore
from dr.points.head import Head, head_key, manifest_key
from dr.points.judging import Judgement
from dr.points.manifest import Manifest, Piece, piece_context, piece_key
from dr.points.parallel import STREAM_ABOVE_BYTES
from dr.points.picking import right_version
from dr.points.putting import VaultView, whole_second
from dr.points.replication import sealed_manifest

Chunks = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Healed:
    """Which keys were put again, and what could not be, with the reason."""

    keys: tuple[str, ...]
    left: tuple[Fault, ...]


def heal(
    judgement: Judgement,
    head: Head,
    manifest: Manifest,
    key: DataKey,
    vault: VaultView,
    *,
    natives: Mapping[int, ObjectStore] | None = None,
    others: Sequence[ObjectStore] = (),
) -> Healed:
    """Put each broken object of the judgement again, as a new version with the promised lock.

    Sealed bytes are the same in every vault, so `others` (READ views of other vaults) are asked first; then
    `natives` (by position of the part), whose plain bytes are sealed again. Only what has exactly the hash
    of the manifest is put. Head and manifest are the ones of another vault or of the flow's own records.
    Doing it twice puts twice, and harms nothing. Errors: VaultFull, CloudUnavailable and its kin from the
    vault itself; a source that fails is passed over.
    """
    run = _Healing(head, manifest, key, vault, natives or {}, others)
    pieces = {piece_key(manifest.installation, manifest.point, one.number): one for one in manifest.pieces}
    done: list[str] = []
    left: list[Fault] = []
    for place in judgement.broken:
        fault = run.put_piece(place, pieces[place]) if place in pieces else run.put_small(place)
        if fault is None:
            done.append(place)
        else:
            left.append(fault)
    return Healed(tuple(done), tuple(left))


@dataclass(frozen=True)
class _Healing:
    head: Head
    manifest: Manifest
    key: DataKey
    vault: VaultView
    natives: Mapping[int, ObjectStore]
    others: Sequence[ObjectStore]

    def put_small(self, place: str) -> Fault | None:
        """Head and manifest are made of what we have."""
        sealed = sealed_manifest(self.manifest, self.key)
        bodies = {head_key(self.head): self.head.body()}
        if sealed.sealed == self.head.manifest:
            bodies[manifest_key(self.head)] = sealed.body
        if place not in bodies:
            return Fault(place, "lost", "neither another vault nor the source has its bytes any more")
        self.vault.write.put(place, bodies[place], whole_second(self.head.locked_until))
        return None

    def put_piece(self, place: str, piece: Piece) -> Fault | None:
        """From the first source that has exactly its bytes; the vault itself may, with too short a lock."""
        is_unsure = False
        for chunks in self._sources(place, piece):
            try:
                if self._put(place, piece, chunks):
                    return None
            except _SourceFails as error:
                is_unsure |= error.may_pass
        if is_unsure:
            return Fault(place, "unreachable", "what may still have its bytes did not answer")
        return Fault(place, "lost", "neither another vault nor the source has its bytes any more")

    def _sources(self, place: str, piece: Piece) -> Iterator[Chunks]:
        for store in (self.vault.read, *self.others):
            yield partial(_of_vault, store, place, piece)
        native = self.natives.get(piece.part)
        if native is not None:
            context = piece_context(self.manifest.installation, self.manifest.point, piece.number)
            yield partial(_of_native, native, piece, self.key, context)

    def _put(self, place: str, piece: Piece, chunks: Chunks) -> bool:
        """Only what has the very hash; the vault's own errors are the caller's."""
        until = whole_second(self.head.locked_until)
        if piece.sealed.size_bytes > STREAM_ABOVE_BYTES:
            self.vault.write.put_stream(place, _exactly(chunks, piece.sealed), until)
            return True
        body = b"".join(_exactly(chunks, piece.sealed))
        self.vault.write.put(place, body, until)
        return True


class _SourceFails(Exception):
    """A source does not have the bytes, or (`may_pass`) did not answer."""

    def __init__(self, may_pass: bool) -> None:
        super().__init__(may_pass)
        self.may_pass = may_pass


def _exactly(chunks: Chunks, wanted: Digest) -> Iterator[bytes]:
    """The chunks; _SourceFails before the last of them when they are not exactly what is wanted."""
    held = b""
    try:
        hashing = Hashing(chunks())
        for chunk in hashing:
            if held:
                yield held
            held = chunk
    except CloudctlError as error:
        raise _SourceFails(error.retry) from error
    if hashing.digest != wanted:
        raise _SourceFails(False)
    yield held


def _of_vault(store: ObjectStore, place: str, piece: Piece) -> Iterator[bytes]:
    yield from store.stream(place, right_version(store, place, piece.sealed).version_id)


def _of_native(store: ObjectStore, piece: Piece, key: DataKey, context: str) -> Iterator[bytes]:
    """Read twice: nothing is sealed before the plain bytes are known to be the same."""
    if Hashing(store.stream(piece.name, piece.version)).drain() != piece.plain:
        raise SealBroken("the source changed while it was read")
    yield from seal_stream(key, context, piece.plain, store.stream(piece.name, piece.version))
