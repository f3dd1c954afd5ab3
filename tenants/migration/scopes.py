"""What figures are of: a division with all below it, its own level, a department. Pure.

`division:450000` is pooled over its subtree, `own:450000` (本级) counts the systems of that division alone,
`department:gx-finance` those of one department.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from cloudctl.errors import BadInput, Fault
from tenants.migration.rates import Tally

KINDS = ("division", "own", "department")
OWN_LEVEL = "本级"


@dataclass(frozen=True)
class Scope:
    """One scope of figures."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"


def parse(text: str, place: str = "scope") -> Scope:
    """The scope written so. BadInput for what is none."""
    kind, _, key = text.partition(":")
    if kind in KINDS and key:
        return Scope(kind, key)
    near = get_close_matches(kind, KINDS, n=1)
    params = {"scope": text[:80], "meant": f"{near[0]}:{key}" if near and key else ""}
    hint = (
        "did you mean '{meant}'?" if near and key else "write division:450000, own:450000 or department:CODE"
    )
    fault = Fault(place, "bad_scope", "'{scope}' is no scope", params, hint)
    raise BadInput("the scope cannot be read", faults=[fault])


def upward(code: str, parents: Mapping[str, str | None]) -> list[str]:
    """The division and all above it; what is not known is above nothing."""
    found: list[str] = []
    at: str | None = code
    while at is not None and at not in found:
        found.append(at)
        at = parents.get(at)
    return found


def below(code: str, parents: Mapping[str, str | None]) -> set[str]:
    """The division and all inside it."""
    return {one for one in parents if code in upward(one, parents)}


def pooled(by_division: Mapping[str, Tally], parents: Mapping[str, str | None]) -> dict[str, Tally]:
    """The tally of each division over its whole subtree, from what each division has itself."""
    sums: dict[str, Tally] = {}
    for code, tally in by_division.items():
        for above in upward(code, parents):
            sums[above] = sums[above] + tally if above in sums else tally
    return sums
