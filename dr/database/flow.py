"""The flow that copies cloudctl's own database into every vault, and proves the copy by bringing it back.

take    dump, signed heads and keys into a folder; key, sequence and facts are settled with it
copy    sealed into each vault, head last; a vault that does not answer is waited for, for an hour
check   every byte read back (L1); brought back out of a vault and examined (L2)
tidy    the folder goes, and copies whose lock has run out

A proof of a copy that is there begins at `check`.
"""

import shutil
from collections.abc import Callable
from datetime import timedelta

from cloudctl.config import Settings
from cloudctl.envelopes import DataKey
from cloudctl.errors import CloudctlError, LeaseLost, NotProved, Refused, StoreUnavailable
from cloudctl.escrow import key_id, wrap
from cloudctl.lifecycle import Done, Failed, Later, Outcome
from cloudctl.models import DatabaseCopy, Operation
from cloudctl.operations import Run
from cloudctl.ports import Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.database import expiring, recovery
from dr.database.folder import Folder
from dr.database.job import (
    FAILED,
    KIND,
    MAKING,
    MISSED,
    PENDING,
    SEALED,
    CopyJob,
    draft,
    load,
    write_vault,
)
from dr.database.packing import DATABASE, HEADS, HOME, pack
from dr.database.proving import Proving
from dr.keyring import Keyring
from dr.metering import Meter
from dr.points.format import Progress
from dr.points.head import head_key, point_context
from dr.points.putting import VaultView, whole_second
from dr.points.replication import replicate

TAKE, COPY, CHECK, TIDY, END = "", "copy", "check", "tidy", "end"
PATIENCE = timedelta(hours=1)  # with a vault that does not answer
WAIT_S = 60.0
THREADS = 4


class BackUpDatabase:
    """Flow of the operations that copy the database, or prove a copy."""

    def __init__(self, stores: Stores, keyring: Keyring, settings: Settings) -> None:
        self._stores = stores
        self._keyring = keyring
        self._settings = settings
        self._proving = Proving(stores, keyring, settings)

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings)
            if job.operation.step == END:
                return Done()
            stages: dict[str, Callable[[Run, CopyJob], Outcome | None]] = {
                TAKE: self._take,
                COPY: self._copy,
                CHECK: self._check,
                TIDY: self._tidy,
            }
            wait = stages[job.operation.step](run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """The copy is not to be had, or a proof proved nothing: the next one is due soon."""
        job = load(run, self._settings)
        with run.write() as (uow, _operation):
            row = uow.need(DatabaseCopy, job.copy.id)
            row.error_code, row.error_message = error.code, error.in_full()
            row.state = FAILED if row.state == MAKING and not row.head_sha256 else row.state
            run.journal(uow, KIND, "failed", error.text(), error.cloud_request_id)
        _forget(job)
        return Failed(error)

    # -- the stages

    def _take(self, run: Run, job: CopyJob) -> Outcome | None:
        public = recovery.must_have(self._settings)
        taken_at = run.clock.now()
        facts = pack(run.store, self._settings, job.folder)
        key = DataKey.new()
        with run.write() as (uow, operation):
            row = uow.need(DatabaseCopy, job.copy.id)
            row.taken_at, row.facts = taken_at, facts
            row.bytes = sum(path.stat().st_size for path in job.folder.iterdir())
            row.locked_until = whole_second(taken_at + timedelta(seconds=self._settings.database_keep_s))
            row.key_id, row.kept_key = key_id(public), self._keyring.keep(key)
            row.wrapped_key = wrap(key, public, point_context(self._settings.installation, row.id))
            operation.scratch = {**operation.scratch, "previous": _previous(uow, row)}
            operation.step = COPY
            run.journal(uow, "take", "done", f"{row.bytes} bytes, {facts['audit_seq']} events")
        return None

    def _copy(self, run: Run, job: CopyJob) -> Outcome | None:
        """Into every vault; the same bytes in each."""
        files = {one.key for one in Folder(job.folder).list()}
        if job.sites(PENDING) and files != {DATABASE, HEADS, HOME}:
            raise NotProved("the files of the copy are no longer here")
        waiting = []
        for site in job.sites(PENDING):
            try:
                if not self._put(run, job, site):
                    return Later(0, "stopped in the middle of a copy")
            except (LeaseLost, StoreUnavailable):
                raise
            except CloudctlError as error:
                is_over = not error.retry or run.clock.now() >= job.operation.created_at + PATIENCE
                with run.write() as (uow, _operation):
                    told = {"state": MISSED} if is_over else {}
                    write_vault(uow, job.copy.id, site, note=error.text(), **told)
                    run.journal(uow, f"copy {site}", "failed", error.text(), error.cloud_request_id)
                waiting += [] if is_over else [site]
        if waiting:
            return Later(WAIT_S, f"waiting for the vault of {', '.join(waiting)}")
        job = load(run, self._settings)
        if not job.sites(SEALED):
            why = "; ".join(f"{site}: {told['note']}" for site, told in sorted(job.copy.vaults.items()))
            raise Refused("no vault took the copy: {why}", why=why)
        with run.write() as (_uow, operation):
            operation.step = CHECK
        return None

    def _put(self, run: Run, job: CopyJob, site: str) -> bool:
        """Whether the vault has all of it now."""

        def write(_uow: UnitOfWork, operation: Operation, progress: Progress) -> None:
            operation.why = f"copying into {site}"
            operation.progress_done, operation.progress_total = progress.objects_done, progress.objects_total

        meter = Meter(run, write)
        run.must_hold()
        copied = replicate(
            draft(job),
            self._keyring.take(job.copy.kept_key),
            self._keyring.signer,
            {0: Folder(job.folder)},
            VaultView(self._stores.vault(site, Purpose.WRITE), self._stores.vault(site, Purpose.READ)),
            threads=THREADS,
            on_progress=meter.on_progress,
            stop=meter.stop,
        )
        if copied.head is None:
            return False
        with run.write() as (uow, _operation):
            key = head_key(copied.head)
            row = write_vault(uow, job.copy.id, site, state=SEALED, head_key=key, note="")
            row.head_sha256, row.stored_at = copied.head.sha256, run.clock.now()
            run.journal(uow, f"copy {site}", "done", f"{copied.objects_total} objects")
        return True

    def _check(self, run: Run, job: CopyJob) -> Outcome | None:
        wait = self._proving.prove(run, job)
        if wait is not None:
            return wait
        with run.write() as (_uow, operation):
            operation.step = TIDY
        return None

    def _tidy(self, run: Run, job: CopyJob) -> Outcome | None:
        _forget(job)
        expiring.expire_old(run, self._stores, self._settings)
        with run.write() as (_uow, operation):
            operation.step = END
            operation.progress_done = operation.progress_total
        return None


def _previous(uow: UnitOfWork, copy: DatabaseCopy) -> list[object] | None:
    """The newest older copy that has a head, expired ones included."""
    older = (DatabaseCopy.sequence < copy.sequence, DatabaseCopy.head_sha256 != "")
    found = uow.first(DatabaseCopy, *older, order_by=[DatabaseCopy.sequence.desc()])
    return [found.sequence, found.head_sha256] if found is not None else None


def _forget(job: CopyJob) -> None:
    """Nothing that is not sealed stays."""
    for folder in (job.folder, job.proof_folder):
        shutil.rmtree(folder, ignore_errors=True)
