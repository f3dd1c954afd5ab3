"""Who may own a system and where that is: departments and divisions as the register needs them, read once."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloudctl.actors import Scope
from cloudctl.models import Department, Division
from cloudctl.queries.register_history import LEVEL_OF_DIVISION
from cloudctl.store import UnitOfWork


@dataclass(frozen=True)
class Office:
    """A department: code, name, division, and whether it still is one."""

    id: str
    name: str
    division: str
    is_retired: bool = False


@dataclass(frozen=True)
class Place:
    """A division: code, name, level, the one above it, and whether it still is one."""

    code: str
    name: str
    level: str
    parent: str | None
    is_retired: bool = False


@dataclass(frozen=True)
class Offices:
    """Every department and division, by code."""

    departments: Mapping[str, Office]
    divisions: Mapping[str, Place]

    def division_of(self, department: str, division: str | None) -> str:
        """The division of a system: its own, or else its department's."""
        return division or self.departments[department].division

    def level_of(self, department: str, division: str | None, level: str | None) -> str:
        """The level of a system: its own, or else that of its division."""
        return level or LEVEL_OF_DIVISION[self.divisions[self.division_of(department, division)].level]

    def path(self, department: str) -> list[Scope]:
        """The department and its divisions upward: where a right over its systems may be held."""
        path: list[Scope] = [("department", department)]
        code: str | None = self.departments[department].division
        while code is not None:
            path.append(("division", code))
            code = self.divisions[code].parent
        return path


def read_offices(uow: UnitOfWork) -> Offices:
    """All departments and divisions, those that were retired included: systems of theirs may remain."""
    departments = uow.tuples(
        (Department.id, Department.name, Department.division_code, Department.retired_at)
    )
    columns = (Division.code, Division.name, Division.level, Division.parent_code, Division.retired_at)
    divisions = {
        code: Place(code, name, level, parent, gone is not None)
        for code, name, level, parent, gone in uow.tuples(columns)
    }
    return Offices(
        {id_: Office(id_, name, division, gone is not None) for id_, name, division, gone in departments},
        divisions,
    )
