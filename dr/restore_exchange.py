"""Volumes change places: servers stop, their rows get other volumes, and they start again with those.

What servers had before stays beside, under a name of its own, so that it can be undone: by the same exchange.
Nothing is written over and nothing is deleted here but the servers, which are made again with the same ports.
"""

from collections.abc import Mapping, Sequence

from cloudctl.config import Settings
from cloudctl.lifecycle import Later, Outcome, ResourceState
from cloudctl.models import Resource, Restore
from cloudctl.operations import Run
from cloudctl.ports import TAG_INSTALLATION, TAG_REQUEST, TAG_RESOURCE, TAG_SYSTEM, Clouds
from cloudctl.store import UnitOfWork
from dr.members import KEPT
from dr.recording import PAIRS
from dr.restore_job import RestoreJob, load
from dr.restore_plan import OVER
from dr.restore_servers import GROUND, Servers, mark_stopping
from provisioning.sync import free_name

EXCHANGED = "exchanged"  # in the scratch: what the kept rows were called before; empty: not exchanged
_SWAPPED = ("external_id", "amounts")


class Exchange:
    """Gives the servers of a restore its volumes, or theirs back. May be asked again after any crash."""

    def __init__(self, clouds: Clouds, settings: Settings, servers: Servers) -> None:
        self._clouds = clouds
        self._settings = settings
        self._servers = servers

    def forward(self, run: Run, job: RestoreJob) -> Outcome | None:
        """The servers stand with the other volumes, and all volumes are named as they are used; None then."""
        wait = self._toward(run, job, is_exchanged=True)
        if wait is not None:
            return wait
        self._name(run, job)
        return None

    def back(self, run: Run, job: RestoreJob) -> Outcome | None:
        """The servers stand with the volumes that they had when this restore began; None then."""
        return self._toward(run, job, is_exchanged=False)

    def _toward(self, run: Run, job: RestoreJob, is_exchanged: bool) -> Outcome | None:
        servers = [str(one["row"]) for one in job.restore.plan.get("servers", ())]
        if bool(job.scratch.get(EXCHANGED)) != is_exchanged:
            with run.write() as (uow, _operation):
                mark_stopping(uow, servers)
            left = self._servers.stop(run, job, servers)
            if left:
                return Later(self._settings.poll_s, f"{left} servers to stop")
            with run.write() as (uow, operation):
                names = exchange(uow, job.restore, servers, job.scratch.get(EXCHANGED) or {})
                scratch = {key: value for key, value in operation.scratch.items() if key != GROUND}
                operation.scratch = {**scratch, EXCHANGED: names if is_exchanged else {}}
                run.journal(uow, "exchange" if is_exchanged else "exchange back", "done")
            job = load(run, job.installation, job.restore.id)
        return self._servers.bring_up(run, job, servers, is_stubborn=not is_exchanged)

    def _name(self, run: Run, job: RestoreJob) -> None:
        """Names and tags at the cloud are those of the rows that the volumes have now."""
        inside = self._clouds.at(job.site.id).in_project(job.restore.to_project)
        ids = [row_id for pair in job.restore.plan.get(PAIRS, ()) for row_id in pair]
        with run.store.read() as uow:
            rows = uow.all(Resource, Resource.id.in_(ids), order_by=[Resource.id])
        for row in rows:
            assert row.external_id is not None
            run.must_hold()
            inside.rename_volume(row.external_id, row.name)
            request = {TAG_REQUEST: str(row.request_id)} if row.request_id else {}
            inside.tag_volume(
                row.external_id,
                {
                    TAG_INSTALLATION: job.installation,
                    TAG_SYSTEM: job.point.system_id,
                    TAG_RESOURCE: row.id,
                    **request,
                },
            )


def exchange(
    uow: UnitOfWork, restore: Restore, servers: Sequence[str], names: Mapping[str, str]
) -> dict[str, str]:
    """The rows of each pair get each other's volume, and the servers' rows are to be made again.

    `names`: what kept rows shall be called, by id; where none is said, after what they keep. What they were
    called is given back.
    """
    were: dict[str, str] = {}
    for used_id, kept_id in restore.plan.get(PAIRS, ()):
        used, kept = uow.need(Resource, used_id), uow.need(Resource, kept_id)
        were[kept_id] = kept.name
        for column in _SWAPPED:
            mine, theirs = getattr(used, column), getattr(kept, column)
            setattr(used, column, theirs)
            setattr(kept, column, mine)
        sizes = {word: (used.spec.get(word), kept.spec.get(word)) for word in ("size_gib", "type")}
        used.spec = {**used.spec, **{word: theirs for word, (_, theirs) in sizes.items()}}
        kept.spec = {**kept.spec, **{word: mine for word, (mine, _) in sizes.items()}, KEPT: restore.id}
        word = f"before-r{restore.id}" if restore.mode == OVER else f"r{restore.id}"
        wanted = names.get(kept_id) or f"{used.name}-{word}"
        if wanted != kept.name:
            kept.name = free_name(uow, kept.site_id, kept.kind, wanted, kept_id[:8])
    for row in uow.all(Resource, Resource.id.in_(servers)):
        spec = {key: value for key, value in row.spec.items() if key not in {"attempt", "not_before", "note"}}
        row.external_id, row.state, row.spec = None, ResourceState.BUILDING, spec
    uow.flush()
    return were
