"""Lengths of time as people write them in a plan: `90s`, `15m`, `4h`, `7d`, `2w`, or seconds. Pure."""

import re

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SPAN = re.compile(r"\s*(\d{1,9}(?:\.\d{1,3})?)\s*([smhdw]?)\s*")


def seconds_of(text: object) -> float | None:
    """The length in seconds, to the millisecond; None for what is no time."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return round(float(text), 3)
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    return round(float(found[1]) * _UNITS_S[found[2]], 3) if found else None


def span_of(seconds: float) -> str:
    """The shortest way to write it: 900 is `15m`, 0.5 is `0.5s`."""
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _UNITS_S[unit] == 0:
            return f"{int(seconds) // _UNITS_S[unit]}{unit}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
