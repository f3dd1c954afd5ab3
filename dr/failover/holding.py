"""The register of a move's group, changed by compare-and-set: each act may be repeated after any crash.

WitnessUnavailable whenever no majority answers: who may write is then not known, and nothing goes on.
"""

from enum import StrEnum

from cloudctl.errors import Conflict, Refused
from cloudctl.operations import Run
from cloudctl.ports import Register, Witness
from dr.failover import register
from dr.failover.job import MoveJob
from dr.failover.no_witness import NoWitness


class Standing(StrEnum):
    """What the register says of a move."""

    MINE = "mine"
    LOST = "lost"  # somebody else made the next epoch
    OLD = "old"  # still as it was when the move was asked for, or given back


class Holding:
    """Reads and changes the entry for one move at a time."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    @property
    def has_witness(self) -> bool:
        """Whether there is one that may answer some day."""
        return not isinstance(self._witness, NoWitness)

    def standing(self, job: MoveJob) -> Standing:
        """As a majority has it now."""
        return _standing(self._witness.read(job.group), job)

    def seize(self, run: Run, job: MoveJob) -> Standing:
        """Make the next epoch ours and closed, where the entry still is as it was asked for. MINE or LOST."""
        now = self._witness.read(job.group)
        row = job.failover
        if job.is_glass_broken and _standing(now, job) != Standing.MINE:
            return self._break(run, job, now)
        if now is not None and register.may_seize(now, row.base_epoch, row.to_site_id):
            run.must_hold()
            now = self._swap(job, now, register.seized(now, row.to_site_id, row.owner))
        found = _standing(now, job)
        return Standing.LOST if found == Standing.OLD else found

    def is_closed(self, job: MoveJob) -> bool:
        """Whether the epoch is ours, and nobody may write under it yet."""
        now = self._witness.read(job.group)
        return now is not None and _standing(now, job) == Standing.MINE and not now.is_open

    def open(self, run: Run, job: MoveJob) -> Standing:
        """Open the epoch that is ours; what is open already stays so."""
        now = self._witness.read(job.group)
        if now is None or _standing(now, job) != Standing.MINE:
            return _standing(now, job)
        if not now.is_open:
            run.must_hold()
            now = self._swap(job, now, register.opened(now))
        found = _standing(now, job)
        if found == Standing.MINE and not (now and now.is_open):
            raise Conflict("the register of {group} has changed since it was read", group=job.group)
        return found

    def give_back(self, run: Run, job: MoveJob) -> bool:
        """Give an epoch that is ours and closed to the site that was open last; True: it is ours no more.

        A swap of ours may still be under way when the entry is as it was asked for: the same value is
        written again, so that it comes too late.
        """
        now = self._witness.read(job.group)
        if now is not None and register.may_seize(now, job.failover.base_epoch, job.failover.to_site_id):
            run.must_hold()
            now = self._swap(job, now, now)
        if now is None or _standing(now, job) != Standing.MINE or now.is_open:
            return True
        run.must_hold()
        now = self._swap(job, now, register.given_back(now))
        return _standing(now, job) != Standing.MINE

    # -- the pieces

    def _swap(self, job: MoveJob, before: Register, after: Register) -> Register | None:
        """The entry as it is afterwards, whoever was faster."""
        try:
            return self._witness.swap(before, after)
        except Conflict:
            return self._witness.read(job.group)

    def _break(self, run: Run, job: MoveJob, now: Register | None) -> Standing:
        """Two people have said so: ours, whatever the entry is, above every epoch there was.

        Refused where the new site holds an open entry already: its writers may run, by another move.
        """
        row = job.failover
        if now is not None and now.is_open and now.holder == row.to_site_id:
            raise Refused("the witness says that {site} holds {plan}", site=now.holder, plan=job.group)
        before = now or register.first(job.group, row.from_site_id)
        run.must_hold()
        with run.write() as (uow, _operation):
            uow.need(type(row), row.id).base_epoch = before.epoch
        row.base_epoch = before.epoch
        after = register.broken(before, row.to_site_id, row.owner)
        try:
            found: Register | None = self._witness.swap(now, after)
        except Conflict:
            found = self._witness.read(job.group)
        return _standing(found, job)


def _standing(now: Register | None, job: MoveJob) -> Standing:
    row = job.failover
    if register.is_mine(now, row.base_epoch, row.to_site_id, row.owner):
        return Standing.MINE
    if register.is_lost(now, row.base_epoch, row.to_site_id, row.owner):
        return Standing.LOST
    return Standing.OLD
