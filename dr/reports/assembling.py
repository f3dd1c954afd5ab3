"""The report of a drill or of a move as one document: what is hashed, signed and printed. Pure.

It takes values and no rows, so that both are told alike. What was not measured is null and named, never a
guess; what was measured is said no finer than the clocks allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dr.plans.document import Document
from dr.reports import levels as scale
from dr.reports.levels import Levels
from dr.reports.recovery_time import RecoveryTime
from dr.reports.statistics import Try, over
from dr.sentinels.loss import Loss

FORMAT = "cloudctl-dr-report-1"
DRILL, FAILOVER = "drill", "failover"
PASSED, FAILED, INCONCLUSIVE = "passed", "failed", "inconclusive"
Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A site or a system as people know it."""

    id: str
    name: str


@dataclass(frozen=True)
class Event:
    """One line of the timeline: when, what, of which part, and seconds since the begin where it is known."""

    at: datetime
    what: str
    part: str = ""
    at_s: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class PartTold:
    """How one part came up, in seconds since the begin; None: it did not."""

    name: str
    state: str
    begun_s: float | None = None
    active_s: float | None = None
    answered_s: float | None = None
    why: str = ""


@dataclass(frozen=True)
class CheckTold:
    """A check and what was seen."""

    name: str
    is_passed: bool
    saw: str = ""


@dataclass(frozen=True)
class Canary:
    """What must not answer from inside, what did, and the ways out that the cloud shows."""

    tried: tuple[str, ...]
    answered: Mapping[str, str] = field(default_factory=dict)
    ways_out: tuple[str, ...] = ()

    @property
    def is_cut_off(self) -> bool | None:
        """None: nothing was tried, so it is not known."""
        if self.answered or self.ways_out:
            return False
        return True if self.tried else None


@dataclass(frozen=True)
class Word:
    """One person's word on a move, as it was given."""

    by: str
    role: str
    at: datetime
    opinion: str = ""


@dataclass(frozen=True)
class Given:
    """Everything that a report is made of."""

    kind: str  # drill, failover
    number: int
    document: Document
    plan_sha256: str
    system: Place
    home: Place
    target: Place  # where it was rehearsed, or moved to
    verdict: str
    why: str
    begun_at: datetime
    ended_at: datetime | None
    by: str
    reason: str = ""
    move: str = ""  # planned, unplanned; empty for drills
    fault_at: datetime | None = None
    point: Mapping[str, Any] = field(default_factory=dict)  # id, taken_at, level
    point_age_s: float | None = None  # at the fault: what a plan without sentinels can say
    behind_s: float | None = None  # how far the replicas were at the fault, where a drill was made from them
    loss: Loss | None = None
    time: RecoveryTime | None = None
    is_one_clock: bool = True
    tries: Sequence[Try] = ()  # of this plan, this one included
    losses: Sequence[Try] = ()  # of earlier ones
    parts: Sequence[PartTold] = ()
    checks: Sequence[CheckTold] = ()
    canary: Canary | None = None
    timeline: Sequence[Event] = ()
    faults: Sequence[Mapping[str, Any]] = ()
    left_behind: Sequence[str] = ()
    words: Sequence[Word] = ()
    fence: Mapping[str, Any] = field(default_factory=dict)
    evidence: Sequence[Mapping[str, Any]] = ()
    glass: Mapping[str, Any] = field(default_factory=dict)
    marker: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def rpo_of(given: Given) -> float | None:
    """The RPO that counts: by sentinels where something was acknowledged, else the age of the point.

    A planned move stops the writers before anything is copied: none missing means that nothing is lost.
    A drill from replicas reads a moment that was taken after the fault: sentinels alone would make it better
    than it was.
    """
    loss = _counted(given)
    if given.behind_s is not None:
        found = loss.rpo_s if loss is not None else None
        return max(given.behind_s, found or 0.0)
    if loss is not None and loss.rpo_s is not None:
        is_whole = given.move == "planned" and loss.missing == 0
        return 0.0 if is_whole else loss.rpo_s
    return given.point_age_s


def _counted(given: Given) -> Loss | None:
    """What sentinels say; nothing where a drill was broken off before they could be read."""
    is_unread = given.loss is not None and given.loss.is_at_least
    return None if given.verdict == INCONCLUSIVE and is_unread else given.loss


def verdict_of(given: Given) -> tuple[str, str]:
    """The verdict with what sentinels show: more lost than the objective allows is a failure."""
    rpo_s, wanted = rpo_of(given), given.document.rpo_s
    if given.verdict == PASSED and rpo_s is not None and rpo_s > wanted:
        return FAILED, f"RPO {rpo_s:g} s instead of {wanted} s"
    if given.verdict == PASSED and given.loss is not None and given.loss.is_genuine is False:
        return FAILED, "the sentinels that came back are not those that were written"
    return given.verdict, given.why


def assemble(given: Given, levels: Levels) -> Json:
    """The document. The same values give the same document, byte by byte."""
    document, time = given.document, given.time
    rpo_s, rto_s = rpo_of(given), time.rto_s if time is not None else None
    is_counted = given.kind == DRILL and given.verdict != INCONCLUSIVE
    losses = [*given.losses, *([Try(rpo_s)] if is_counted and rpo_s is not None else ())]
    verdict, why = verdict_of(given)
    return {
        "format": FORMAT,
        "kind": given.kind,
        "number": given.number,
        "id": f"{given.kind}-{given.number}",
        "move": given.move,
        "plan": _plan(given),
        "system": vars(given.system),
        "home": vars(given.home),
        "target": vars(given.target),
        "by": given.by,
        "reason": given.reason,
        "begun_at": _at(given.begun_at),
        "ended_at": _at(given.ended_at),
        "fault_at": _at(given.fault_at),
        "verdict": verdict,
        "why": why,
        "rpo_s": rpo_s,
        "rto_s": rto_s,
        "rpo_by": _rpo_by(given),
        "objectives": {
            "rpo_s": document.rpo_s,
            "rto_s": document.rto_s,
            "is_rpo_met": None if rpo_s is None else rpo_s <= document.rpo_s,
            "is_rto_met": None if rto_s is None else rto_s <= document.rto_s,
        },
        "point": dict(given.point),
        "loss": given.loss.as_json() if given.loss is not None else None,
        "recovery_time": time.as_json() if time is not None else None,
        "is_one_clock": given.is_one_clock,
        "statistics": {
            "rto": over(given.tries, document.rto_s).as_json(),
            "rpo": over(losses, document.rpo_s).as_json(),
        },
        "levels": scale.judge(levels, document, rpo_s, rto_s, verdict == PASSED),
        "parts": [dict(vars(one)) for one in given.parts],
        "checks": [dict(vars(one)) for one in given.checks],
        "canary": _canary(given.canary),
        "timeline": [
            {**vars(one), "at": _at(one.at)} for one in sorted(given.timeline, key=lambda one: one.at)
        ],
        "faults": [dict(one) for one in given.faults],
        "left_behind": list(given.left_behind),
        "approvals": [{**vars(one), "at": _at(one.at)} for one in given.words],
        "fence": dict(given.fence),
        "evidence": [dict(one) for one in given.evidence],
        "glass": dict(given.glass),
        "marker": dict(given.marker),
        "versions": {**given.versions, "report": FORMAT, "levels": levels.edition},
    }


def _plan(given: Given) -> Json:
    document = given.document
    return {
        "name": document.name,
        "sha256": given.plan_sha256,
        "parts": [
            {"name": one.name, "servers": list(one.servers), "needs": list(one.needs), "way": one.way.value,
             "serving": one.serving.value, "is_critical": one.is_critical}
            for one in document.parts
        ],
    }  # fmt: skip


def _rpo_by(given: Given) -> str | None:
    if given.behind_s is not None:
        return "replicas"
    loss = _counted(given)
    if loss is not None and loss.rpo_s is not None:
        return "sentinels"
    return "point" if given.point_age_s is not None else None


def _canary(canary: Canary | None) -> Json | None:
    if canary is None:
        return None
    return {
        "tried": list(canary.tried),
        "answered": dict(canary.answered),
        "ways_out": list(canary.ways_out),
        "is_cut_off": canary.is_cut_off,
    }


def _at(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment is not None else None
