"""What a model refuses, in words: what is wrong, what may be written, what was probably meant."""

import re
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from tenants.topology.document import Topology
from tenants.topology.faults import Finding, Path, nearest

Error = Mapping[str, Any]  # one of pydantic's


def worded(errors: Sequence[Error]) -> list[Finding]:
    """Findings for the errors; a missing key that is there mistyped is said once."""
    unknown = [one for one in errors if one["type"] == "extra_forbidden"]
    findings = [_unknown_key(one) for one in unknown]
    explained = {
        (tuple(one["loc"][:-1]), nearest(str(one["loc"][-1]), _keys_at(one["loc"][:-1]))) for one in unknown
    }
    return findings + [
        _finding(one)
        for one in errors
        if one["type"] != "extra_forbidden"
        and not (one["type"] == "missing" and (tuple(one["loc"][:-1]), one["loc"][-1]) in explained)
    ]


def _unknown_key(error: Error) -> Finding:
    *where, key = error["loc"]
    known = _keys_at(where)
    params = {"known": ", ".join(known)}
    found = Finding(
        tuple(error["loc"]), "unknown_key", "this key is not known here", params, "known: {known}", True
    )
    return found.guessing(key, known)


def _finding(error: Error) -> Finding:
    loc, kind, context, given = tuple(error["loc"]), error["type"], error.get("ctx") or {}, error["input"]
    at_key = bool(loc) and loc[-1] == "[key]"
    loc = loc[:-1] if at_key else loc
    if kind == "missing":
        return Finding(loc[:-1], "missing", "the key '{key}' is missing", {"key": loc[-1]})
    if given is None:
        return Finding(loc, "no_value", "has no value")
    if kind == "literal_error":
        choices = re.findall(r"'([^']+)'", context["expected"]) or [context["expected"]]
        params = {"given": given, "choices": ", ".join(choices)}
        template = "'{given}' is none of: {choices}"
        return Finding(loc, "unknown_word", template, params, None, at_key).guessing(given, choices)
    if kind == "string_pattern_mismatch":
        return Finding(loc, "bad_form", _pattern_words(context["pattern"]), {"given": given})
    return _type_finding(loc, kind, context, given)


def _pattern_words(pattern: str) -> str:
    if pattern.startswith("^[0-9]"):
        return "'{given}' is no GB/T 2260 code: six digits, nine for a township"
    if pattern.startswith("^[a-z"):
        return "'{given}' is no name: up to 63 of a-z 0-9 . _ -, the first a letter or digit"
    return "must be one line, without spaces around it"


_TYPES = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
}


def _type_finding(loc: Path, kind: str, context: Any, given: object) -> Finding:
    params: dict[str, object] = {"given": _brief(given), **context}
    if kind == "string_type" and isinstance(given, int | float):
        hint = 'write "{given}"'
        return Finding(loc, "bad_type", "must be a text in quotes, not a number", params, hint)
    if kind in _TYPES:
        return Finding(loc, "bad_type", _TYPES[kind], params)
    words = {
        "greater_than_equal": "{given} is too small: at least {ge}",
        "less_than_equal": "{given} is too big: at most {le}",
        "string_too_long": "is too long: at most {max_length} characters",
    }
    return Finding(loc, "out_of_range", words.get(kind, "cannot be read"), params)


def _brief(value: object) -> str:
    return str(value)[:60]


def _keys_at(path: Sequence[str | int]) -> list[str]:
    """The keys that the model at `path` knows."""
    at: Any = Topology
    for step in path:
        at = _inside(at, step)
    return list(at.model_fields) if _is_model(at) else []


def _inside(at: Any, step: str | int) -> Any:
    if _is_model(at):
        field = at.model_fields.get(step)
        return _bare(field.annotation) if field else None
    arguments = get_args(at)
    return _bare(arguments[-1]) if get_origin(at) in (list, dict) else None


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(get_args(annotation)[0])
    return annotation


def _is_model(at: Any) -> bool:
    return isinstance(at, type) and issubclass(at, BaseModel)
