"""YAML 1.2 as a tree that knows where every key and value stands, refusing what people misread.

Built from the parser's events, so that an alias bomb, deep nesting or a second document is refused before
any of it is in memory. Values are decided here and not by a resolver: what other YAML tools would read as
something else (`no`, `1:30`, `0755`) is a fault that says what to write.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from tenants.topology.faults import Finding, Path
from tenants.topology.scalars import UNPRINTABLE, plain

MOST_NODES = 500_000
MOST_ALIASES = 100
MOST_DEPTH = 20

EMPTY = Finding((), "empty", "the file is empty", {}, "begin with: version: 1")
_NOT_YAML = "is not YAML: {why}"
_BAD_CHARACTER = "the character {character} cannot be in a text"


@dataclass(frozen=True)
class Flaw:
    """A finding whose line and column (from 1) are known."""

    line: int
    column: int
    finding: Finding


@dataclass
class Node:
    """A value with its place; `items` of a mapping are (key, value), of a list values."""

    line: int
    column: int
    value: Any = None
    pairs: list[tuple["Node", "Node"]] | None = None
    items: list["Node"] | None = None
    weight: int = 1  # how many nodes it stands for, aliases written out
    depth: int = 1


class _Stop(Exception):
    """Reading further makes no sense."""


def grow(text: str) -> tuple[Node | None, list[Flaw]]:
    """The tree of the one document in `text`, and every flaw of its form; no tree when it cannot be one."""
    grower = _Grower()
    try:
        for event in _events(text):
            grower.take(event)
    except _Stop:
        return None, grower.flaws
    except ReaderError as error:
        return None, [*grower.flaws, _unreadable(text, error)]
    except MarkedYAMLError as error:
        return None, [*grower.flaws, *_unparsable(text, error)]
    except YAMLError as error:
        why: dict[str, object] = {"why": str(error)[:200]}
        return None, [*grower.flaws, Flaw(1, 1, Finding((), "bad_yaml", _NOT_YAML, why))]
    if grower.root is None:
        return None, [*grower.flaws, Flaw(1, 1, EMPTY)]
    return grower.root, grower.flaws


def _events(text: str) -> Iterator[Any]:
    """The parser's events. It trips over some malformed texts instead of refusing them."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise YAMLError(f"the parser gave up: {type(error).__name__}") from error


class _Grower:
    """Takes events one by one; keeps the open containers on a stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.flaws: list[Flaw] = []
        self._open: list[tuple[Node, str | None]] = []
        self._key: list[Node | None] = []
        self._anchors: dict[str, Node] = {}
        self._aliases = 0
        self._weight = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """The next event; _Stop when there is no use in another."""
        if isinstance(event, DocumentStartEvent):
            self._document(event)
        elif isinstance(event, NodeEvent):
            self._node(event)
        elif type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent"):
            self._close()

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(event, "several_documents", "a second document begins here", "one file, one document")
        if event.version and tuple(event.version) != (1, 2):
            self._flaw(event, "yaml_version", "the file is read as YAML 1.2", hint="leave out the %YAML line")

    def _node(self, event: Any) -> None:
        if isinstance(event, AliasEvent):
            self._put(self._alias(event))
            return
        node = Node(event.start_mark.line + 1, event.start_mark.column + 1)
        self._count(event, 1)
        if event.tag and (event.tag != "!" or not isinstance(event, ScalarEvent)):
            self._flaw(event, "tag", "the tag {tag} is not used here", {"tag": event.tag}, "leave it out")
        if isinstance(event, ScalarEvent):
            self._scalar(event, node)
            if event.anchor:
                self._anchors[event.anchor] = node
            self._put(node)
            return
        if len(self._open) >= MOST_DEPTH:
            self._stop(event, "too_deep", "is nested deeper than a topology ever is", None)
        if isinstance(event, MappingStartEvent):
            node.pairs = []
        elif isinstance(event, SequenceStartEvent):
            node.items = []
        self._open.append((node, event.anchor))
        self._key.append(None)

    def _close(self) -> None:
        node, anchor = self._open.pop()
        self._key.pop()
        children = (
            node.items if node.items is not None else [one for pair in node.pairs or () for one in pair]
        )
        node.weight = 1 + sum(child.weight for child in children)
        node.depth = 1 + max((child.depth for child in children), default=0)
        if anchor:
            self._anchors[anchor] = node
        self._put(node)

    def _alias(self, event: Any) -> Node:
        self._aliases += 1
        target = self._anchors.get(event.anchor)
        if target is None:
            self._flaw(event, "unknown_alias", "there is no anchor &{name} above", {"name": event.anchor})
            return Node(event.start_mark.line + 1, event.start_mark.column + 1)
        if self._aliases > MOST_ALIASES:
            self._stop(event, "alias_bomb", "more than {most} aliases", None, {"most": MOST_ALIASES})
        if len(self._open) + target.depth > MOST_DEPTH:
            self._stop(event, "alias_bomb", "aliases of aliases nest deeper than a topology ever is", None)
        self._count(event, target.weight)
        return target

    def _count(self, event: Any, weight: int) -> None:
        self._weight += weight
        if self._weight > MOST_NODES:
            code = "alias_bomb" if self._aliases else "too_many"
            params: dict[str, object] = {"most": MOST_NODES}
            self._stop(event, code, "written out, the file has more than {most} values", None, params)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1][0]
        if parent.items is not None:
            parent.items.append(node)
        elif (key := self._key[-1]) is None:
            self._key[-1] = node
        else:
            assert parent.pairs is not None
            parent.pairs.append((key, node))
            self._key[-1] = None

    def _scalar(self, event: Any, node: Node) -> None:
        params: dict[str, object]
        is_plain = event.style in (None, "") and event.implicit[0]
        node.value = event.value
        if found := UNPRINTABLE.search(event.value):
            params = {"character": f"U+{ord(found[0]):04X}"}
            self._flaw(event, "bad_character", _BAD_CHARACTER, params)
            node.value = UNPRINTABLE.sub("?", event.value)
            return
        if is_plain:
            node.value, surprise = plain(event.value)
            if surprise:
                template, way_out = surprise
                self._flaw(event, "yaml_surprise", template, {"text": event.value[:60]}, way_out)

    def _flaw(
        self,
        event: Any,
        code: str,
        template: str,
        params: dict[str, object] | None = None,
        hint: str | None = None,
    ) -> None:
        mark = event.start_mark
        finding = Finding(self._path(), code, template, params or {}, hint)
        self.flaws.append(Flaw(mark.line + 1, mark.column + 1, finding))

    def _stop(
        self,
        event: Any,
        code: str,
        template: str,
        hint: str | None,
        params: dict[str, object] | None = None,
    ) -> None:
        self._flaw(event, code, template, params, hint)
        raise _Stop

    def _path(self) -> Path:
        path: list[str | int] = []
        for (node, _), key in zip(self._open, self._key, strict=True):
            if node.items is not None:
                path.append(len(node.items))
            elif key is not None:
                path.append(str(key.value))
        return tuple(path)


def _unreadable(text: str, error: ReaderError) -> Flaw:
    position = int(error.position)
    before = text[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    params: dict[str, object] = {"character": f"U+{ord(text[position]):04X}" if position < len(text) else "?"}
    return Flaw(line, column, Finding((), "bad_character", _BAD_CHARACTER, params))


def _unparsable(text: str, error: MarkedYAMLError) -> Iterator[Flaw]:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = str(error.problem or "")
    if "\\t" in problem:
        tabs = [number for number, content in enumerate(text.split("\n"), 1) if _TAB_INDENT.match(content)]
        for number in tabs or [line]:
            yield Flaw(number, 1, Finding((), "tab", "a tab cannot indent", {}, "write spaces"))
        return
    began = error.context_mark
    params: dict[str, object] = {"why": problem, "begun": began.line + 1 if began else line}
    is_elsewhere = began is not None and began.line + 1 != line
    template = "is not YAML: {why}, in what began at line {begun}" if is_elsewhere else _NOT_YAML
    yield Flaw(line, column, Finding((), "bad_yaml", template, params))


_TAB_INDENT = re.compile(r" *\t")


def duplicates(root: Node) -> Iterator[Flaw]:
    """Keys that are written twice in one mapping, and keys that are no words."""
    seen: set[int] = set()
    stack: list[tuple[Node, Path]] = [(root, ())]
    while stack:
        node, path = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        first: dict[str, Node] = {}
        for key, value in node.pairs or ():
            if not isinstance(key.value, str):
                yield Flaw(key.line, key.column, Finding(path, "bad_key", "a key must be a word"))
            elif key.value in first:
                params: dict[str, object] = {"key": key.value, "line": first[key.value].line}
                template = "the key '{key}' is here twice, first at line {line}"
                found = Finding((*path, key.value), "duplicate_key", template, params, "keep one")
                yield Flaw(key.line, key.column, found)
            else:
                first[key.value] = key
            stack.append((value, (*path, str(key.value))))
        stack.extend((item, (*path, index)) for index, item in enumerate(node.items or ()))


def as_data(node: Node) -> Any:
    """The tree as plain dicts, lists and values; of a key that is there twice the first counts."""
    if node.items is not None:
        return [as_data(item) for item in node.items]
    if node.pairs is not None:
        data: dict[str, Any] = {}
        for key, value in node.pairs:
            data.setdefault(str(key.value), as_data(value))
        return data
    return node.value


def place(root: Node, path: Sequence[str | int], at_key: bool = False) -> tuple[int, int]:
    """Line and column of what `path` leads to, or of the nearest thing around it that exists."""
    node, spot = root, (root.line, root.column)
    for index, step in enumerate(path):
        found = _child(node, step)
        if found is None:
            continue  # a step of the model that the file does not have
        key, value = found
        is_last = index == len(path) - 1
        spot = (key.line, key.column) if at_key and is_last else (value.line, value.column)
        node = value
    return spot


def _child(node: Node, step: str | int) -> tuple[Node, Node] | None:
    if node.items is not None and isinstance(step, int) and step < len(node.items):
        return node.items[step], node.items[step]
    return next(((key, value) for key, value in node.pairs or () if key.value == step), None)
