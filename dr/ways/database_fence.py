"""The rung of the database: where only databases can write, that the old ones are demoted is the proof.

Only in planned moves, since it is done inside the old servers, and where no agent speaks for every writer: an
agent that does stops them first.
"""

from dataclasses import replace

from cloudctl.errors import Conflict
from cloudctl.operations import Run
from dr.failover.holding import Holding, Standing
from dr.failover.job import MoveJob
from dr.failover.off import servers_of, without_agent
from dr.failover.protocols import Proof, Voting, Waiting
from dr.plans import databases
from dr.ways.application import ApplicationWay

RUNG = "database"


class DatabasesDemoted:
    """Implements Fence: each old database was stopped in order, and follows from now on."""

    rung = RUNG
    is_positive = True

    def __init__(self, way: ApplicationWay, witness: Voting) -> None:
        self._way = way
        self._witness = witness
        self._holding = Holding(witness)

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        """None where there is no database, or an agent speaks for it; also where others can write as well:
        theirs is another rung, and the databases are demoted by then."""
        site = job.failover.from_site_id
        if not job.is_planned or not databases.of(job.document) or self._is_spoken_for(run, job, site):
            return None
        watched = replace(job, must_be_mine=lambda: self._must_be_mine(run, job))
        ends = {one.part.name: dict(self._way.demote(run, watched, one)) for one in self._way.of(run, job)}
        ours = {one["server"] for one in ends.values()}
        return (
            Proof(RUNG, {"ended": ends})
            if set(servers_of(run, job.document, site).values()) <= ours
            else None
        )

    def forget(self, run: Run, job: MoveJob) -> None:
        """It keeps nothing."""

    def _must_be_mine(self, run: Run, job: MoveJob) -> None:
        if self._holding.standing(job) != Standing.MINE:
            raise Conflict("another move was faster")
        run.must_hold()

    def _is_spoken_for(self, run: Run, job: MoveJob, site: str) -> bool:
        enrolled = self._witness.servers(job.group, site)
        return bool(enrolled) and not without_agent(run, job.document, site, enrolled)
