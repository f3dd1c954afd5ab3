"""How the data of a plan stands at the other site, by the part that stands worst. Pure.

What would be lost now is the age of the newest point that can be used there, or how far a copy is behind.
"""

from dataclasses import dataclass
from typing import Any

from cloudctl.lifecycle import PlanHealth
from cloudctl.ports.replication import ReplicaState
from dr.plans.document import Document, Part, Way
from dr.plans.known import Known, PointFacts

Json = dict[str, Any]
AT_RISK_PER_CENT = 70
_WORST = (
    PlanHealth.UNPROTECTED,
    PlanHealth.RPO_VIOLATED,
    PlanHealth.SEEDING,
    PlanHealth.RPO_AT_RISK,
    PlanHealth.PROTECTED,
)


@dataclass(frozen=True)
class Health:
    """How the data stands, by the part that stands worst. `behind_s`: what would be lost now; None: unknown.

    `worst_s` is what may be lost at the worst moment: the time between two points and until a copy is away.
    """

    state: PlanHealth
    why: tuple[Json, ...]
    behind_s: float | None = None
    worst_s: float | None = None


def health(document: Document, known: Known) -> Health:
    """The health of the data of all parts that have any; PROTECTED where none has."""
    parts = [_part_health(document, part, known) for part in document.parts if part.way is not Way.NONE]
    if not parts:
        return Health(PlanHealth.PROTECTED, (), 0.0, 0.0)
    state = min((one.state for one in parts), key=_WORST.index)
    behind = [one.behind_s for one in parts]
    worst = [one.worst_s for one in parts if one.worst_s is not None]
    known_behind = [one for one in behind if one is not None]
    return Health(
        state,
        tuple(row for one in parts for row in one.why),
        None if None in behind else max(known_behind),
        max(worst, default=None),
    )


def newest_usable(document: Document, known: Known) -> PointFacts | None:
    """The newest point that was read back and of which a vault away from the source has a copy."""
    return next(
        (
            one
            for one in known.points
            if document.policy in ("", one.policy) and set(one.vaults) - {known.source}
        ),
        None,
    )


def _part_health(document: Document, part: Part, known: Known) -> Health:
    if part.way is Way.POINTS:
        return _by_points(document, part, known)
    if part.way is Way.REPLICATION:
        return _by_replicas(document, part, known)
    lag = known.application_lag_s.get(part.name)
    if lag is None:
        return Health(PlanHealth.RPO_AT_RISK, (_why(part, "lag_unknown"),))
    return _judged(document, part, lag, None, "lag")


def _by_points(document: Document, part: Part, known: Known) -> Health:
    covering = [one for one in known.policies if document.policy in ("", one.name)]
    covering = [one for one in covering if set(one.vaults) - {known.source}]
    if not covering:
        return Health(PlanHealth.UNPROTECTED, (_why(part, "no_policy"),))
    worst = min(one.longest_gap_s + (one.delay_s or 0) for one in covering)
    point = newest_usable(document, known)
    if point is None:
        return Health(PlanHealth.SEEDING, (_why(part, "no_point"),), None, worst)
    judged = _judged(document, part, (known.at - point.taken_at).total_seconds(), worst, "point_age")
    if any(one.is_active for one in covering):
        return judged
    state = min((judged.state, PlanHealth.RPO_AT_RISK), key=_WORST.index)
    why = (*judged.why, _why(part, "policy_suspended", policy=covering[0].name))
    return Health(state, why, judged.behind_s, judged.worst_s)


def _by_replicas(document: Document, part: Part, known: Known) -> Health:
    if known.replication_problem:
        return Health(PlanHealth.RPO_AT_RISK, (_why(part, "lag_unknown", detail=known.replication_problem),))
    volumes = [volume for server in known.servers_of(part) for volume in server.volumes]
    found = [known.replicas.get(one.external_id) for one in volumes]
    states = {one.state if one is not None else ReplicaState.ABSENT for one in found}
    if not volumes or ReplicaState.ABSENT in states:
        return Health(PlanHealth.UNPROTECTED, (_why(part, "not_replicated"),))
    if ReplicaState.SYNCING in states:
        return Health(PlanHealth.SEEDING, (_why(part, "syncing"),))
    if ReplicaState.SPLIT_BRAIN in states or ReplicaState.STOPPED in states:
        code = "split_brain" if ReplicaState.SPLIT_BRAIN in states else "replication_stopped"
        return Health(PlanHealth.RPO_VIOLATED, (_why(part, code),))
    behind = [one.behind_s for one in found if one is not None]
    if None in behind:
        return Health(PlanHealth.RPO_AT_RISK, (_why(part, "lag_unknown"),))
    return _judged(document, part, max(one for one in behind if one is not None), None, "lag")


def _judged(document: Document, part: Part, behind_s: float, worst_s: float | None, code: str) -> Health:
    told = {"seconds": round(behind_s), "objective_s": document.rpo_s}
    if behind_s > document.rpo_s:
        return Health(PlanHealth.RPO_VIOLATED, (_why(part, code, **told),), behind_s, worst_s)
    if behind_s * 100 > document.rpo_s * AT_RISK_PER_CENT:
        return Health(PlanHealth.RPO_AT_RISK, (_why(part, code, **told),), behind_s, worst_s)
    if worst_s is not None and worst_s > document.rpo_s:
        told = {"seconds": round(worst_s), "objective_s": document.rpo_s}
        return Health(PlanHealth.RPO_AT_RISK, (_why(part, "worst_case", **told),), behind_s, worst_s)
    return Health(PlanHealth.PROTECTED, (), behind_s, worst_s)


def _why(part: Part, code: str, **more: object) -> Json:
    return {"part": part.name, "code": code, **more}
