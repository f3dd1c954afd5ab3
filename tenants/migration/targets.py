"""Whether a target is reached, overdue, by how many it is behind, and whether its parts add up. Pure.

All comparisons are of integers: a figure is a numerator in hundredths of a thing over a whole denominator, a
target's value is in hundredths of a percent (95 % is 9500). Things are systems, facilities or departments.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cloudctl.errors import Fault
from tenants.migration.rates import WHOLE, percent, reaches, still_to_move

ALL = 10_000  # hundredths of a percent
WARN_DAYS = 30  # a target not reached this near to its day is as urgent as one that is overdue
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?")


class Lamp(StrEnum):
    """How a target looks from afar: 绿, 黄, 红."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True)
class Figure:
    """What was counted: `unknown` of the things have evidence that cannot be had yet, so count as nothing."""

    numerator_hundredths: int
    denominator: int
    unknown: int = 0

    def __add__(self, other: "Figure") -> "Figure":
        return Figure(
            self.numerator_hundredths + other.numerator_hundredths,
            self.denominator + other.denominator,
            self.unknown + other.unknown,
        )

    @property
    def percent(self) -> str | None:
        """The rate as people read it, rounded down; None when there is nothing to count."""
        return percent(self.numerator_hundredths, self.denominator)


@dataclass(frozen=True)
class Standing:
    """How a target stands on a day. `behind` is how many more things it takes; None: nothing to count."""

    state: str  # reached, open, overdue, unknown, empty
    is_reached: bool | None  # None: nothing to count, or what is unknown decides
    is_overdue: bool
    days_left: int  # negative once the day is over
    behind: int | None
    lamp: Lamp | None


@dataclass(frozen=True)
class Wanted:
    """A target as far as it is compared with others."""

    scope: str
    measure: str
    value: int
    due_on: date


@dataclass(frozen=True)
class Sum:
    """What a decomposition comes to when every part reaches its own; the rest stays as it is now."""

    is_enough: bool | None  # None: nothing to count
    short: int  # how many things would still be missing
    outcome: Figure
    rest: Figure  # what no part covers


def parse_percent(text: str) -> int | None:
    """`95`, `95.5%` or `９５％` in hundredths of a percent; None for anything else, and for more than 100."""
    found = _PERCENT.fullmatch(unicodedata.normalize("NFKC", text).replace(" ", ""))
    if found is None:
        return None
    value = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))
    return value if 0 < value <= ALL else None


def is_reached(value: int, figure: Figure) -> bool | None:
    """Whether the rate is at least the value; None when there is nothing to count, or the unknown decides."""
    proved = reaches(figure.numerator_hundredths, figure.denominator, value)
    if proved is not False:
        return proved
    at_best = figure.numerator_hundredths + figure.unknown * WHOLE
    return None if reaches(at_best, figure.denominator, value) else False


def behind(value: int, figure: Figure) -> int | None:
    """How many whole things more reach the value; 0 when it is reached, None with nothing to count."""
    if figure.denominator == 0:
        return None
    return still_to_move(figure.numerator_hundredths, figure.denominator, value)


def standing(value: int, due_on: date, figure: Figure, today: date) -> Standing:
    """How the target stands. On its last day a target is not overdue yet; after it, what is not proved is."""
    reached = is_reached(value, figure)
    days_left = (due_on - today).days
    is_overdue = not reached and days_left < 0 and figure.denominator > 0
    return Standing(
        state=_state(reached, is_overdue, figure),
        is_reached=reached,
        is_overdue=is_overdue,
        days_left=days_left,
        behind=behind(value, figure),
        lamp=_lamp(reached, days_left, figure),
    )


def adds_up(value: int, whole: Figure, parts: Sequence[tuple[int, Figure]]) -> Sum:
    """Whether the whole reaches `value` if each part (value, figure now) reaches at least its own.

    A part that is beyond its own stays where it is; what no part covers counts as it does now.
    """
    rest = Figure(
        whole.numerator_hundredths - sum(now.numerator_hundredths for _, now in parts),
        whole.denominator - sum(now.denominator for _, now in parts),
    )
    gained = sum(max(now.numerator_hundredths, _least(wanted, now)) for wanted, now in parts)
    outcome = Figure(gained + rest.numerator_hundredths, whole.denominator)
    return Sum(is_reached(value, outcome), behind(value, outcome) or 0, outcome, rest)


def part_faults(
    parent: Wanted, parts: Sequence[Wanted], paths: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    """What keeps these from being parts of the parent; `paths` names what each scope lies in, itself first.

    No thing may count in two parts, none outside the parent, and no part may be due after it.
    """
    for index, part in enumerate(parts):
        yield from _against_parent(f"{index}.", part, parent, paths)
        for other in parts[:index]:
            if other.scope in paths[part.scope] or part.scope in paths[other.scope]:
                params = {"scope": part.scope, "other": other.scope}
                yield Fault(f"{index}.scope", "overlap", "{scope} and {other} overlap", params)


def _against_parent(
    place: str, part: Wanted, parent: Wanted, paths: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    if part.measure != parent.measure:
        template = "a part measures what its parent does: {measure}"
        yield Fault(f"{place}measure", "other_measure", template, {"measure": parent.measure})
    if part.due_on > parent.due_on:
        template = "a part is due by the day of its parent, {day}"
        yield Fault(f"{place}due_on", "after_parent", template, {"day": parent.due_on.isoformat()})
    if part.scope == parent.scope or parent.scope not in paths[part.scope]:
        params = {"scope": part.scope, "parent": parent.scope}
        yield Fault(f"{place}scope", "outside", "{scope} is no part of {parent}", params)


def _least(value: int, figure: Figure) -> int:
    """The least numerator, of whole things, that reaches the value."""
    return still_to_move(0, figure.denominator, value) * WHOLE


def _state(reached: bool | None, is_overdue: bool, figure: Figure) -> str:
    if figure.denominator == 0:
        return "empty"
    if reached:
        return "reached"
    if is_overdue:
        return "overdue"
    return "unknown" if reached is None else "open"


def _lamp(reached: bool | None, days_left: int, figure: Figure) -> Lamp | None:
    if figure.denominator == 0:
        return None
    if reached:
        return Lamp.GREEN
    return Lamp.RED if days_left <= WARN_DAYS else Lamp.YELLOW
