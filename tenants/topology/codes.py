"""What a code says by itself: the level and parent of a division (GB/T 2260), the scope of a quota."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ENVIRONMENTS = ("prod", "test", "dev")


def level_of(code: str) -> str:
    """province, city, county or township. Code 90 at the city's place: a county straight under a province."""
    if len(code) == 9:
        return "township"
    if code.endswith("0000"):
        return "province"
    return "city" if code.endswith("00") else "county"


def parent_of(code: str) -> str | None:
    """The code of the division above; None for a province."""
    level = level_of(code)
    if level == "township":
        return code[:6]
    if level == "city" or (level == "county" and code[2:4] == "90"):
        return code[:2] + "0000"
    return code[:4] + "00" if level == "county" else None


def lineage(code: str) -> list[str]:
    """The division and all above it, the narrowest first."""
    found: list[str] = []
    at: str | None = code
    while at is not None:
        found.append(at)
        at = parent_of(at)
    return found


def resolve(served_by: Mapping[str, Sequence[str] | None]) -> dict[str, list[str]]:
    """For each division the sites that serve it: its own list, or that of the nearest above that has one."""
    return {
        code: next((list(sites) for at in lineage(code) if (sites := served_by.get(at))), [])
        for code in served_by
    }


@dataclass(frozen=True)
class QuotaScope:
    """What a quota is of: a division, a department, or a system's project of one environment at one site."""

    kind: str
    id: str  # division code, department code, or system code
    environment: str = ""
    site: str = ""

    def __str__(self) -> str:
        tail = f"/{self.environment}@{self.site}" if self.kind == "project" else ""
        return f"{self.kind}:{self.id}{tail}"


_SCOPE = re.compile(r"(division|department):([^/@:\s]+)|project:([^/@:\s]+)/([^/@:\s]+)@([^/@:\s]+)")


def scope_of(text: str) -> QuotaScope | None:
    """Read `division:450100`, `department:gx-finance` or `project:gx-finance-budget/prod@province`."""
    found = _SCOPE.fullmatch(text)
    if found is None:
        return None
    if found[1]:
        return QuotaScope(found[1], found[2])
    return QuotaScope("project", found[3], found[4], found[5])
