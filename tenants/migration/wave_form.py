"""From what people write to a wave or to the place of a system in one, or to all faults at once. Pure."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cloudctl.errors import BadInput, Fault
from tenants.catalogue import Catalogue
from tenants.forms import read as read_request
from tenants.migration.scopes import parse
from tenants.register.dates import read_date

MOST_NAME = 100
MOST_AFTER = 100
_KEYS = ("name", "scope", "starts_on", "ends_on", "position", "is_pilot", "after")


@dataclass(frozen=True)
class WaveForm:
    """A wave as asked for."""

    name: str
    scope: str
    starts_on: date
    ends_on: date
    position: int | None = None
    is_pilot: bool = False
    after: tuple[int, ...] = ()


def read_wave(given: Mapping[str, Any], known: Container[str]) -> WaveForm:
    """The wave; BadInput with everything that is wrong. `known` are the scopes there are."""
    faults = [Fault(str(key), "unknown_key", "is no field of a wave") for key in given if key not in _KEYS]
    name = str(given.get("name") or "").strip()
    if not name:
        faults.append(Fault("name", "missing", "is missing"))
    if len(name) > MOST_NAME or not name.isprintable():
        template = "must be one line of at most {most} characters"
        faults.append(Fault("name", "bad_text", template, {"most": MOST_NAME}))
    days = {key: _day(key, given.get(key), faults) for key in ("starts_on", "ends_on")}
    scope = _scope(given.get("scope"), known, faults)
    must_be_clean(faults)
    starts_on, ends_on = days["starts_on"], days["ends_on"]
    assert starts_on is not None and ends_on is not None
    return WaveForm(
        name, scope, starts_on, ends_on,
        given.get("position"), bool(given.get("is_pilot", False)), tuple(given.get("after") or ()),
    )  # fmt: skip


def sizing_faults(form: Mapping[str, Any], system_id: str, offer: Catalogue) -> list[Fault]:
    """What is wrong with a sizing form; what is still missing may follow until the wave is checked."""
    faults = read_request(form, offer)[1]
    if form.get("system") not in (None, "", system_id):
        params = {"found": system_id}
        faults.append(Fault("system", "contradiction", "the form is in the place of {found}", params))
    if form.get("kind", "vm") not in ("vm", "project"):
        faults.append(Fault("kind", "not_for_a_wave", "a wave asks for virtual machines or an empty project"))
    wrong = [fault for fault in faults if fault.code != "missing"]
    return [replace(fault, place=f"form.{fault.place}") for fault in wrong]


def must_be_clean(faults: list[Fault]) -> None:
    """BadInput with all faults, if there are any."""
    if faults:
        raise BadInput("the wave cannot be kept: {count} faults", faults=faults, count=len(faults))


def _day(key: str, written: object, faults: list[Fault]) -> date | None:
    if written in (None, ""):
        faults.append(Fault(key, "missing", "is missing"))
        return None
    day = read_date(str(written))
    if isinstance(day, Fault):
        faults.append(replace(day, place=key))
        return None
    return day


def _scope(written: object, known: Container[str], faults: list[Fault]) -> str:
    if written in (None, ""):
        faults.append(Fault("scope", "missing", "is missing"))
        return ""
    try:
        scope = str(parse(str(written)))
    except BadInput as error:
        faults += error.faults
        return ""
    if scope not in known:
        faults.append(Fault("scope", "unknown_scope", "there is no '{scope}'", {"scope": scope}))
    return scope
