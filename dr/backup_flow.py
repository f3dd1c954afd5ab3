"""The flow that makes a recovery point: captured at the system's site, sealed into each vault, read back.

    admit  freeze  snapshot  thaw  read  export  copy  check  tidy

Every pass reads the rows, looks at the cloud and the vaults, and does all that can be done now. What has
been sealed in one vault stays, whatever happens to another. Without any copy everything is undone.
"""

from collections.abc import Callable

from cloudctl.config import Settings
from cloudctl.errors import Cancelled, CloudctlError
from cloudctl.lifecycle import Done, Later, Outcome, PointState
from cloudctl.models import PointCopy, PointVolume
from cloudctl.operations import Run, is_past
from cloudctl.ports import Clouds, NoQuiescing, Quiescing, Stores
from dr import clearing
from dr.admitting import Admission
from dr.capture import Capture
from dr.copying import Copying
from dr.keyring import Keyring
from dr.point_job import PointJob, load, move_point
from provisioning.lanes import Lanes
from provisioning.turning_back import failed, turn_back

_TIDY_POLL_S = 15.0


class Backup:
    """Flow of the operations that make a point."""

    def __init__(
        self,
        clouds: Clouds,
        stores: Stores,
        keyring: Keyring,
        settings: Settings,
        quiescing: Quiescing | None = None,
        lanes: Lanes | None = None,
    ) -> None:
        self._clouds = clouds
        self._settings = settings
        self._lanes = lanes or Lanes()
        self._admission = Admission(clouds, stores, keyring, settings, self._lanes)
        self._capture = Capture(clouds, quiescing or NoQuiescing(), settings, self._lanes)
        self._copying = Copying(stores, keyring, settings)
        self._stages: dict[str, Callable[[Run, PointJob], Outcome | None]] = {
            "": self._admission.admit,
            "freeze": self._capture.freeze,
            "snapshot": self._snapshot,
            "read": self._read,
            "copy": self._copying.copy,
            "check": self._copying.check,
            "tidy": self._tidy,
        }

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            if job.is_undoing:
                return self._undo(run, job)
            if job.operation.cancel_asked_at is not None and not _is_sealed(job):
                raise Cancelled("the point was cancelled")
            stage = self._stages.get(job.operation.step)
            if stage is None:
                return Done()
            wait = stage(run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """What is sealed in some vault stays and is finished; else all of it is undone."""
        job = load(run, self._settings.installation)
        if not job.is_undoing and job.operation.step in {"check", "tidy"}:
            with run.write() as (uow, operation):
                run.journal(uow, operation.step, "failed", error.text(), error.cloud_request_id)
                operation.step = "tidy" if operation.step == "check" else "end"
            return Later(0, error.text())
        if not job.is_undoing and any(copy.state == "sealed" for copy in job.copies):
            self._copying.go_without(run, job, error.text())
            return Later(0, error.text())
        return turn_back(run, error, ("undo", "started"), "undoing what was made")

    # -- stages that are more than one call

    def _snapshot(self, run: Run, job: PointJob) -> Outcome | None:
        wait = self._capture.snapshot(run, job)
        if wait is None:
            self._capture.name_consistency(run, job)
        return wait

    def _read(self, run: Run, job: PointJob) -> Outcome | None:
        wait = self._capture.read(run, job)
        if wait is None:
            self._capture.export(run, load(run, self._settings.installation))
        return wait

    def _tidy(self, run: Run, job: PointJob) -> Outcome | None:
        """Snapshots go, and backups that an answer that got lost made twice."""
        cloud = self._clouds.at(job.site.id)
        left = clearing.clear(run, job, cloud, self._lanes, "snapshot")
        left += clearing.clear(run, job, cloud, self._lanes, "backup", [row.backup_id for row in job.volumes])
        if left and not is_past(job.operation.deadline_at, run.clock):
            return Later(self._settings.poll_s if left else _TIDY_POLL_S, f"{left} snapshots to go")
        with run.write() as (uow, operation):
            uow.update(PointVolume, PointVolume.point_id == job.point.id, state="released")
            operation.step, operation.progress_done = "end", operation.progress_total
            run.journal(uow, "tidy", "failed" if left else "done", f"{left} are left" if left else "")
        return None

    # -- the way back

    def _undo(self, run: Run, job: PointJob) -> Outcome:
        """Thaw, then everything of the point at its site goes; it never gives up."""
        self._capture.thaw(run, job)
        cloud = self._clouds.at(job.site.id)
        left = clearing.clear(run, job, cloud, self._lanes, "backup")
        left += clearing.clear(run, job, cloud, self._lanes, "snapshot")
        if left:
            return Later(self._settings.poll_s, f"{left} snapshots and backups to go")
        if clearing.may_still_arrive(job, run.clock, self._settings.cloud_timeout_s):
            return Later(self._settings.poll_s, "a call may still be on its way")
        outcome = failed(job)
        if job.point.state not in {PointState.FAILED, PointState.CANCELLED}:
            event = "cancel" if outcome.error.code == Cancelled.code else "fail"
            with run.write() as (uow, operation):
                move_point(
                    uow,
                    job.point.id,
                    event,
                    ended_at=run.clock.now(),
                    error_code=outcome.error.code,
                    error_message=outcome.error.in_full(),
                )
                note = "never complete; what was put there has no head and goes when its lock ends"
                unsealed = PointCopy.state.in_(("pending", "copying"))
                uow.update(PointCopy, PointCopy.point_id == job.point.id, unsealed, state="missed", note=note)
                operation.scratch = {k: v for k, v in operation.scratch.items() if k != "sealed_key"}
                run.journal(uow, "undo", "done", "nothing of it is left at the site")
        return outcome


def _is_sealed(job: PointJob) -> bool:
    return job.point.state not in {PointState.PLANNED, PointState.CAPTURING, PointState.COPYING}
