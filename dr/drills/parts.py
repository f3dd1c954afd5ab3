"""How the parts of a system come up: what may start now, which part answers, which has failed. Pure.

A part begins when every part it needs has answered, and holds up nobody who does not need it: not while it
hangs, and not when it has failed. A slot is a server that the cloud is making; one that is there and says
nothing holds none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from dr import graph
from dr.isolated.probe import Question, Report
from dr.plans.document import Part


class Progress(StrEnum):
    """How far a part is. Stored in `drill.seen`."""

    WAITING = "waiting"  # for what it needs
    STARTING = "starting"  # the cloud makes its servers
    ASKED = "asked"  # they run, and its checks are put to them
    ANSWERED = "answered"
    FAILED = "failed"
    BLOCKED = "blocked"  # something it needs has failed
    LEFT_OUT = "left_out"  # nothing of it is in what is rehearsed


OPEN = (Progress.WAITING, Progress.STARTING, Progress.ASKED)


@dataclass(frozen=True)
class Stand:
    """One part, with its times in seconds since the drill began; None: not yet."""

    progress: Progress = Progress.WAITING
    begun_s: float | None = None
    active_s: float | None = None
    answered_s: float | None = None
    ended_s: float | None = None  # when it failed
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """As `drill.seen` keeps it."""
        return {**vars(self), "progress": self.progress.value}


def of_json(row: Mapping[str, Any]) -> Stand:
    """The stand as `as_json` gave it."""
    return Stand(**{**row, "progress": Progress(row["progress"])})


@dataclass(frozen=True)
class Asking:
    """One part as it is started: its servers by name, and what the probe asks them; empty: are they there."""

    part: Part
    servers: tuple[str, ...]
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Look:
    """What one pass saw: the state of each server that is there, what is wrong with it, the probe's words."""

    servers: Mapping[str, str]  # name -> Nova's word
    report: Report | None
    at_s: float
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """What follows: the parts as they stand now, and the servers to be started, the most urgent first."""

    stands: Mapping[str, Stand]
    start: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        return all(one.progress not in OPEN for one in self.stands.values())


def step(
    asked: Sequence[Asking],
    stands: Mapping[str, Stand],
    look: Look,
    slots: int,
    seconds: Mapping[str, float] | None = None,
) -> Move:
    """One pass over all parts. `seconds`: how long each took before, where that is known."""
    now = {one.part.name: _looked_at(one, stands.get(one.part.name, Stand()), look) for one in asked}
    needs = {one.part.name: one.part.needs for one in asked}
    failed = _named(now, Progress.FAILED)
    for name in graph.blocked(needs, failed):
        if now[name].progress is Progress.WAITING:
            now[name] = replace(now[name], progress=Progress.BLOCKED, ended_s=look.at_s)
    done = _named(now, Progress.ANSWERED, Progress.LEFT_OUT)
    begun = [name for name, one in now.items() if one.progress is not Progress.WAITING]
    order = graph.ready(needs, begun, done, failed, len(needs) + len(begun), seconds)
    by_name = {one.part.name: one for one in asked}
    unfinished = [name for name in now if now[name].progress is Progress.STARTING]
    wanted = [
        server
        for name in (*unfinished, *order)
        for server in by_name[name].servers
        if server not in look.servers
    ]
    free = max(0, slots - sum(state == "BUILD" for state in look.servers.values()))
    start = tuple(wanted[:free])
    for name in order:
        if any(server in start for server in by_name[name].servers):
            now[name] = replace(now[name], progress=Progress.STARTING, begun_s=look.at_s)
    return Move(now, start)


def wrong(questions: Sequence[Question], report: Report | None) -> list[str]:
    """The questions that are not answered as they have to be, by their ids."""
    if report is None:
        return [one.id for one in questions]
    return [one.id for one in questions if not report.checks.get(one.id, (False, ""))[0]]


def _looked_at(asked: Asking, stand: Stand, look: Look) -> Stand:
    if not asked.servers:
        return replace(stand, progress=Progress.LEFT_OUT)
    begun_s = stand.begun_s
    if stand.progress not in (Progress.STARTING, Progress.ASKED) or begun_s is None:
        return stand
    broken = [name for name in asked.servers if look.servers.get(name) == "ERROR"]
    if broken:
        why = f"{broken[0]} could not be started: {look.errors.get(broken[0]) or '-'}"
        return replace(stand, progress=Progress.FAILED, ended_s=look.at_s, why=why)
    if stand.active_s is None and all(look.servers.get(name) == "ACTIVE" for name in asked.servers):
        stand = replace(stand, progress=Progress.ASKED, active_s=look.at_s)
    missing = _missing(asked, look)
    if stand.active_s is not None and not missing:
        return replace(stand, progress=Progress.ANSWERED, answered_s=look.at_s, why="")
    if look.at_s - begun_s > asked.part.patience_s:
        why = f"no answer within {asked.part.patience_s} s: {', '.join(missing[:5])}"
        return replace(stand, progress=Progress.FAILED, ended_s=look.at_s, why=why)
    return stand


def _missing(asked: Asking, look: Look) -> list[str]:
    """What has not answered yet: checks, or servers where no checks are."""
    if asked.questions:
        return wrong(asked.questions, look.report)
    seen = look.report.servers if look.report is not None else {}
    return [name for name in asked.servers if not seen.get(name)]


def _named(stands: Mapping[str, Stand], *words: Progress) -> Collection[str]:
    return [name for name, one in stands.items() if one.progress in words]
