"""The way of the parts whose volumes the storage replicates, as a move of their system uses it.

What the servers are is told by a recovery point of the system; no byte of it is used. The rows of what is
made are those of a restore that restores nothing: the volumes of its rows are adopted, and its servers are
brought up as a restore's are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import CloudctlError, Fault, Refused
from cloudctl.lifecycle import Later
from cloudctl.models import Failover, Project, RecoveryPoint, Resource, Restore
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Replication
from dr import recording
from dr.failover import described
from dr.failover.cutting import stop
from dr.failover.job import MoveJob, remember
from dr.failover.off import servers_named
from dr.plans import likeness, portrait
from dr.plans.document import Part
from dr.plans.facts import servers_at
from dr.plans.reserve import spend
from dr.restore_job import ADOPTING, RestoreJob
from dr.restore_job import load as load_restore
from dr.restore_plan import SYSTEM
from dr.restore_room import make_room
from dr.restore_servers import Servers
from dr.ways import pairs as decide
from dr.ways import replication as way
from dr.ways.pairs import Pair
from provisioning.lanes import Lanes

PAIRS, ADOPTED, KEPT = "replica_pairs", "replica_volumes", "set_aside"  # in `made`
TOLD, TRIED = "replica_portrait", "adoptions_tried"
HELD, WRITTEN = "replicas_held_since", "replicas_written"
MOST_ADOPTIONS = 5
#: Ceph's daemon lets go of a promoted copy within two seconds, or never.
LETS_GO = timedelta(seconds=5)


class ReplicationWay:
    """Implements DataWay."""

    def __init__(
        self, clouds: Clouds, replication: Replication, settings: Settings, lanes: Lanes | None = None
    ) -> None:
        self._clouds = clouds
        self._replication = replication
        self._settings = settings
        self._servers = Servers(clouds, settings, lanes or Lanes())

    def precheck(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Fault]:
        """A copy of every volume that can be promoted, and all that the servers need at the target."""
        with run.store.read() as uow:
            told = described.newest(uow, job)
            if told is None:
                template = "no recovery point tells what {system} consists of"
                return [Fault("point", "no_point", template, {"system": job.document.system})]
            facts = described.read_facts(uow, job, told.point)
            volumes = told.volumes_of(_names(parts))
            system, old = job.document.system, job.failover.from_site_id
            known, servers = portrait.read(uow, system, old), servers_at(uow, system, old)
        changed = likeness.faults(system, parts, known, servers)
        drawn = described.draw_parts(job, facts, parts, facts.place)
        lost = described.missing_servers(parts, [str(one["name"]) for one in drawn.servers])
        try:
            found = self._replication.replicas(job.site.id, tuple(volumes.values()))
        except CloudctlError as error:
            template = "the storage of {site} does not tell what it has: {reason}"
            params = {"site": job.site.id, "reason": error.text()}
            return [*drawn.faults, *lost, *changed, Fault("storage", "no_answer", template, params)]
        template = "volume {name} is {state} at {site}"
        bad = [
            Fault(
                "storage",
                "replica_bad",
                template,
                {"name": one.volume_id, "state": one.state.value, "site": job.site.id},
            )
            for one in decide.not_ready(found, job.is_planned)
        ]
        return [*drawn.faults, *lost, *changed, *bad]

    def final_sync(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> dict[str, Any] | Later:
        """The word of this move was written behind the last write, and is read at the target.

        A volume that is open is not let go, and the servers have them open although their writers stand
        still: they are shut down, and start again when the move is given back.
        """
        running = self._shut_down(run, job, parts)
        if running:
            old = job.failover.from_site_id
            return Later(self._settings.poll_s, f"{', '.join(running)} to shut down at {old}")
        ids = list(self._pairs(run, job, parts).values())
        row = job.failover
        word = f"epoch-{row.base_epoch + 1}:move-{row.id}"
        return way.final_sync(
            self._replication, row.from_site_id, row.to_site_id, ids, word, run.clock.now(), job.must_be_mine
        )  # fmt: skip

    def restore(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The rows of all that will be adopted and built; nothing at a cloud but room in its quota."""
        self._pairs(run, job, parts)
        restore = self._find(run, job) or self._begin(run, job, parts)
        cloud = self._clouds.at(job.site.id)
        cloud.ensure_own_access(restore.to_project)
        make_room(run, cloud, restore)
        return None

    def promote(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The copies are what is written, and volumes of the project. By force only in an unplanned move: the
        flow has its fence then, and in a planned one the demotion has to arrive."""
        ids = self._pairs(run, job, parts)
        if not job.made.get(WRITTEN):
            wait = way.promote(
                self._replication, job.site.id, list(ids.values()), job.must_be_mine,
                is_forced=not job.is_planned, is_over=partial(_is_over, run, job),
            )  # fmt: skip
            if wait is not None:
                return wait
            # From now on who has one open is Cinder, which must not be put out.
            remember(run, job.failover.id, **{WRITTEN: True, HELD: {}})
        if job.made.get(ADOPTED):
            return None
        restore = self._restore(run, job)
        inside = self._clouds.at(job.site.id).in_project(restore.restore.to_project)
        wanted = _wanted(restore, ids)
        positions = {pair.row: position for position, pair in wanted.items()}
        adopter = way.Adopter(
            inside, job.site.id, partial(self._image, job.site.id),
            lambda pair: restore.tags(positions[pair.row]),
            inside.release_volume, partial(_may_try_again, run, job),
        )  # fmt: skip
        adopted = way.adopt(adopter, list(wanted.values()), job.must_be_mine)
        if isinstance(adopted, Later):
            return adopted
        sizes = {one.id: (one.size_gib, one.type) for one in inside.list_volumes()}
        made = {
            str(position): {
                "volume": adopted[pair.row], "name": pair.name,
                "size_gib": sizes[adopted[pair.row]][0], "type": sizes[adopted[pair.row]][1],
            }
            for position, pair in wanted.items()
        }  # fmt: skip
        with run.write() as (uow, _operation):
            row = uow.need(Restore, restore.restore.id)
            row.made, row.state, row.is_verified, row.ended_at = made, "done", False, run.clock.now()
            recording.record_volumes(uow, run.clock, replace(restore, restore=row))
        remember(run, job.failover.id, **{ADOPTED: restore.restore.id})
        return None

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        """The servers of the part stand with their adopted volumes."""
        restore = self._restore(run, job)
        rows = {
            name: str(one["row"])
            for one in restore.restore.plan["servers"]
            for name in part.servers
            if described.is_server(one, name)
        }
        wait = self._servers.bring_up(run, restore, list(rows.values()))
        if wait is not None:
            return wait if isinstance(wait, Later) else Later(self._settings.poll_s, "its servers")
        with run.store.read() as uow:
            return {name: described.addresses_of(uow.need(Resource, row)) for name, row in rows.items()}

    def let_go(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The old side is written again where it had been let go. Its servers start with all that was cut."""
        ids = job.made.get(PAIRS) or {}
        if not job.is_planned or not ids:
            return None
        old = job.failover.from_site_id
        return way.give_back(self._replication, old, list(ids.values()), job.must_be_mine)

    def undo(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> int:
        """Rows count no more."""
        row = self._find(run, job)
        if row is None or row.state == "failed":
            return 0
        with run.write() as (uow, _operation):
            gone = uow.need(Restore, row.id)
            gone.state, gone.ended_at = "failed", run.clock.now()
            recording.release(uow, run.clock, gone)
        return 0

    def reprotect(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The old site's copies follow; what was written there after a loss is kept under another name.

        Its Cinder lets go of the volumes first, which it does not while servers have them: to delete those is
        for people to decide.
        """
        ids, old = self._pairs(run, job, parts), job.failover.from_site_id
        busy = self._release(run, job, list(ids))
        if busy:
            return Later(15.0, f"{', '.join(busy)} to be detached at {old}, or its servers to be deleted")

        def keep(pair_ids: Sequence[str]) -> dict[str, str]:
            names = {one: f"kept-{job.failover.id}-{one[:8]}" for one in pair_ids}
            if names:
                remember(run, job.failover.id, **{KEPT: {**job.made.get(KEPT, {}), **names}})
            return names

        return way.reprotect(
            self._replication, old, job.site.id, list(ids.values()), f"back-{job.failover.id}",
            keep, job.must_be_mine,
        )  # fmt: skip

    # -- the pieces

    def _shut_down(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[str]:
        """Those of the old servers of these parts that still run, after each was told to stop. Others of the
        system stay as they are: a database sends its last log while its server runs."""
        known = servers_named(run, job.document, job.failover.from_site_id, _names(parts))
        return stop(run, job, self._clouds, known)

    def _image(self, site: str, pair: Pair) -> str:
        """What the storage calls it just now: a vain adoption may have renamed it."""
        [replica] = self._replication.replicas(site, (pair.id,))
        return replica.image

    def _pairs(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> dict[str, str]:
        """The pair of each volume of the parts, by Cinder's id at the old site; written down once, since an
        adopted image has another name. Refused where a volume is in no pair."""
        known: dict[str, str] | None = job.made.get(PAIRS)
        if known is not None:
            return known
        with run.store.read() as uow:
            told = described.newest(uow, job)
            if told is None:
                raise Refused("no recovery point tells what {system} consists of", system=job.document.system)
            volumes = told.volumes_of(_names(parts))
        found = way.ids_of(self._replication, job.site.id, list(volumes.values()))
        missing = sorted(set(volumes.values()) - set(found))
        if missing:
            raise Refused("{site} has no copy of volume {names}", site=job.site.id, names=", ".join(missing))
        ids = {volumes[position]: found[volumes[position]] for position in sorted(volumes)}
        told_by = {"point": told.point.id, "positions": sorted(volumes)}
        remember(run, job.failover.id, **{PAIRS: ids, TOLD: told_by})
        return ids

    def _find(self, run: Run, job: MoveJob) -> Restore | None:
        with run.store.read() as uow:
            mine = (Restore.operation_id == job.failover.operation_id, Restore.purpose == ADOPTING)
            return uow.first(Restore, *mine)

    def _restore(self, run: Run, job: MoveJob) -> RestoreJob:
        found = self._find(run, job)
        assert found is not None
        return load_restore(run, self._settings.installation, found.id)

    def _begin(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Restore:
        """The rows of all that will be there; the plan's room is given back to be used for them."""
        with run.write() as (uow, _operation):
            told = (uow.need(Failover, job.failover.id).made or {})[TOLD]  # not what is the newest by now
            facts = described.read_facts(uow, job, uow.need(RecoveryPoint, told["point"]))
            own = set(told["positions"])
            facts = replace(facts, volumes=[one for one in facts.volumes if one.position in own])
            drawn = described.draw_parts(job, facts, parts, facts.place)
            if drawn.faults:
                raise Refused(
                    "{plan} cannot be moved to {site}",
                    plan=job.group, site=job.site.id, faults=drawn.faults,
                )  # fmt: skip
            spend(uow, job.plan.id)
            keys = ("position", "name", "type", "original")
            volumes = [{key: one[key] for key in keys if one[key] is not None} for one in drawn.volumes]
            restore = uow.add(
                Restore(
                    point_id=told["point"], from_site_id=job.site.id, to_site_id=job.site.id,
                    to_project=facts.external, purpose=ADOPTING, mode=SYSTEM, state="running",
                    plan={"volumes": volumes, "servers": list(drawn.servers)},
                    operation_id=run.operation_id, asked_at=run.clock.now(), asked_by=job.failover.asked_by,
                )
            )  # fmt: skip
            recording.intend(uow, run.clock, restore)
            return restore

    def _release(self, run: Run, job: MoveJob, volume_ids: Sequence[str]) -> list[str]:
        """Ask the old site's Cinder to forget the volumes; those that somebody has attached."""
        old = job.failover.from_site_id
        with run.store.read() as uow:
            bound = (Project.site_id == old, Project.system_id == job.document.system)
            projects = [one.external_id for one in uow.all(Project, *bound) if one.external_id]
        cloud = self._clouds.at(old)
        busy = []
        for project in projects:
            cloud.ensure_own_access(project)
            inside = cloud.in_project(project)
            for one in inside.list_volumes():
                if one.id in volume_ids and one.server_ids:
                    busy.append(one.name)
                elif one.id in volume_ids:
                    inside.release_volume(one.id)
        return busy


def _names(parts: Sequence[Part]) -> list[str]:
    return [name for part in parts for name in part.servers]


def _is_over(run: Run, job: MoveJob, pair_id: str) -> bool:
    """Whether what followed the other site has kept a promoted copy for as long as it may. Who is put out, or
    follows anew, gets its time again."""
    now = run.clock.now()
    with run.store.read() as uow:
        since: dict[str, str] = dict((uow.need(Failover, job.failover.id).made or {}).get(HELD) or {})
    is_over = pair_id in since and now >= datetime.fromisoformat(since[pair_id]) + LETS_GO
    if is_over or pair_id not in since:
        remember(run, job.failover.id, **{HELD: {**since, pair_id: now.isoformat()}})
    return is_over


def _may_try_again(run: Run, job: MoveJob, pair: Pair) -> bool:
    """Write another vain adoption down, before its row is let go. Every so often people are told instead,
    and it is tried on after that: a move that is promoting does not turn back."""
    with run.store.read() as uow:
        tried: dict[str, int] = dict((uow.need(Failover, job.failover.id).made or {}).get(TRIED) or {})
    tried[pair.row] = tried.get(pair.row, 0) + 1
    remember(run, job.failover.id, **{TRIED: tried})
    return tried[pair.row] % MOST_ADOPTIONS != 0


def _wanted(restore: RestoreJob, ids: Mapping[str, str]) -> dict[int, Pair]:
    """What each pair becomes, by position: in the order in which both were written down."""
    rows: Mapping[str, str] = restore.restore.plan.get(recording.ROWS) or {}
    boots = {int(one["boot"]) for one in restore.restore.plan["servers"]}
    asked = {int(one["position"]): one for one in restore.restore.plan["volumes"]}
    return {
        position: Pair(
            pair_id, rows[str(position)],
            str(asked[position].get("name") or f"replica-{restore.restore.id}-{position}"),
            str(asked[position]["type"]), position in boots,
        )
        for position, pair_id in zip(sorted(asked), ids.values(), strict=True)
    }  # fmt: skip
