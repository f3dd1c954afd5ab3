"""What follows when a drill is over: its report, and what it means for its plan."""

from typing import Protocol

from cloudctl.clock import Clock
from cloudctl.models import Drill, ProtectionPlan
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.plans import standing
from dr.reports.finishing import Finishing


class Ends(Protocol):
    """Whoever wires the flow says what follows."""

    def report(self, run: Run, drill_id: int) -> None:
        """Make its report; again gives the same. Called when nothing of it is left, before it is done."""

    def verified(
        self, uow: UnitOfWork, clock: Clock, plan: ProtectionPlan, drill: Drill, has_passed: bool
    ) -> None:
        """What it means for its plan; in the transaction that ends it, and not for one that shows nothing."""


class NothingFollows:
    """A drill that nobody reports on."""

    def report(self, run: Run, drill_id: int) -> None:
        """Nothing."""

    def verified(
        self, uow: UnitOfWork, clock: Clock, plan: ProtectionPlan, drill: Drill, has_passed: bool
    ) -> None:
        """Nothing."""


class Ending:
    """Its report is kept and signed, and its plan is told what it has shown."""

    def __init__(self, finishing: Finishing) -> None:
        self._finishing = finishing

    def report(self, run: Run, drill_id: int) -> None:
        self._finishing.finish(run, drill_id)

    def verified(
        self, uow: UnitOfWork, clock: Clock, plan: ProtectionPlan, drill: Drill, has_passed: bool
    ) -> None:
        rested_on = str((drill.options or {}).get("inventory_sha256") or "")
        standing.note_drill(uow, clock, plan, drill.id, drill.plan_sha256, rested_on, has_passed)
