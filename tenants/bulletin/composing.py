"""From two frozen months to a bulletin: who ranks where, what entered the denominator and left it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cloudctl.clock import local_day
from tenants.bulletin.content import (
    SHIFTS,
    Bulletin,
    Flag,
    Goal,
    IdleSystem,
    Line,
    Method,
    Outlook,
    Shift,
    ranked,
)
from tenants.migration import forecast, gaming
from tenants.migration.forecast import Month, Rates
from tenants.migration.rates import Tally
from tenants.migration.rule import Rule

COUNTED = ""  # the reason of a system that is in the denominator
ALL, NEW = "all", "new"  # groups of figures


@dataclass(frozen=True)
class Listed:
    """One system as the frozen list of a month has it."""

    id: str
    name: str
    department: str  # its id
    division: str  # its code
    reason: str = COUNTED  # why it does not count
    is_idle: bool = False
    is_classified: bool = False

    @property
    def is_counted(self) -> bool:
        return self.reason == COUNTED


@dataclass(frozen=True)
class FrozenMonth:
    """A frozen month: its figures by scope and group, and the list they were counted from."""

    month: str
    revision: int
    figures: Mapping[tuple[str, str], Tally]
    systems: Mapping[str, Listed]

    def count(self, scope: str, group: str = ALL) -> Tally:
        """What was counted there; nothing, where the month has no such line."""
        return self.figures.get((scope, group), Tally())


@dataclass(frozen=True)
class Territory:
    """A division, as far as its bulletin is concerned."""

    code: str
    name: str
    level: str  # province, city
    areas: Mapping[str, str]  # code -> name, of the divisions right below
    units: Mapping[str, str]  # id -> name, of the departments of its own level
    inside: frozenset[str]  # codes of itself and of everything below
    names: Mapping[str, str] = field(default_factory=dict)  # of every division and department named


@dataclass(frozen=True)
class Around:
    """What a bulletin says beyond the figures, and by which rule they were counted."""

    issuer: str
    made_on: date
    goals: Mapping[tuple[str, str], Goal]  # (scope, group) -> what its people have to reach
    rule: Rule
    history: Sequence[Month]  # of the whole, up to this month
    method: Method


def compose(here: Territory, now: FrozenMonth, before: FrozenMonth | None, around: Around) -> Bulletin:
    """The bulletin of the territory for the month.

    Who has no target of its own is shown beside that of the whole.
    """
    whole = f"division:{here.code}"
    default = around.goals.get((whole, ALL))

    def line(scope: str, name: str, group: str = ALL) -> Line:
        was = before.count(scope, group) if before is not None else None
        goal = around.goals.get((scope, group), default if group == ALL else None)
        return Line(scope, name, now.count(scope, group), was, goal)

    total, own = line(whole, here.name), line(f"own:{here.code}", here.name)
    areas = ranked(line(f"division:{code}", name) for code, name in here.areas.items())
    units = ranked(line(f"department:{key}", name) for key, name in here.units.items())
    return Bulletin(
        month=now.month,
        code=here.code,
        division=here.name,
        level=here.level,
        issuer=around.issuer,
        made_on=around.made_on,
        total=total,
        own=own,
        new=line(whole, here.name, NEW),
        areas=areas,
        units=units,
        idle=_idle(here, now),
        shifts=shifts(here, now.systems, before.systems) if before is not None else (),
        flags=tuple(_flags((total, own, *areas, *units), around.rule)),
        outlook=_outlook(total, around),
        method=around.method,
    )


def _flags(lines: Sequence[Line], rule: Rule) -> Iterator[Flag]:
    """What about the denominators has to be explained."""
    for line in lines:
        if line.before is not None:
            value = line.goal.value if line.goal is not None else None
            for one in gaming.flags(line.before, line.count, rule, value):
                yield Flag(line.scope, line.name, one.template, one.params)


def _outlook(total: Line, around: Around) -> Outlook | None:
    """Where the whole is going; None without a target or with nothing to count."""
    if total.goal is None or not total.count.denominator:
        return None
    cut_off = local_day(around.method.cut_off_at)
    n, d, value, due_on = (
        total.count.numerator_hundredths,
        total.count.denominator,
        total.goal.value,
        total.goal.due_on,
    )
    ahead = forecast.at_deadline(around.history, due_on)
    seen = ahead if isinstance(ahead, Rates) else None
    return Outlook(
        pace_needed=forecast.pace_needed(n, d, value, cut_off, due_on),
        pace_so_far_hundredths=forecast.pace_so_far(around.history),
        months=len(around.history),
        coverage_percent=forecast.COVERAGE_PERCENT,
        expected=seen.expected if seen else None,
        low=seen.low if seen else None,
        high=seen.high if seen else None,
        why=None if isinstance(ahead, Rates) else ahead,
    )


def shifts(here: Territory, now: Mapping[str, Listed], before: Mapping[str, Listed]) -> tuple[Shift, ...]:
    """What came into the place's denominator and what left it, by reason, in the order of SHIFTS.

    The denominator before, plus what entered, minus what left, is the denominator now.
    """
    found: dict[str, list[Listed]] = {}
    for key in sorted(now.keys() | before.keys()):
        was, is_now = before.get(key), now.get(key)
        reason = _shift(_counted(here, was), _counted(here, is_now), was, is_now)
        shown = is_now or was
        if reason is not None and shown is not None:
            found.setdefault(reason, []).append(shown)
    return tuple(
        Shift(reason, len(found[reason]), _named(found[reason])) for reason in SHIFTS if reason in found
    )


def _shift(was_in: bool, is_in: bool, was: Listed | None, is_now: Listed | None) -> str | None:
    """Why a system came or went; None when it did neither."""
    if was_in == is_in:
        return None
    if is_in:
        if was is None:
            return "added"
        return "moved_in" if was.is_counted else "returned"
    if is_now is None:
        return "gone"
    if is_now.is_counted:
        return "moved_out"
    return is_now.reason


def _counted(here: Territory, system: Listed | None) -> bool:
    return system is not None and system.is_counted and system.division in here.inside


def _idle(here: Territory, now: FrozenMonth) -> tuple[IdleSystem, ...]:
    """The idle ones by name, never one that is classified."""
    found = [
        one for one in now.systems.values() if one.is_idle and not one.is_classified and _counted(here, one)
    ]
    found.sort(key=lambda one: (one.division, one.department, one.id))
    names = here.names
    return tuple(
        IdleSystem(
            one.id,
            one.name,
            names.get(one.department, one.department),
            names.get(one.division, one.division),
        )
        for one in found
    )


def _named(systems: Sequence[Listed]) -> tuple[str, ...]:
    """Names, without those of classified systems."""
    return tuple(one.name for one in systems if not one.is_classified)
