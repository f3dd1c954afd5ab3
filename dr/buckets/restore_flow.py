"""The flow that brings a bucket back for somebody. When it cannot be finished, nothing of it is left."""

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError
from cloudctl.lifecycle import Done, Later, Outcome
from cloudctl.models import Restore
from cloudctl.operations import Run
from cloudctl.ports import Stores
from dr.buckets.bringing import Bringing
from dr.buckets.clearing import clear
from dr.keyring import Keyring
from dr.restore_job import RestoreJob, load
from provisioning.turning_back import failed, turn_back

END = "end"


class RestoreBucket:
    """Flow of the operations that restore a bucket."""

    def __init__(self, stores: Stores, keyring: Keyring, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings
        self._bringing = Bringing(stores, keyring, settings.installation)

    def advance(self, run: Run) -> Outcome:
        job = self._load(run)
        if job.is_undoing:
            return self._undo(run, job)
        if job.operation.step == END:
            return Done()
        if job.operation.cancel_asked_at is not None:
            raise Cancelled("the restore was cancelled")
        wait = self._bringing.advance(run, job.restore.id)
        if wait is not None:
            return wait
        with run.write() as (uow, operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.is_verified, row.ended_at = "done", True, run.clock.now()
            row.bytes_done = row.bytes_total
            operation.step, operation.progress_done = END, operation.progress_total
            run.journal(uow, "restore", "done", "every object is what was captured")
        self._bringing.forget(job.restore.id)
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """All of it goes."""
        return turn_back(run, error, ("undo", "started"), "undoing what was made")

    def _load(self, run: Run) -> RestoreJob:
        return load(run, self._settings.installation, int(run.subject_id))

    def _undo(self, run: Run, job: RestoreJob) -> Outcome:
        if not clear(run, job, self._stores, lambda: self._bringing.names(run, job.restore.id)):
            return Later(0, "stopped in the middle of deleting")
        self._bringing.forget(job.restore.id)
        with run.write() as (uow, _operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.ended_at = "failed", run.clock.now()
            run.journal(uow, "undo", "done", "nothing of it is left")
        return failed(job)
