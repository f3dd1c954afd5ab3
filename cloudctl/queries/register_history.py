"""The register's rows and versions as they are stored: read and begun for thousands of systems at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import String, case, cast, func, insert, literal, select

from cloudctl.models import FOREVER, Department, Division, InformationSystem, SystemVersion
from cloudctl.store import UnitOfWork

# A system of a township is counted with its county.
LEVEL_OF_DIVISION = {"province": "province", "city": "city", "county": "county", "township": "county"}
# What a version has of the row, as it is there; department, division and level it has resolved.
COUNTED = (
    "life_state", "is_classified", "has_decision", "mlps_level", "dr_tier", "hosting", "ipv6_state",
    "is_centrally_built", "commissioned_on", "stage", "agreement", "exempt_until", "old_host_off_on",
)  # fmt: skip
_CHUNK = 5000  # ids in one statement


@dataclass(frozen=True)
class Undone:
    """What has to be taken back to see a past moment: fields as they were, and who was not there yet."""

    before: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # system -> field -> JSON value
    unborn: frozenset[str] = frozenset()


def undone(uow: UnitOfWork, moment: datetime, ids: Sequence[str] | None = None) -> Undone:
    """What was changed since just before the moment, of these systems or of all."""
    chosen = [] if ids is None else [SystemVersion.system_id.in_(ids)]
    later = uow.tuples(
        (SystemVersion.system_id, SystemVersion.changes),
        SystemVersion.valid_from >= moment,
        *chosen,
        order_by=[SystemVersion.valid_from.desc(), SystemVersion.id.desc()],
    )
    before: dict[str, dict[str, Any]] = {}
    for system_id, changes in later:  # the oldest comes last, and what it says was before all
        before.setdefault(system_id, {}).update({name: both[0] for name, both in changes.items()})
    if not before:
        return Undone()
    touched = list(before)
    earlier: set[str] = set()
    for start in range(0, len(touched), _CHUNK):
        chunk = SystemVersion.system_id.in_(touched[start : start + _CHUNK])
        earlier |= set(uow.column(SystemVersion.system_id, chunk, SystemVersion.valid_from < moment))
    return Undone(before, frozenset(before) - earlier)


def versions_of(uow: UnitOfWork, system_id: str) -> list[dict[str, Any]]:
    """What the register said of a system from one moment to the next, the newest first."""
    versions = uow.all(
        SystemVersion,
        SystemVersion.system_id == system_id,
        order_by=[SystemVersion.valid_from.desc(), SystemVersion.id.desc()],
    )
    return [
        {
            "id": one.id,
            "name": one.reason,
            "state": one.stage,
            "valid_from": one.valid_from,
            "valid_to": one.valid_to if one.valid_to.year < datetime.max.year else None,
            "changed_by": one.changed_by,
            "reason": one.reason,
            "department": one.department_id,
            "division": one.division_code,
            "level": one.level,
            "life_state": one.life_state,
            "changes": one.changes,
        }
        for one in versions
    ]


def stored_systems(
    uow: UnitOfWork, columns: Sequence[str], codes: Sequence[str], *, is_locked: bool
) -> list[tuple[Any, ...]]:
    """These columns, the details as JSON text, `retired_at` and `origin` of the systems that are there."""
    row = InformationSystem
    wanted = [
        *(getattr(row, name) for name in columns),
        cast(row.details, String),
        row.retired_at,
        row.origin,
    ]
    return [
        found
        for start in range(0, len(codes), _CHUNK)
        for found in uow.tuples(
            wanted, row.id.in_(codes[start : start + _CHUNK]), order_by=[row.id], is_locked=is_locked
        )
    ]


def begin_history(uow: UnitOfWork, ids: Sequence[str], now: datetime, by: str, reason: str) -> None:
    """The first version of each of these systems, from its row: division and level resolved.

    It names no changes: all of its record is new.
    """
    row, level = InformationSystem, case(LEVEL_OF_DIVISION, value=Division.level)
    values = {
        "system_id": row.id,
        "valid_from": literal(now, SystemVersion.valid_from.type),
        "valid_to": literal(FOREVER, SystemVersion.valid_to.type),
        "department_id": row.department_id,
        "division_code": Division.code,
        "level": func.coalesce(row.level, level),
        **{name: getattr(row, name) for name in COUNTED},
        "changes": literal({}, SystemVersion.changes.type),
        "changed_by": literal(by),
        "reason": literal(reason),
    }
    for start in range(0, len(ids), _CHUNK):
        chosen = (
            select(*values.values())
            .join(Department, Department.id == row.department_id)
            .join(Division, Division.code == func.coalesce(row.division_code, Department.division_code))
            .where(row.id.in_(ids[start : start + _CHUNK]))
        )
        uow.session.execute(insert(SystemVersion).from_select(list(values), chosen))
