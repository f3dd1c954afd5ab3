"""Recovery points."""

from enum import StrEnum

from cloudctl.lifecycle.table import Transition


class PointState(StrEnum):
    """Where a RecoveryPoint stands. Stored: never rename one without a migration."""

    PLANNED = "planned"
    CAPTURING = "capturing"  # frozen, snapshotted, thawed, read by the site's own backup service
    COPYING = "copying"  # being sealed into the vaults
    SEALED = "sealed"  # complete in every vault of its policy; nothing read back yet
    PROTECTED = "protected"  # read back and right
    SUSPECT = "suspect"  # something of it is wrong
    LOST = "lost"  # wrong, and the source no longer has it
    EXPIRING = "expiring"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


def _p(source: str, event: str, target: str, who: str = "system") -> Transition[PointState]:
    return Transition(PointState(source), event, PointState(target), frozenset(who.split()))


POINT: tuple[Transition[PointState], ...] = (
    _p("planned", "capture", "capturing"),
    _p("capturing", "copy", "copying"),
    _p("copying", "seal", "sealed"),
    _p("sealed", "prove", "protected"),
    _p("protected", "prove", "protected"),
    _p("sealed", "doubt", "suspect"),
    _p("protected", "doubt", "suspect"),
    _p("suspect", "doubt", "suspect"),
    _p("suspect", "prove", "protected"),
    _p("suspect", "lose", "lost"),
    _p("lost", "prove", "protected"),  # found again, for instance in a vault that was cut off
    *(_p(state, "expire", "expiring") for state in ("sealed", "protected", "suspect", "lost")),
    _p("expiring", "finish", "expired"),
    *(_p(state, "fail", "failed") for state in ("planned", "capturing", "copying")),
    *(_p(state, "cancel", "cancelled", "admin") for state in ("planned", "capturing", "copying")),
)
