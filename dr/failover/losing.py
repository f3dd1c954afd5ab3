"""What a move would lose: the point that its data comes from, how old it is, and which others there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.errors import Fault
from cloudctl.lifecycle import PointState
from cloudctl.models import BackupPolicy, PointCopy, ProtectionPlan, RecoveryPoint
from cloudctl.store import UnitOfWork
from dr.failover.job import UNPLANNED
from dr.levels import reaches
from dr.plans import copies, databases
from dr.plans.document import Document, Way

SHOWN = 20  # alternative points
_USABLE = (PointState.SEALED, PointState.PROTECTED)
NEEDED_LEVEL = "L1"


@dataclass(frozen=True)
class Candidate:
    """A point that the vault of the target site has, with the level to which it is proved."""

    id: str
    taken_at: datetime
    level: str | None


def choose(candidates: Iterable[Candidate], wanted: str | None) -> Candidate | None:
    """Pure: the one that was asked for, by its id or how that begins; else the newest."""
    usable = sorted(
        (one for one in candidates if reaches(one.level, NEEDED_LEVEL)),
        key=lambda one: one.taken_at,
        reverse=True,
    )
    if wanted is not None:
        usable = [one for one in usable if one.id.startswith(wanted)]
    return usable[0] if usable else None


def loss_of(
    uow: UnitOfWork,
    now: datetime,
    plan: ProtectionPlan,
    document: Document,
    target: str,
    wanted: str | None,
    kind: str,
) -> tuple[dict[str, Any], list[Fault]]:
    """What is shown before anybody says yes, and what is wrong with it.

    A planned move takes a point of its own after the stop, so it loses nothing; where no data comes from
    points, the other ways tell for themselves.
    """
    if not any(one.way == Way.POINTS for one in document.parts):
        behind = _behind_s(plan, document, now) if kind == UNPLANNED else None
        return {"points": [], **({} if behind is None else {"seconds": round(behind)})}, []
    found = candidates(uow, plan, document, target)
    shown = [{"id": one.id, "name": one.id[:8], "state": one.level, "taken_at": one.taken_at.isoformat(),
              "seconds": seconds(one, now)} for one in found[:SHOWN]]  # fmt: skip
    if kind != UNPLANNED:
        return {"seconds": 0, "points": shown}, []
    chosen = choose(found, wanted)
    if chosen is None:
        params: Mapping[str, object] = {"site": target, "level": NEEDED_LEVEL, "wanted": wanted or "-"}
        template = "the vault of {site} has no point that is proved to {level} (asked for: {wanted})"
        return {"points": shown}, [Fault("point", "no_point", template, params)]
    return {"point": chosen.id, "taken_at": chosen.taken_at.isoformat(),
            "seconds": seconds(chosen, now), "points": shown}, []  # fmt: skip


def _behind_s(plan: ProtectionPlan, document: Document, now: datetime) -> float | None:
    """How far behind the databases are whose copies are all there is; None where another way brings data too,
    or one was never seen to follow."""
    if any(one.way is Way.REPLICATION for one in document.parts):
        return None
    seen = {name: copies.of_json(row) for name, row in (plan.copies or {}).items()}
    lags = [copies.behind_s(seen[name], now) if name in seen else None for name in databases.of(document)]
    return max((one for one in lags if one is not None), default=None) if None not in lags else None


def candidates(uow: UnitOfWork, plan: ProtectionPlan, document: Document, target: str) -> list[Candidate]:
    """Points of the system as it is now, of the plan's policy, that the target's vault has; newest first."""
    conditions: list[Any] = [
        RecoveryPoint.system_id == plan.system_id,
        RecoveryPoint.site_id == plan.active_site_id,
        RecoveryPoint.state.in_([one.value for one in _USABLE]),
        RecoveryPoint.taken_at.is_not(None),
    ]
    if document.policy:
        conditions.append(
            RecoveryPoint.policy_id.in_(uow.column(BackupPolicy.id, BackupPolicy.name == document.policy))
        )
    rows = uow.all(RecoveryPoint, *conditions, order_by=[RecoveryPoint.taken_at.desc()])
    there = (PointCopy.site_id == target, PointCopy.state == "sealed")
    copies = set(uow.column(PointCopy.point_id, *there)) if rows else set()
    return [Candidate(row.id, row.taken_at, row.level) for row in rows if row.id in copies and row.taken_at]


def seconds(one: Candidate, now: datetime) -> int:
    """How old its data is."""
    return max(0, round((now - one.taken_at).total_seconds()))
