"""A project of its own for each proof, at the vault's site: made, found again by tag, removed when empty."""

from cloudctl.amounts import Amounts, Kind
from cloudctl.config import Settings
from cloudctl.models import PointVolume, Restore, Site
from cloudctl.operations import Run
from cloudctl.ports import TAG_INSTALLATION, Clouds
from dr.isolated import ground
from dr.isolated.ground import Plot
from dr.marks import TAG_RESTORE
from dr.proof_job import ProofJob
from dr.restore_job import RestoreJob

DOMAIN = "cloudctl-proofs"
_DESCRIPTION = "made by cloudctl to prove recovery points; empty between proofs"


class Ground:
    """Lays what a proof stands on, and takes it away again."""

    def __init__(self, clouds: Clouds, settings: Settings) -> None:
        self._clouds = clouds
        self._settings = settings

    def lay(self, run: Run, job: ProofJob) -> int:
        """The restore of the proof, with its project; again changes nothing."""
        restore_id = job.restore_id if job.restore_id is not None else _begin(run, job)
        with run.store.read() as uow:
            restore = uow.need(Restore, restore_id)
            volumes = uow.all(PointVolume, PointVolume.point_id == job.point.id)
            site = uow.need(Site, restore.to_site_id)
        if restore.to_project:
            return restore_id
        cloud = self._clouds.at(site.id)
        project = ground.ensure(run, cloud, self._plot(restore_id))
        cloud.ensure_own_access(project.id)
        gib = sum(row.size_gib for row in volumes)
        cloud.set_quota(project.id, Amounts({Kind.VOLUMES: 2 * len(volumes), Kind.VOLUME_GIB: 2 * gib}))
        with run.write() as (uow, _operation):
            uow.need(Restore, restore_id).to_project = project.id
        return restore_id

    def clear(self, run: Run, job: ProofJob, restore: RestoreJob) -> None:
        """Remove the project, also one whose id never was written down; nothing is in it any more."""
        ground.remove(run, self._clouds.at(restore.site.id), self._plot(restore.restore.id))
        with run.write() as (uow, _operation):
            row = uow.need(Restore, restore.restore.id)
            row.ended_at = row.ended_at or run.clock.now()
            row.state = "done" if job.proof.reached == "L2" else "failed"
            row.is_verified = job.proof.reached == "L2"

    # -- the pieces

    def _plot(self, restore_id: int) -> Plot:
        marks = {TAG_INSTALLATION: self._settings.installation, TAG_RESTORE: str(restore_id)}
        name = f"proof-{self._settings.installation[:12]}-{restore_id}"
        return Plot(DOMAIN, name, _DESCRIPTION, frozenset(f"{key}={value}" for key, value in marks.items()))


def _begin(run: Run, job: ProofJob) -> int:
    """The row of the restore, in the hands of the proof's own operation."""
    with run.write() as (uow, _operation):
        row = uow.add(
            Restore(
                point_id=job.point.id,
                from_site_id=job.proof.site_id,
                to_site_id=job.proof.site_id,
                to_project="",
                purpose="proof",
                plan={"volumes": []},
                state="running",
                operation_id=run.operation_id,
                asked_at=run.clock.now(),
                asked_by=job.proof.by,
            )
        )
        return row.id
