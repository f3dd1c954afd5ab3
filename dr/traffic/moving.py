"""People follow the move of a plan: all at once, by the operation of the move itself. Implements Steering.

Two people have approved the move, and they are those who may freeze: so a freeze does not hold it, and a
shift that is under way gives up its place. What another hand put into the name service is not written over
here either: the move waits, and says so, until somebody has put it right.
"""

from datetime import timedelta

from cloudctl.config import Settings
from cloudctl.errors import Conflict
from cloudctl.lifecycle import Later, ShiftState
from cloudctl.models import Shift, Traffic
from cloudctl.operations import Run
from cloudctl.ports import Dns
from cloudctl.store import UnitOfWork
from dr.failover.job import MoveJob
from dr.traffic import at_master
from dr.traffic.facts import Known, of
from dr.traffic.job import go, go_traffic, named, plain, rest
from dr.traffic.shares import WHOLE
from dr.traffic.starting import begin

_RUNNING = ("asked", "ramping", "soaking", "rolling_back")


class SteeringByName:
    """What brings people to a site: the name of the plan. Each call may be repeated after any crash."""

    def __init__(self, dns: Dns, settings: Settings) -> None:
        self._dns = dns
        self._settings = settings

    def drain(self, run: Run, job: MoveJob) -> Later | None:
        """Nobody asks the old site any more, where the new one serves already; else they stay to the end."""
        known = self._known(run, job)
        if known is None or known.is_one_site or not known.traffic.weights.get(job.failover.to_site_id):
            return None
        return self._all_to(run, job, job.failover.to_site_id)

    def bring(self, run: Run, job: MoveJob) -> Later | None:
        """Everybody is led to the new site, and answers from before have run out."""
        return self._all_to(run, job, job.failover.to_site_id)

    def give_back(self, run: Run, job: MoveJob) -> Later | None:
        """Everybody is led to the old site again; nothing to do where nobody was led away."""
        known = self._known(run, job)
        if known is None or known.traffic.weights.get(job.failover.from_site_id) == WHOLE:
            return None
        return self._all_to(run, job, job.failover.from_site_id)

    # -- the pieces

    def _known(self, run: Run, job: MoveJob) -> Known | None:
        """The name of the plan; None for one without, or whose name was never put into the name service."""
        with run.store.read() as uow:
            row = uow.first(Traffic, Traffic.plan_id == job.plan.id)
            return of(uow, row) if row is not None and row.weights else None

    def _all_to(self, run: Run, job: MoveJob, site: str) -> Later | None:
        known = self._known(run, job)
        if known is None:
            return None
        shift = self._own_shift(run, known, site)
        if shift.state == ShiftState.DONE:
            return None
        if shift.state == ShiftState.SOAKING:
            return self._wait(run, shift)
        by = f"{self._settings.installation}/{run.operation_id}"
        name = named(known.traffic, self._dns.gives_shares(known.traffic.name))
        found = at_master.read(self._dns, name)
        run.must_hold()
        other = found.strange or at_master.put(self._dns, name, found, shift.after, by)
        if other:
            hint = "put back what cloudctl left there, or take all records of the name away"
            template = "the name service has something else of {name}: {why}"
            raise Conflict(template, hint=hint, name=name.name, why=other)
        was_s = max((one.ttl_s for one in found.sets), default=0)
        now = run.clock.now()
        with run.write() as (uow, _operation):
            traffic = uow.for_update(Traffic, known.traffic.id)
            traffic.weights, traffic.changed_at = plain(shift.after), now
            row = uow.for_update(Shift, shift.id)
            go(row, "soak")
            row.soak_until = now + timedelta(seconds=max(was_s, traffic.ttl_s))
        return self._wait(run, row)

    def _wait(self, run: Run, shift: Shift) -> Later | None:
        """Until the answers from before have run out everywhere that keeps to them."""
        now = run.clock.now()
        left_s = ((shift.soak_until or now) - now).total_seconds()
        if left_s > 0:
            return Later(left_s, f"answers from before are good for {left_s:.0f} s more")
        with run.write() as (uow, _operation):
            row = uow.for_update(Shift, shift.id)
            go(row, "finish")
            row.ended_at = now
            rest(uow.for_update(Traffic, row.traffic_id))
        return None

    def _own_shift(self, run: Run, known: Known, site: str) -> Shift:
        """The shift of this move to that site, begun when there is none yet."""
        after = {one: WHOLE if one == site else 0 for one in known.traffic.addresses}
        with run.write() as (uow, _operation):
            traffic = uow.for_update(Traffic, known.traffic.id)
            mine = (Shift.traffic_id == traffic.id, Shift.operation_id == run.operation_id)
            newest = uow.first(Shift, *mine, order_by=[Shift.id.desc()])
            if newest is not None and newest.after == plain(after):
                return newest
            _take_the_place(uow, run, traffic)
            if traffic.state != "shifting":
                go_traffic(traffic, "shift")
            row = begin(uow, run.clock, traffic, after, [after], traffic.ttl_s, "system")
            row.operation_id = run.operation_id
            go(row, "ramp")
            uow.flush()
            return row


def _take_the_place(uow: UnitOfWork, run: Run, traffic: Traffic) -> None:
    """Shifts that are under way end here."""
    for row in uow.all(Shift, Shift.traffic_id == traffic.id, Shift.ended_at.is_(None)):
        if row.state in _RUNNING:
            go(row, "halt")
        row.ended_at, row.operation_id = run.clock.now(), None
        row.why = "a move of the plan took its place"
