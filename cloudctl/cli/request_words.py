"""Requests and decisions as people read them in a terminal: nested values as short lines. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]

REQUEST = (
    "id", "name", "state", "department_name", "system_name", "environment", "site", "zone", "needed",
    "waits_for", "stages", "approvals", "holds", "resources", "delivered", "operation_id", "approval_number",
    "payer", "reason", "requested_by_name", "created_at", "error_code", "error_message",
)  # fmt: skip
DECISION = ("verdict", "site", "site_why", "needed", "stages", "shortages", "reasons", "nearest_text")


def for_people(row: Mapping[str, Any]) -> Json:
    """The request or decision with every nested value as text, and without what is empty."""
    columns = DECISION if "verdict" in row else REQUEST
    shown = {}
    for name in columns:
        value = row.get(name)
        if value not in (None, "", [], {}):
            shown[name] = _WORDS[name](value) if name in _WORDS else value
    return shown


def _amounts(needed: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {amount}" for kind, amount in needed.items())


def _stage(stage: Mapping[str, Any]) -> str:
    who = ", ".join(person["name"] for person in stage.get("who", ()))
    state = stage.get("state")
    words = f"{stage['title']}: {state}" if state else str(stage["title"])
    return f"{words} ({who})" if who else words


def _approval(one: Mapping[str, Any]) -> str:
    opinion = f": {one['opinion']}" if one.get("opinion") else ""
    return f"{one['name']}: {one['state']} by {one['by_name']}{opinion}"


def _hold(hold: Mapping[str, Any]) -> str:
    return f"{hold['kind']} {hold['amount']} {hold['state']}"


def _resource(one: Mapping[str, Any]) -> str:
    return f"{one['kind']} {one['name']}: {one['state']}" + (
        f", {_flat(one['addresses'])}" if one.get("addresses") else ""
    )


def _fault(fault: Mapping[str, Any]) -> str:
    return str(fault["message"])


def _delivered(delivered: Mapping[str, Any]) -> str:
    """How to get in, and whom to ask; what was made is under resources."""
    lines = [_way_in(server) for server in delivered.get("servers", ())]
    people = [_person(person) for person in delivered.get("contact", ())]
    return "\n".join([*lines, *([f"ask: {', '.join(people)}"] if people else [])])


def _way_in(server: Mapping[str, Any]) -> str:
    addresses = ", ".join(one for each in server["addresses"].values() for one in each)
    return f"{server['label']}: {server['connect']}   ({addresses})"


def _person(person: Mapping[str, Any]) -> str:
    return f"{person['name']} {person['phone']}" if person.get("phone") else str(person["name"])


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(each)}" for key, each in value.items() if each)
    if isinstance(value, list):
        return "; ".join(_flat(each) for each in value)
    return str(value)


def _lines(line: Callable[[Mapping[str, Any]], str]) -> Callable[[Any], str]:
    return lambda rows: "\n".join(line(row) for row in rows)


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "needed": _amounts,
    "stages": _lines(_stage),
    "approvals": _lines(_approval),
    "holds": lambda rows: ", ".join(_hold(row) for row in rows),
    "resources": _lines(_resource),
    "shortages": _lines(_fault),
    "reasons": _lines(_fault),
    "delivered": _delivered,
}
