"""The data of all parts of a move, each by its own way; nobody waits for a way that has no parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudctl.errors import Fault, Refused
from cloudctl.lifecycle import Later
from cloudctl.operations import Run
from dr.failover.job import MoveJob
from dr.failover.protocols import DataWay
from dr.plans.document import Part, Way


class Data:
    """Asks every way that the plan uses, in a fixed order, and goes on with the next while one waits."""

    def __init__(self, ways: Mapping[Way, DataWay]) -> None:
        self._ways = ways

    def faults(self, run: Run, job: MoveJob) -> list[Fault]:
        """All that keeps the data from coming."""
        found = [
            Fault(f"parts.{part.name}", "no_way", "no data goes this way here: {way}", {"way": way.value})
            for way in Way
            if way not in self._ways
            for part in job.parts(way)
        ]
        for way, parts in self._used(job):
            found += way.precheck(run, job, parts)
        return found

    def precheck(self, run: Run, job: MoveJob) -> None:
        """Refused with every fault when it cannot come."""
        faults = self.faults(run, job)
        if faults:
            raise Refused("{plan} cannot be moved to {site}", plan=job.group, site=job.site.id, faults=faults)

    def final_sync(self, run: Run, job: MoveJob) -> dict[str, Any] | Later:
        """What was written last has arrived; what shows it, by way. One way after the other: a point of the
        system is of all its volumes, and has to be taken before the storage lets go of some of them."""
        markers: dict[str, Any] = {}
        for name, way, parts in self._named(job):
            found = way.final_sync(run, job, parts)
            if isinstance(found, Later):
                return found
            markers[name] = found
        return markers

    def restore(self, run: Run, job: MoveJob) -> Later | None:
        """All that can be given back again is made ready."""
        return _soonest([wait for way, parts in self._used(job) if (wait := way.restore(run, job, parts))])

    def promote(self, run: Run, job: MoveJob) -> Later | None:
        """The data here is what is written from now on."""
        return _soonest([wait for way, parts in self._used(job) if (wait := way.promote(run, job, parts))])

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        """The servers of one part; their addresses by the names they have in the plan."""
        return self._ways[part.way].start(run, job, part)

    def let_go(self, run: Run, job: MoveJob) -> Later | None:
        """The old site's storage takes writes again, as far as it was taken from it."""
        return _soonest([wait for way, parts in self._used(job) if (wait := way.let_go(run, job, parts))])

    def undo(self, run: Run, job: MoveJob) -> int:
        """What was made goes; how much is still there."""
        return sum(way.undo(run, job, parts) for way, parts in self._used(job))

    def reprotect(self, run: Run, job: MoveJob) -> Later | None:
        """The data goes the other way from now on."""
        return _soonest([wait for way, parts in self._used(job) if (wait := way.reprotect(run, job, parts))])

    def _used(self, job: MoveJob) -> Iterator[tuple[DataWay, Sequence[Part]]]:
        for _name, way, parts in self._named(job):
            yield way, parts

    def _named(self, job: MoveJob) -> Iterator[tuple[str, DataWay, Sequence[Part]]]:
        for name, way in self._ways.items():
            parts = job.parts(name)
            if parts:
                yield name.value, way, parts


def _soonest(waits: Sequence[Later]) -> Later | None:
    """The wait that ends first, with what all of them wait for."""
    if not waits:
        return None
    return Later(min(one.seconds for one in waits), "; ".join(one.why for one in waits))
