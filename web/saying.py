"""Templates filled for a reader: in Chinese the stored words inside them become office words too."""

from collections.abc import Callable, Mapping
from typing import Any

from cloudctl.amounts import Kind
from cloudctl.errors import CloudctlError, Fault
from cloudctl.texts import has_entry
from web import titles
from web.visitor import is_api, language, translate, words
from web.wording import spoken_title

_STATES = (
    "request state", "resource state", "site state", "operation state", "migration stage", "exemption state",
    "wave state", "policy state", "vault state", "point state",
    "plan state", "replica state",
)  # fmt: skip


def say(template: str, params: Mapping[str, Any]) -> str:
    """The template in the reader's language, filled in; a parameter that is missing never breaks a page."""
    said = translate()(template)
    try:
        return said.format(**spoken(params))
    except (KeyError, IndexError, ValueError):
        return said


def error_text(error: CloudctlError) -> str:
    """What happened, and the way out."""
    text = say(error.template, error.params) if error.params else translate()(error.template)
    if error.hint:
        hint = say(error.hint, error.params)
        text += f"（{hint}）" if language() == "zh" else f" ({hint})"
    return f"{text} [{error.cloud_request_id}]" if error.cloud_request_id and is_api() else text


def fault_message(fault: Fault) -> str:
    return say(fault.template, fault.params)


def fault_hint(fault: Fault) -> str | None:
    return say(fault.hint, fault.params) if fault.hint else None


def fault_text(fault: Fault) -> str:
    """What is wrong, and the way out, in one line."""
    hint = fault_hint(fault)
    if hint is None:
        return fault_message(fault)
    return f"{fault_message(fault)}（{hint}）" if language() == "zh" else f"{fault_message(fault)} ({hint})"


def notice_text(notice: Mapping[str, Any]) -> str:
    return say(str(notice["template"]), notice["params"])


def spoken(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the reader's office would say them; English readers get them as they are stored."""
    if language() != "zh":
        return dict(params)
    return {key: _SPOKEN[key](str(value)) if key in _SPOKEN else value for key, value in params.items()}


def _kind(value: str) -> str:
    if value in set(Kind):
        return words()("counted", value)
    return _first(("request kind", "resource kind", "facility kind"), value)


def _site(value: str) -> str:
    return translate()("all clouds together") if value == "*" else titles.site(value)


def _level(value: str) -> str:
    return titles.scope(value) if ":" in value else value


def _first(contexts: tuple[str, ...], value: str) -> str:
    """The word of the first context that has one."""
    return next((words()(one, value) for one in contexts if has_entry(value, one)), value)


_SPOKEN: Mapping[str, Callable[[str], str]] = {
    "kind": _kind,
    "site": _site,
    "level": _level,
    "place": _level,
    "scope": _level,
    "parent": _level,
    "other": _level,
    "measure": lambda value: _first(("measure",), value),
    "title": spoken_title,
    "role": lambda value: words()("role", value),
    "state": lambda value: _first(_STATES, value),
    "roles": lambda value: "、".join(words()("role", one) for one in value.split(", ")),
    "event": lambda value: _first(("event",), value),
    "possible": lambda value: "、".join(_first(("event",), one) for one in value.split(", ")),
    "what": lambda value: _first(("thing",), value),
    "action": lambda value: _first(("change",), value),
}
