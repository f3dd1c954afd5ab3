"""What an unquoted word of YAML 1.2 means, and which words other tools would read as something else."""

import re

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_QUOTE = 'write "{text}" for text'
_SURPRISES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"(?i:y|yes|on)"),
        "{text} is read as true by many YAML tools",
        'write true for a yes, "{text}" for text',
    ),
    (
        re.compile(r"(?i:n|no|off)"),
        "{text} is read as false by many YAML tools",
        'write false for a no, "{text}" for text',
    ),
    (
        re.compile(r"[-+]?0[0-9_]+"),
        "{text} is read as an octal number by many YAML tools",
        'write "{text}" for a code, no leading zero for a number',
    ),
    (
        re.compile(r"[-+]?0[xobXOB][0-9a-fA-F_]+"),
        "{text} is read as a number to another base by many YAML tools",
        "write it in decimal",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        "{text} is read as a number to base 60 by many YAML tools",
        _QUOTE,
    ),
    (
        re.compile(r"[-+]?[0-9][0-9]*_[0-9_]*(\.[0-9_]*)?"),
        "{text} is read as a number by many YAML tools",
        "write the digits alone",
    ),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"),
        "{text} is read as a date by many YAML tools",
        _QUOTE,
    ),
)


def plain(text: str) -> tuple[object, tuple[str, str] | None]:
    """What an unquoted scalar means; and where others would misread it, the fault and the way out."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None, None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true", None
    for pattern, template, way_out in _SURPRISES:
        if pattern.fullmatch(text):
            return text, (template, way_out)
    if _INTEGER.fullmatch(text):
        return (int(text) if len(text) < 30 else float(text)), None
    if _FLOAT.fullmatch(text):
        return float(text), None
    return text, None
