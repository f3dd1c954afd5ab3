"""The levels of GB/T 20988, and where measured figures stand in them. Pure.

The table is data (`levels.yaml`): an example of one industry, marked for how sure each cell is. The
level of a system is the one that all seven elements reach; a report names what holds it down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr.plans.document import Document, Serving, Way

Json = dict[str, Any]


@dataclass(frozen=True)
class Level:
    """One row of the table. A limit of None: the text has no number, and nothing is too long for it."""

    level: int
    name: Mapping[str, str]
    rto: Mapping[str, str]
    rpo: Mapping[str, str]
    rto_most_s: int | None
    rpo_most_s: int | None
    marks: Mapping[str, str]


@dataclass(frozen=True)
class Levels:
    """One edition of the table."""

    edition: str
    title: Mapping[str, str]
    told: Mapping[str, str]
    elements: Mapping[str, Mapping[str, str]]
    levels: tuple[Level, ...]
    reach: Mapping[str, Mapping[str, int]]
    not_judged: tuple[str, ...]
    sources: tuple[Mapping[str, str], ...]
    succeeded_by: Mapping[str, Any]


def by_figures(levels: Levels, rpo_s: float | None, rto_s: float | None) -> int | None:
    """The highest level within whose example figures both lie; None without one, or when one is missing."""
    if rpo_s is None or rto_s is None:
        return None
    fit = [
        one.level
        for one in levels.levels
        if (one.rpo_most_s is None or rpo_s <= one.rpo_most_s)
        and (one.rto_most_s is None or rto_s <= one.rto_most_s)
    ]
    return max(fit, default=None)


def by_elements(levels: Levels, document: Document, has_passed: bool) -> dict[str, int]:
    """What each element that cloudctl sees reaches at most, by how the plan is made."""
    reach = levels.reach
    several = Serving.MULTI_WRITER
    ways = [
        reach["data_backup"]["several" if one.serving is several else one.way.value]
        for one in document.parts
        if one.way is not Way.NONE
    ]
    at_both = all(one.serving is not Serving.ONE_SITE for one in document.parts)
    standing = all(one.way in (Way.APPLICATION, Way.NONE) for one in document.parts)
    steered = "steered" if document.steering is not None else "by_hand"
    return {
        "data_backup": min(ways, default=reach["data_backup"]["several"]),
        "processing": reach["processing"]["both_sites" if at_both else "standing" if standing else "built"],
        "network": reach["network"]["both_sites" if at_both and document.steering else steered],
        "plan": reach["plan"]["drilled" if has_passed else "not_drilled"],
    }


def judge(
    levels: Levels, document: Document, rpo_s: float | None, rto_s: float | None, has_passed: bool
) -> Json:
    """Where the system stands: by figures, by elements, the lower of both, and what holds it down."""
    elements = by_elements(levels, document, has_passed)
    figures = by_figures(levels, rpo_s, rto_s)
    lowest = min(elements.values())
    reached = None if figures is None else min(figures, lowest)
    held_by: Sequence[str] = [name for name, level in elements.items() if level == lowest]
    return {
        "edition": levels.edition,
        "is_example": True,
        "by_figures": figures,
        "by_elements": elements,
        "reached": reached,
        "held_down_by": list(held_by) if reached is not None and reached == lowest else ["figures"],
        "not_judged": list(levels.not_judged),
        "next_edition": dict(levels.succeeded_by),
    }
