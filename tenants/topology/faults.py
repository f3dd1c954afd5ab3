"""Faults of a file: their place, and the offending line with a caret under the spot."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from cloudctl.errors import Fault, Translate

Path = tuple[str | int, ...]

_PLACE = re.compile(r"[^\n]*?:(\d+):(\d+): ")
_WIDTH = 100  # of the excerpt; a longer line is cut around the spot
_NAMES = ("code", "scope", "name")


@dataclass(frozen=True)
class Finding:
    """Something wrong in a document, at a path of it; a fault once line and column are known.

    `guess` is a word and the known words among which the one meant may be; looked up only when shown.
    """

    path: Path
    code: str
    template: str
    params: Mapping[str, object] = field(default_factory=dict)
    hint: str | None = None
    at_key: bool = False
    guess: tuple[str, frozenset[str]] | None = None

    def guessing(self, word: object, known: Iterable[str]) -> "Finding":
        """The same, to be shown with the known word that was probably meant, if there is one."""
        return replace(self, guess=(str(word), frozenset(known)))

    def guessed(self) -> "Finding":
        """With the guess as its hint."""
        near = nearest(*self.guess) if self.guess else None
        return replace(self, hint=DID_YOU_MEAN, params={**self.params, "meant": near}) if near else self


DID_YOU_MEAN = "did you mean '{meant}'?"


_NO_SUCH = {
    "site": "there is no site '{ref}'",
    "division": "there is no division '{ref}'",
    "department": "there is no department '{ref}'",
    "system": "there is no system '{ref}'",
    "environment": "there is no environment '{ref}'",
}


def dangling(path: Path, what: str, ref: str, known: Iterable[str]) -> Finding:
    """The finding that something is named which is not in the document."""
    return Finding(path, "dangling", _NO_SUCH[what], {"ref": ref}).guessing(ref, known)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant. Codes all look alike: one must be off by a digit at most."""
    cutoff = 0.8 if word.isdigit() else 0.6
    found = get_close_matches(word[:80], sorted(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def path_text(path: Sequence[str | int], data: object) -> str:
    """A path as people read it: `departments[gx-finance].division`."""
    text = ""
    for step in path:
        data = _step(data, step)
        if isinstance(step, int):
            text += f"[{_label(data) or step}]"
        else:
            text += f".{step}" if text else step
    return text or "file"


def _step(data: object, step: str | int) -> object:
    if isinstance(data, Mapping):
        return data.get(step)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    return None


def _label(item: object) -> str | None:
    if isinstance(item, Mapping):
        return next((item[key] for key in _NAMES if isinstance(item.get(key), str)), None)
    return None


def fault_at(name: str, spot: tuple[int, int], source: str, path: str, finding: Finding) -> Fault:
    """A fault that reads `path: words`; its params carry the source line for `show`."""
    finding, (line, column) = finding.guessed(), spot
    first = max(0, column - 1 - 2 * _WIDTH)  # a line may be megabytes long
    kept, shown = source[first : column - 1 + 2 * _WIDTH], column - first
    params = {**finding.params, "path": path, "source": kept, "line_number": line, "column": shown}
    return Fault(f"{name}:{line}:{column}", finding.code, "{path}: " + finding.template, params, finding.hint)


def show(faults: Iterable[Fault], translate: Translate = lambda text: text) -> str:
    """All faults for a terminal, each with its line and a caret where it has one."""
    return "\n".join(_shown(fault, translate) for fault in faults)


def _shown(fault: Fault, translate: Translate) -> str:
    text = f"{fault.place}: {fault.text(translate)}"
    source, line = fault.params.get("source"), fault.params.get("line_number")
    if not isinstance(source, str) or not source.strip():
        return text
    return f"{text}\n{excerpt(source, int(str(line)), int(str(fault.params['column'])))}"


def beside_source(text: str, content: bytes) -> str:
    """A fault told as `name:line:column: words`, with its line out of the file it is about."""
    found = _PLACE.match(text)
    if found is None:
        return text
    try:
        source = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        source = content.decode("gb18030", "replace")
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line, column = int(found[1]), int(found[2])
    if line > len(lines) or not lines[line - 1].strip():
        return text
    return f"{text}\n{excerpt(lines[line - 1], line, column)}"


def excerpt(source: str, line: int, column: int) -> str:
    """The line with its number, and a caret under the column (from 1); wide characters count twice."""
    begin = max(0, column - 1 - _WIDTH * 2 // 3)
    window = source[begin : begin + _WIDTH]
    shown = ("…" if begin else "") + window + ("…" if len(source) > begin + _WIDTH else "")
    before = ("…" if begin else "") + source[begin : column - 1]
    indent = "".join("\t" if one == "\t" else " " * _columns(one) for one in before)
    number = f"{line:>6} | "
    return f"{number}{shown}\n{' ' * (len(number) - 2)}| {indent}^"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
