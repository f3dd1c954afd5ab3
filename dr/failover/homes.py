"""Whose the machines are on which copied disks wake: the witness is told, and their agents ask it.

A disk that was restored or taken over brings along the file of an agent that was installed on another
machine. Unless somebody says whose the new machine is, that agent lets nothing run and says nothing.
"""

from cloudctl.errors import WitnessUnavailable
from cloudctl.operations import Run
from dr.failover.job import MoveJob, remember
from dr.failover.off import servers_of
from dr.failover.protocols import Voting

HOMES = "homes"  # in `made`: the ids of the servers that were told


def settle(run: Run, job: MoveJob, witness: Voting) -> None:
    """Tell whose each server is that can write at the new site; again tells only what is new.

    With the glass broken, what no majority hears is told later.
    """
    known = servers_of(run, job.document, job.failover.to_site_id)
    told = set(job.made.get(HOMES, ()))
    new = {machine: name for machine, name in known.items() if machine not in told}
    if not new:
        return
    try:
        for machine, name in new.items():
            witness.settle(job.group, machine, job.failover.to_site_id, name)
    except WitnessUnavailable:
        if not job.is_glass_broken:
            raise
        return
    remember(run, job.failover.id, **{HOMES: sorted({*told, *new})})
