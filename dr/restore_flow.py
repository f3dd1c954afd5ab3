"""The flow that brings a point back, and proves that what came back is what was captured.

    volumes  room, restored and proved                             kept, or all of it goes again
    system   the same, then servers of their own with them         kept, or all of it goes again
    over     the same, then the volumes of the servers change      as it was before, and what is new goes
    back     the volumes of the servers change back                as it was before

Nothing that is there is written over: what gives way stays beside, so that it can be undone.
"""

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError
from cloudctl.lifecycle import Done, Later, Outcome
from cloudctl.models import Restore
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Stores
from dr import recording
from dr.keyring import Keyring
from dr.restore_clean import Cleaning
from dr.restore_exchange import Exchange
from dr.restore_job import RestoreJob, load
from dr.restore_plan import BACK, BY_TWO, SYSTEM
from dr.restore_room import make_room
from dr.restore_servers import Servers
from dr.restoring import Restoring
from provisioning.lanes import Lanes
from provisioning.turning_back import failed, turn_back

ROOM, RESTORE, SERVERS, CLEAN, END = "", "restore", "servers", "clean", "end"


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
        self._clouds = clouds
        self._settings = settings
        self._restoring = Restoring(clouds, stores, keyring, settings, lanes)
        self._cleaning = Cleaning(clouds, stores, lanes)
        self._servers = Servers(clouds, settings, lanes)
        self._exchange = Exchange(clouds, settings, self._servers)

    def advance(self, run: Run) -> Outcome:
        while True:
            job = self._load(run)
            if job.is_undoing:
                return self._undo(run, job)
            step = job.operation.step
            if step == END:
                return Done()
            if step != CLEAN and job.operation.cancel_asked_at is not None:
                raise Cancelled("the restore was cancelled")
            stages = {ROOM: self._room, RESTORE: self._restore, SERVERS: self._serve, CLEAN: self._clean}
            wait = stages[step](run, job)
            if wait is not None:
                return wait

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

    # -- the stages

    def _room(self, run: Run, job: RestoreJob) -> Outcome | None:
        """The project's quota at the cloud takes what is coming."""
        if job.restore.mode != BACK:
            cloud = self._clouds.at(job.site.id)
            cloud.ensure_own_access(job.restore.to_project)
            make_room(run, cloud, job.restore)
        self._go_on(run, SERVERS if job.restore.mode == BACK else RESTORE)
        return None

    def _restore(self, run: Run, job: RestoreJob) -> Outcome | None:
        """Every volume is there, with the bytes that were captured."""
        wait = self._restoring.advance(run, job.restore.id)
        if wait is not None:
            return wait
        job = self._load(run)
        with run.write() as (uow, operation):
            recording.record_volumes(uow, run.clock, job)
            operation.step = CLEAN if job.restore.mode not in {SYSTEM, *BY_TWO} else SERVERS
        return None

    def _serve(self, run: Run, job: RestoreJob) -> Outcome | None:
        """Servers stand with the volumes: new ones, or those that were there."""
        if job.restore.mode == SYSTEM:
            rows = [str(one["row"]) for one in job.restore.plan.get("servers", ())]
            wait = self._servers.bring_up(run, job, rows)
        else:
            wait = self._exchange.forward(run, job)
        if wait is None:
            self._go_on(run, CLEAN)
        return wait

    def _clean(self, run: Run, job: RestoreJob) -> Outcome | None:
        """What was made on the way goes."""
        left = 0 if job.restore.mode == BACK else self._cleaning.clear(run, job, has_succeeded=True)
        if left:
            return Later(self._settings.poll_s, f"{left} things to be cleared away")
        self._finish(run, job)
        return None

    # -- writing

    def _go_on(self, run: Run, step: str) -> None:
        with run.write() as (_uow, operation):
            operation.step = step

    def _finish(self, run: Run, job: RestoreJob) -> None:
        with run.write() as (uow, operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.is_verified, row.ended_at = "done", True, run.clock.now()
            row.bytes_done = row.bytes_total
            if row.mode == BACK:
                uow.need(Restore, int(row.plan["of"])).state = "undone"
            operation.step, operation.progress_done = END, operation.progress_total
            run.journal(uow, "restore", "done", "every volume is what was captured")
        self._restoring.forget(job.restore.id)

    # -- the way back

    def _undo(self, run: Run, job: RestoreJob) -> Outcome:
        self._restoring.forget(job.restore.id)
        if job.restore.mode in BY_TWO:
            wait = self._exchange.back(run, job)
            if wait is not None:
                return wait
        left = self._servers.clear(run, job) if job.restore.mode == SYSTEM else 0
        if not left and job.restore.mode != BACK:
            left = self._cleaning.clear(run, job, has_succeeded=False)
        if left:
            return Later(self._settings.poll_s, f"{left} things to go")
        with run.write() as (uow, _operation):
            row = uow.need(Restore, job.restore.id)
            row.state, row.ended_at = "failed", run.clock.now()
            if row.mode != BACK:
                recording.release(uow, run.clock, row)
            run.journal(uow, "undo", "done", "nothing of it is left")
        return failed(job)
