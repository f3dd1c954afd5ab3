"""Verification codes of certificates: unguessable, easy to read out, and a slip of the pen is noticed. Pure.

28 characters of an alphabet of 31 without 0, 1, I, L and O, in groups of four: 27 are random (133 bits), the
last one checks them. 31 is a prime, so that one wrong character, or two that changed places, never fit.
"""

import secrets
import unicodedata
from collections.abc import Callable

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
RANDOM = 27
GROUP = 4
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


def new_code(choose: Callable[[str], str] = secrets.choice) -> str:
    """A new code, ungrouped."""
    body = "".join(choose(ALPHABET) for _ in range(RANDOM))
    return body + check_character(body)


def check_character(body: str) -> str:
    """The last character for these."""
    total = sum(place * _VALUES[letter] for place, letter in enumerate(body, 1))
    return ALPHABET[total % len(ALPHABET)]


def read_code(text: str) -> str | None:
    """A code as people type it: with or without groups, small letters, full width; None when it is none."""
    plain = unicodedata.normalize("NFKC", text[:200]).upper()
    code = "".join(letter for letter in plain if not letter.isspace() and letter not in "-—–_·.")
    if len(code) != RANDOM + 1 or any(letter not in _VALUES for letter in code):
        return None
    return code if check_character(code[:-1]) == code[-1] else None


def grouped(code: str) -> str:
    """`7K4M-…`: the code as it is printed."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))
