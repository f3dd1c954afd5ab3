"""What a restore leaves behind and nobody needs: found by tag, prefix and id, and looked at until gone."""

from collections.abc import Callable
from typing import TypeVar

from cloudctl.errors import CloudBusy, CloudNotFound
from cloudctl.operations import Run
from cloudctl.ports import Backup, Cloud, CloudInProject, Clouds, Stores, Volume
from dr.restore_job import RestoreJob
from provisioning.lanes import Lanes, worst

T = TypeVar("T")
_GOING = "deleting"


class Cleaning:
    """Clears away after a restore or a proof. Everything may be asked again after any crash."""

    def __init__(self, clouds: Clouds, stores: Stores, lanes: Lanes) -> None:
        self._clouds = clouds
        self._stores = stores
        self._lanes = lanes

    def clear(self, run: Run, job: RestoreJob, has_succeeded: bool) -> int:
        """Ask for the deletion of all that is not the result; how much is still there.

        After a success the volumes stay; else they go too. Increments go before what they rest on.
        """
        cloud = self._clouds.at(job.site.id)
        left = self._backups(run, job, cloud)
        left += self._volumes(run, job, cloud, keep=_results(job) if has_succeeded else frozenset())
        imported = self._imported(run, job, cloud)
        left += imported
        return left + (0 if imported else self._objects(run, job))

    # -- the pieces

    def _backups(self, run: Run, job: RestoreJob, cloud: Cloud) -> int:
        """The backups by which the volumes were read back."""
        inside = cloud.in_project(job.restore.to_project)
        mine = [one for one in _listed(inside.list_backups) if job.is_ours(one.tags)]

        def dropper(one: Backup) -> Callable[[], None]:
            def drop() -> None:
                run.must_hold()
                if one.status.startswith("error"):
                    cloud.reset_stuck(one.id)
                inside.delete_backup(one.id)

            return drop

        self._all(job, [dropper(one) for one in mine if one.status != _GOING])
        return len(mine)

    def _volumes(self, run: Run, job: RestoreJob, cloud: Cloud, keep: frozenset[str]) -> int:
        """Volumes of this restore: by tag, and by id, since Cinder wrote the tags of another one on."""
        inside: CloudInProject = cloud.in_project(job.restore.to_project)
        made = _results(job)
        mine = [
            one
            for one in _listed(inside.list_volumes)
            if (job.is_ours(one.tags) or one.id in made) and one.id not in keep
        ]

        def dropper(one: Volume) -> Callable[[], None]:
            def drop() -> None:
                run.must_hold()
                inside.delete_volume(one.id)

            return drop

        self._all(job, [dropper(one) for one in mine if one.status != _GOING])
        return len(mine)

    def _imported(self, run: Run, job: RestoreJob, cloud: Cloud) -> int:
        """What was made known at the site; with it go the objects that Cinder finds by its prefix."""
        mine = [one for one in cloud.list_imported() if job.is_ours(one.tags)]

        def dropper(one: Backup) -> Callable[[], None]:
            def drop() -> None:
                run.must_hold()
                cloud.delete_imported(one.id)

            return drop

        self._all(job, [dropper(one) for one in mine if one.status != _GOING])
        return len(mine)

    def _objects(self, run: Run, job: RestoreJob) -> int:
        """Objects that were put and never became part of a known backup."""
        native = self._stores.native(job.site.id)
        for one in native.list(f"{job.prefix}/"):
            run.must_hold()
            native.delete(one.key)
        return 0

    def _all(self, job: RestoreJob, calls: list[Callable[[], None]]) -> None:
        results = self._lanes.all(job.site.id, job.site.slots, calls)
        error = worst([one for one in results if not isinstance(one.error, CloudBusy)])
        if error is not None:
            raise error


def _results(job: RestoreJob) -> frozenset[str]:
    return frozenset(made["volume"] for made in job.made.values() if made.get("volume"))


def _listed(ask: Callable[[], list[T]]) -> list[T]:
    """What is there; nothing where the project is gone."""
    try:
        return ask()
    except CloudNotFound:
        return []
