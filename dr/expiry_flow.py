"""The flow that takes away what retention gave up: at the site, then in each vault, increments first.

The point has been `expiring` since the operation was written, so nothing new rests on it. Only versions whose
lock has run out can go; the head stays, for a head that is missing is always a fault. It never gives up.
"""

from collections.abc import Callable

from cloudctl.config import Settings
from cloudctl.errors import CloudctlError, LeaseLost, ObjectLocked, StoreUnavailable
from cloudctl.lifecycle import Done, Later, Outcome, PointState
from cloudctl.models import PointCopy, RecoveryPoint, Vault
from cloudctl.operations import Run
from cloudctl.ports import Clouds, ObjectStore, Purpose, StoredObject, Stores
from dr import clearing
from dr.metering import Meter
from dr.point_job import PointJob, load, move_point
from dr.points.head import HEADS, data_prefix
from dr.points.parallel import each
from dr.starting import ENDED
from provisioning.lanes import Lanes

SITE, VAULTS, END = "", "vaults", "end"
THREADS = 8
WAIT_S = 3600.0
_NEVER_COMPLETE = (PointState.FAILED, PointState.CANCELLED)


class Expire:
    """Flow of the operations that expire a point."""

    def __init__(
        self, clouds: Clouds, stores: Stores, settings: Settings, lanes: Lanes | None = None
    ) -> None:
        self._clouds = clouds
        self._stores = stores
        self._settings = settings
        self._lanes = lanes or Lanes()

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            stages: dict[str, Callable[[Run, PointJob], Outcome | None]] = {
                SITE: self._at_site,
                VAULTS: self._in_vaults,
            }
            stage = stages.get(job.operation.step)
            if stage is None:
                return Done()
            wait = stage(run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """What cannot be deleted now is tried again; a point that is half gone must not look whole."""
        return Later(WAIT_S, error.text())

    # -- the stages

    def _at_site(self, run: Run, job: PointJob) -> Outcome | None:
        """The backups at the site; a parent waits until what rests on it is gone."""
        with run.store.read() as uow:
            rests = uow.count(
                RecoveryPoint,
                RecoveryPoint.parent_id == job.point.id,
                RecoveryPoint.state.not_in(ENDED),
            )
        if rests:
            return Later(self._settings.poll_s, f"{rests} points that rest on it go first")
        left = 0
        if job.volumes:
            cloud = self._clouds.at(job.site.id)
            left = clearing.clear(run, job, cloud, self._lanes, "backup")
            left += clearing.clear(run, job, cloud, self._lanes, "snapshot")
        if left:
            return Later(self._settings.poll_s, f"{left} backups to go")
        with run.write() as (uow, operation):
            operation.step = VAULTS
            run.journal(uow, "backups", "done", "nothing of it is left at the site")
        return None

    def _in_vaults(self, run: Run, job: PointJob) -> Outcome | None:
        """Every version of every object, in every vault; one that cannot be reached is waited for."""
        waiting = []
        for copy in job.copies:
            if copy.state == "expired":
                continue
            try:
                count = self._empty(run, copy.site_id, _prefix(job, copy))
            except (LeaseLost, StoreUnavailable):
                raise
            except CloudctlError as error:
                waiting.append(f"{copy.site_id}: {error.text()}")
                continue
            if count is None:
                return Later(0, "stopped in the middle of deleting")
            self._expired(run, job, copy, count)
        if waiting:
            return Later(WAIT_S, "; ".join(waiting))
        self._sweep(run, job)
        with run.write() as (uow, operation):
            move_point(uow, job.point.id, "finish", ended_at=run.clock.now(), level=None)
            operation.step = END
            run.journal(uow, "expire", "done")
        return None

    def _expired(self, run: Run, job: PointJob, copy: PointCopy, count: int) -> None:
        with run.write() as (uow, _operation):
            row = uow.need(PointCopy, copy.id)
            was_whole = row.state != "missed"
            row.state, row.level, row.note = "expired", None, ""
            vault = uow.get(Vault, copy.site_id)
            if vault is not None and was_whole:
                vault.used_bytes = max(0, vault.used_bytes - job.point.stored_bytes)
                vault.state = "ready" if vault.state == "full" else vault.state
            run.journal(uow, f"vault {copy.site_id}", "done", f"{count} objects")

    def _empty(self, run: Run, site_id: str, prefix: str) -> int | None:
        """Delete every version under the prefix, with the credential that may; None when it was stopped."""
        read = self._stores.vault(site_id, Purpose.READ)
        expire = self._stores.vault(site_id, Purpose.EXPIRE)
        meter = Meter(run, lambda *_: None)
        run.must_hold()
        done = each(read.list_versions(prefix), _deleter(expire), THREADS, meter.stop)
        count = sum(1 for _ in done)
        return None if meter.stop() else count

    def _sweep(self, run: Run, job: PointJob) -> None:
        """What points of the member that never became complete have left, once its lock has run out."""
        with run.store.read() as uow:
            rows = uow.all(
                PointCopy,
                PointCopy.point_id == RecoveryPoint.id,
                RecoveryPoint.member_id == job.point.member_id,
                RecoveryPoint.state.in_(_NEVER_COMPLETE),
                PointCopy.state == "missed",
            )
        for copy in rows:
            try:
                count = self._empty(run, copy.site_id, data_prefix(job.installation, copy.point_id))
            except ObjectLocked:
                continue  # at the next expiry
            except (LeaseLost, StoreUnavailable):
                raise
            except CloudctlError:
                continue
            if count is not None:
                with run.write() as (uow, _operation):
                    uow.update(PointCopy, PointCopy.id == copy.id, state="expired")


def _prefix(job: PointJob, copy: PointCopy) -> str:
    """Where the objects of the copy are; the head says which installation put them."""
    parts = copy.head_key.removeprefix(HEADS).split("/")
    return data_prefix(parts[0] if copy.head_key else job.installation, job.point.id)


def _deleter(expire: ObjectStore) -> Callable[[StoredObject], None]:
    def delete(one: StoredObject) -> None:
        expire.delete(one.key, one.version_id)

    return delete
