"""Free text of the register: kept as it is written, trimmed, without what nobody can see or print. Pure."""

import re
import unicodedata
from collections.abc import Set
from typing import cast

from cloudctl.errors import Fault
from tenants.register.fields import Field, FieldKind, Value

CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_CODES = re.compile(rf"(?:{CODE.pattern})?(?:\n(?:{CODE.pattern})?)*")
LONG = 500  # a text that may be longer has lines
# Marks that change how what stands around them is read, and never stand in a document by intent.
_DIRECTING = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\ufff9-\ufffb]")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")  # come in with copied text
_PICTURES = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3]")


def are_plain(field: Field, cells: Set[object]) -> bool:
    """Whether all of these cells are kept as they are: most columns are so, and this looks at all at once."""
    if field.kind not in (FieldKind.TEXT, FieldKind.CODE) or any(
        kind is not str for kind in map(type, cells)
    ):
        return False
    words = cast("Set[str]", cells)
    if field.kind is FieldKind.CODE:
        lines = "\n".join(words)
        return lines.count("\n") == len(words) - 1 and _CODES.fullmatch(lines) is not None
    text = "".join(words)
    if not text.isprintable() or " " in text or max(map(len, words), default=0) > field.most:
        return False
    return field.name != "name" or _PICTURES.search(text) is None


def read_text(field: Field, written: str) -> Value | Fault:
    """The text of a cell, None when nothing is left of it; a Fault for what cannot be kept."""
    text = written.strip()
    if not text.isprintable():
        cleaned = _INVISIBLE.sub("", text).replace("\r\n", "\n").replace("\r", "\n").strip()
        if (fault := _unprintable(field, cleaned)) is not None:
            return fault
        text = cleaned
    if len(text) > field.most:
        params = {"length": len(text), "most": field.most}
        return Fault("", "too_long", "has {length} characters; at most {most} are kept", params)
    if field.name == "name" and (fault := _no_name(text)) is not None:
        return fault
    return text or None


def _unprintable(field: Field, text: str) -> Fault | None:
    for letter in text:
        kind = unicodedata.category(letter)
        if letter in "\n\t" and field.most >= LONG:
            continue
        if letter == "\n":
            return Fault("", "line_break", "has a line break", hint="write it on one line")
        if kind in ("Cc", "Cs") or _DIRECTING.match(letter):
            params = {"point": f"U+{ord(letter):04X}"}
            return Fault("", "control_character", "has the control character {point}", params)
    return None


def _no_name(text: str) -> Fault | None:
    """A name is printed in bulletins and certificates: every letter of it must be one that fonts have."""
    found = _PICTURES.search(text)
    if found:
        params = {"point": f"U+{ord(found[0]):04X}"}
        return Fault("", "picture_in_name", "a name holds no pictures (emoji): {point}", params)
    for letter in text:
        if not letter.isprintable() and unicodedata.category(letter) == "Co":
            params = {"point": f"U+{ord(letter):04X}"}
            template = "the letter {point} is one of a private font: others see something else"
            return Fault("", "private_letter", template, params, "write it with a standard letter")
    return None
