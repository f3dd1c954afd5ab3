"""A rule of counting out of a YAML or JSON file: every fault at its line and column."""

from cloudctl.errors import BadInput, Fault
from tenants.migration import rule
from tenants.migration.rule import Rule
from tenants.topology import tree
from tenants.topology.faults import Finding, Path, fault_at
from tenants.topology.tree import Flaw, Node

MOST_BYTES = 64 * 1024


def read(content: bytes, name: str = "rule.yaml") -> Rule:
    """The rule in the bytes of a file. BadInput has all its faults, each at `name:line:column`."""
    text = _text(content, name)
    root, flaws = tree.grow(text)
    data = tree.as_data(root) if root is not None else None
    if root is not None:
        flaws += tree.duplicates(root)
        taken = {(flaw.line, flaw.column) for flaw in flaws}
        found = [_placed(fault, root) for fault in rule.faults_of(data)]
        flaws += [flaw for flaw in found if (flaw.line, flaw.column) not in taken]
    if not flaws:
        return rule.read(data)
    lines = text.split("\n")
    ordered = sorted(flaws, key=lambda flaw: (flaw.line, flaw.column))
    faults = [_fault(name, lines, flaw) for flaw in ordered]
    raise BadInput("the rule of counting has faults: {count}", faults=faults, count=len(faults))


def _text(content: bytes, name: str) -> str:
    if len(content) > MOST_BYTES:
        params = {"most": MOST_BYTES // 1024}
        fault = Fault(name, "too_big", "is too long: at most {most} KiB", params)
        raise BadInput("the rule of counting cannot be read", faults=[fault])
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fault = Fault(
            f"{name}:{line}:1", "not_utf8", "the bytes are not UTF-8, and the file must be",
            hint="save it as UTF-8",
        )  # fmt: skip
        raise BadInput("the rule of counting cannot be read", faults=[fault]) from error


def _placed(fault: Fault, root: Node) -> Flaw:
    path = _path(fault.place)
    at_key = fault.code == "unknown_key"
    line, column = tree.place(root, path, at_key)
    return Flaw(line, column, Finding(path, fault.code, fault.template, fault.params, fault.hint, at_key))


def _path(place: str) -> Path:
    """`levels[1]` as the steps to it; a fault of the whole file has none."""
    key, bracket, index = place.partition("[")
    if key == "file":
        return ()
    return (key, int(index.rstrip("]"))) if bracket and index[:-1].isdigit() else (place,)


def _fault(name: str, lines: list[str], flaw: Flaw) -> Fault:
    source = lines[flaw.line - 1] if flaw.line <= len(lines) else ""
    where = "".join(f"[{step}]" if isinstance(step, int) else str(step) for step in flaw.finding.path)
    return fault_at(name, (flaw.line, flaw.column), source, where or "file", flaw.finding)
