"""What one pass of a drill works on: its rows, the plan as it was then, and what has been written so far.

`drill.seen` has: `anchor` (the moment it began, on both clocks) and `is_one_clock`; in seconds since then
`times` (when each state, and `verified`, was reached) and `parts` (dr/drills/parts.py); of the newest words
of the probe `checks` (id -> is passed, what was seen), `servers`, `isolation` and `read_at`; then `lost`,
`faults`, `recovery_time`. `drill.made` has `project`, `nonce`, `ids`, `addresses`, `probe_type`, `parts`
(part -> its servers), `replicas` (dr/drills/from_replicas.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloudctl.lifecycle import DRILL, DrillState, move
from cloudctl.models import Drill, Operation, ProtectionPlan, RecoveryPoint, Restore, Site
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr import marks
from dr.drills import parts
from dr.drills.fenced_cloud import Marks
from dr.drills.parts import Stand
from dr.isolated.laying import Ids, Place
from dr.plans.document import Document, Way, of_json

KIND = SUBJECT = "drill"  # of the operation
PURPOSE = "drill"  # of the restore
DRILLING = frozenset(
    row.source for row in DRILL if row.event == "clean" and row.source != "cleanup_incomplete"
)
OPEN = frozenset(DrillState) - {DrillState.DONE}


@dataclass(frozen=True)
class DrillJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    drill: Drill
    plan: ProtectionPlan
    site: Site  # where it is rehearsed
    point: RecoveryPoint | None
    restore_id: int | None  # of the restore that clones the point, once it has begun

    @cached_property
    def document(self) -> Document:
        """The plan as it was when the drill was begun."""
        return of_json(self.drill.plan)

    @property
    def state(self) -> DrillState:
        return DrillState(self.drill.state)

    @property
    def made(self) -> Mapping[str, Any]:
        return self.drill.made or {}

    @property
    def seen(self) -> Mapping[str, Any]:
        return self.drill.seen or {}

    @property
    def options(self) -> Mapping[str, Any]:
        return self.drill.options or {}

    @property
    def way(self) -> Way:
        """Where its data comes from."""
        return Way.POINTS if self.drill.point_id is not None else Way.REPLICATION

    @property
    def project(self) -> str:
        """The drill's own at the site; empty before it is made."""
        return str(self.made.get("project") or "")

    @property
    def fence(self) -> Marks:
        restores = () if self.restore_id is None else (self.restore_id,)
        return Marks(self.installation, self.drill.id, frozenset(restores))

    def copy_name(self, pair_id: str) -> str:
        """What the storage calls the copy that it makes of a replica."""
        return f"{self.fence.prefix}{pair_id}"

    @property
    def tags(self) -> dict[str, str]:
        """What everything it makes carries."""
        return marks.of_drill(self.installation, self.plan.system_id, self.drill.id)

    @property
    def ids(self) -> Ids:
        return Ids(**self.made["ids"])

    @property
    def stands(self) -> dict[str, Stand]:
        """The parts as the last pass left them."""
        return {name: parts.of_json(row) for name, row in (self.seen.get("parts") or {}).items()}

    def place(self, volumes: Mapping[int, str]) -> Place:
        """Where it is made, with the volumes by position of the topology."""
        return Place(self.project, self.tags, volumes, str(self.made.get("probe_type") or ""))


def load(run: Run, installation: str) -> DrillJob:
    """Read everything the drill is about."""
    with run.store.read() as uow:
        operation = uow.need(Operation, run.operation_id)
        drill = uow.need(Drill, int(operation.subject_id))
        restore = uow.first(Restore, Restore.operation_id == operation.id, Restore.purpose == PURPOSE)
        return DrillJob(
            installation,
            operation,
            drill,
            uow.need(ProtectionPlan, drill.plan_id),
            uow.need(Site, drill.site_id),
            uow.need(RecoveryPoint, drill.point_id) if drill.point_id is not None else None,
            None if restore is None else restore.id,
        )


def note(row: Drill, **values: Any) -> None:
    """Put these into what was seen, beside what is there."""
    row.seen = {**(row.seen or {}), **values}


def keep(row: Drill, **values: Any) -> None:
    """Put these into what was made, beside what is there."""
    row.made = {**(row.made or {}), **values}


def reach(uow: UnitOfWork, operation: Operation, drill_id: int, event: str, at_s: float) -> Drill:
    """Move the drill along its table, with the time; WrongState. The row, for more changes."""
    row = uow.need(Drill, drill_id)
    row.state = move(DRILL, DrillState(row.state), event)
    operation.step = row.state
    times = (row.seen or {}).get("times", {})
    note(row, times={str(row.state): at_s, **times})  # when it was reached first
    return row
