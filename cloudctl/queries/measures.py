"""What targets measure besides the rate of migration: counted by division and department in one aggregate.

Each row is (division, department, reached, all, unknown): how many have got there, how many there are, and
of how many nobody can say yet.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, select

from cloudctl.models import Department, Facility, InformationSystem
from cloudctl.queries.proved import backed_up, is_known
from cloudctl.store import UnitOfWork

Rows = list[tuple[str, str, int, int, int]]
_DIVISION = func.coalesce(InformationSystem.division_code, Department.division_code)
_IN_USE = and_(
    InformationSystem.life_state == "in_use",
    InformationSystem.retired_at.is_(None),
    InformationSystem.is_classified.is_(False),
)
_OFFSITE_TIER, _ACTIVE_TIER = 2, 4


def ipv6(uow: UnitOfWork) -> Rows:
    """Systems in use that answer over IPv6, alone or beside IPv4."""
    return _systems(uow, InformationSystem.ipv6_state.in_(("dual", "only")))


def single_sign_on(uow: UnitOfWork) -> Rows:
    """Systems in use that have joined the single sign-on."""
    return _systems(uow, InformationSystem.details["sso_state"].as_string() == "joined")


def key_data_offsite(uow: UnitOfWork, now: datetime) -> Rows:
    """Systems with key data that had a copy elsewhere proved; unknown before anybody kept policies."""
    reached = InformationSystem.id.in_(select(backed_up(now).c.system_id))
    wants = and_(InformationSystem.dr_tier >= _OFFSITE_TIER, ~is_known(now))
    return _systems(uow, reached, InformationSystem.has_key_data.is_(True), unknown=wants)


def key_application_active(uow: UnitOfWork) -> Rows:
    """Key applications: none is proved to run at two sites before drills say so."""
    wants = InformationSystem.dr_tier >= _ACTIVE_TIER
    return _systems(uow, None, InformationSystem.is_key_application.is_(True), unknown=wants)


def facilities_ended(uow: UnitOfWork, kind: str) -> Rows:
    """Facilities of a kind that have ended, of all that were ever registered."""
    ended = func.sum(case((Facility.state == "ended", 1), else_=0))
    statement = (
        select(Department.division_code, Facility.department_id, ended, func.count())
        .join(Department, Department.id == Facility.department_id)
        .where(Facility.kind == kind)
        .group_by(Department.division_code, Facility.department_id)
    )
    return [(*row, 0) for row in uow.session.execute(statement)]


def departments_taking_part(uow: UnitOfWork) -> Rows:
    """Departments with at least one registered system, of all there are."""
    columns = (Department.division_code, Department.id, case((takes_part(), 1), else_=0))
    found = uow.tuples(columns, Department.retired_at.is_(None))
    return [(division, id_, taking, 1, 0) for division, id_, taking in found]


def takes_part() -> Any:
    """The condition that a department has a system in the register that is still counted."""
    is_counted = InformationSystem.life_state.not_in(("retired", "merged"))
    here = InformationSystem.department_id == Department.id
    return select(InformationSystem.id).where(here, is_counted).exists()


def _systems(uow: UnitOfWork, reached: Any, *conditions: Any, unknown: Any = None) -> Rows:
    statement = (
        select(
            _DIVISION.label("division"),
            InformationSystem.department_id,
            _count(reached),
            func.count(),
            _count(unknown),
        )
        .join(Department, Department.id == InformationSystem.department_id)
        .where(_IN_USE, *conditions)
        .group_by(_DIVISION, InformationSystem.department_id)
    )
    return [(*row,) for row in uow.session.execute(statement)]


def _count(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0)) if condition is not None else func.sum(0)
