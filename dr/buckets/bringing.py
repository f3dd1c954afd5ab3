"""Bringing a bucket back from a vault, as it was at a moment, into an empty one, and reading all of it back.

    open  target  put  verify

The vault is all that is read. Nothing is written over: the bucket has to be new or empty, and it is looked at
once, before the first object is put; from then on what lies in it under our names is ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cloudctl.envelopes import DataKey, Hashing
from cloudctl.errors import CloudConflict, CloudNotFound, Fault, NotProved, ObjectMissing, Refused
from cloudctl.lifecycle import Later, Outcome
from cloudctl.models import Operation, Restore
from cloudctl.operations import Run
from cloudctl.ports import ObjectStore, Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.keyring import Keyring
from dr.metering import Meter
from dr.points.bucket import Held, as_of, must_add_up
from dr.points.format import Progress
from dr.points.manifest import BUCKET, Manifest
from dr.points.parallel import STREAM_ABOVE_BYTES, each
from dr.points.reading import read_piece, stream_piece
from dr.restore_job import RestoreJob, load, read_link

THREADS = 4
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Opened:
    """The chain as the vault has it, and the objects that are wanted."""

    manifests: Mapping[str, Manifest]
    keys: Mapping[str, DataKey]
    wanted: tuple[Held, ...]

    @property
    def bytes(self) -> int:
        return sum(one.piece.plain.size_bytes for one in self.wanted)


class Bringing:
    """Moves the restore of a bucket on; the same for one that somebody asked for and for a proof."""

    def __init__(self, stores: Stores, keyring: Keyring, installation: str) -> None:
        self._stores = stores
        self._keyring = keyring
        self._installation = installation
        self._opened: dict[int, Opened] = {}

    def advance(self, run: Run, restore_id: int) -> Outcome | None:
        """As far as it goes now; None when every object is there and was read back."""
        stages: tuple[tuple[str, Callable[[Run, RestoreJob, Opened], Outcome | None]], ...] = (
            ("target", self._target),
            ("put", self._put),
            ("verify", self._verify),
        )
        job = load(run, self._installation, restore_id)
        opened = self._open(run, job)
        for name, stage in stages:
            if name in job.scratch.get("restored", ()):
                continue
            wait = stage(run, job, opened)
            if wait is not None:
                return wait
            with run.write() as (uow, operation):
                past = [*operation.scratch.get("restored", ()), name]
                operation.scratch = {**operation.scratch, "restored": past}
                run.journal(uow, f"restore {name}", "done")
            job = load(run, self._installation, restore_id)
        return None

    def forget(self, restore_id: int) -> None:
        """Keys and manifests leave the memory."""
        self._opened.pop(restore_id, None)

    def names(self, run: Run, restore_id: int) -> frozenset[str]:
        """What it puts, by name."""
        opened = self._open(run, load(run, self._installation, restore_id))
        return frozenset(one.piece.name for one in opened.wanted)

    # -- open: the chain, checked before anything is made

    def _open(self, run: Run, job: RestoreJob) -> Opened:
        known = self._opened.get(job.restore.id)
        if known is not None:
            return known
        found = [read_link(job, link, self._vault(job), self._keyring, run.clock.now()) for link in job.chain]
        chain = [
            (manifest, part) for manifest, _ in found for part in manifest.parts if part.format == BUCKET
        ]
        if len(chain) != len(found):
            raise Refused("point {point} is not one of a bucket", point=job.point.id)
        must_add_up(chain)
        word = job.restore.plan.get("as_of")
        wanted = as_of(chain, datetime.fromisoformat(word) if word else None)
        opened = Opened({one.point: one for one, _ in found}, {one.point: key for one, key in found}, wanted)
        with run.write() as (uow, operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.bytes_total = "running", 2 * opened.bytes  # put, and read back
            operation.progress_total = 100
        self._opened[job.restore.id] = opened
        return opened

    # -- target: new, or there and empty

    def _target(self, run: Run, job: RestoreJob, _opened: Opened) -> None:
        name = target_of(job)
        if "bucket" not in job.made:
            is_new = not self._is_there_and_empty(job, name)
            with run.write() as (uow, _operation):
                uow.need(Restore, job.restore.id).made = {"bucket": {"name": name, "is_new": is_new}}
            job = load(run, self._installation, job.restore.id)
        if job.made["bucket"]["is_new"]:
            run.must_hold()
            try:
                self._stores.make_bucket(job.site.id, name)
            except CloudConflict:
                with run.write() as (uow, _operation):
                    uow.need(Restore, job.restore.id).made = {}  # somebody else was faster: it is not ours
                raise

    def _is_there_and_empty(self, job: RestoreJob, name: str) -> bool:
        """False when there is no such bucket; Refused when something is in it."""
        try:
            first = next(iter(self._stores.restored(job.site.id, name).list_versions()), None)
        except CloudNotFound:
            return False
        if first is not None:
            raise Refused("the bucket {bucket} is not empty: nothing is written over", bucket=name)
        return True

    # -- put

    def _put(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        target, vault = self._target_store(job), self._vault(job)
        there = {one.key: one.size_bytes for one in target.list()}
        left = [one for one in opened.wanted if there.get(one.piece.name) != one.piece.plain.size_bytes]

        def put(one: Held) -> int:
            _put_one(one, opened, vault, target)
            return one.piece.plain.size_bytes

        return self._each(run, job, opened, left, put, 0)

    # -- verify: every object read back, byte by byte what was captured

    def _verify(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        target = self._target_store(job)
        faults: list[Fault] = []

        def read_back(one: Held) -> int:
            fault = _compared(one, target)
            if fault is not None:
                faults.append(fault)
            return one.piece.plain.size_bytes

        wait = self._each(run, job, opened, list(opened.wanted), read_back, opened.bytes)
        if faults:
            raise NotProved("what was restored is not what was captured", faults=faults[:_MOST_FAULTS])
        return wait

    def _each(
        self,
        run: Run,
        job: RestoreJob,
        opened: Opened,
        left: list[Held],
        work: Callable[[Held], int],
        base_bytes: int,
    ) -> Outcome | None:
        """Do it for all that is left, side by side; `base_bytes` of the restore are done already."""
        total = 2 * opened.bytes

        def write(uow: UnitOfWork, operation: Operation, progress: Progress) -> None:
            uow.need(Restore, job.restore.id).bytes_done = progress.bytes_done
            operation.progress_done = 100 * progress.bytes_done // max(1, total)
            operation.why = f"{progress.objects_done} of {progress.objects_total} objects"

        meter = Meter(run, write)
        done = base_bytes + opened.bytes - sum(one.piece.plain.size_bytes for one in left)
        run.must_hold()
        for count, size in enumerate(each(left, work, THREADS, meter.stop), 1):
            done += size
            meter.on_progress(Progress(count, len(left), done, total))
        if meter.stop():
            return Later(0, "stopped in the middle; what is there is not put again")
        with run.write() as (uow, _operation):
            uow.need(Restore, job.restore.id).bytes_done = base_bytes + opened.bytes
        return None

    def _target_store(self, job: RestoreJob) -> ObjectStore:
        return self._stores.restored(job.site.id, target_of(job))

    def _vault(self, job: RestoreJob) -> ObjectStore:
        return self._stores.vault(job.restore.from_site_id, Purpose.READ)


def target_of(job: RestoreJob) -> str:
    """The name of the bucket that is filled."""
    return str(job.restore.plan["bucket"])


def _put_one(one: Held, opened: Opened, vault: ObjectStore, target: ObjectStore) -> None:
    piece, manifest, key = one.piece, opened.manifests[one.point], opened.keys[one.point]
    if piece.plain.size_bytes > STREAM_ABOVE_BYTES:
        target.put_stream(piece.name, stream_piece(vault, manifest, key, piece), headers=piece.headers)
    else:
        target.put(piece.name, read_piece(vault, manifest, key, piece), headers=piece.headers)


def _compared(one: Held, target: ObjectStore) -> Fault | None:
    """What is wrong with the object that was put."""
    try:
        found = Hashing(target.stream(one.piece.name)).drain()
    except ObjectMissing:
        return Fault(one.piece.name, "missing", "it is not in the bucket")
    if found != one.piece.plain:
        return Fault(one.piece.name, "other_bytes", "the object that was restored has other bytes")
    return None
