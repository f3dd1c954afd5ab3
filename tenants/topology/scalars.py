"""What an unquoted word of YAML 1.2 means, and which words other tools would read as something else."""

import re

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_QUOTE = 'write "{text}" for text'
_SURPRISES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"(?i:y|yes|on)"), "true", 'write true for a yes, "{text}" for text'),
    (re.compile(r"(?i:n|no|off)"), "false", 'write false for a no, "{text}" for text'),
    (
        re.compile(r"[-+]?0[0-9_]+"),
        "an octal number",
        'write "{text}" for a code, no leading zero for a number',
    ),
    (re.compile(r"[-+]?0[xobXOB][0-9a-fA-F_]+"), "a number to another base", "write it in decimal"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "a number to base 60", _QUOTE),
    (re.compile(r"[-+]?[0-9][0-9]*_[0-9_]*(\.[0-9_]*)?"), "a number", "write the digits alone"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "a date", _QUOTE),
)


def plain(text: str) -> tuple[object, tuple[str, str] | None]:
    """What an unquoted scalar means, and how others would misread it with the way out, if they would."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None, None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true", None
    for pattern, meaning, way_out in _SURPRISES:
        if pattern.fullmatch(text):
            return text, (meaning, way_out)
    if _INTEGER.fullmatch(text):
        return (int(text) if len(text) < 30 else float(text)), None
    if _FLOAT.fullmatch(text):
        return float(text), None
    return text, None
