"""What a drill has shown. Pure.

`passed`: every part that counts answered, and so did the whole, within the objectives. `failed`: it did not.
`inconclusive`: the drill says nothing about the plan, for instance since it was not cut off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dr.drills.parts import Progress, Stand
from dr.plans.document import Document

PASSED, FAILED, INCONCLUSIVE = "passed", "failed", "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """The word, and why it is not `passed`."""

    word: str
    why: str = ""


def breach(answered: Sequence[str]) -> Verdict:
    """It was not cut off: whatever else was seen counts for nothing."""
    return Verdict(INCONCLUSIVE, f"it is not cut off: {', '.join(answered)}")


def conclude(
    document: Document,
    stands: Mapping[str, Stand],
    wrong: Sequence[str],
    lost: Sequence[str],
    rpo_s: float | None,
    rto_s: float | None,
) -> Verdict:
    """The verdict on a drill that came to its end: `wrong` are checks of the whole that did not pass, `lost`
    checks of servers that were not there."""
    counted = [one for one in document.parts if one.is_critical]
    down = [one.name for one in counted if stands[one.name].progress in (Progress.FAILED, Progress.BLOCKED)]
    if down:
        reasons = [f"{name}: {stands[name].why}" for name in down if stands[name].why]
        return Verdict(FAILED, "; ".join(reasons) or f"did not come up: {', '.join(down)}")
    if wrong:
        return Verdict(FAILED, f"the check did not pass: {', '.join(wrong)}")
    missing = [one.name for one in counted if stands[one.name].progress is Progress.LEFT_OUT]
    if missing:
        return Verdict(INCONCLUSIVE, f"could not be rehearsed: {', '.join(missing)}")
    if lost:
        return Verdict(INCONCLUSIVE, f"there is no server for {', '.join(lost)}")
    late = [
        f"{word} {took:g} s instead of {wanted} s"
        for word, took, wanted in (("RPO", rpo_s, document.rpo_s), ("RTO", rto_s, document.rto_s))
        if took is not None and took > wanted
    ]
    return Verdict(FAILED, "; ".join(late)) if late else Verdict(PASSED)
