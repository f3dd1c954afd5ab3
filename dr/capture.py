"""The part of a backup that happens at the system's own site: held still, snapshotted, let go, read.

Every pass looks at the cloud by list, writes what it is about to ask for, and asks. What was frozen is thawed
on every way out; a crash in between is what the timer inside the servers is for.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import CloudBusy, CloudctlError, CloudRejected
from cloudctl.lifecycle import Later, Outcome, PointState
from cloudctl.models import PointVolume, RecoveryPoint
from cloudctl.operations import Run
from cloudctl.ports import Backup, Cloud, Clouds, NewBackup, NewSnapshot, Quiescing
from cloudctl.store import UnitOfWork
from dr import marks
from dr.capturing import MADE, Kind, Next, Thing, decide, rests_on
from dr.drafting import container_of
from dr.point_job import PointJob, load, move_point, write_volumes
from dr.starting import INCREMENTAL
from provisioning.lanes import Lanes, Result, worst

MOST_POLL_S = 10.0
POLL_SHARE = 0.03  # of the time that it has taken so far: what is ready is seen that much later at most
HOLD_S = 60.0  # a server that is held longer than that lets go by itself
PATIENCE = {"snapshot": timedelta(minutes=10), "backup": timedelta(minutes=30)}  # before it counts as stuck


class Capture:
    """The stages of a backup from the freeze to the last record of a Cinder backup."""

    def __init__(self, clouds: Clouds, quiescing: Quiescing, settings: Settings, lanes: Lanes) -> None:
        self._clouds = clouds
        self._quiescing = quiescing
        self._settings = settings
        self._lanes = lanes

    # -- held still while the snapshots are taken

    def freeze(self, run: Run, job: PointJob) -> None:
        """Hold what writes; where nothing can be held, the point says later that it was not."""
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, "is_held": None}
            if job.point.state == PointState.PLANNED:  # another worker may have died in the middle of this
                move_point(uow, job.point.id, "capture")
            run.journal(uow, "freeze", "started")
        servers, note = list(job.scratch.get("servers", ())), ""
        try:
            is_held = self._quiescing.freeze(job.site.id, servers, job.point.id, HOLD_S)
        except CloudctlError as error:
            is_held, note = False, error.text()
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, "is_held": is_held}
            operation.step = "snapshot"
            run.journal(uow, "freeze", "done", note or ("held" if is_held else "nothing was held"))

    def snapshot(self, run: Run, job: PointJob) -> Outcome | None:
        """Snapshots of all volumes, side by side; the moment of the point is before the first of them."""
        if job.point.taken_at is None:
            with run.write() as (uow, _operation):
                uow.need(RecoveryPoint, job.point.id).taken_at = run.clock.now()
        try:
            return self._bring("snapshot", run, load(run, self._settings.installation))
        except CloudctlError:
            self.thaw(run, job)  # it is tried again later, and nobody waits for that with held breath
            raise

    def thaw(self, run: Run, job: PointJob, is_too_early: bool = True) -> bool:
        """Let go of what is held; whether all of it was held as long as it had to. Again changes nothing."""
        job = load(run, self._settings.installation)
        if "is_held" not in job.scratch or "was_held" in job.scratch:
            return bool(job.scratch.get("was_held"))
        servers, note = list(job.scratch.get("servers", ())), ""
        was_held = False
        try:
            was_held = self._quiescing.thaw(job.site.id, servers, job.point.id)
        except CloudctlError as error:
            note = error.text()
        was_held = was_held and bool(job.scratch["is_held"]) and not is_too_early
        with run.write() as (uow, operation):
            operation.scratch = {**operation.scratch, "was_held": was_held}
            run.journal(uow, "thaw", "done", note or ("held until now" if was_held else ""))
        return was_held

    def name_consistency(self, run: Run, job: PointJob) -> None:
        """Say how the volumes of the point go together, after the thaw and never before."""
        was_held = self.thaw(run, job, is_too_early=False)
        alone = "single" if len(job.volumes) == 1 else "crash-per-volume"
        with run.write() as (uow, operation):
            uow.need(RecoveryPoint, job.point.id).consistency = "quiesced" if was_held else alone
            operation.step = "read"

    # -- read by the site's own backup service

    def read(self, run: Run, job: PointJob) -> Outcome | None:
        """A backup of each snapshot, as many at once as the site has slots."""
        return self._bring("backup", run, job)

    def export(self, run: Run, job: PointJob) -> None:
        """Cinder's own record of each backup, which makes another Cinder know it."""
        cloud = self._clouds.at(job.site.id)
        open_rows = [row for row in job.volumes if row.state == MADE and not row.record]
        calls = [_exporter(cloud, str(row.backup_id)) for row in open_rows]
        records = self._lanes.must(job.site.id, job.site.slots, calls)
        changes = {
            row.position: {"record": one, "spec": {"container": container_of(one)}}
            for row, one in zip(open_rows, records, strict=True)
        }
        with run.write() as (uow, operation):
            write_volumes(uow, job.point.id, changes)
            operation.step = "copy"
            run.journal(uow, "read", "done", f"{len(job.volumes)} volumes")

    # -- one pass

    def _bring(self, kind: Kind, run: Run, job: PointJob) -> Outcome | None:
        cloud = self._clouds.at(job.site.id)
        seen = self.look(kind, job, cloud)
        slots, now = job.site.slots, run.clock.now()
        step = decide(kind, job.parts, seen, job.point.id, now, slots, PATIENCE[kind])
        self._intend(kind, run, job, step, seen)
        if step.failure is not None:
            raise step.failure
        if step.is_complete:
            return None
        job = load(run, self._settings.installation)
        makers = [self._maker(kind, run, job, cloud, position) for position in step.start]
        droppers = [self._dropper(kind, run, job, cloud, seen, one) for one in step.drop]
        results = self._lanes.all(job.site.id, slots, [*makers, *droppers])
        made = dict(zip(step.start, results, strict=False))
        changes = {position: _outcome(kind, job, position, result) for position, result in made.items()}
        with run.write() as (uow, operation):
            write_volumes(uow, job.point.id, {key: value for key, value in changes.items() if value})
            operation.why = step.why
        error = worst([one for position, one in made.items() if not changes[position]])
        error = error or worst(
            [one for one in results[len(makers) :] if not isinstance(one.error, CloudBusy)]
        )
        if error is not None:
            raise error
        return Later(self._pause_s(kind, run, job), step.why)

    def _pause_s(self, kind: Kind, run: Run, job: PointJob) -> float:
        """What takes long is looked at less often."""
        tried = [at for part in job.parts if (at := part.tried_at(kind)) is not None]
        since = (run.clock.now() - max(tried)).total_seconds() if tried else 0.0
        return max(self._settings.poll_s, min(MOST_POLL_S, since * POLL_SHARE))

    def look(self, kind: Kind, job: PointJob, cloud: Cloud) -> list[Thing]:
        """Every snapshot or backup of the projects in which the point is."""
        calls: list[Callable[[], Sequence[Thing]]] = []
        for project in job.projects:
            inside = cloud.in_project(project)
            calls.append(inside.list_snapshots if kind == "snapshot" else inside.list_backups)
        listings = self._lanes.must(job.site.id, job.site.slots, calls)
        return [one for listing in listings for one in listing]

    def _intend(self, kind: Kind, run: Run, job: PointJob, step: Next, seen: Sequence[Thing]) -> None:
        """Write what the look said and what is about to be asked for."""
        now = run.clock.now().isoformat()
        changes: dict[int, dict[str, Any]] = {key: dict(value) for key, value in step.changes.items()}
        with run.write() as (uow, operation):
            for position in step.start:
                had = changes.setdefault(position, {})
                if kind == "backup":
                    had |= _increment(uow, job, position, seen, had)
                had["spec"] = {**had.get("spec", {}), f"{kind}_tried_at": now}
            write_volumes(uow, job.point.id, changes)
            done = {"snapshot": ("snapshotted", MADE), "backup": (MADE,)}[kind]
            states = [changes.get(row.position, {}).get("state", row.state) for row in job.volumes]
            base = 0 if kind == "snapshot" else len(states)
            operation.progress_done = base + sum(state in done for state in states)

    def _maker(self, kind: Kind, run: Run, job: PointJob, cloud: Cloud, position: int) -> Callable[[], Thing]:
        row = next(row for row in job.volumes if row.position == position)
        inside = cloud.in_project(str(row.spec["project"]))
        name, tags = marks.name_of_point(job.point.id, position), job.tags(position)

        def make() -> Thing:
            run.must_hold()
            if kind == "snapshot":
                return inside.create_snapshot(NewSnapshot(name, row.volume_id, tags))
            new = NewBackup(name, row.volume_id, tags, row.snapshot_id, row.is_incremental)
            return inside.create_backup(new)

        return make

    def _dropper(
        self, kind: Kind, run: Run, job: PointJob, cloud: Cloud, seen: Sequence[Thing], external_id: str
    ) -> Callable[[], None]:
        thing = next(one for one in seen if one.id == external_id)
        return dropper(run, cloud, kind, thing, is_hanging=True)


def dropper(run: Run, cloud: Cloud, kind: Kind, thing: Thing, is_hanging: bool = False) -> Callable[[], None]:
    """Deletes what is in the way; a backup that hangs or failed is set free first."""

    def drop() -> None:
        run.must_hold()
        inside = cloud.in_project(thing.project_id)
        if kind == "snapshot":
            inside.delete_snapshot(thing.id)
            return
        if is_hanging or thing.status.startswith("error"):
            cloud.reset_stuck(thing.id)  # also what it was reading is free then
        inside.delete_backup(thing.id)

    return drop


def _exporter(cloud: Cloud, backup_id: str) -> Callable[[], dict[str, str]]:
    def export() -> dict[str, str]:
        record = cloud.export_backup(backup_id)
        return {"service": record.service, "url": record.url}

    return export


def _increment(
    uow: UnitOfWork, job: PointJob, position: int, seen: Sequence[Thing], had: dict[str, Any]
) -> dict[str, Any]:
    """Whether the backup that is about to be made is an increment, what it rests on, and why not."""
    row = next(row for row in job.volumes if row.position == position)
    spec = had.get("spec", {})
    if job.point.kind != INCREMENTAL or {**row.spec, **spec}.get("full_because"):
        return {"is_incremental": False, "parent_backup_id": None}
    before = uow.first(
        PointVolume, PointVolume.point_id == job.point.parent_id, PointVolume.volume_id == row.volume_id
    )
    backups = [one for one in seen if isinstance(one, Backup)]
    parent, size_gib = (before.backup_id, before.size_gib) if before else (None, 0)
    why_not = rests_on(backups, row.volume_id, row.size_gib, parent, size_gib)
    if why_not is None:
        return {"is_incremental": True, "parent_backup_id": parent}
    spec = {**spec, "full_because": why_not}
    return {"is_incremental": False, "parent_backup_id": None, "spec": spec}


def _outcome(kind: Kind, job: PointJob, position: int, result: Result[Any]) -> dict[str, Any]:
    """The columns that follow from a call that makes something; none when its error decides."""
    if result.error is None:
        return {f"{kind}_id": result.unwrap().id}
    row = next(row for row in job.volumes if row.position == position)
    is_refused = type(result.error) is CloudRejected and kind == "backup" and row.is_incremental
    if not is_refused:
        return {}
    spec = {"full_because": result.error.text(), "backup_tried_at": None}
    return {"is_incremental": False, "parent_backup_id": None, "spec": spec}
