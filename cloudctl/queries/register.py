"""Reads of the register of information systems: lists, one system, and what it was on any past day.

Systems are seen from where `system.see` is held: a department sees its own, a division all inside it, a site
all that it serves. A classified system is counted and shows no content, whatever its row may hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, or_, select

from cloudctl.actors import Actor
from cloudctl.clock import end_of_day
from cloudctl.errors import NotFound
from cloudctl.models import Department, Division, InformationSystem, SystemVersion
from cloudctl.queries.register_history import LEVEL_OF_DIVISION, Undone, undone, versions_of
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
PAGE = 100
CLASSIFIED_NAME = "涉密系统"  # the register's own word for all of them
ENDED = ("retired", "merged")
_CHUNK = 5000  # ids in one statement
# Columns that the register's fields call otherwise.
FIELD_OF: Mapping[str, str] = {
    "id": "code",
    "department_id": "department",
    "division_code": "division",
    "merged_into_id": "merged_into",
    "split_from_id": "split_from",
}
_OWN = frozenset({"details", "origin", "changed_at", "retired_at", "has_decision"})  # no fields of the record
# What a classified system shows besides its code: who owns it, where, and its classification.
_SHOWN = frozenset(
    {
        "id", "name", "state", "department", "division", "division_name", "department_name", "level",
        "life_state", "stage", "classified", "is_classified", "has_decision", "decision_document",
        "decision_on", "decision_reviewer", "merged_into", "split_from", "origin", "changed_at", "retired_at",
        "code",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """Which systems are asked for; what is None asks nothing. Without a stage, those still counted."""

    department: str | None = None
    division: str | None = None  # the division and all inside it
    stage: str | None = None
    hosting: str | None = None
    is_classified: bool | None = None
    text: str | None = None  # in code or name
    as_of: date | None = None  # as they were at the end of this day

    @property
    def moment(self) -> datetime | None:
        return end_of_day(self.as_of) if self.as_of is not None else None


# -- lists


def list_systems(
    uow: UnitOfWork,
    actor: Actor,
    wanted: Filter | None = None,
    *,
    department: str | None = None,
    limit: int | None = PAGE,
    marker: str = "",
) -> Rows:
    """The information systems by code, those after `marker`; `limit` None for all."""
    wanted = wanted or Filter(department=department)
    seen = Sight(uow, actor, "system.see")
    ids = seen_ids(uow, seen, wanted, limit, marker)
    return _rows(uow, seen, ids, wanted.moment)


def count_systems(uow: UnitOfWork, actor: Actor, wanted: Filter) -> int:
    """How many systems the same list has."""
    return len(seen_ids(uow, Sight(uow, actor, "system.see"), wanted, None, ""))


def seen_ids(uow: UnitOfWork, seen: Sight, wanted: Filter, limit: int | None, marker: str) -> list[str]:
    """Codes of the systems that are seen and wanted, in order."""
    table: Any = InformationSystem if wanted.moment is None else SystemVersion
    id_ = InformationSystem.id if wanted.moment is None else SystemVersion.system_id
    visible = select(Department.id).where(*seen.departments())
    conditions = [id_ > marker, table.department_id.in_(visible)]
    if wanted.moment is not None:
        conditions += [SystemVersion.valid_from < wanted.moment, SystemVersion.valid_to >= wanted.moment]
    if wanted.department is not None:
        conditions.append(table.department_id == wanted.department)
    if wanted.division is not None:
        conditions.append(_inside(table, seen.below(wanted.division), is_resolved=wanted.moment is not None))
    for column, value in (
        (table.stage, wanted.stage),
        (table.hosting, wanted.hosting),
        (table.is_classified, wanted.is_classified),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.stage is None:
        conditions.append(table.life_state.not_in(ENDED))
    if wanted.text:
        conditions.append(id_.in_(_named(wanted.text)))
    return [str(row[0]) for row in uow.tuples((id_,), *conditions, order_by=[id_], limit=limit)]


def _inside(table: Any, codes: set[str], is_resolved: bool) -> Any:
    own = table.division_code.in_(codes)
    if is_resolved:
        return own
    of_department = table.department_id.in_(select(Department.id).where(Department.division_code.in_(codes)))
    return or_(own, and_(table.division_code.is_(None), of_department))


def _named(text: str) -> Any:
    """Codes of the systems with the text in code or name; the name of a classified one finds nothing."""
    row = InformationSystem
    in_name = and_(row.is_classified.is_(False), row.name.contains(text, autoescape=True))
    return select(row.id).where(or_(row.id.contains(text.lower(), autoescape=True), in_name))


# -- one system


def find_system(uow: UnitOfWork, actor: Actor, key: str) -> InformationSystem:
    """One system by code or name that the actor sees. NotFound otherwise."""
    visible = select(Department.id).where(*Sight(uow, actor, "system.see").departments())
    may_see = InformationSystem.department_id.in_(visible)
    found = uow.all(InformationSystem, InformationSystem.id == key, may_see) or uow.all(
        InformationSystem,
        InformationSystem.name == key,
        InformationSystem.is_classified.is_(False),
        may_see,
    )
    if not found:
        raise NotFound("{what} '{key}' does not exist", what="system", key=key)
    if len(found) > 1:
        raise NotFound(
            "{what} '{key}' is not the only one of that name", what="system", key=key, hint="use its id"
        )
    return found[0]


def code_of(uow: UnitOfWork, actor: Actor, key: str) -> str:
    """The code of the system that a code or a name means; what is not seen is taken for a code."""
    try:
        return find_system(uow, actor, key).id
    except NotFound:
        return key


def list_versions(uow: UnitOfWork, actor: Actor, key: str) -> Rows:
    """What the register said of a system from one moment to the next, the newest first."""
    return versions_of(uow, find_system(uow, actor, key).id)


def show_system(uow: UnitOfWork, actor: Actor, key: str, as_of: date | None = None) -> Json:
    """One system by code or name, every field of it, as it was at the end of a day when one is named."""
    row = find_system(uow, actor, key)
    seen = Sight(uow, actor, "system.see")
    rows = _rows(uow, seen, [row.id], end_of_day(as_of) if as_of is not None else None, is_full=True)
    if not rows:
        raise NotFound("{what} '{key}' does not exist", what="system", key=key)
    return rows[0]


def _rows(
    uow: UnitOfWork, seen: Sight, ids: Sequence[str], moment: datetime | None, is_full: bool = False
) -> Rows:
    past = undone(uow, moment, ids) if moment is not None else Undone()
    places = _places(uow)
    found = []
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        rows = uow.all(InformationSystem, InformationSystem.id.in_(chunk), order_by=[InformationSystem.id])
        found += [
            _row(row, past.before.get(row.id, {}), places, seen, is_full)
            for row in rows
            if row.id not in past.unborn
        ]
    return found


@dataclass(frozen=True)
class _Places:
    departments: Mapping[str, tuple[str, str]]  # code -> name, division
    levels: Mapping[str, str]


def _places(uow: UnitOfWork) -> _Places:
    departments = uow.tuples((Department.id, Department.name, Department.division_code))
    return _Places(
        {id_: (name, division) for id_, name, division in departments},
        dict(uow.tuples((Division.code, Division.level))),
    )


def _row(
    row: InformationSystem, before: Mapping[str, Any], places: _Places, seen: Sight, is_full: bool
) -> Json:
    columns = {column.key: getattr(row, column.key) for column in row.__table__.columns}
    record = {FIELD_OF.get(name, name): value for name, value in columns.items() if name not in _OWN}
    record |= {**row.details, **before}
    name, home = places.departments[record["department"]]
    division = record["division"] or home
    shown = {
        "id": row.id,
        "name": record["name"],
        "state": "retired" if record["life_state"] in ENDED else "active",
        "department": record["department"],
        "department_name": name,
        "division": division,
        "division_name": seen.names.get(division),
        "level": record["level"] or LEVEL_OF_DIVISION.get(places.levels[division]),
        "mlps_level": record["mlps_level"],
        "category": record["category"],
        "key_application": record["is_key_application"],
        "key_data": record["has_key_data"],
        "classified": record["is_classified"],
        "life_state": record["life_state"],
        "stage": record["stage"],
        "hosting": record["hosting"],
        "dr_tier": record["dr_tier"],
        "origin": row.origin,
    }
    if is_full:
        own = {"has_decision": row.has_decision, "changed_at": row.changed_at, "retired_at": row.retired_at}
        shown = {**record, **own, **shown}
    if row.is_classified or record["is_classified"]:
        shown = {key: value if key in _SHOWN else None for key, value in shown.items()}
        shown["name"] = CLASSIFIED_NAME
    return shown
