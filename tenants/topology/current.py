"""What the newest applied topology says that lives in no row of its own: the approval stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Role
from cloudctl.amounts import Amounts, Kind
from cloudctl.models import TopologyVersion
from cloudctl.store import UnitOfWork


@dataclass(frozen=True)
class Condition:
    """When a stage applies: everything that is named must hold; what is empty asks nothing.

    `over` holds when the request needs more than the amount of at least one of its kinds.
    """

    kinds: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    department_levels: frozenset[str] = frozenset()
    over: tuple[tuple[Kind, int], ...] = ()

    def holds(self, kind: str, site: str, zone: str | None, level: str, needed: Amounts) -> bool:
        """Whether a request of this kind, from a department of this level, meets it."""
        named = ((self.kinds, kind), (self.sites, site), (self.zones, zone), (self.department_levels, level))
        if any(wanted and actual not in wanted for wanted, actual in named):
            return False
        return not self.over or any(needed[what] > most for what, most in self.over)


@dataclass(frozen=True)
class StageRule:
    """One approval stage: who decides, at which scope of the request's path, and when it is needed.

    `at` is department, township, county, city, province (the division of that level above the
    department), site, or installation. With no condition the stage always applies, with several any one
    is enough. The order of the rules is the order of the stages.
    """

    name: str
    title: str
    role: Role
    at: str
    when: tuple[Condition, ...] = ()

    def applies(self, kind: str, site: str, zone: str | None, level: str, needed: Amounts) -> bool:
        """Whether a request of this kind, from a department of this level, needs this stage."""
        return not self.when or any(one.holds(kind, site, zone, level, needed) for one in self.when)


def approvals(uow: UnitOfWork) -> list[StageRule]:
    """The approval stages of the newest topology, in order; empty before the first was applied."""
    newest = uow.first(TopologyVersion, order_by=[TopologyVersion.id.desc()])
    return [stage_rule(stage) for stage in newest.document["approvals"]] if newest else []


def stage_rule(stage: Mapping[str, Any]) -> StageRule:
    """A stage of a document as a rule; its `when` is one condition or a list of them."""
    when = stage.get("when") or ()
    return StageRule(
        name=stage["name"],
        title=stage["title"],
        role=Role(stage["role"]),
        at=stage["at"],
        when=tuple(_condition(one) for one in ([when] if isinstance(when, Mapping) else when)),
    )


def _condition(when: Mapping[str, Any]) -> Condition:
    return Condition(
        kinds=frozenset(when.get("kinds") or ()),
        sites=frozenset(when.get("sites") or ()),
        zones=frozenset(when.get("zones") or ()),
        department_levels=frozenset(when.get("department_levels") or ()),
        over=tuple((Kind(kind), most) for kind, most in (when.get("over") or {}).items()),
    )
