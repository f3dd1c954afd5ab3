"""The flow that makes the old site ready to take its system back.

    quarantine   nobody writes there: its agents say so under the newest epoch, or its servers are off
    capture      what nobody else has is kept: a locked point of its volumes, before anything is reused
    reprotect    the data goes the other way, and the first of it has arrived there; whoever is gone from the
                 old site for good has no voice any more

Then the way back is a planned move like any other. Nothing at the old site is deleted or written over here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import CloudctlError, CloudNotFound, Conflict, Refused
from cloudctl.lifecycle import Done, Failed, Later, Outcome, PointState
from cloudctl.models import (
    BackupPolicy,
    Failover,
    Operation,
    PointCopy,
    PolicyMember,
    RecoveryPoint,
    Resource,
)
from cloudctl.operations import Run
from cloudctl.ports import Cloud, Clouds, Register
from cloudctl.store import UnitOfWork
from dr.failover.cutting import NetworkFence
from dr.failover.data import Data
from dr.failover.job import MoveJob, load, look_soon
from dr.failover.off import servers_of, still_on, without_agent
from dr.failover.protocols import DataWay, Voting
from dr.levels import reaches
from dr.members import SYSTEM
from dr.plans import databases
from dr.plans.document import Way
from dr.plans.likeness import is_called
from dr.starting import FULL, begin_point

QUARANTINE, CAPTURE, REPROTECT, END = "", "capture", "reprotect", "end"
DIVERGENCE, FIRST = "divergence", "first_point"  # in the scratch: points
_LOOK_S = 15.0  # for what people have to do: the worker does something else meanwhile
_GONE = (PointState.FAILED, PointState.CANCELLED)


class MakeReady:
    """Flow of the operations that come before a way back."""

    def __init__(
        self, clouds: Clouds, settings: Settings, witness: Voting, ways: Mapping[Way, DataWay]
    ) -> None:
        self._clouds = clouds
        self._settings = settings
        self._witness = witness
        self._data = Data(ways)
        self._network = NetworkFence(clouds, witness)

    def advance(self, run: Run) -> Outcome:
        while True:
            job = load(run, self._settings.installation)
            if job.operation.step == END:
                return Done()
            stages = {QUARANTINE: self._quarantine, CAPTURE: self._capture, REPROTECT: self._reprotect}
            wait = stages[job.operation.step](run, job)
            if wait is not None:
                return wait

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """Nothing was taken away: it ends as it is, and may be begun again."""
        with run.write() as (uow, operation):
            run.journal(uow, operation.step or "quarantine", "failed", error.text())
        return Failed(error)

    # -- the stages

    def _quarantine(self, run: Run, job: MoveJob) -> Later | None:
        """The register names the new site, and nobody writes at the old one."""
        old, entry = job.failover.from_site_id, self._must_be_there(job)
        self._dismiss_gone(run, job, old)
        enrolled = self._witness.servers(job.group, old)
        if enrolled and not without_agent(run, job.document, old, enrolled):
            word = self._witness.read_stopped(job.group, old)
            if word is None or not word.is_proof(entry.epoch):
                return Later(_LOOK_S, f"the agents of {old} to say that their writers stand still")
            note = f"its agents said so under epoch {word.seen}"
        else:
            turned = {name for one in databases.of(job.document).values() for name in one.names_at(old)}
            running = still_on(self._clouds, old, servers_of(run, job.document, old, turned))
            if running:
                return Later(_LOOK_S, f"{', '.join(running)} to be stopped at {old}")
            note = "its servers are off" + (", but for databases that are turned round" if turned else "")
        self._network.lift(run, self._watched(run, job))
        self._go_on(run, CAPTURE, "quarantine", note)
        return None

    def _capture(self, run: Run, job: MoveJob) -> Later | None:
        """What was written there and went nowhere stays readable, locked, whatever comes later."""
        self._must_be_there(job)
        if not job.parts(Way.POINTS):
            self._go_on(run, REPROTECT, CAPTURE, "no data of it goes by points")
            return None
        point = self._point(run, job, DIVERGENCE, job.failover.from_site_id)
        if isinstance(point, Later):
            return point
        if point.state != PointState.PROTECTED:
            return Later(self._settings.poll_s, f"the point of what it has: {point.state}")
        self._go_on(run, REPROTECT, CAPTURE, f"point {point.id}, locked until {point.locked_until}")
        return None

    def _reprotect(self, run: Run, job: MoveJob) -> Later | None:
        """The first data from the new site has arrived at the old one, and was read back there."""
        self._must_be_there(job)
        wait = self._data.reprotect(run, self._watched(run, job))
        if wait is not None:
            return wait
        old = job.failover.from_site_id
        note = "the data goes the other way"
        if job.parts(Way.POINTS):
            point = self._point(run, job, FIRST, job.failover.to_site_id)
            if isinstance(point, Later):
                return point
            with run.store.read() as uow:
                copy = uow.first(PointCopy, PointCopy.point_id == point.id, PointCopy.site_id == old)
                policy = uow.need(BackupPolicy, point.policy_id)
            if copy is None:
                raise Refused("policy {policy} has no vault at {site}", policy=policy.name, site=old,
                              hint="give it one: cloudctl backup policy apply")  # fmt: skip
            if copy.state != "sealed" or not reaches(copy.level, "L1"):
                return Later(self._settings.poll_s, f"the first point from {job.site.id}: {copy.state}")
            note = f"point {point.id} is in the vault of {old}"
        gone = self._dismiss_gone(run, job, old)
        note += f"; agents of servers that are gone: {', '.join(gone)}" if gone else ""
        self._go_on(run, END, REPROTECT, note)
        return None

    # -- the pieces

    def _dismiss_gone(self, run: Run, job: MoveJob, old: str) -> list[str]:
        """Agents of servers that the old site has no more, which would never again say that they stand still,
        are off the list. A name that might mean a server that is there stays."""
        cloud, gone = self._clouds.at(old), []
        with run.store.read() as uow:
            here = (Resource.site_id == old, Resource.system_id == job.document.system)
            rows = uow.all(Resource, *here, Resource.kind == "server", Resource.external_id.is_not(None))
        for name in self._witness.servers(job.group, old):
            meant = [row for row in rows if is_called(row.name, (row.spec or {}).get("label"), name)]
            if meant and not any(_is_there(cloud, str(row.external_id)) for row in meant):
                run.must_hold()
                self._witness.dismiss(job.group, old, name)
                gone.append(name)
        return gone

    def _watched(self, run: Run, job: MoveJob) -> MoveJob:
        """The job for acts at the old site, which ask before each that it is not in use again."""

        def must_be_mine() -> None:
            run.must_hold()
            self._must_be_there(job)
            run.must_hold()

        return replace(job, must_be_mine=must_be_mine)

    def _must_be_there(self, job: MoveJob) -> Register:
        """The entry as it is now. Refused where it names the old site: what is there is in use again."""
        old, entry = job.failover.from_site_id, self._witness.read(job.group)
        if entry is None or entry.holder == old:
            raise Refused("the witness says that {site} holds {plan}", site=old, plan=job.group)
        return entry

    def _point(self, run: Run, job: MoveJob, word: str, site: str) -> RecoveryPoint | Later:
        """The point of the system at the site that this operation began: once, found again after a crash."""
        known = (job.operation.scratch or {}).get(word)
        if known is not None:
            with run.store.read() as uow:
                point = uow.need(RecoveryPoint, known)
            if point.state in _GONE:
                raise Refused("the point of {system} failed: {why}", system=job.document.system,
                              why=point.error_message or "-")  # fmt: skip
            return point
        with run.write() as (uow, operation):
            member = _member(uow, job.document.system, site)
            try:
                point = begin_point(uow, run.clock, member, run.clock.now(), FULL)
            except Conflict as error:
                return Later(self._settings.poll_s, error.text())
            _remember(operation, word, point.id)
        return Later(self._settings.poll_s, "a point is being taken")

    def _go_on(self, run: Run, step: str, past: str, note: str) -> None:
        with run.write() as (uow, operation):
            operation.step = step
            run.journal(uow, past, "done", note)
            if step == END:
                look_soon(uow, uow.need(Failover, int(run.subject_id)))


def _is_there(cloud: Cloud, server_id: str) -> bool:
    try:
        cloud.get_server(server_id)
    except CloudNotFound:
        return False
    return True


def _member(uow: UnitOfWork, system: str, site: str) -> PolicyMember:
    """The system at the site, also where it left its policy; Refused when it never was in one."""
    here = (PolicyMember.kind == SYSTEM, PolicyMember.system_id == system, PolicyMember.site_id == site)
    found = uow.first(PolicyMember, *here)
    if found is None:
        raise Refused("nothing of {system} is backed up at {site}", system=system, site=site)
    return found


def _remember(operation: Operation, word: str, value: Any) -> None:
    operation.scratch = {**(operation.scratch or {}), word: value}
