"""From what people write to a target that can be kept, or to all its faults at once. Pure."""

import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from cloudctl.errors import BadInput, Fault
from tenants.migration.measures import MEASURES
from tenants.migration.scopes import parse
from tenants.migration.targets import parse_percent
from tenants.register.dates import read_date

MOST = {"name": 200, "source": 500, "leader": 50, "unit": 200, "person": 50}
_NEEDED = ("name", "source")
_KEYS = ("name", "scope", "measure", "value", "due_on", "source", "leader", "unit", "person")


@dataclass(frozen=True)
class TargetForm:
    """A target as asked for: `value` in hundredths of a percent, `scope` as it is written."""

    name: str
    scope: str
    measure: str
    value: int
    due_on: date
    source: str
    leader: str | None = None
    unit: str | None = None
    person: str | None = None


def read(
    given: Mapping[str, Any], known: Container[str], place: str = ""
) -> tuple[TargetForm | None, list[Fault]]:
    """The target, or everything that is wrong with it; `known` are the scopes there are."""
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for key in given:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            hint = "did you mean {near}?" if near else None
            params = {"near": near[0] if near else None}
            faults.append(Fault(str(key), "unknown_key", "is no field of a target", params, hint))
    for key in MOST:
        values[key] = _text(key, given.get(key), faults)
    for key, reader in (("scope", _scope), ("measure", _measure), ("value", _value), ("due_on", _day)):
        written = given.get(key)
        if written in (None, ""):
            faults.append(Fault(key, "missing", "is missing"))
            continue
        found = _scope(written, known) if reader is _scope else reader(written)
        if isinstance(found, Fault):
            faults.append(replace(found, place=key))
        else:
            values[key] = found
    if faults:
        return None, [replace(fault, place=f"{place}{fault.place}") for fault in faults]
    return TargetForm(**values), []


def _text(key: str, written: object, faults: list[Fault]) -> str | None:
    text = "" if written is None else str(written).strip()
    if not text and key in _NEEDED:
        faults.append(Fault(key, "missing", "is missing"))
    if len(text) > MOST[key] or not text.isprintable():
        template = "must be one line of at most {most} characters"
        faults.append(Fault(key, "bad_text", template, {"most": MOST[key]}))
    return text or None


def _scope(written: object, known: Container[str] = ()) -> str | Fault:
    text = unicodedata.normalize("NFKC", str(written)).strip()
    try:
        scope = str(parse(text))
    except BadInput as error:
        return error.faults[0]
    if scope not in known:
        return Fault("", "unknown_scope", "there is no '{scope}'", {"scope": scope})
    return scope


def _measure(written: object) -> str | Fault:
    word = str(written).strip()
    if word in MEASURES:
        return word
    near = get_close_matches(word, MEASURES, n=1)
    params = {"word": word[:80], "near": near[0] if near else None, "known": ", ".join(MEASURES)}
    hint = "did you mean {near}?" if near else "one of {known}"
    return Fault("", "unknown_measure", "nobody can measure '{word}'", params, hint)


def _value(written: object) -> int | Fault:
    value = parse_percent(str(written)) if not isinstance(written, bool) else None
    if value is None:
        template = "'{text}' is no percentage from 0.01 to 100 with at most two decimals"
        return Fault("", "bad_percentage", template, {"text": str(written)[:40]}, "write 95 or 99.5")
    return value


def _day(written: object) -> date | Fault:
    return read_date(written if isinstance(written, date) else str(written))
