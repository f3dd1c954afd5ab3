"""Reading a topology file: bytes to text to tree to models to cross checks, every fault at once.

Nothing is written here, so a refused file changes nothing.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cloudctl.errors import BadInput, Fault
from tenants.topology import checks, tree, wording
from tenants.topology.document import Topology
from tenants.topology.faults import Finding, fault_at, path_text
from tenants.topology.remainder import Remainder
from tenants.topology.tree import Flaw, Node

MOST_BYTES = 4 * 1024 * 1024  # a province down to its townships is under 1 MiB
MOST_FAULTS = 200

_CONVERT = "convert it: iconv -f GB18030 -t UTF-8 {name} > new.yaml"
NOT_A_MAPPING = Finding((), "not_a_mapping", "the file must be a mapping", {}, "begin with: version: 1")


def read(source: Path | bytes, name: str | None = None) -> Topology:
    """The checked topology in a file or in bytes that came over the wire.

    BadInput has every fault of the file, each at `name:line:column`. A UTF-8 byte order mark is fine.
    """
    name = name or (str(source) if isinstance(source, Path) else "topology.yaml")
    text = _text(_bytes(source, name), name)
    lines = text.split("\n")
    root, flaws = tree.grow(text)
    if root is None:
        raise _refusal(name, lines, flaws, None)
    flaws += tree.duplicates(root)
    data = tree.as_data(root)
    if not isinstance(data, dict):
        flaws = [_not_a_mapping(root)]
        raise _refusal(name, lines, flaws, data)
    topology, found = _examine(data)
    flaws += _placed(found, root, {(flaw.line, flaw.column) for flaw in flaws})
    if flaws or topology is None:
        raise _refusal(name, lines, flaws, data)
    return topology


def recheck(document: Any, name: str = "plan") -> Topology:
    """A document that was checked before and has been out of our hands since (a plan): checked again."""
    topology, found = _examine(document) if isinstance(document, dict) else (None, [])
    if topology is None or found:
        faults = [
            Fault(
                name,
                one.code,
                "{path}: " + one.template,
                {**one.params, "path": path_text(one.path, document)},
            )
            for one in found[:MOST_FAULTS]
        ]
        raise BadInput("the topology has faults", faults=faults)
    return topology


# -- bytes and text


def _bytes(source: Path | bytes, name: str) -> bytes:
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size <= MOST_BYTES:
            raw = source if isinstance(source, bytes) else source.read_bytes()
            size = len(raw)
    except OSError as error:
        fault = Fault(name, "unreadable", "cannot be read: {why}", {"why": error.strerror or str(error)})
        raise BadInput("the topology cannot be read", faults=[fault]) from error
    if size > MOST_BYTES:
        params = {"size_mib": round(size / 2**20, 1), "most_mib": MOST_BYTES // 2**20}
        template = "has {size_mib} MiB; a topology has at most {most_mib} MiB"
        raise BadInput("the topology is too big", faults=[Fault(name, "too_big", template, params)])
    return raw


def _text(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        fault = Fault(f"{name}:1:1", "not_utf8", "is UTF-16, not UTF-8", hint="save it as UTF-8")
        raise BadInput("the topology is not UTF-8", faults=[fault])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("the topology is not UTF-8", faults=[_not_utf8(raw, error, name)]) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _not_utf8(raw: bytes, error: UnicodeDecodeError, name: str) -> Fault:
    start = raw.rfind(b"\n", 0, error.start) + 1
    line = raw.count(b"\n", 0, error.start) + 1
    end = raw.find(b"\n", error.start)
    content = raw[start : end if end >= 0 else len(raw)]
    column = len(raw[start : error.start].decode("utf-8", "replace")) + 1
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        shown = content.decode("utf-8", "replace")
        finding = Finding(
            (), "not_utf8", "the bytes are not UTF-8, and the file must be", {}, "save it as UTF-8"
        )
    else:
        shown = content.decode("gb18030", "replace")
        template = "the bytes are GBK, and the file must be UTF-8"
        finding = Finding((), "not_utf8", template, {"name": name}, _CONVERT)
    return fault_at(name, (line, column), shown, "file", finding)


# -- models


def _examine(data: dict[str, Any]) -> tuple[Topology | None, list[Finding]]:
    """The models, if they can be made, and every finding of models and cross checks.

    What a model refuses is left out for the cross checks, so that one typing error hides no other fault.
    """
    errors = _errors(data)
    if not errors:
        topology = Topology.model_validate(data)
        return topology, checks.check(topology)
    rest = Remainder(data)
    rest.leave_out_values(errors)
    rest.leave_out_objects(_errors(rest.data))
    findings = wording.worded(errors)
    with suppress(ValidationError):  # too little may be left to check
        remaining = Topology.model_validate(rest.data)
        findings += [rest.at_origin(one) for one in checks.check(remaining, rest.lost)]
    return None, findings


def _errors(data: dict[str, Any]) -> list[Any]:
    try:
        Topology.model_validate(data)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []


# -- faults


def _placed(findings: Sequence[Finding], root: Node, taken: set[tuple[int, int]]) -> list[Flaw]:
    """Findings as flaws at their line and column; a place that has a flaw of form needs no second."""
    flaws = []
    for one in findings:
        line, column = tree.place(root, one.path, one.at_key)
        if (line, column) not in taken:
            flaws.append(Flaw(line, column, one))
    return flaws


def _not_a_mapping(root: Node) -> Flaw:
    is_empty = root.value is None and root.items is None
    return Flaw(root.line, root.column, tree.EMPTY if is_empty else NOT_A_MAPPING)


def _refusal(name: str, lines: Sequence[str], flaws: Sequence[Flaw], data: Any) -> BadInput:
    ordered = sorted(flaws, key=lambda flaw: (flaw.line, flaw.column))
    faults = [_fault(name, lines, flaw, data) for flaw in ordered[:MOST_FAULTS]]
    return BadInput("faults in the topology: {count}; nothing was changed", faults=faults, count=len(flaws))


def _fault(name: str, lines: Sequence[str], flaw: Flaw, data: Any) -> Fault:
    source = lines[flaw.line - 1] if flaw.line <= len(lines) else ""
    where = path_text(flaw.finding.path, data)
    return fault_at(name, (flaw.line, flaw.column), source, where, flaw.finding)
