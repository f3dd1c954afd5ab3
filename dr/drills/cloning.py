"""How the data of a drill gets to its project, as copies: from a recovery point, or from what replicates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cloudctl.config import Settings
from cloudctl.lifecycle import Outcome
from cloudctl.models import Restore
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Stores
from dr.drills.fenced_cloud import FencedClouds
from dr.drills.job import PURPOSE, DrillJob
from dr.keyring import Keyring
from dr.restore_clean import Cleaning
from dr.restore_job import load as load_restore
from dr.restoring import Restoring
from provisioning.lanes import Lanes


class Cloning(Protocol):
    """One way. Everything may be asked again after any crash; every change goes through the drill's fence."""

    def begin(self, run: Run, job: DrillJob) -> None:
        """Write down what it will make, before anything is; again changes nothing."""

    def topology(self, run: Run, job: DrillJob) -> Mapping[str, Any]:
        """What the system looked like, in the words of `dr.describing`. NotProved, NotFound."""

    def clone(self, run: Run, job: DrillJob, types: list[dict[str, Any]]) -> Outcome | None:
        """As far as it goes now; None when the copies are in the drill's project. `types`: volumes by
        `position` that are of another `type` there."""

    def volumes(self, run: Run, job: DrillJob) -> Mapping[int, str]:
        """The id of each copy by its position in the topology."""

    def clear(self, run: Run, job: DrillJob) -> int:
        """Take away all that was made; how much is still there."""

    def forget(self, job: DrillJob) -> None:
        """Keys leave the memory."""


@dataclass(frozen=True)
class _Tools:
    restoring: Restoring
    cleaning: Cleaning


class FromPoints:
    """Restored from a vault as a proof is, and compared byte by byte: what a failover would do as well."""

    def __init__(
        self, clouds: Clouds, stores: Stores, keyring: Keyring, settings: Settings, lanes: Lanes
    ) -> None:
        self._make: Callable[[Clouds], _Tools] = lambda fenced: _Tools(
            Restoring(fenced, stores, keyring, settings, lanes), Cleaning(fenced, stores, lanes)
        )
        self._clouds = clouds
        self._settings = settings
        self._tools: dict[int, _Tools] = {}

    def begin(self, run: Run, job: DrillJob) -> None:
        if job.restore_id is not None or job.point is None:
            return
        with run.write() as (uow, _operation):
            uow.add(
                Restore(
                    point_id=job.point.id,
                    from_site_id=str(job.options["vault"]),
                    to_site_id=job.site.id,
                    to_project="",
                    purpose=PURPOSE,
                    plan={"volumes": []},
                    state="running",
                    operation_id=run.operation_id,
                    asked_at=run.clock.now(),
                    asked_by=job.drill.begun_by,
                )
            )

    def topology(self, run: Run, job: DrillJob) -> Mapping[str, Any]:
        return self._of(job).restoring.topology(run, _restore_id(job))

    def clone(self, run: Run, job: DrillJob, types: list[dict[str, Any]]) -> Outcome | None:
        restore_id = _restore_id(job)
        with run.store.read() as uow:
            is_ready = bool(uow.need(Restore, restore_id).to_project)
        if not is_ready:
            with run.write() as (uow, _operation):
                row = uow.need(Restore, restore_id)
                row.to_project, row.plan = job.project, {**row.plan, "volumes": types}
            self.forget(job)  # what was opened before did not know the types
        return self._of(job).restoring.advance(run, restore_id)

    def volumes(self, run: Run, job: DrillJob) -> Mapping[int, str]:
        with run.store.read() as uow:
            made = uow.need(Restore, _restore_id(job)).made or {}
        return {int(position): str(one["volume"]) for position, one in made.items() if one.get("volume")}

    def clear(self, run: Run, job: DrillJob) -> int:
        if job.restore_id is None:
            return 0
        restore = load_restore(run, self._settings.installation, job.restore_id)
        is_begun = bool(restore.restore.to_project)
        left = self._of(job).cleaning.clear(run, restore, has_succeeded=False) if is_begun else 0
        if not left and restore.restore.ended_at is None:
            with run.write() as (uow, _operation):
                row = uow.need(Restore, job.restore_id)
                row.state, row.ended_at = (
                    ("done" if job.drill.verdict == "passed" else "failed"),
                    run.clock.now(),
                )
        return left

    def forget(self, job: DrillJob) -> None:
        tools = self._tools.pop(job.drill.id, None)
        if tools is not None and job.restore_id is not None:
            tools.restoring.forget(job.restore_id)

    def _of(self, job: DrillJob) -> _Tools:
        if job.drill.id not in self._tools:
            self._tools[job.drill.id] = self._make(FencedClouds(self._clouds, job.site.id, job.fence))
        return self._tools[job.drill.id]


def _restore_id(job: DrillJob) -> int:
    assert job.restore_id is not None
    return job.restore_id
