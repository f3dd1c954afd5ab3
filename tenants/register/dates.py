"""Days as offices write them: 2026-11-01, 2026/11/1, 2026.11.1, 20261101, 2026年11月1日. Pure."""

import re
import unicodedata
from datetime import date, datetime

from cloudctl.errors import Fault

FIRST_YEAR, LAST_YEAR = 1980, 2099  # what lies outside is a slip of the pen
_WRITTEN = re.compile(
    r"(\d{4})(?:[-/.年])(\d{1,2})(?:[-/.月])(\d{1,2})(?:日|号)?(?:T?0{1,2}:00(?::00(?:\.0+)?)?)?"
)
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0)?")


def read_date(cell: object) -> date | Fault:
    """The day of a cell; a Fault when it is none, or lies far outside what can be meant."""
    if isinstance(cell, datetime):
        return _plausible(cell.date())
    if isinstance(cell, date):
        return _plausible(cell)
    text = "".join(unicodedata.normalize("NFKC", str(cell)).split())
    found = _WRITTEN.fullmatch(text) or _DIGITS.fullmatch(text)
    if found is None:
        return _no_date(text)
    try:
        return _plausible(date(int(found[1]), int(found[2]), int(found[3])))
    except ValueError:
        return _no_date(text)


def _plausible(day: date) -> date | Fault:
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    params = {"day": day.isoformat(), "first": FIRST_YEAR, "last": LAST_YEAR}
    return Fault("", "far_date", "{day} does not lie between {first} and {last}", params)


def _no_date(text: str) -> Fault:
    return Fault("", "bad_date", "'{text}' is no day", {"text": text[:40]}, "write 2026-11-21")
