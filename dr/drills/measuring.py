"""The figures of a drill, out of what was written down while it went on. Pure.

What was lost is the age of the point at the fault, or how far the replicas were behind then: sentinels, where
the plan has them, tell more (the report reads them). How long it took is measured from the beginning until
every part that counts and the whole have answered, in segments (`dr.reports.recovery_time`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dr.drills import parts
from dr.drills.job import DrillJob
from dr.drills.parts import Progress, Stand
from dr.drills.scene import Questions
from dr.drills.staging import Seen
from dr.isolated.probe import Report
from dr.plans.document import Document
from dr.reports.recovery_time import (
    APP_READY,
    BOOT,
    OF_DRILLS,
    PROBE,
    RESTORE,
    VERIFIED,
    Span,
    measure,
)

#: What the journal says of a part.
STEP_OF = {
    Progress.WAITING: "started",
    Progress.STARTING: "started",
    Progress.ASKED: "started",
    Progress.ANSWERED: "done",
    Progress.FAILED: "failed",
    Progress.BLOCKED: "failed",
    Progress.LEFT_OUT: "done",
}


@dataclass(frozen=True)
class Figures:
    """Seconds; None where it was not reached."""

    rpo_s: float | None
    rto_s: float | None
    recovery_time: Mapping[str, Any]


def is_verified(
    document: Document, stands: Mapping[str, Stand], questions: Questions, report: Report | None
) -> bool:
    """Whether every part that counts has answered, and the whole as well."""
    counted = [stands[one.name].progress for one in document.parts if one.is_critical]
    return all(one is Progress.ANSWERED for one in counted) and not parts.wrong(questions.whole, report)


def is_down(document: Document, stands: Mapping[str, Stand]) -> bool:
    """Whether a part that counts has failed, or never began."""
    bad = (Progress.FAILED, Progress.BLOCKED)
    return any(stands[one.name].progress in bad for one in document.parts if one.is_critical)


def last_s(stands: Mapping[str, Stand]) -> float:
    """When a part went on last, in seconds since the drill began."""
    moments = [(one.begun_s, one.active_s, one.answered_s, one.ended_s) for one in stands.values()]
    return max((at_s for one in moments for at_s in one if at_s is not None), default=0.0)


def told(questions: Questions | None, seen: Seen, read_at: datetime) -> dict[str, Any]:
    """What the probe said last, as the drill keeps it."""
    report = seen.report or Report(0, {}, {}, {})
    canary: dict[str, Any] = {"answered": dict(report.answered), "ways_out": list(seen.ways_out)}
    if questions is None:
        return {"isolation": canary}
    tried = list(questions.errand.forbidden)
    return {
        "checks": {key: list(one) for key, one in report.checks.items()},
        "servers": dict(report.servers),
        "isolation": {"tried": tried, "rounds": report.round, **canary},
        "read_at": read_at.isoformat(),
    }


def figures(job: DrillJob, at_s: float) -> Figures:
    """The figures at `at_s`, when the verdict is said."""
    times: Mapping[str, float] = job.seen["times"]
    verified_s = times.get("verified")
    counted = {one.name for one in job.document.parts if one.is_critical}
    stands = [one for name, one in job.stands.items() if name in counted]
    cloned_s, begun_s = times.get("cloned"), times.get("starting")
    spans = [Span(RESTORE, 0.0, cloned_s)]
    spans += [Span(PROBE, cloned_s, begun_s)] if cloned_s is not None else []
    spans += [Span(BOOT, one.begun_s, one.active_s) for one in stands if one.begun_s is not None]
    spans += [Span(APP_READY, one.active_s, one.answered_s) for one in stands if one.active_s is not None]
    ready_s = max((one.answered_s for one in stands if one.answered_s is not None), default=0.0)
    spans.append(Span(VERIFIED, ready_s, verified_s))
    taken = measure(spans, OF_DRILLS, fault_s=0.0, until_s=at_s)
    return Figures(_age_s(job), taken.rto_s, taken.as_json())


def _age_s(job: DrillJob) -> float | None:
    point, fault_at = job.point, job.drill.fault_at
    if "replicas" in job.made:
        behind_s: float | None = job.made["replicas"].get("behind_s")
        return behind_s
    if point is None or point.taken_at is None or fault_at is None:
        return None
    return max(0.0, (fault_at - point.taken_at).total_seconds())
