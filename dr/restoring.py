"""Bringing a point back from a vault: new volumes, with the bytes that were captured, which is proved.

    open  volumes  stage  import  restore  verify

The vault is all that is read. What is made on the way (objects, known backups, the backup by which a volume
is verified) has this restore's tag, prefix or id, and goes again (dr/restore_clean.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.config import Settings
from cloudctl.envelopes import DataKey
from cloudctl.errors import BuildFailed, CloudConflict, CloudNotFound, Fault, NotProved
from cloudctl.lifecycle import Later, Outcome
from cloudctl.models import Operation
from cloudctl.operations import Run
from cloudctl.ports import Backup, Cloud, Clouds, NewBackup, NewVolume, Purpose, Stores, Volume
from cloudctl.store import UnitOfWork
from dr import restaging
from dr.contents import size_gib
from dr.keyring import Keyring
from dr.marks import name_of_restore, position_of
from dr.metering import Meter
from dr.points.format import Progress
from dr.points.manifest import Manifest
from dr.points.parallel import each
from dr.restore_job import RestoreJob, Wanted, load, read_link, wanted, write_made
from dr.restore_plan import type_at
from dr.verifying import compare
from provisioning.lanes import Lanes

THREADS = 4
MOST_POLL_S = 10.0


@dataclass(frozen=True)
class Opened:
    """The chain as the vault has it: manifests and keys by point, and the volumes that are wanted."""

    manifests: Mapping[str, Manifest]
    keys: Mapping[str, DataKey]
    wanted: tuple[Wanted, ...]


class Restoring:
    """Moves a restore on; the same for a restore that somebody asked for and for a proof."""

    def __init__(
        self, clouds: Clouds, stores: Stores, keyring: Keyring, settings: Settings, lanes: Lanes
    ) -> None:
        self._clouds = clouds
        self._stores = stores
        self._keyring = keyring
        self._settings = settings
        self._lanes = lanes
        self._opened: dict[int, Opened] = {}

    def advance(self, run: Run, restore_id: int) -> Outcome | None:
        """As far as it goes now; None when every volume is there and proved."""
        stages: tuple[tuple[str, Callable[[Run, RestoreJob, Opened], Outcome | None]], ...] = (
            ("volumes", self._volumes),
            ("stage", self._stage),
            ("import", self._import),
            ("restore", self._restore),
            ("verify", self._verify),
        )
        job = load(run, self._settings.installation, restore_id)
        opened = self._open(run, job)
        for name, stage in stages:
            if name in job.scratch.get("restored", ()):
                continue
            wait = stage(run, job, opened)
            if wait is not None:
                return wait
            with run.write() as (uow, operation):
                past = [*operation.scratch.get("restored", ()), name]
                operation.scratch = {**operation.scratch, "restored": past}
                run.journal(uow, f"restore {name}", "done")
            job = load(run, self._settings.installation, restore_id)
        return None

    def topology(self, run: Run, restore_id: int) -> Mapping[str, Any]:
        """What the system looked like, out of the sealed manifest of the point itself."""
        job = load(run, self._settings.installation, restore_id)
        return self._open(run, job).manifests[job.point.id].topology

    def forget(self, restore_id: int) -> None:
        """Keys and manifests leave the memory."""
        self._opened.pop(restore_id, None)

    # -- open: what the vault has of the chain, checked before anything is made

    def _open(self, run: Run, job: RestoreJob) -> Opened:
        known = self._opened.get(job.restore.id)
        if known is not None:
            return known
        manifests: dict[str, Manifest] = {}
        keys: dict[str, DataKey] = {}
        for link in job.chain:
            manifests[link.point.id], keys[link.point.id] = read_link(
                job, link, self._vault(job), self._keyring, run.clock.now()
            )
        asked = job.restore.plan.get("volumes", ())
        name = name_of_restore(job.restore.id, 0).rpartition("-")[0]
        volumes = wanted([manifests[link.point.id] for link in job.chain], asked, name)
        opened = Opened(manifests, keys, tuple(volumes))
        with run.write() as (uow, operation):
            restore = write_made(uow, job.restore.id, {})
            objects = restaging.objects_of(job, volumes, manifests)
            staged = sum(one.piece.plain.size_bytes for one in objects)
            restore.state = "running"
            restore.bytes_total = staged + sum(one.part.size_bytes for one in volumes)
            operation.progress_total = 100
        self._opened[job.restore.id] = opened
        return opened

    def _vault(self, job: RestoreJob) -> Any:
        return self._stores.vault(job.restore.from_site_id, Purpose.READ)

    # -- volumes: empty ones, found again by tag

    def _volumes(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        cloud = self._clouds.at(job.site.id)
        cloud.ensure_own_access(job.restore.to_project)
        inside = cloud.in_project(job.restore.to_project)
        there = self._mine(job, inside.list_volumes())
        changes: dict[int, dict[str, Any]] = {}
        missing = []
        for one in opened.wanted:
            found = there.get(one.position)
            if found is None:
                missing.append(one)
            elif found.status.startswith("error"):
                raise BuildFailed("volume {name} went to {status}", name=one.name, status=found.status)
            else:
                of_volume = {"name": found.name, "type": found.type, "size_gib": found.size_gib}
                changes[one.position] = {"volume": found.id, **of_volume}
        if missing or any(found.status != "available" for found in there.values()):
            kinds = [kind.name for kind in cloud.list_volume_types()] if missing else []
            now = run.clock.now().isoformat()
            with run.write() as (uow, _operation):
                write_made(uow, job.restore.id, {one.position: {"tried_at": now} for one in missing})
            calls = [self._maker(run, job, cloud, one, kinds) for one in missing]
            self._lanes.must(job.site.id, job.site.slots, calls)
            return Later(self._settings.poll_s, f"{len(opened.wanted)} empty volumes")
        with run.write() as (uow, _operation):
            write_made(uow, job.restore.id, changes)
        return None

    def _maker(
        self, run: Run, job: RestoreJob, cloud: Cloud, one: Wanted, kinds: Sequence[str]
    ) -> Callable[[], Volume]:
        size, kind = size_gib(one.part), type_at(one.type, kinds)

        def make() -> Volume:
            run.must_hold()
            new = NewVolume(one.name, size, kind, job.tags(one.position))
            return cloud.in_project(job.restore.to_project).create_volume(new)

        return make

    def _mine(self, job: RestoreJob, volumes: Sequence[Volume]) -> dict[int, Volume]:
        """The volumes of this restore by position: by id once that is known, else by tag."""
        ids = {made.get("volume"): int(position) for position, made in job.made.items()}
        found: dict[int, Volume] = {}
        for volume in volumes:
            position = ids.get(volume.id)
            if position is None and job.is_ours(volume.tags):
                position = position_of(volume.tags)
            if position is not None and (position not in found or volume.id in ids):
                found[position] = volume
        return found

    # -- stage: the objects, where the site's own cinder-backup reads

    def _stage(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        native, vault = self._stores.native(job.site.id), self._vault(job)
        there = {one.key: one.size_bytes for one in native.list(f"{job.prefix}/")}
        objects = restaging.objects_of(job, opened.wanted, opened.manifests)
        total = sum(one.piece.plain.size_bytes for one in objects)
        left = [one for one in objects if not restaging.is_there(one, there)]
        done = total - sum(one.piece.plain.size_bytes for one in left)

        def write(uow: UnitOfWork, operation: Operation, progress: Progress) -> None:
            restore = write_made(uow, job.restore.id, {})
            restore.bytes_done = progress.bytes_done
            operation.progress_done = 50 * progress.bytes_done // max(1, progress.bytes_total)
            operation.why = "reading the vault"

        meter = Meter(run, write)
        for count, size in enumerate(
            each(
                left,
                lambda one: restaging.put(one, vault, opened.keys[one.manifest.point], native),
                THREADS,
                meter.stop,
            ),
            1,
        ):
            done += size
            meter.on_progress(Progress(len(objects) - len(left) + count, len(objects), done, total))
        if meter.stop():
            return Later(0, "stopped in the middle; what is there is not read again")
        with run.write() as (uow, operation):
            write_made(uow, job.restore.id, {}).bytes_done = total
            operation.progress_done = 50
        return None

    # -- import: the records, the full one first, under ids of this restore

    def _import(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        cloud = self._clouds.at(job.site.id)
        known = {one.id: one for one in cloud.list_imported()}
        container = self._stores.native(job.site.id).bucket
        waiting = 0
        for one in opened.wanted:
            for backup_id, record in restaging.records(job, one, container):
                found = known.get(backup_id)
                if found is None:
                    run.must_hold()
                    _import_once(cloud, record)
                    waiting += 1
                elif found.status.startswith("error"):
                    raise BuildFailed(
                        "the backup of {name} could not be made known: {reason}",
                        name=one.name, reason=found.error or found.status,
                    )  # fmt: skip
                elif found.status == "creating":
                    waiting += 1
        return Later(self._pause_s(run, job), f"{waiting} backups to be known") if waiting else None

    # -- restore: Cinder writes; whether it wrote the right bytes is another question

    def _restore(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        cloud = self._clouds.at(job.site.id)
        inside = cloud.in_project(job.restore.to_project)
        cloud.list_imported()  # things move on when they are looked at
        there = {one.id: one for one in inside.list_volumes()}
        waiting, done = 0, 0
        for one in opened.wanted:
            volume = there.get(str(job.made_of(one.position)["volume"]))
            if volume is None:
                raise CloudNotFound("volume {name} is gone", name=one.name)
            if volume.status.startswith("error"):
                reason = volume.error or volume.status
                raise BuildFailed("{name} could not be restored: {reason}", name=one.name, reason=reason)
            is_asked = job.made_of(one.position).get("is_asked")
            if volume.status == "available" and is_asked:
                done += one.part.size_bytes
                continue
            waiting += 1
            if volume.status == "available":  # asked for twice, it is written twice, with the same bytes
                run.must_hold()
                cloud.restore_backup(restaging.last_id(job, one), volume.id)
            if not is_asked:
                with run.write() as (uow, _operation):
                    write_made(uow, job.restore.id, {one.position: {"is_asked": True}})
        with run.write() as (uow, operation):
            restore = write_made(uow, job.restore.id, {})
            staged = restore.bytes_total - sum(one.part.size_bytes for one in opened.wanted)
            restore.bytes_done = staged + done
            operation.progress_done = 50 + 25 * (len(opened.wanted) - waiting) // max(1, len(opened.wanted))
        return Later(self._pause_s(run, job), f"{waiting} volumes to be written") if waiting else None

    # -- verify: read back by a backup of its own, block by block the bytes of the point

    def _verify(self, run: Run, job: RestoreJob, opened: Opened) -> Outcome | None:
        cloud = self._clouds.at(job.site.id)
        inside = cloud.in_project(job.restore.to_project)
        seen = [one for one in inside.list_backups() if job.is_ours(one.tags)]
        by_position = {position_of(one.tags): one for one in sorted(seen, key=_worst_first)}
        waiting = 0
        faults: list[Fault] = []
        for one in opened.wanted:
            if job.made_of(one.position).get("is_verified"):
                continue
            found = by_position.get(one.position)
            if found is None:
                self._read_back(run, job, cloud, one)
                waiting += 1
            elif found.status.startswith("error"):
                reason = found.error or found.status
                raise BuildFailed("{name} could not be read back: {reason}", name=one.name, reason=reason)
            elif found.status != "available":
                waiting += 1
            else:
                wrong = self._compare(job, opened, one, cloud, found)
                faults += wrong
                with run.write() as (uow, operation):
                    write_made(uow, job.restore.id, {one.position: {"is_verified": not wrong}})
                    operation.progress_done = min(99, operation.progress_done + 24 // len(opened.wanted))
        if faults:
            raise NotProved("what was restored is not what was captured", faults=faults)
        return Later(self._pause_s(run, job), f"{waiting} volumes to be read back") if waiting else None

    def _read_back(self, run: Run, job: RestoreJob, cloud: Cloud, one: Wanted) -> None:
        """A full backup of the restored volume; its tags are put right first, Cinder wrote others on."""
        inside = cloud.in_project(job.restore.to_project)
        volume_id = str(job.made_of(one.position)["volume"])
        run.must_hold()
        inside.tag_volume(volume_id, job.tags(one.position))
        name = name_of_restore(job.restore.id, one.position)
        inside.create_backup(NewBackup(name, volume_id, job.tags(one.position)))

    def _pause_s(self, run: Run, job: RestoreJob) -> float:
        """What takes long is looked at less often."""
        began = job.operation.started_at or run.clock.now()
        since = (run.clock.now() - began).total_seconds()
        return max(self._settings.poll_s, min(MOST_POLL_S, since / 30))

    def _compare(
        self, job: RestoreJob, opened: Opened, one: Wanted, cloud: Cloud, found: Backup
    ) -> list[Fault]:
        return compare(
            self._vault(job),
            opened.manifests[one.parts[-1][0]],
            opened.keys[one.parts[-1][0]],
            one.part,
            cloud.export_backup(found.id),
            lambda container: self._stores.native(job.site.id, container),
        )


def _import_once(cloud: Cloud, record: Any) -> None:
    try:
        cloud.import_backup(record)
    except CloudConflict:
        return  # an answer that got lost: it is known already, under an id that nobody else uses


def _worst_first(backup: Backup) -> tuple[bool, str]:
    return (not backup.status.startswith("error"), backup.id)
