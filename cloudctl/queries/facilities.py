"""Reads of facilities: lists as the actor may see, how many are left of each kind, who takes part where."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import and_, case, func, select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import Department, Division, Facility, InformationSystem
from cloudctl.queries.measures import takes_part
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
PAGE = 100
LEVELS = ("province", "city", "county", "township")
# As the documents list them (横向接入); the other kinds of organisations come behind.
ORGANISATIONS = ("党委", "人大", "政府", "政协", "法院", "检察院")


def list_facilities(
    uow: UnitOfWork,
    actor: Actor,
    kind: str | None = None,
    state: str | None = None,
    division: str | None = None,
    limit: int | None = PAGE,
    marker: str = "",
) -> Rows:
    """Facilities by code, those after `marker`; of one division and all below it when named."""
    seen = Sight(uow, actor, "system.see")
    conditions: list[Any] = [Facility.id > marker]
    conditions.append(Facility.department_id.in_(select(Department.id).where(*seen.departments())))
    if division is not None:
        inside = Department.division_code.in_(seen.below(division))
        conditions.append(Facility.department_id.in_(select(Department.id).where(inside)))
    for column, value in ((Facility.kind, kind), (Facility.state, state)):
        if value is not None:
            conditions.append(column == value)
    rows = uow.all(Facility, *conditions, order_by=[Facility.id], limit=limit)
    names = {
        id_: (name, code)
        for id_, name, code in uow.tuples(
            (Department.id, Department.name, Department.division_code),
            Department.id.in_({row.department_id for row in rows}),
        )
    }
    return [_row(row, *names[row.department_id], seen) for row in rows]


def show_facility(uow: UnitOfWork, actor: Actor, key: str) -> Json:
    """One by its code. NotFound when not seen."""
    seen = Sight(uow, actor, "system.see")
    row = uow.get(Facility, key)
    visible = (
        uow.column(Department.id, *seen.departments(), Department.id == row.department_id) if row else []
    )
    if row is None or not visible:
        raise NotFound("{what} '{key}' does not exist", what="facility", key=key)
    department = uow.need(Department, row.department_id)
    return _row(row, department.name, department.division_code, seen)


def milestones(uow: UnitOfWork, today: date, division: str | None = None) -> Rows:
    """Of each kind in each division with all below it: how many there were, how many are left or overdue."""
    parents = dict(uow.tuples((Division.code, Division.parent_code), order_by=[Division.code]))
    names = dict(uow.tuples((Division.code, Division.name)))
    ended, overdue = Facility.state == "ended", and_(Facility.state != "ended", Facility.ends_on < today)
    statement = (
        select(
            Department.division_code,
            Facility.kind,
            func.count(),
            _sum(ended),
            _sum(Facility.state == "planned"),
            _sum(overdue),
            _sum(~ended, Facility.yearly_cost_yuan),
            _sum(ended, Facility.yearly_cost_yuan),
        )
        .join(Department, Department.id == Facility.department_id)
        .group_by(Department.division_code, Facility.kind)
    )
    sums: dict[tuple[str, str], list[int]] = {}
    for code, kind, *numbers in uow.session.execute(statement):
        for above in _upward(code, parents):
            total = sums.setdefault((above, kind), [0] * len(numbers))
            sums[above, kind] = [a + int(b or 0) for a, b in zip(total, numbers, strict=True)]
    wanted = sorted(sums) if division is None else sorted(key for key in sums if key[0] == division)
    return [_milestone(code, kind, names.get(code), sums[code, kind]) for code, kind in wanted]


def coverage(uow: UnitOfWork) -> Rows:
    """Who takes part: for each division with all below it, departments with a registered system, of all.

    By the level of the department's division, and by kind of organisation.
    """
    parents = dict(uow.tuples((Division.code, Division.parent_code)))
    divisions = uow.tuples(
        (Division.code, Division.name, Division.level),
        Division.retired_at.is_(None),
        order_by=[Division.code],
    )
    levels = {code: level for code, _, level in divisions}
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for code, kind, taking in _departments(uow):
        for above in _upward(code, parents):
            for column in ("all", f"level:{levels.get(code, '')}", f"kind:{kind}"):
                before, total = counts.get((above, column), (0, 0))
                counts[above, column] = (before + taking, total + 1)
    return [
        {
            "id": code,
            "name": name,
            "state": _coverage_state(counts.get((code, "all"), (0, 0))),
            "level": level,
            "departments": _pair(counts, code, "all"),
            "by_level": {one: _pair(counts, code, f"level:{one}") for one in LEVELS},
            "by_kind": {one: _pair(counts, code, f"kind:{one}") for one in _kinds(counts, code)},
        }
        for code, name, level in divisions
    ]


def moved_systems(uow: UnitOfWork, stages: Iterable[str]) -> set[str]:
    """The systems in one of these stages."""
    return set(uow.column(InformationSystem.id, InformationSystem.stage.in_(list(stages))))


def _departments(uow: UnitOfWork) -> Iterable[tuple[str, str, int]]:
    columns = (Department.division_code, Department.kind, case((takes_part(), 1), else_=0))
    return [(code, kind, n) for code, kind, n in uow.tuples(columns, Department.retired_at.is_(None))]


def _sum(condition: Any, value: Any = 1) -> Any:
    return func.sum(case((condition, value), else_=0))


def _upward(code: str | None, parents: Mapping[str, str | None]) -> Iterable[str]:
    while code is not None:
        yield code
        code = parents.get(code)


def _row(row: Facility, department: str, division: str, seen: Sight) -> Json:
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "kind": row.kind,
        "department": row.department_id,
        "department_name": department,
        "division": division,
        "division_name": seen.names.get(division),
        "ends_on": row.ends_on,
        "ended_on": row.ended_on,
        "yearly_cost_yuan": row.yearly_cost_yuan,
        "document": row.document,
        "systems": list(row.details.get("systems", ())),
        "domain": row.details.get("domain"),
        "into": row.details.get("into"),
        "end_document": row.details.get("end_document"),
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
    }


def _milestone(code: str, kind: str, name: str | None, numbers: list[int]) -> Json:
    at_start, ended, planned, overdue, cost_left, cost_saved = numbers
    share = ended * 10_000 // at_start
    return {
        "id": f"{code}/{kind}",
        "name": name,
        "state": "ended" if ended == at_start else "overdue" if overdue else "open",
        "division": code,
        "kind": kind,
        "at_start": at_start,
        "ended": ended,
        "left": at_start - ended,
        "planned": planned,
        "overdue": overdue,
        "rate": f"{share // 100}.{share % 100:02d}",
        "cost_left_yuan": cost_left,
        "cost_saved_yuan": cost_saved,
    }


def _pair(counts: Mapping[tuple[str, str], tuple[int, int]], code: str, column: str) -> Json:
    taking, total = counts.get((code, column), (0, 0))
    return {"taking_part": taking, "all": total}


def _kinds(counts: Mapping[tuple[str, str], tuple[int, int]], code: str) -> list[str]:
    others = {column[5:] for at, column in counts if at == code and column.startswith("kind:")}
    return [*ORGANISATIONS, *sorted(others - set(ORGANISATIONS))]


def _coverage_state(pair: tuple[int, int]) -> str | None:
    taking, total = pair
    return None if total == 0 else "whole" if taking == total else "partly" if taking else "none"
