"""The flow that makes a recovery point of a bucket: listed once, sealed into each vault, read back.

    admit  list  copy  check  tidy

The bucket goes on being used; what it takes while the point is made belongs to the next. Nothing is made at
the bucket's site, so there is nothing to undo there.
"""

from collections.abc import Callable, Iterable, Iterator

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError, NotProved, Refused
from cloudctl.lifecycle import Done, Later, Outcome, PointState
from cloudctl.models import Operation, PointCopy, RecoveryPoint
from cloudctl.operations import Run
from cloudctl.ports import Stores
from cloudctl.store import UnitOfWork
from dr.buckets import listings
from dr.buckets.describing import describe_bucket
from dr.buckets.source import BucketSources
from dr.copying import Copying
from dr.keyring import Keyring
from dr.point_job import PointJob, load, move_point
from dr.points.listing import Entry, Identity, Mark, entries_of, held, pack
from dr.starting import FULL, INCREMENTAL
from dr.vault_admission import SEALED_KEY, VaultAdmission
from provisioning.turning_back import failed, turn_back

LIST, COPY, END = "list", "copy", "end"
MOST_LISTINGS = 4  # of one point: a version that goes for good before it was read makes the listing void
_SEAL_PER_CENT = 101  # what sealing adds, and a little for small objects


class BackUpBucket:
    """Flow of the operations that make a point of a bucket."""

    def __init__(self, stores: Stores, keyring: Keyring, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings
        self._admission = VaultAdmission(stores, keyring)
        self._sources = BucketSources(stores, keyring)
        self._copying = Copying(stores, keyring, settings, self._sources)
        self._stages: dict[str, Callable[[Run, PointJob], Outcome | None]] = {
            "": self._admit,
            LIST: self._list,
            COPY: self._copy,
            "check": self._copying.check,
            "tidy": self._tidy,
        }

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            if job.is_undoing:
                return self._undo(run, job)
            if job.operation.cancel_asked_at is not None and job.operation.step in {"", LIST, COPY}:
                raise Cancelled("the point was cancelled")
            stage = self._stages.get(job.operation.step)
            if stage is None:
                return Done()
            wait = stage(run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """What is sealed in some vault stays and is finished; else the point ends."""
        job = load(run, self._settings.installation)
        if not job.is_undoing and job.operation.step in {"check", "tidy"}:
            with run.write() as (uow, operation):
                run.journal(uow, operation.step, "failed", error.text(), error.cloud_request_id)
                operation.step = "tidy" if operation.step == "check" else END
            return Later(0, error.text())
        if not job.is_undoing and any(copy.state == "sealed" for copy in job.copies):
            self._copying.go_without(run, job, error.text())
            return Later(0, error.text())
        return turn_back(run, error, ("undo", "started"), "ending the point")

    # -- the stages

    def _admit(self, run: Run, job: PointJob) -> None:
        """A bucket that keeps no versions cannot be copied as it was at one moment."""
        bucket = self._stores.bucket(job.site.id, job.member.name)
        if not bucket.keeps_versions():
            hint = "switch versioning on for the bucket"
            raise Refused("the bucket {bucket} keeps no versions", hint=hint, bucket=job.member.name)
        with run.write() as (uow, operation):
            point = uow.need(RecoveryPoint, job.point.id)
            key = self._admission.key(uow, job, point)
            operation.scratch = {**operation.scratch, **key}
            operation.step = LIST
            run.journal(uow, "admit", "done", job.member.name)

    def _list(self, run: Run, job: PointJob) -> None:
        """What the bucket has now, in one go, and whether the vaults have room for what is new."""
        taken_at = run.clock.now()
        before = self._before(run, job)
        bucket = self._stores.bucket(job.site.id, job.member.name)
        totals = _Totals()
        bodies = list(pack(totals.counted(entries_of(bucket.list_versions(), taken_at, before))))
        probes = self._admission.probe(job)
        with run.write() as (uow, operation):
            listings.write(uow, job.point.id, bodies)
            point = uow.need(RecoveryPoint, job.point.id)
            if point.state == PointState.PLANNED:
                point = move_point(uow, point.id, "capture")
            point.taken_at, point.bytes, point.consistency = taken_at, totals.held_bytes, "single"
            point.kind = FULL if before is None else INCREMENTAL
            point.topology = describe_bucket(uow, job.member, totals.told())
            self._admission.judge(uow, run, job, probes, totals.new_bytes * _SEAL_PER_CENT // 100)
            count = int(operation.scratch.get("listings", 0)) + 1
            operation.scratch = {**operation.scratch, "listings": count}
            operation.step = COPY
            operation.progress_total = 100 * len(job.copies)
            run.journal(uow, LIST, "done", f"{totals.held} versions, {totals.new} of them new")

    def _before(self, run: Run, job: PointJob) -> frozenset[Identity] | None:
        """The versions of the point on which this one may rest; None: this is a full one."""
        if job.point.kind != INCREMENTAL or job.point.parent_id is None:
            return None
        with run.store.read() as uow:
            entries = listings.read(uow, job.point.parent_id)
        return None if entries is None else held(entries)

    def _copy(self, run: Run, job: PointJob) -> Outcome | None:
        """As any point is copied; a version that is gone for good by now makes a new listing necessary."""
        try:
            return self._copying.copy(run, job)
        except NotProved as error:
            job = load(run, self._settings.installation)  # a copy may have been sealed in this very pass
            is_sealed = any(copy.state == "sealed" for copy in job.copies)
            is_gone = any(fault.code == "missing" for fault in error.faults)
            if not is_gone or is_sealed or int(job.scratch.get("listings", 0)) >= MOST_LISTINGS:
                raise
        with run.write() as (uow, operation):
            operation.step = LIST
            run.journal(uow, LIST, "started", "versions were deleted for good meanwhile: listed once more")
        return None

    def _tidy(self, run: Run, job: PointJob) -> None:
        """The listing stays for the next increment, and those of older points go."""
        self._sources.forget(job.point.id)
        with run.write() as (uow, operation):
            listings.drop_others(uow, job.member.id, job.point.id)
            operation.step, operation.progress_done = END, operation.progress_total
            run.journal(uow, "tidy", "done")

    # -- the way out

    def _undo(self, run: Run, job: PointJob) -> Outcome:
        """The point ends; what lies in vaults without a head goes when its lock ends."""
        self._sources.forget(job.point.id)
        outcome = failed(job)
        if job.point.state in {PointState.FAILED, PointState.CANCELLED}:
            return outcome
        event = "cancel" if outcome.error.code == Cancelled.code else "fail"
        with run.write() as (uow, operation):
            told = {"error_code": outcome.error.code, "error_message": outcome.error.in_full()}
            move_point(uow, job.point.id, event, ended_at=run.clock.now(), **told)
            _end(uow, operation, job)
            run.journal(uow, "undo", "done")
        return outcome


class _Totals:
    """What passes by is counted."""

    def __init__(self) -> None:
        self.new = self.new_bytes = self.held = self.held_bytes = 0

    def counted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for one in entries:
            if one.is_held:
                self.held, self.held_bytes = self.held + 1, self.held_bytes + one.size_bytes
            if one.mark is Mark.NEW:
                self.new, self.new_bytes = self.new + 1, self.new_bytes + one.size_bytes
            yield one

    def told(self) -> dict[str, int]:
        return {"versions": self.held, "bytes": self.held_bytes}


def _end(uow: UnitOfWork, operation: Operation, job: PointJob) -> None:
    note = "never complete; what was put there has no head and goes when its lock ends"
    unsealed = PointCopy.state.in_(("pending", "copying"))
    uow.update(PointCopy, PointCopy.point_id == job.point.id, unsealed, state="missed", note=note)
    listings.drop(uow, job.point.id)
    operation.scratch = {k: v for k, v in operation.scratch.items() if k != SEALED_KEY}
