"""The writers of a part at the new site have an agent: one that came with the disk, or one that is brought.

A disk that was copied brings its agent along, which signs on once the witness was told whose the machine is
(dr/failover/homes.py). A server that stood there, or whose disk had none, gets one now. Where cloudctl does
not come into servers people bring it, and the checks of the part tell when its writers run.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cloudctl.errors import WitnessUnavailable
from cloudctl.models import Resource
from cloudctl.operations import Run
from dr.agents.bringing import Bringing, has_agent, is_called, servers_at
from dr.failover.job import MoveJob
from dr.failover.protocols import Voting
from dr.plans.document import Part
from provisioning.guests import NONE

SIGN_ON = timedelta(seconds=60)  # for a machine to boot, and its agent to ask whose it is
AGAIN = timedelta(seconds=30)  # between two attempts at one server


class Binding:
    """Looks for the agents of a part, and brings those that are missing."""

    def __init__(self, witness: Voting, bringing: Bringing | None) -> None:
        self._witness = witness
        self._bringing = bringing
        self._tried: dict[str, tuple[datetime, str]] = {}  # by server: when, and what came of it

    def bind(self, run: Run, job: MoveJob, part: Part, stood_at: datetime) -> list[str]:
        """What is waited for, server by server; nothing where every writer has its agent, or where people
        bring it. With the glass broken no agent is waited for that no majority hears."""
        if not part.writers or self._bringing is None or job.site.guests == NONE:
            return []
        try:
            enrolled = self._witness.servers(job.group, job.site.id)
        except WitnessUnavailable:
            if not job.is_glass_broken:
                raise
            return []
        missing = [row for row in _servers(run, job, part) if not has_agent(row, enrolled)]
        if run.clock.now() < stood_at + SIGN_ON:
            return [f"{row.name}: its agent to sign on" for row in missing]
        return [
            f"{row.name}: {self._bring(run, job, part, row) or 'its agent to sign on'}" for row in missing
        ]

    def _bring(self, run: Run, job: MoveJob, part: Part, row: Resource) -> str:
        """Why it has none yet, by the last attempt; the next one is made after a while."""
        assert self._bringing is not None
        at, why = self._tried.get(row.id, (None, ""))
        if at is None or run.clock.now() >= at + AGAIN:
            run.must_hold()
            why = self._bringing.bring(job.document, part, row, run.stopping.is_set)
            self._tried[row.id] = (run.clock.now(), why)
        return why


def _servers(run: Run, job: MoveJob, part: Part) -> Sequence[Resource]:
    with run.store.read() as uow:
        rows = servers_at(uow, job.document.system, job.site.id)
    return [row for row in rows if any(is_called(row, name) for name in part.servers)]
