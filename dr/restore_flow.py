"""The flow that brings a point back as new volumes in a project, and proves that they are what was captured.

Nothing that is there is written over. When it cannot be finished, nothing of it is left.
"""

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError
from cloudctl.lifecycle import Done, Later, Outcome
from cloudctl.models import Restore
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Stores
from dr.keyring import Keyring
from dr.recording import record_volumes
from dr.restore_clean import Cleaning
from dr.restore_job import RestoreJob, load
from dr.restoring import Restoring
from provisioning.lanes import Lanes
from provisioning.turning_back import failed, turn_back

CLEAN, END = "clean", "end"


class RestorePoint:
    """Flow of the operations that restore."""

    def __init__(
        self,
        clouds: Clouds,
        stores: Stores,
        keyring: Keyring,
        settings: Settings,
        lanes: Lanes | None = None,
    ) -> None:
        lanes = lanes or Lanes()
        self._settings = settings
        self._restoring = Restoring(clouds, stores, keyring, settings, lanes)
        self._cleaning = Cleaning(clouds, stores, lanes)

    def advance(self, run: Run) -> Outcome:
        job = self._load(run)
        if job.is_undoing:
            return self._undo(run, job)
        if job.operation.step == END:
            return Done()
        if job.operation.step != CLEAN:
            if job.operation.cancel_asked_at is not None:
                raise Cancelled("the restore was cancelled")
            wait = self._restoring.advance(run, job.restore.id)
            if wait is not None:
                return wait
            with run.write() as (_uow, operation):
                operation.step = CLEAN
            job = self._load(run)
        left = self._cleaning.clear(run, job, has_succeeded=True)
        if left:
            return Later(self._settings.poll_s, f"{left} things to be cleared away")
        self._finish(run, job)
        return Done()

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """Volumes that are proved stay, whatever is wrong with the clearing away; else all of it goes."""
        job = self._load(run)
        if job.operation.step == CLEAN and not job.is_undoing:
            with run.write() as (uow, _operation):
                run.journal(uow, CLEAN, "failed", error.text(), error.cloud_request_id)
            self._finish(run, job)
            return Later(0, error.text())
        return turn_back(run, error, ("undo", "started"), "undoing what was made")

    def _load(self, run: Run) -> RestoreJob:
        return load(run, self._settings.installation, int(run.subject_id))

    def _finish(self, run: Run, job: RestoreJob) -> None:
        with run.write() as (uow, operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.is_verified, row.ended_at = "done", True, run.clock.now()
            row.bytes_done = row.bytes_total
            record_volumes(uow, run.clock, job)
            operation.step, operation.progress_done = END, operation.progress_total
            run.journal(uow, "restore", "done", "every volume is what was captured")
        self._restoring.forget(job.restore.id)

    def _undo(self, run: Run, job: RestoreJob) -> Outcome:
        self._restoring.forget(job.restore.id)
        left = self._cleaning.clear(run, job, has_succeeded=False)
        if left:
            return Later(self._settings.poll_s, f"{left} things to go")
        with run.write() as (uow, _operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.ended_at = "failed", run.clock.now()
            run.journal(uow, "undo", "done", "nothing of it is left")
        return failed(job)
