"""Why a drill or a move ended as it did, in the reader's language. Pure.

A verdict keeps plain English, since it is hashed and signed; what it is made of is known here, so that it can
be said again in Chinese. What nobody knows stays as it is.
"""

import re
from functools import cache

from cloudctl.errors import Translate

#: As dr/drills/verdict.py, dr/drills/parts.py and dr/reports/assembling.py write them.
TEMPLATES = (
    "it is not cut off: {answered}",
    "did not come up: {parts}",
    "the check did not pass: {checks}",
    "could not be rehearsed: {parts}",
    "there is no server for {names}",
    "RPO {took} s instead of {wanted} s",
    "RTO {took} s instead of {wanted} s",
    "no answer within {seconds} s: {names}",
    "{name} could not be started: {reason}",
    "aborted by {who}",
    "it cannot be rehearsed here: {reason}",
    "the probe has said nothing",
    "the sentinels that came back are not those that were written",
)


def said(why: str, translate: Translate) -> str:
    """The reason in another language, sentence by sentence; each may begin with the name of a part."""
    return "; ".join(_sentence(one, translate) for one in why.split("; "))


def _sentence(text: str, translate: Translate) -> str:
    for template in TEMPLATES:
        found = _pattern(template).fullmatch(text)
        if found:
            return translate(template).format(**found.groupdict())
    head, mark, rest = text.partition(": ")
    return f"{head}: {_sentence(rest, translate)}" if mark and " " not in head else text


@cache
def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{([a-z_]+)\}", template)
    texts = [re.escape(one) if index % 2 == 0 else f"(?P<{one}>.+?)" for index, one in enumerate(pieces)]
    return re.compile("".join(texts), re.DOTALL)
