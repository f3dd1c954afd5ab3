"""The way of the parts whose database copies itself, as a move of their system uses it.

Its server at the target stands there and follows. In a planned move the old one is demoted first: it ends in
order and writes no more however it is started, and how far it came is what has to be read at the target. What
was demoted is let write again only before anything is promoted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.errors import DatabaseRefused, Fault, GuestNotReady, Refused
from cloudctl.lifecycle import Later
from cloudctl.operations import Run
from dr.failover.job import MoveJob, remember
from dr.plans.document import Part, Serving, Way
from dr.ways import databases, streaming
from dr.ways.databases import Databases, Pair
from dr.ways.streaming import Told

DEMOTING, ENDS, PROMOTED = "databases_demoting", "databases_ended", "databases_promoted"  # in `made`
_LOOK_S = 1.0


@dataclass(frozen=True)
class Turned:
    """A database of the move, with its servers."""

    part: Part
    pair: Pair


class ApplicationWay:
    """Implements DataWay."""

    def __init__(self, databases_: Databases) -> None:
        self._databases = databases_

    def precheck(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Fault]:
        """Both servers are known, the one at the target follows, and in a planned move both say so."""
        found, faults = self._find(run, job, parts)
        row = job.failover
        sites = () if job.is_planned else (row.to_site_id,)
        for one in found:
            seen = self._databases.look(one.pair, sites)
            faults += streaming.in_the_way(
                one.part.name, seen, row.from_site_id, row.to_site_id, job.is_planned
            )
        return faults

    def final_sync(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Mapping[str, Any] | Later:
        """The old one writes no more, and the one at the target has everything up to where it ended."""
        marker, waits = {}, []
        for one in self._all(run, job, parts):
            try:
                ends, there = self.demote(run, job, one), self._there(job, one)
            except GuestNotReady as error:
                if not self._is_late(run, job, one.part):
                    raise
                template = "the database of {part} could not be asked how far it came: {why}"
                raise Refused(template, part=one.part.name, why=error.text()) from error
            position = int(ends["position"])
            if streaming.has_all(position, there):
                marker[one.part.name] = {**ends, "read_at": job.site.id, "there": there.position}
                continue
            if self._is_late(run, job, one.part):
                raise Refused(
                    "the database of {part} at {site} does not get what was written last: {missing} bytes",
                    part=one.part.name, site=job.site.id, missing=position - (there.position or 0),
                )  # fmt: skip
            waits.append(one.part.name)
        if waits:
            return Later(_LOOK_S, f"the last of {', '.join(waits)} to arrive at {job.site.id}")
        return marker

    def restore(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """There is one to promote: asked again while everything can still be given back."""
        for one in self._all(run, job, parts):
            there = self._there(job, one)
            if there.role == streaming.STOPPED and not there.is_primary:
                raise Refused("the database of {part} at {site} does not run", part=one.part.name,
                              site=job.site.id)  # fmt: skip
        return None

    def promote(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The one at the target writes; the flow has its proof that no other one does."""
        for one in self._all(run, job, parts):
            if one.part.name in job.made.get(PROMOTED, {}):
                continue
            job.must_be_mine()
            told = self._databases.turn(one.pair, job.site.id, databases.PROMOTE, run.stopping.is_set)
            if not told.is_primary:
                raise DatabaseRefused("the database of {part} was not promoted: it is {role}",
                                      part=one.part.name, role=told.role)  # fmt: skip
            self._note(run, job, PROMOTED, one, {"timeline": told.timeline, "position": told.position})
        return None

    def start(self, run: Run, job: MoveJob, part: Part) -> Mapping[str, Sequence[str]] | Later:
        """Its server stands there: where it is reached."""
        if part.database is None:
            return {}
        [one] = self._all(run, job, [part])
        return {name: [one.pair.hosts[job.site.id].address] for name in part.servers}

    def let_go(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """What was demoted writes again."""
        for one in self._all(run, job, parts):
            if one.part.name not in job.made.get(DEMOTING, {}):
                continue
            job.must_be_mine()
            self._databases.turn(one.pair, job.failover.from_site_id, databases.REGAIN, run.stopping.is_set)
        return None

    def undo(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> int:
        """Nothing was made."""
        return 0

    def reprotect(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> Later | None:
        """The old one follows the new one.

        What it had alone after a loss is kept beside the new copy; after a planned move it has nothing alone,
        and is rewound.
        """
        old, new = job.failover.from_site_id, job.site.id
        waits = []
        for one in self._all(run, job, parts):
            job.must_be_mine()
            here = self._databases.turn(one.pair, new, databases.PRIMARY, run.stopping.is_set)
            if here.role != streaming.PRIMARY:
                raise DatabaseRefused("the database of {part} at {site} does not write: it is {role}",
                                      part=one.part.name, site=new, role=here.role)  # fmt: skip
            job.must_be_mine()
            if job.is_planned:
                there = self._databases.turn(one.pair, old, databases.REWIND, run.stopping.is_set)
            else:
                word = f"move-{job.failover.id}"
                there = self._databases.turn(
                    one.pair, old, databases.STANDBY, run.stopping.is_set, standby_keep=word
                )
            if not there.is_streaming or not streaming.has_all(here.position or 0, there):
                waits.append(one.part.name)
        return Later(_LOOK_S, f"{', '.join(waits)} to follow at {old}") if waits else None

    # -- the pieces

    def demote(self, run: Run, job: MoveJob, one: Turned) -> Mapping[str, Any]:
        """How far the old one came, which writes no more; written down before it is done, and after."""
        known: Mapping[str, Any] | None = job.made.get(ENDS, {}).get(one.part.name)
        if known is not None:
            return known
        if one.part.name not in job.made.get(DEMOTING, {}):
            self._note(run, job, DEMOTING, one, {"server": one.pair.hosts[job.failover.from_site_id].name})
        job.must_be_mine()
        site = job.failover.from_site_id
        told = self._databases.turn(one.pair, site, databases.DEMOTE, run.stopping.is_set)
        if told.is_primary or told.position is None:
            raise DatabaseRefused("the database of {part} at {site} does not stand still: it is {role}",
                                  part=one.part.name, site=site, role=told.role)  # fmt: skip
        ends = {"server": one.pair.hosts[site].name, "position": told.position, "timeline": told.timeline}
        self._note(run, job, ENDS, one, ends)
        return ends

    def of(self, run: Run, job: MoveJob) -> list[Turned]:
        """Every database of the move. Refused where a server of one is not known."""
        return self._all(run, job, job.document.parts)

    def _there(self, job: MoveJob, one: Turned) -> Told:
        """What the one at the target says. GuestNotReady when it says nothing."""
        told = self._databases.look(one.pair, (job.site.id,))[job.site.id]
        if isinstance(told, str):
            raise GuestNotReady("the database at {site} tells nothing: {reason}", site=job.site.id,
                                reason=told)  # fmt: skip
        return told

    def _all(self, run: Run, job: MoveJob, parts: Sequence[Part]) -> list[Turned]:
        found, faults = self._find(run, job, parts)
        if faults:
            raise Refused("{plan} cannot be moved to {site}", plan=job.group, site=job.site.id, faults=faults)
        return found

    @staticmethod
    def _find(run: Run, job: MoveJob, parts: Sequence[Part]) -> tuple[list[Turned], list[Fault]]:
        """The databases of the parts; a part that is written at both sites has none to be turned round."""
        found, faults = [], []
        with run.store.read() as uow:
            for part in parts:
                if part.database is not None:
                    pair, wrong = databases.find(uow, job.document, part)
                    found.append(Turned(part, pair))
                    faults += wrong
        template = "part {part} does not say which database it is: cloudctl cannot turn it round"
        faults += [
            Fault(f"parts.{one.name}", "missing", template, {"part": one.name})
            for one in parts
            if one.database is None
            and one in job.parts(Way.APPLICATION)
            and one.serving is not Serving.MULTI_WRITER
        ]
        return found, faults

    @staticmethod
    def _note(run: Run, job: MoveJob, key: str, one: Turned, value: Mapping[str, Any]) -> None:
        """Write down by part, also for the rest of this pass."""
        known = {**job.made.get(key, {}), one.part.name: dict(value)}
        remember(run, job.failover.id, **{key: known})
        job.failover.made = {**job.made, key: known}

    @staticmethod
    def _is_late(run: Run, job: MoveJob, part: Part) -> bool:
        since = (job.failover.times or {}).get("fenced")
        if since is None:
            return False
        return (run.clock.now() - datetime.fromisoformat(since)).total_seconds() > part.patience_s
