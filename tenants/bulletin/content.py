"""What a bulletin says: figures of one frozen month beside the month before, targets, names. Pure.

Systems are counted in hundredths, because a partly moved one may weigh less than one. Rates are compared
as integers and shown rounded down, so that 94.996 is never read as 95.00; an empty denominator has no rate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction

from tenants.migration.rates import PER_CENT, Reason, Tally, rate_of, still_to_move, total
from tenants.migration.rates import ranked as in_order


@dataclass(frozen=True)
class Goal:
    """What has to be reached, by when, and which document says so."""

    value: int  # hundredths of a percent
    due_on: date
    source: str


@dataclass(frozen=True)
class Line:
    """One scope: its figures, those of the month before, its target, its place among its like."""

    scope: str  # division:450100, own:450000, department:gx-finance
    name: str
    count: Tally
    before: Tally | None = None
    goal: Goal | None = None
    rank: int | None = None

    @property
    def rate(self) -> int | None:
        """The reported rate in hundredths of a percent, rounded down; None when nothing counts."""
        return rate_of(self.count.numerator_hundredths, self.count.denominator)

    @property
    def verified_rate(self) -> int | None:
        """The verified rate, likewise."""
        return rate_of(self.count.verified_hundredths, self.count.denominator)

    @property
    def change(self) -> Fraction | None:
        """By how many hundredths of a point the rate moved, exactly; None with nothing to compare."""
        was = _exact(self.before) if self.before is not None else None
        is_now = _exact(self.count)
        return is_now - was if is_now is not None and was is not None else None

    @property
    def missing(self) -> int | None:
        """Systems short of the target; 0 when it is met, None without a target."""
        if self.goal is None:
            return None
        return still_to_move(self.count.numerator_hundredths, self.count.denominator, self.goal.value)

    @property
    def is_behind(self) -> bool:
        """Whether a target is missed."""
        return bool(self.missing)


@dataclass(frozen=True)
class IdleSystem:
    """A system reported on the cloud with nothing running there (假上云)."""

    id: str
    name: str
    unit: str
    area: str


@dataclass(frozen=True)
class Shift:
    """Systems that came into the denominator or left it since the month before, for one reason."""

    reason: str  # a key of SHIFTS
    count: int
    names: tuple[str, ...]  # not those of classified systems

    @property
    def is_entering(self) -> bool:
        return SHIFTS[self.reason]


# reason -> whether the denominator grows by it, in the order in which they are told
SHIFTS: Mapping[str, bool] = {
    "added": True,
    "returned": True,
    "moved_in": True,
    **dict.fromkeys((reason.value for reason in Reason), False),
    "moved_out": False,
    "gone": False,
}


@dataclass(frozen=True)
class Flag:
    """Something about the denominator of a scope that somebody has to explain."""

    scope: str
    name: str
    template: str  # English, with parameters; Chinese words are in the catalogue
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Outlook:
    """Where the rate is going until the target is due, as far as the history can say. Rates in hundredths."""

    pace_needed: int | None  # systems a month; None: it is due already
    pace_so_far_hundredths: int | None  # of a system, a month
    months: int  # of history
    coverage_percent: int
    expected: int | None = None
    low: int | None = None
    high: int | None = None
    why: str | None = None  # why nothing is foretold


@dataclass(frozen=True)
class Method:
    """By which rule and from which frozen figures the bulletin was made (口径)."""

    rule_title: str
    rule_name: str
    rule_version: int
    rule_sha256: str
    cut_off_at: datetime
    revision: int
    snapshot_sha256: str
    previous_month: str | None  # what it is compared with; None: that month was not frozen
    previous_revision: int | None = None
    previous_rule_version: int | None = None
    reason: str = ""  # why the figures were corrected
    is_whole: bool = True  # the month had ended at the cut-off


@dataclass(frozen=True)
class Bulletin:
    """Everything one bulletin says, ready to be put into words."""

    month: str  # 2026-11
    code: str  # of the division
    division: str  # its name
    level: str  # province or city
    issuer: str
    made_on: date
    total: Line
    own: Line
    new: Line
    areas: tuple[Line, ...]  # ranked: cities of a province, counties of a city
    units: tuple[Line, ...]  # ranked: departments of the division's own level
    idle: tuple[IdleSystem, ...]
    shifts: tuple[Shift, ...]
    flags: tuple[Flag, ...]
    outlook: Outlook | None
    method: Method

    @property
    def scope(self) -> str:
        return f"division:{self.code}"

    @property
    def rest(self) -> Line:
        """Everything below the division's own level, together."""
        was = [line.before for line in self.areas if line.before is not None]
        before = total(was) if was or not self.is_first else None
        count = total(line.count for line in self.areas)
        return Line(f"below:{self.code}", "", count, before, self.total.goal)

    @property
    def areas_behind(self) -> tuple[Line, ...]:
        return behind(self.areas)

    @property
    def units_behind(self) -> tuple[Line, ...]:
        return behind(self.units)

    @property
    def is_first(self) -> bool:
        """Whether there is no month before to compare with."""
        return self.method.previous_month is None


def ranked(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines by their exact rate, the best first; equals share a rank, empty ones come last."""
    by_scope = {line.scope: line for line in lines}
    order = in_order({scope: line.count for scope, line in by_scope.items()})
    return tuple(replace(by_scope[scope], rank=rank) for rank, scope in order)


def behind(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Those that miss their target, the furthest first."""
    late = [line for line in lines if line.is_behind]
    return tuple(sorted(late, key=lambda line: (-(line.missing or 0), _exact(line.count), line.scope)))


def _exact(count: Tally) -> Fraction | None:
    """The reported rate in hundredths of a percent."""
    return Fraction(count.numerator_hundredths * PER_CENT, count.denominator) if count.denominator else None
