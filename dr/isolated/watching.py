"""What the words of a probe mean for the level of a point. Pure.

Isolation comes first: where one thing answered that must not, whatever else was seen says nothing about the
point, and people have to look. A server that never answers has not booted; one whose application answers
otherwise than its checks demand has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dr.isolated.checks import Check
from dr.isolated.probe import Errand, Report
from dr.levels import reaches

L3, L4 = "L3", "L4"
PASSED, FAILED, INCONCLUSIVE = "passed", "failed", "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """How it ended: the state of the proof, the level shown (None: not even that it boots), and why."""

    state: str
    reached: str | None
    why: str
    details: Mapping[str, Any] = field(default_factory=dict)
    is_breached: bool = False


def judge(
    level: str,
    errand: Errand,
    lost: Sequence[Check],
    report: Report | None,
    ways_out: Sequence[str],
    is_late: bool,
) -> Verdict | None:
    """The verdict on the way to the level (L3 or L4); None: look again."""
    details = told(errand, report, ways_out)
    if ways_out or (report is not None and report.answered):
        answered = [*ways_out, *(report.answered if report else ())]
        why = f"it is not cut off: {', '.join(answered)}"
        return Verdict(INCONCLUSIVE, None, why, details, is_breached=True)
    if report is None:
        why = "the probe has said nothing"
        return Verdict(INCONCLUSIVE, None, why, details) if is_late else None
    silent = [one.name for one in errand.targets if not report.servers.get(one.name)]
    if silent:
        return Verdict(FAILED, None, f"no answer of {', '.join(silent)}", details) if is_late else None
    if not reaches(level, L4):
        return Verdict(PASSED, L3, "every server answers", details)
    if lost:
        why = f"the point has no server for {', '.join(one.name for one in lost)}"
        return Verdict(INCONCLUSIVE, L3, why, details)
    if not errand.questions:
        why = "every server answers; no checks say what its application is to answer"
        return Verdict(INCONCLUSIVE, L3, why, details)
    wrong = [one.id for one in errand.questions if not report.checks.get(one.id, (False, ""))[0]]
    if wrong:
        return (
            Verdict(FAILED, L3, f"the check did not pass: {', '.join(wrong)}", details) if is_late else None
        )
    return Verdict(PASSED, L4, "the application answers", details)


def told(errand: Errand, report: Report | None, ways_out: Sequence[str]) -> dict[str, Any]:
    """What was asked and what was seen, as the proof keeps and signs it."""
    seen = report or Report(0, {}, {}, {})
    return {
        "rounds": seen.round,
        "servers": [
            {"name": one.name, "address": one.address, "answered": seen.servers.get(one.name) or None}
            for one in errand.targets
        ],
        "checks": [
            {"name": one.id, "is_passed": passed, "saw": saw}
            for one in errand.questions
            for passed, saw in [seen.checks.get(one.id, (False, ""))]
        ],
        "canary": {
            "tried": list(errand.forbidden),
            "answered": dict(seen.answered),
            "ways_out": list(ways_out),
        },
    }
