"""The fields of a document that people wrote, read one by one; every fault is kept with its place. Pure."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any

from cloudctl.errors import Fault
from dr.plans.spans import seconds_of, span_of

MOST_TEXT = 500


class Fields:
    """One mapping of the document at its place; faults go into a list that all mappings share.

    A field that is not told, or is wrong, reads as its default: reading goes on until all faults are found.
    """

    def __init__(self, given: object, place: str, faults: list[Fault], known: Sequence[str]) -> None:
        self.place = place
        self.faults = faults
        self.given: Mapping[str, Any] = {}
        if not isinstance(given, Mapping):
            self.fault("", "bad_shape", "must be a mapping of {known}", known=", ".join(known))
            return
        self.given = {str(key): value for key, value in given.items() if value is not None}
        for key in self.given:
            if key not in known:
                near = next(iter(get_close_matches(key, known, 1)), None)
                hint = "did you mean {near}?" if near else None
                self.fault(key, "unknown_key", "is no field of a plan", hint, near=near)

    def fault(self, key: str, code: str, template: str, hint: str | None = None, **params: object) -> None:
        """One more fault, at the field of that name."""
        self.faults.append(Fault(self.at(key), code, template, params, hint))

    def at(self, key: str) -> str:
        """Where the field is in the whole document."""
        if not key or not self.place:
            return key or self.place
        return f"{self.place}{key}" if key.startswith("[") else f"{self.place}.{key}"

    def text(self, key: str, default: str | None = "") -> str:
        """One line; `default` of None: it has to be told."""
        if key not in self.given:
            if default is None:
                self.fault(key, "missing", "is missing")
            return default or ""
        value = self.given[key]
        if value == "" and default is not None:
            return default
        if (
            not isinstance(value, str)
            or not value.strip()
            or len(value) > MOST_TEXT
            or not value.isprintable()
        ):
            self.fault(key, "bad_text", "must be one line of at most {most} characters", most=MOST_TEXT)
            return default or ""
        return value.strip()

    def texts(self, key: str, default: tuple[str, ...] | None = (), most: int = 200) -> tuple[str, ...]:
        """A list of texts, each once; a single text is a list of one."""
        if key not in self.given:
            if default is None:
                self.fault(key, "missing", "is missing")
            return default or ()
        value = self.given[key]
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list | tuple) or len(listed) > most:
            self.fault(key, "bad_shape", "must be a list of at most {most} names", most=most)
            return default or ()
        found: list[str] = []
        for index, one in enumerate(listed):
            if not isinstance(one, str) or not one.strip() or len(one) > MOST_TEXT:
                self.fault(f"{key}[{index}]", "bad_text", "must be one line of at most {most} characters",
                           most=MOST_TEXT)  # fmt: skip
            elif one.strip() in found:
                self.fault(f"{key}[{index}]", "twice", "is named twice")
            else:
                found.append(one.strip())
        return tuple(found)

    def span(self, key: str, default: float | None, least: float, most: float) -> float:
        """A length of time under `key`, or in seconds under `key_s`; `default` of None: it has to be told."""
        both = [name for name in (key, f"{key}_s") if name in self.given]
        if not both:
            if default is None:
                self.fault(key, "missing", "is missing", "write 15m, 4h or 1d")
            return default or least
        if len(both) > 1:
            self.fault(both[1], "contradiction", "is said twice: {other} says it as well", other=both[0])
        seconds = seconds_of(self.given[both[0]])
        if seconds is None or not least <= seconds <= most:
            template, hint = "must be a length of time from {least} to {most}", "write 15m, 4h or 1d"
            self.fault(both[0], "bad_duration", template, hint, least=span_of(least), most=span_of(most))
            return default or least
        return seconds

    def whole_span(self, key: str, default: float | None, least: float, most: float) -> int:
        """The same in whole seconds."""
        seconds = self.span(key, default, least, most)
        if seconds != int(seconds):
            self.fault(key, "bad_duration", "must be whole seconds")
        return int(seconds)

    def word(self, key: str, choices: Sequence[str], default: str) -> str:
        """One of the words."""
        value = self.given.get(key, default)
        if value in choices:
            return str(value)
        near = next(iter(get_close_matches(str(value), choices, 1)), None)
        hint = "did you mean {near}?" if near else None
        params = {"given": str(value)[:60], "choices": ", ".join(choices), "near": near}
        self.fault(key, "unknown_word", "'{given}' is none of: {choices}", hint, **params)
        return default

    def flag(self, key: str, default: bool) -> bool:
        """`true` or `false`, also written with `is_` before the name."""
        name = key if key in self.given else f"is_{key}"
        value = self.given.get(name, default)
        if not isinstance(value, bool):
            self.fault(name, "bad_flag", "must be true or false")
            return default
        return value

    def each(self, key: str, most: int) -> list[tuple[str, object]]:
        """The entries of a list with their places."""
        value = self.given.get(key, ())
        if not isinstance(value, list | tuple) or len(value) > most:
            self.fault(key, "too_long", "must be a list of at most {most}", most=most)
            return []
        return [(self.at(f"{key}[{index}]"), one) for index, one in enumerate(value)]

    def names(self, key: str, check: Callable[["Fields", str, str], None] | None = None) -> dict[str, str]:
        """A mapping of names to names."""
        value = self.given.get(key, {})
        if not isinstance(value, Mapping):
            self.fault(key, "bad_shape", "must be a mapping of {known}", known="names")
            return {}
        found = {}
        for name, other in value.items():
            if not isinstance(other, str) or not other.strip() or len(other) > MOST_TEXT:
                place = f"{key}.{name}"
                self.fault(place, "bad_text", "must be one line of at most {most} characters", most=MOST_TEXT)
                continue
            if check is not None:
                check(self, f"{key}.{name}", other.strip())
            found[str(name)] = other.strip()
        return found


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
