"""Whole numbers as offices write them, and numbers that a spreadsheet made of what were codes. Pure."""

import re

from cloudctl.errors import Fault
from tenants.register.fields import Field, Value

_LOST = 10**15  # beyond it a spreadsheet has dropped digits
_CHINESE = {"零": "0", "〇": "0", "一": "1", "二": "2", "三": "3", "四": "4", "五": "5"}
_WHOLE = re.compile(r"(\d{1,9})(?:\.0+)?")


def written_number(number: float) -> str | None:
    """The number as it was typed: 450100 for 450100.0; None when digits of it are lost."""
    if not abs(number) < _LOST:
        return None
    return str(int(number)) if number == int(number) else str(number)


def read_integer(field: Field, plain: str) -> Value | Fault:
    """A whole number of the field's range; 3, 3.0, 三级, 第三级 and T3 are the same."""
    word = plain.removeprefix("第").removesuffix("级").upper().removeprefix("T")
    found = _WHOLE.fullmatch(_CHINESE.get(word, word))
    if found is None:
        return Fault("", "no_number", "'{word}' is no whole number", {"word": plain[:40]})
    number = int(found[1])
    if not field.least <= number <= field.most:
        params = {"least": field.least, "most": field.most}
        return Fault("", "out_of_bounds", "must be from {least} to {most}", params)
    return number
