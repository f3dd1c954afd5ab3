"""How the values of a bulletin are read: one text for each, the same on page, PDF and workbook. Pure.

Counts are in hundredths of a system, rates in hundredths of a percent, changes in hundredths of a point.
"""

from enum import StrEnum
from fractions import Fraction

from tenants.bulletin.content import Line
from tenants.migration.rates import percent_text, systems_text

NOTHING = "—"
MINUS = "−"


class Kind(StrEnum):
    """How a column is read and aligned."""

    TEXT = "text"
    NUMBER = "number"  # whole: ranks, systems
    SYSTEMS = "systems"  # hundredths of a system
    RATE = "rate"
    POINTS = "points"
    DAY = "day"  # as text, in its own words
    BAR = "bar"  # the line itself, drawn; no cell of a workbook


Value = str | int | Fraction | Line | None


def shown(kind: Kind, value: Value) -> str:
    """A value as people read it; what is not there is a dash."""
    if value is None or isinstance(value, Line):
        return NOTHING
    if kind is Kind.SYSTEMS and isinstance(value, int):
        return str(systems_text(value))
    if kind is Kind.RATE and isinstance(value, int):
        return f"{percent_text(value)}%"
    if kind is Kind.POINTS and not isinstance(value, str):
        return points_text(Fraction(value))
    return str(value).replace("-", MINUS, 1) if isinstance(value, int) else str(value)


def points_text(change: Fraction) -> str:
    """Hundredths of a point as `+1.23`, cut off towards zero: no change looks larger than it was."""
    cut = int(change)
    sign = "" if cut == 0 else "+" if cut > 0 else MINUS
    return f"{sign}{percent_text(abs(cut))}"
