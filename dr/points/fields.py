"""Reading untrusted JSON field by field, with all that is wrong with it at once."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from cloudctl.errors import Fault, NotProved

T = TypeVar("T")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")  # what may stand between two slashes of a vault's key
SHA256 = re.compile(r"[0-9a-f]{64}")
HEX = re.compile(r"(?:[0-9a-f]{2})+")
MAX_TEXT = 500
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
MAX_BYTES = 1 << 50  # a petabyte is no object and no volume


def canonical(content: Mapping[str, object]) -> bytes:
    """The one way to write it as JSON: what is hashed and signed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_id(text: str) -> bool:
    """Whether it may be a part of a vault's key: no slash, no dots that lead elsewhere."""
    return ID.fullmatch(text) is not None and ".." not in text


def is_printable(text: str) -> bool:
    """Whether it has nothing that hides or moves what stands beside it: no control or half characters, no
    turning of the direction of writing."""
    if text.isprintable():
        return True
    hidden = {"Cc", "Cs", "Zl", "Zp"}
    return not any(unicodedata.category(one) in hidden or one in _TURNING for one in text)


class Fields:
    """The fields of one JSON object. What is wrong is collected; a stand-in is answered meanwhile."""

    def __init__(self, content: object, place: str, faults: list[Fault]) -> None:
        self.place = place
        self.faults = faults
        self._content: dict[str, Any] = content if isinstance(content, dict) else {}
        if not isinstance(content, dict):
            self.wrong("", "no_object", "this is no object with fields")

    def wrong(self, name: str, code: str, template: str, **params: object) -> None:
        """Note one fault of a field."""
        self.faults.append(Fault(f"{self.place}.{name}".strip("."), code, template, params))

    def text(self, name: str, pattern: re.Pattern[str] | None = None, *, is_empty_fine: bool = False) -> str:
        found = self._content.get(name)
        if not isinstance(found, str) or (not found and not is_empty_fine):
            self.wrong(name, "missing", "a text is missing here")
            return ""
        is_wrong = pattern is not None and not pattern.fullmatch(found)
        if is_wrong or (pattern is None and (len(found) > MAX_TEXT or not is_printable(found))):
            self.wrong(name, "bad_text", "'{text}' cannot stand here", text=found[:80])
        return found

    def id(self, name: str) -> str:
        """A text that becomes part of a key in the vault."""
        found = self.text(name)
        if found and not is_id(found):
            self.wrong(name, "bad_id", "'{text}' cannot be part of an object's key", text=found[:80])
        return found

    def one_of(self, name: str, known: frozenset[str]) -> str:
        found = self.text(name)
        if found and found not in known:
            self.wrong(name, "unknown", "'{text}' is not known here", text=found[:80])
        return found

    def number(self, name: str, least: int = 0, most: int = MAX_BYTES) -> int:
        found = self._content.get(name)
        if type(found) is not int or not least <= found <= most:
            self.wrong(name, "bad_number", "a whole number from {least} to {most} is wanted here",
                       least=least, most=most)  # fmt: skip
            return least
        return found

    def flag(self, name: str) -> bool:
        found = self._content.get(name)
        if not isinstance(found, bool):
            self.wrong(name, "bad_flag", "true or false is wanted here")
        return found is True

    def moment(self, name: str) -> datetime:
        try:
            found = datetime.fromisoformat(self._content.get(name) or "")
            if found.tzinfo is None:
                raise ValueError(name)
            return found.astimezone(UTC)
        except (ValueError, TypeError):
            self.wrong(name, "bad_moment", "a moment with its zone is wanted here")
            return datetime.fromtimestamp(0, UTC)

    def maybe(self, name: str, read: Callable[[str], T]) -> T | None:
        """What `read` makes of the field, or None where it is null or left out."""
        return None if self._content.get(name) is None else read(name)

    def mapping(self, name: str) -> dict[str, Any]:
        found = self._content.get(name)
        if not isinstance(found, dict):
            self.wrong(name, "no_object", "this is no object with fields")
            return {}
        return found

    def inner(self, name: str) -> "Fields":
        """The fields of an object inside."""
        return Fields(self.mapping(name), f"{self.place}.{name}", self.faults)

    def texts(self, name: str, pattern: re.Pattern[str]) -> dict[str, str]:
        """An object whose values are texts."""
        inner = self.inner(name)
        return {key: inner.text(key, pattern) for key in inner._content}

    def parts(self, name: str, most: int) -> list["Fields"]:
        """The objects of a list."""
        found = self._content.get(name)
        if not isinstance(found, list) or len(found) > most:
            self.wrong(name, "bad_list", "a list of at most {most} is wanted here", most=most)
            return []
        return [Fields(one, f"{self.place}.{name}[{at}]", self.faults) for at, one in enumerate(found)]


def loaded(body: bytes, place: str, most_bytes: int, formats: frozenset[str]) -> Fields:
    """The fields of a JSON document of a known format. NotProved at once for what cannot even be read."""
    faults: list[Fault] = []
    if len(body) > most_bytes:
        faults.append(Fault(place, "too_big", "it has {found} bytes, more than {most}",
                            {"found": len(body), "most": most_bytes}))  # fmt: skip
        refuse(faults)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        faults.append(Fault(place, "no_json", "this is no JSON"))
        refuse(faults)
    fields = Fields(content, place, faults)
    fields.one_of("format", formats)
    refuse(faults)  # of an unknown format nothing else can be said
    return fields


def refuse(faults: list[Fault]) -> None:
    """NotProved with all of them, if there are any."""
    if faults:
        raise NotProved("what was read is not what cloudctl writes", faults=faults)
