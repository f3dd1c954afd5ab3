"""What is said of protection plans in the reader's language: faults that a row keeps, why, and way."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudctl.errors import Fault
from web.backup_words import span
from web.saying import fault_hint, fault_message
from web.visitor import translate

Json = dict[str, Any]
_IN_SECONDS_S = 600

# Why the data of a part stands as it does, by the code of dr/plans/standing.py.
_PLAIN: Mapping[str, str] = {
    "no_policy": "no backup policy keeps its points at another site",
    "no_point": "no point of it has been read back yet",
    "point_age": "the newest point is {seconds} old, {objective} are allowed",
    "lag": "its copy is {seconds} behind, {objective} are allowed",
    "worst_case": "up to {seconds} may be lost before the next point, {objective} are allowed",
    "policy_suspended": "the backup policy {policy} is suspended",
    "lag_unknown": "nobody tells how far behind its copy is",
    "not_replicated": "its volumes are not copied by the storage",
    "syncing": "its copy is being made anew",
    "split_brain": "both sides were written to: a person decides which goes",
    "replication_stopped": "its copy does not follow any more",
    "edit": "the plan was changed: {what}",
    "age": "the proof is too old",
    "drift": "what it rests on has changed: {what}",
}


# Pieces of a move that are not parts of the plan.
_TYPES: Mapping[str, str] = {
    "data": "bringing the data",
    "detect": "seeing the loss",
    "decide": "deciding and approving",
    "fence": "fencing the other site",
    "traffic": "moving the traffic",
}


def segment_name(name: str) -> str:
    """A piece of a move as people call it; a part goes by its own name."""
    return translate()(_TYPES[name]) if name in _TYPES else name


def took(seconds: float | None) -> str:
    """How long something took: below ten minutes in seconds, or all would look the same."""
    if seconds is None or seconds >= _IN_SECONDS_S:
        return span(None if seconds is None else round(seconds))
    return translate()("{count} s").format(count=round(seconds))


def faults(rows: Iterable[Fault | Mapping[str, Any]]) -> list[Json]:
    """Faults, fresh or as a row keeps them, said: place, code, message, hint."""
    found = [row if isinstance(row, Fault) else _fault(row) for row in rows]
    return [
        {"place": one.place, "code": one.code, "message": fault_message(one), "hint": fault_hint(one)}
        for one in found
    ]


def why(rows: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Reasons of health (`code`) and of a stale proof (`reason`), said."""
    return [{**row, "message": _reason(row)} for row in rows]


def said(row: Mapping[str, Any]) -> Json:
    """A row of `apply`, `show` or `readiness` with everything in it said; what it lacks stays away."""
    told = dict(row)
    for key in ("faults", "notes", "blocks"):
        if key in told:
            told[key] = faults(told[key])
    for key in ("health_why", "stale"):
        if key in told:
            told[key] = why(told[key])
    if told.get("readiness"):
        inner = told["readiness"]
        told["readiness"] = {**inner, **{key: faults(inner.get(key, ())) for key in ("blocks", "notes")}}
    return told


def _fault(row: Mapping[str, Any]) -> Fault:
    return Fault(row["place"], row["code"], row["template"], row.get("params") or {}, row.get("hint"))


def _reason(row: Mapping[str, Any]) -> str:
    params = {
        "seconds": span(row.get("seconds")),
        "objective": span(row.get("objective_s")),
        "policy": row.get("policy", ""),
        "what": "、".join(_changed(one) for one in row.get("what") or ()) or "—",
    }
    return translate()(_PLAIN[row.get("code") or row["reason"]]).format(**params)


def _changed(one: object) -> str:
    return str(one.get("what") or "—") if isinstance(one, Mapping) else str(one)
