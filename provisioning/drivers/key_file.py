"""The YAML files that say how something outside is reached: read without ever quoting a line of them.

What a line of such a file says may be a key, and what is wrong with a file ends in logs and on pages.
"""

from pathlib import Path
from typing import Any

import yaml

from cloudctl.errors import Fault


class NotReadError(Exception):
    """The file tells nothing; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def read_document(path: Path, hint: str) -> Any:
    """What the file holds, as YAML has it. NotReadError, with `hint` where there is no such file."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        absent = Fault(str(path), "no_file", "there is no such file", hint=hint)
        raise NotReadError(absent) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:  # whose words quote the line
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        fault = Fault(str(path), "unreadable", "is no YAML (line {line})", {"line": line})
        raise NotReadError(fault) from None  # logs show where an error came from
    except OSError as error:
        fault = Fault(str(path), "unreadable", "{error}", {"error": error.strerror or type(error).__name__})
        raise NotReadError(fault) from error


def open_to_others(path: Path, place: str) -> list[Fault]:
    """The fault of a file with keys that others than its owner can read; nothing where it is closed."""
    if not path.stat().st_mode & 0o077:
        return []
    return [Fault(place, "too_open", "others can read the keys in it", hint="run: chmod 600")]
