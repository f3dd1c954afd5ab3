"""Which divisions, sites and departments somebody sees, from the scopes where a right is held."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select

from cloudctl.actors import INSTALLATION, Actor
from cloudctl.models import Department, Division
from cloudctl.store import UnitOfWork


class Sight:
    """What the actor sees through the scopes where the right is held.

    `home` lets everybody see the department they belong to as well, role or none.
    """

    def __init__(self, uow: UnitOfWork, actor: Actor, right: str, home: bool = True) -> None:
        scopes = actor.scopes(right)
        self.all = INSTALLATION in scopes
        self.own_sites = {id_ for kind, id_ in scopes if kind == "site"}
        self._own = {id_ for kind, id_ in scopes if kind == "department"}
        if home and actor.department_id:
            self._own.add(actor.department_id)
        rows = uow.all(Division)
        self.served: dict[str, list[str]] = {row.code: row.served_by for row in rows}
        self.names = {row.code: row.name for row in rows}
        self._parents = {row.code: row.parent_code for row in rows}
        tops = {id_ for kind, id_ in scopes if kind == "division"}
        self._inside = {code for code in self.served if tops & set(self._upward(code))}
        homes = set(uow.column(Department.division_code, Department.id.in_(self._own)))
        self._homes = {above for code in homes for above in self._upward(code)}

    def below(self, code: str) -> set[str]:
        """The division and all inside it."""
        return {one for one in self.served if code in self._upward(one)}

    def division(self, code: str) -> bool:
        """Whether the division is seen: own, above it, inside it, or served by an own site."""
        return self.all or code in self._inside or code in self._homes or self._is_served(code)

    def site(self, site_id: str) -> bool:
        """Whether the site is seen: own, or one that serves."""
        if self.all or site_id in self.own_sites:
            return True
        return any(site_id in self.served[code] for code in self._inside | self._lowest_homes())

    def departments(self, served: bool = True) -> Sequence[Any]:
        """Conditions on departments; with `served` also those that an own site serves."""
        if self.all:
            return ()
        codes = self._inside | {code for code in self.served if served and self._is_served(code)}
        return (Department.id.in_(self._own) | Department.division_code.in_(codes),)

    def own(self, belongs: Callable[[Any], Any], site_id: Any) -> Sequence[Any]:
        """Conditions on rows that belong to a department seen, or lie at a site of one's own.

        `belongs` makes the condition of the select of those departments' ids: `Resource.department_id.in_`.
        """
        if self.all:
            return ()
        departments = select(Department.id).where(*self.departments(served=False))
        return (belongs(departments) | site_id.in_(self.own_sites),)

    def _is_served(self, code: str) -> bool:
        return bool(self.own_sites & set(self.served[code]))

    def _lowest_homes(self) -> set[str]:
        above = {self._parents[code] for code in self._homes}
        return self._homes - {code for code in above if code is not None}

    def _upward(self, code: str | None) -> list[str]:
        found: list[str] = []
        while code is not None:
            found.append(code)
            code = self._parents.get(code)
        return found
