"""A bucket as it was listed for one point: what is read from it, and what the point says of it."""

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

from cloudctl.envelopes import DataKey
from cloudctl.errors import ObjectMissing
from cloudctl.models import Operation, PointCopy, RecoveryPoint
from cloudctl.operations import Run
from cloudctl.ports import ObjectStore, Purpose, StoredObject, Stores
from cloudctl.store import UnitOfWork
from dr import drafting
from dr.buckets import listings
from dr.keyring import Keyring
from dr.point_job import PointJob
from dr.points.listing import Entry, Identity, Mark, gone_of, removals_of, root_of
from dr.points.manifest import BUCKET, Manifest, Part, Piece
from dr.points.picking import pick_head
from dr.points.reading import open_manifest, stream_piece
from dr.points.replication import Draft
from dr.starting import INCREMENTAL
from dr.vault_admission import SEALED_KEY


class Copy:
    """A copy of the same point that is sealed already, opened when something has to be read from it."""

    def __init__(self, vault: ObjectStore, head_key: str, trusted: tuple[str, ...], key: DataKey) -> None:
        self._vault = vault
        self._head_key = head_key
        self._trusted = trusted
        self._key = key
        self._lock = Lock()
        self._opened: tuple[Manifest, dict[Identity, Piece]] | None = None

    def find(self, identity: Identity) -> Piece | None:
        """The version as the copy has it."""
        return self._open()[1].get(identity)

    def stream(self, piece: Piece) -> Iterator[bytes]:
        """Its bytes, checked by their hash at the end."""
        return stream_piece(self._vault, self._open()[0], self._key, piece)

    def _open(self) -> tuple[Manifest, dict[Identity, Piece]]:
        with self._lock:
            if self._opened is None:
                picked = pick_head(self._vault, self._head_key, self._trusted)
                if picked.head is None:
                    raise ObjectMissing("the bucket has no object '{key}'", key=self._head_key)
                manifest = open_manifest(self._vault, picked.head, self._key)
                pieces = {(one.name, one.version or ""): one for one in manifest.pieces}
                self._opened = manifest, pieces
            return self._opened


class FrozenBucket:
    """An ObjectStore that lists what was new when the point was listed, whatever the bucket has by now.

    A version that was deleted for good since is read from a copy of the point that is sealed already.
    """

    def __init__(self, live: ObjectStore, entries: Sequence[Entry], copies: Sequence[Copy] = ()) -> None:
        self.bucket = live.bucket
        self._live = live
        self._entries = entries
        self._copies = copies
        # The rest of an ObjectStore is the bucket's own.
        self.list, self.put, self.put_stream = live.list, live.put, live.put_stream
        self.delete, self.lock_mode, self.keeps_versions = live.delete, live.lock_mode, live.keeps_versions

    def list_versions(self, prefix: str = "") -> Iterator[StoredObject]:
        for one in self._entries:
            if one.mark is Mark.NEW and one.name.startswith(prefix):
                yield StoredObject(one.name, one.size_bytes, one.etag, one.version, one.stored_at)

    def head(self, key: str, version_id: str | None = None) -> StoredObject:
        try:
            return self._live.head(key, version_id)
        except ObjectMissing:
            _, piece = self._elsewhere(key, version_id)
            return StoredObject(key, piece.plain.size_bytes, "", version_id, headers=piece.headers)

    def read(self, key: str, version_id: str | None = None) -> bytes:
        return b"".join(self.stream(key, version_id))

    def stream(self, key: str, version_id: str | None = None, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        chunks = self._live.stream(key, version_id, chunk_bytes)
        try:
            first = next(chunks, b"")
        except ObjectMissing:
            copy, piece = self._elsewhere(key, version_id)
            yield from copy.stream(piece)
            return
        yield first
        yield from chunks

    def _elsewhere(self, key: str, version_id: str | None) -> tuple[Copy, Piece]:
        for copy in self._copies:
            piece = copy.find((key, version_id or ""))
            if piece is not None:
                return copy, piece
        raise ObjectMissing("the bucket has no object '{key}'", key=key)


class BucketSources:
    """Implements Sources for a department's bucket."""

    def __init__(self, stores: Stores, keyring: Keyring) -> None:
        self._stores = stores
        self._keyring = keyring
        self._held: dict[str, tuple[str, tuple[Entry, ...]]] = {}  # of a point: its stamp and listing

    def settle(self, uow: UnitOfWork, run: Run, operation: Operation, job: PointJob) -> None:
        is_full = uow.need(RecoveryPoint, job.point.id).kind != INCREMENTAL
        drafting.settle(uow, run, operation, job, is_full)

    def draft(self, run: Run, job: PointJob) -> Draft:
        entries = self._entries(run, job)
        sizes = {one.identity: one.size_bytes for one in entries if one.is_held}
        is_increment = job.point.kind == INCREMENTAL
        part = Part(
            position=0,
            format=BUCKET,
            name=job.member.name,
            container=job.member.name,
            size_bytes=sum(sizes.values()),
            is_incremental=is_increment,
            backup_id=job.point.id,
            parent_backup_id=job.point.parent_id if is_increment else None,
            root_sha256=root_of(sizes),
            removals=removals_of(entries),
            gone=gone_of(entries),
        )
        return drafting.draft(job, [part])

    def natives(self, run: Run, job: PointJob) -> Mapping[int, ObjectStore]:
        live = self._stores.bucket(job.site.id, job.member.name)
        return {0: FrozenBucket(live, self._entries(run, job), self._copies(run, job))}

    def stamp(self, job: PointJob) -> str:
        return str(job.scratch.get("listings"))

    def forget(self, point_id: str) -> None:
        """The listing leaves the memory."""
        self._held.pop(point_id, None)

    def _entries(self, run: Run, job: PointJob) -> tuple[Entry, ...]:
        held = self._held.get(job.point.id)
        if held is None or held[0] != self.stamp(job):
            with run.store.read() as uow:
                held = self.stamp(job), listings.read(uow, job.point.id) or ()
            self._held[job.point.id] = held
        return held[1]

    def _copies(self, run: Run, job: PointJob) -> list[Copy]:
        """As they are now: one may have been sealed in this very pass."""
        sealed = (PointCopy.point_id == job.point.id, PointCopy.state == "sealed")
        with run.store.read() as uow:
            rows = uow.all(PointCopy, *sealed, order_by=[PointCopy.site_id])
        trusted = (self._keyring.signer.public,)
        key = self._keyring.take(job.scratch[SEALED_KEY])
        return [
            Copy(self._stores.vault(one.site_id, Purpose.READ), one.head_key, trusted, key) for one in rows
        ]
