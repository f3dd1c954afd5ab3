"""What of the rows of a drill or a move goes into its report. Reads; decides nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cloudctl import __version__
from cloudctl.lifecycle import FailoverState
from cloudctl.models import (
    Drill,
    Failover,
    FailoverApproval,
    InformationSystem,
    RecoveryPoint,
    Site,
)
from cloudctl.queries.failovers import part_state
from cloudctl.store import UnitOfWork
from dr.plans.document import Document, of_json
from dr.reports import assembling
from dr.reports.assembling import Canary, CheckTold, Event, Given, PartTold, Place, Word
from dr.reports.recovery_time import SEGMENTS, RecoveryTime, Segment, Span, Touch, measure
from dr.reports.statistics import Try
from dr.sentinels import journal, reading
from dr.sentinels.loss import Loss
from dr.sentinels.record import Moment

Json = Mapping[str, Any]
_STEPS: Mapping[str, str] = {  # state of a move -> the segment that ends with it
    FailoverState.APPROVED: "decide",
    FailoverState.FENCED: "fence",
    FailoverState.PROMOTED: "restore",
    FailoverState.STARTED: "boot",
    FailoverState.VALIDATED: "app_ready",
    FailoverState.SHIFTED: "traffic",
}


def of_drill(uow: UnitOfWork, row: Drill, journals: Path, copies: Path | None = None) -> Given:
    """The values of a drill; `journals`: where those of the sentinels are."""
    document, seen = of_json(row.plan), row.seen or {}
    begun_at = _begun_at(row.begun_at, seen)
    point = uow.get(RecoveryPoint, row.point_id) if row.point_id is not None else None
    time = _time_of(seen.get("recovery_time"))
    return Given(
        kind=assembling.DRILL,
        number=row.id,
        document=document,
        plan_sha256=row.plan_sha256,
        system=_system(uow, document.system),
        home=_site(uow, document.home),
        target=_site(uow, row.site_id),
        verdict=row.verdict or assembling.INCONCLUSIVE,
        why=row.why,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        by=row.begun_by,
        reason=row.reason,
        fault_at=row.fault_at,
        point=_point(point),
        point_age_s=_age_s(point, row.fault_at),
        behind_s=((row.made or {}).get("replicas") or {}).get("behind_s"),
        loss=_loss(document, row, seen, journals, copies),
        time=time,
        is_one_clock=bool(seen.get("is_one_clock", True)),
        tries=[*_former(uow, row, "rto_s"), *_this(row, time)],
        losses=_former(uow, row, "rpo_s"),
        parts=[_part(name, one) for name, one in (seen.get("parts") or {}).items()],
        checks=[CheckTold(key, bool(one[0]), str(one[1])) for key, one in (seen.get("checks") or {}).items()],
        canary=_canary(seen.get("isolation")),
        timeline=_timeline(begun_at, seen),
        faults=list(seen.get("faults") or ()),
        left_behind=[str(one) for one in row.left_behind or ()],
        versions={"cloudctl": __version__},
    )  # fmt: skip


def of_failover(uow: UnitOfWork, row: Failover) -> Given:
    """The values of a move."""
    document = of_json(row.plan)
    point = uow.get(RecoveryPoint, row.point_id) if row.point_id is not None else None
    said = uow.all(FailoverApproval, FailoverApproval.failover_id == row.id, order_by=[FailoverApproval.id])
    time = _time_of_move(row)
    is_over = row.state in (FailoverState.SHIFTED, FailoverState.COMMITTED)
    return Given(
        kind=assembling.FAILOVER,
        number=row.id,
        document=document,
        plan_sha256=row.plan_sha256,
        system=_system(uow, document.system),
        home=_site(uow, row.from_site_id),
        target=_site(uow, row.to_site_id),
        verdict=assembling.PASSED if is_over else assembling.FAILED,
        why=row.error_message or "",
        begun_at=row.asked_at,
        ended_at=row.ended_at or _at((row.times or {}).get(FailoverState.SHIFTED)),
        by=row.asked_by,
        reason=row.reason,
        move=row.kind,
        point=_point(point),
        point_age_s=row.rpo_s,
        time=time,
        is_one_clock=False,
        parts=[_moved_part(name, one, row.asked_at) for name, one in _parts(row).items()],
        checks=[*_checks(_parts(row)), *map(_check, (row.made or {}).get("checks") or ())],
        timeline=[
            Event(datetime.fromisoformat(at), state, at_s=_since(at, row.asked_at))
            for state, at in (row.times or {}).items()
        ],
        words=[Word(one.user_id, one.role, one.at, one.opinion) for one in said],
        fence=row.fence or {},
        evidence=row.evidence or [],
        glass=row.glass or {},
        marker=row.marker or {},
        versions={"cloudctl": __version__},
    )


# -- the pieces


def _loss(document: Document, row: Drill, seen: Json, journals: Path, copies: Path | None) -> Loss | None:
    if document.sentinels is None or row.fault_at is None or not seen.get("read_at"):
        return None
    known = journal.read(journals, document.name, copies)
    checks = {name: (bool(one[0]), str(one[1])) for name, one in (seen.get("checks") or {}).items()}
    read_at = datetime.fromisoformat(seen["read_at"])
    return reading.loss_of_drill(known, checks, Moment(row.fault_at), read_at)


def _former(uow: UnitOfWork, row: Drill, figure: str) -> list[Try]:
    """The same figure of earlier drills of the plan; those that failed are censored, and those that say
    nothing about the plan do not count."""
    told = (Drill.report_sha256 != "", Drill.verdict != assembling.INCONCLUSIVE)
    before = uow.all(Drill, Drill.plan_id == row.plan_id, Drill.id < row.id, *told)
    found = []
    for one in before:
        value = getattr(one, figure)
        is_failed = one.verdict == assembling.FAILED and one.rto_s is None
        if value is not None:
            found.append(Try(float(value)))
        elif is_failed:
            found.append(_try(_time_of((one.seen or {}).get("recovery_time"))))
    return found


def _this(row: Drill, time: RecoveryTime | None) -> list[Try]:
    return [_try(time)] if time is not None and row.verdict != assembling.INCONCLUSIVE else []


def _try(time: RecoveryTime | None) -> Try:
    if time is None:
        return Try(0.0, is_censored=True)
    return Try(time.until_s if time.rto_s is None else time.rto_s, time.rto_s is None)


def _time_of(told: Json | None) -> RecoveryTime | None:
    if not told:
        return None
    segments = tuple(Segment(**one) for one in told["segments"])
    touches = tuple(Touch(**one) for one in told.get("touches") or ())
    return RecoveryTime(told["rto_s"], float(told["until_s"]), segments, touches)


def _time_of_move(row: Failover) -> RecoveryTime:
    """Out of the times at which each state was reached, on the wall's clock."""
    reached = {state: datetime.fromisoformat(at).timestamp() for state, at in (row.times or {}).items()}
    begun = row.asked_at.timestamp()
    spans = [Span(name, begun, reached[state]) for state, name in _STEPS.items() if state in reached]
    shifted = reached.get(FailoverState.SHIFTED)
    if shifted is not None:
        spans.append(Span("verified", shifted, shifted))
    exercised = [one for one in SEGMENTS if one != "detect"]
    touches = (
        [Touch(str(row.glass.get("at", "")), str(row.glass.get("second", "")), "break-glass")]
        if row.glass
        else []
    )
    measured = measure(spans, exercised, fault_s=begun, touches=touches)
    if row.rto_s is None:
        return measured
    return RecoveryTime(row.rto_s, measured.until_s, measured.segments, measured.touches)


def _timeline(begun_at: datetime, seen: Json) -> Sequence[Event]:
    events = [
        Event(begun_at + timedelta(seconds=at_s), str(state), at_s=float(at_s))
        for state, at_s in (seen.get("times") or {}).items()
    ]
    for name, one in (seen.get("parts") or {}).items():
        for key in ("begun_s", "active_s", "answered_s", "ended_s"):
            at_s = one.get(key)
            if at_s is not None:
                what, detail = key.removesuffix("_s"), one.get("why") or "" if key == "ended_s" else ""
                events.append(Event(begun_at + timedelta(seconds=at_s), what, name, float(at_s), detail))
    return events


def _begun_at(begun_at: datetime, seen: Json) -> datetime:
    anchor = seen.get("anchor")
    return datetime.fromisoformat(anchor["at"]) if anchor else begun_at


def _part(name: str, row: Json) -> PartTold:
    return PartTold(
        name, str(row.get("progress") or row.get("state") or ""), row.get("begun_s"), row.get("active_s"),
        row.get("answered_s"), str(row.get("why") or ""),
    )  # fmt: skip


def _parts(row: Failover) -> Json:
    """What a move has noted of each part."""
    found: Json = (row.made or {}).get("parts") or {}
    return found


def _moved_part(name: str, told: Json, asked_at: datetime) -> PartTold:
    """The same of a move, in seconds since it was asked for."""
    begun, stood, done = (_since(told.get(key), asked_at) for key in ("begun_at", "stood_at", "done_at"))
    return PartTold(name, part_state(dict(told)), begun, stood, done, str(told.get("saw") or ""))


def _checks(parts: Json) -> list[CheckTold]:
    """What was asked of each part before the next one was begun."""
    return [_check({**one, "name": f"{name}: {one['name']}"})
            for name, told in parts.items() for one in told.get("checks") or ()]  # fmt: skip


def _check(told: Json) -> CheckTold:
    return CheckTold(str(told["name"]), bool(told["is_passed"]), str(told.get("saw", "")))


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _since(text: str | None, begun_at: datetime) -> float | None:
    at = _at(text)
    return round((at - begun_at).total_seconds(), 3) if at is not None else None


def _canary(told: Json | None) -> Canary | None:
    if not told:
        return None
    return Canary(
        tuple(told.get("tried") or ()), told.get("answered") or {}, tuple(told.get("ways_out") or ())
    )


def _point(point: RecoveryPoint | None) -> dict[str, Any]:
    if point is None:
        return {}
    taken_at = point.taken_at.isoformat() if point.taken_at is not None else None
    return {"id": point.id, "sequence": point.sequence, "taken_at": taken_at, "level": point.level}


def _age_s(point: RecoveryPoint | None, fault_at: datetime | None) -> float | None:
    if point is None or point.taken_at is None or fault_at is None:
        return None
    return round(max(0.0, (fault_at - point.taken_at).total_seconds()), 3)


def _system(uow: UnitOfWork, key: str) -> Place:
    row = uow.get(InformationSystem, key)
    return Place(key, row.name if row is not None else key)


def _site(uow: UnitOfWork, key: str) -> Place:
    row = uow.get(Site, key)
    return Place(key, (row.title or key) if row is not None else key)
