"""Data by recovery points: the newest one that is proved, or in a planned move one taken after the stop.

The point is restored at the target while everything can still be given back, compared block by block as
every restore is (dr/restoring.py), and its servers are rows that are started part by part. The room that
the plan held at the target is spent in the very transaction that begins to use it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import Conflict, Fault, Refused
from cloudctl.lifecycle import Later, PointState
from cloudctl.models import (
    Failover,
    Operation,
    PointCopy,
    PolicyMember,
    Project,
    RecoveryPoint,
    Resource,
    Restore,
)
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Stores
from cloudctl.store import UnitOfWork
from dr import recording, restore_facts
from dr.failover import described
from dr.failover.job import MoveJob
from dr.keyring import Keyring
from dr.levels import reaches
from dr.members import SYSTEM as MEMBER
from dr.plans.document import Part
from dr.plans.reserve import spend
from dr.restore_clean import Cleaning
from dr.restore_job import load as load_restore
from dr.restore_plan import SYSTEM
from dr.restore_room import make_room
from dr.restore_servers import Servers
from dr.restoring import Restoring
from dr.starting import begin_point
from provisioning.lanes import Lanes
from tenants import reserves

PURPOSE = "failover"  # of the restore
FINAL, DONE = "final_point", "restored_volumes"  # in `made`


class PointsWay:
    """The way of the parts whose volumes come back from a vault of the target site."""

    def __init__(
        self, clouds: Clouds, stores: Stores, keyring: Keyring, settings: Settings, lanes: Lanes | None = None
    ) -> None:
        lanes = lanes or Lanes()
        self._clouds = clouds
        self._settings = settings
        self._restoring = Restoring(clouds, stores, keyring, settings, lanes)
        self._cleaning = Cleaning(clouds, stores, lanes)
        self._servers = Servers(clouds, settings, lanes)

    def precheck(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Fault]:
        """A point, and all that its volumes and servers need at the target, room in its quota included: what
        the plan holds there does not count volumes that no server of it has."""
        with run.store.read() as uow:
            told, old = described.newest(uow, job), job.failover.from_site_id
            point = _point(uow, job) or (told.point if told and told.point.site_id == old else None)
            if point is None:
                params = {"site": job.site.id, "system": job.document.system}
                return [Fault("point", "no_point", "the vault of {site} has no point of {system}", params)]
            facts = described.read_facts(uow, job, point)
        place, trouble = restore_facts.ask(self._clouds, facts.place)
        drawn = described.draw_parts(job, facts, parts, place)
        lost = described.missing_servers(parts, [str(one["name"]) for one in drawn.servers])
        with run.store.read() as uow:
            project = uow.get(Project, facts.project) if facts.project else None
            short = reserves.shortages(uow, job.plan.id, project, drawn.needed) if project else []
        return [*trouble, *drawn.faults, *lost, *short]

    def final_sync(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Mapping[str, Any] | Later:
        """A point that was begun after the fence is in the target's vault, and was read back there."""
        point_id = job.made.get(FINAL)
        if point_id is None:
            return self._take(run, job)
        with run.store.read() as uow:
            point = uow.need(RecoveryPoint, point_id)
            copy = uow.first(PointCopy, PointCopy.point_id == point_id, PointCopy.site_id == job.site.id)
            work = uow.get(Operation, point.operation_id) if point.operation_id else None
        if point.state in {PointState.FAILED, PointState.CANCELLED}:
            raise Refused("the last point of {system} failed: {why}", system=job.document.system,
                          why=point.error_message or "-")  # fmt: skip
        is_there = copy is not None and copy.state == "sealed" and reaches(copy.level, "L1")
        if not is_there or point.taken_at is None:
            return Later(self._settings.poll_s, f"the last point: {(work and work.why) or point.state}")
        with run.write() as (uow, _operation):
            uow.for_update(Failover, job.failover.id).point_id = point_id
        assert copy is not None
        fenced_at = (job.failover.times or {}).get("fenced")
        return {"point": point_id, "taken_at": point.taken_at.isoformat(), "level": copy.level,
                "head_sha256": copy.head_sha256, "fenced_at": fenced_at}  # fmt: skip

    def restore(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """Every volume is at the target, with the bytes of the point."""
        if job.made.get(DONE):
            return None
        restore = self._find(run, job) or self._begin(run, job, parts)
        cloud = self._clouds.at(job.site.id)
        cloud.ensure_own_access(restore.to_project)
        make_room(run, cloud, restore)
        wait = self._restoring.advance(run, restore.id)
        if wait is not None:
            return wait if isinstance(wait, Later) else Later(0, "restoring")
        restored = load_restore(run, self._settings.installation, restore.id)
        with run.write() as (uow, _operation):
            recording.record_volumes(uow, run.clock, restored)
            row = uow.for_update(Failover, job.failover.id)
            row.made = {**(row.made or {}), DONE: restore.id}
        return None

    def promote(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """What is left of the restoring goes; the volumes are ours to write."""
        restore = load_restore(run, self._settings.installation, int(job.made[DONE]))
        left = self._cleaning.clear(run, restore, has_succeeded=True)
        if left:
            return Later(self._settings.poll_s, f"{left} things to be cleared away")
        self._restoring.forget(restore.restore.id)
        with run.write() as (uow, _operation):
            row = uow.need(Restore, restore.restore.id)
            row.state, row.is_verified, row.ended_at = "done", True, run.clock.now()
        return None

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        """The servers of the part stand with their volumes."""
        restore = load_restore(run, self._settings.installation, int(job.made[DONE]))
        rows = {name: str(one["row"]) for one in restore.restore.plan["servers"]
                for name in part.servers if described.is_server(one, name)}  # fmt: skip
        wait = self._servers.bring_up(run, restore, list(rows.values()))
        if wait is not None:
            return wait if isinstance(wait, Later) else Later(self._settings.poll_s, "its servers")
        with run.store.read() as uow:
            return {name: described.addresses_of(uow.need(Resource, row)) for name, row in rows.items()}

    def let_go(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """Nothing was taken from it."""
        return None

    def undo(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> int:
        """Volumes, and whatever the restoring left; their rows count no more."""
        row = self._find(run, job)
        if row is None or row.state == "failed":
            return 0
        restore = load_restore(run, self._settings.installation, row.id)
        self._restoring.forget(row.id)
        left = self._servers.clear(run, restore) + self._cleaning.clear(run, restore, has_succeeded=False)
        if left:
            return left
        with run.write() as (uow, _operation):
            gone = uow.need(Restore, row.id)
            gone.state, gone.ended_at = "failed", run.clock.now()
            recording.release(uow, run.clock, gone)
        return 0

    def reprotect(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The policy takes the system's points where it runs now."""
        with run.write() as (uow, _operation):
            turn_policies(uow, run, job.document.system, job.failover.from_site_id, job.site.id)
        return None

    # -- the pieces

    def _take(self, run: Run, job: MoveJob) -> Later:
        """Begin the last point of the old site; written down with the point in one transaction."""
        with run.write() as (uow, _operation):
            member = _member(uow, job.document.system, job.failover.from_site_id)
            if member is None:
                raise Refused("nothing of {system} is backed up at {site}", system=job.document.system,
                              site=job.failover.from_site_id)  # fmt: skip
            try:
                point = begin_point(uow, run.clock, member, run.clock.now())
            except Conflict as error:  # one is being made that was begun before the stop: it is no good
                return Later(self._settings.poll_s, error.text())
            row = uow.for_update(Failover, job.failover.id)
            row.made = {**(row.made or {}), FINAL: point.id}
        return Later(self._settings.poll_s, "the last point")

    def _find(self, run: Run, job: MoveJob) -> Restore | None:
        with run.store.read() as uow:
            mine = (Restore.operation_id == job.operation.id, Restore.purpose == PURPOSE)
            return uow.first(Restore, *mine)

    def _begin(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Restore:
        """The rows of all that will be made; the plan's room is given back to be used for them."""
        with run.write() as (uow, _operation):
            point = _point(uow, job)
            if point is None:
                raise Refused("the vault of {site} has no point of {system}", site=job.site.id,
                              system=job.document.system)  # fmt: skip
            facts = described.read_facts(uow, job, point)
            drawn = described.draw_parts(job, facts, parts, facts.place)
            if drawn.faults:
                raise Refused("{plan} cannot be moved to {site}", plan=job.group, site=job.site.id,
                              faults=drawn.faults)  # fmt: skip
            spend(uow, job.plan.id)
            keys = ("position", "name", "type", "original")
            volumes = [{key: one[key] for key in keys if one[key] is not None} for one in drawn.volumes]
            restore = uow.add(
                Restore(
                    point_id=point.id, from_site_id=job.site.id, to_site_id=job.site.id,
                    to_project=facts.external, purpose=PURPOSE, mode=SYSTEM, state="running",
                    plan={"volumes": volumes, "servers": list(drawn.servers)},
                    operation_id=run.operation_id, asked_at=run.clock.now(), asked_by=job.failover.asked_by,
                )
            )  # fmt: skip
            recording.intend(uow, run.clock, restore)
            return restore


def turn_policies(uow: UnitOfWork, run: Run, system: str, source: str, target: str) -> None:
    """What was backed up at the old site is backed up at the new one, by the same policy; again changes
    nothing. Points there are stay, each under the member it was taken of."""
    old = _member(uow, system, source)
    if old is None:
        return
    here = (PolicyMember.kind == MEMBER, PolicyMember.system_id == system, PolicyMember.site_id == target)
    new = uow.first(PolicyMember, *here)
    if new is None:
        new = uow.add(
            PolicyMember(
                policy_id=old.policy_id, kind=MEMBER, system_id=system, site_id=target, checks=old.checks,
                next_at=run.clock.now(),
            )
        )  # fmt: skip
    new.policy_id, new.left_at, new.next_at = old.policy_id, None, run.clock.now()
    old.left_at = run.clock.now()
    uow.flush()


def _member(uow: UnitOfWork, system: str, site: str) -> PolicyMember | None:
    here = (PolicyMember.kind == MEMBER, PolicyMember.system_id == system, PolicyMember.site_id == site)
    return uow.first(PolicyMember, *here, PolicyMember.left_at.is_(None))


def _point(uow: UnitOfWork, job: MoveJob) -> RecoveryPoint | None:
    point_id = job.made.get(FINAL) or job.failover.point_id
    return uow.get(RecoveryPoint, point_id) if point_id else None
