"""Which approval stages a request has to pass, from the rules of the topology. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudctl.actors import INSTALLATION, Role, Scope
from cloudctl.amounts import Amounts
from tenants.topology.current import StageRule


@dataclass(frozen=True)
class Stage:
    """One decision that has to be made, by somebody with the role at the scope."""

    name: str
    title: str
    role: Role
    scope: Scope

    def as_json(self) -> dict[str, Any]:
        """The stage as it is stored with the request."""
        return {
            "name": self.name,
            "title": self.title,
            "role": self.role.value,
            "scope_kind": self.scope[0],
            "scope_id": self.scope[1],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Stage":
        """What was stored, read again."""
        scope = (stored["scope_kind"], stored["scope_id"])
        return cls(stored["name"], stored["title"], Role(stored["role"]), scope)


@dataclass(frozen=True)
class Facts:
    """What the rules look at. `divisions` are those above the department, by level."""

    kind: str
    site: str
    zone: str | None
    department: str
    level: str
    divisions: Mapping[str, str] = field(default_factory=dict)
    needed: Amounts = field(default_factory=Amounts)


def stages_of(rules: Iterable[StageRule], facts: Facts) -> tuple[Stage, ...]:
    """The stages in order. A rule at a level that is not above the department asks nobody."""
    found = []
    for rule in rules:
        scope = _scope(rule.at, facts)
        if scope and rule.applies(facts.kind, facts.site, facts.zone, facts.level, facts.needed):
            found.append(Stage(rule.name, rule.title, rule.role, scope))
    return tuple(found)


def _scope(at: str, facts: Facts) -> Scope | None:
    if at == "department":
        return ("department", facts.department)
    if at == "site":
        return ("site", facts.site)
    if at == "installation":
        return INSTALLATION
    code = facts.divisions.get(at)
    return ("division", code) if code else None
