"""Everything said to people has Chinese words: error templates, hints, notices, pages, office words."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from jinja2.ext import extract_from_ast

from cloudctl import errors
from cloudctl.actors import Role
from cloudctl.amounts import Kind
from cloudctl.lifecycle import (
    DrillState,
    FailoverState,
    HoldState,
    OperationState,
    PlanHealth,
    PlanState,
    PointState,
    RequestState,
    ResourceState,
    ShiftState,
    TrafficState,
)
from cloudctl.ports import LockMode, ReplicaState
from cloudctl.texts import has_entry, office_words, translator
from dr.plans.document import Serving, Way
from dr.schedule import Health

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for package in ("cloudctl", "tenants", "provisioning", "dr", "web")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]
ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.CloudctlError)
}
# The fakes speak as OpenStack does. The command line speaks English and shows what the server translated.
NOT_FOR_READERS = (
    "cloudctl/cli/",
    "cloudctl/config.py",
    "cloudctl/serving.py",
    "cloudctl/worker.py",
    "provisioning/drivers/fake_",
)
PARAMETER = re.compile(r"\{[a-z_]+(![rs])?\}")
NAMES = {"template", "hint", "words", "way_out"}  # variables that hold one
FIRST = ("translate", "to", "_say", "_")
TABLES = ("DONE", "MENU", "_PLAIN", "_TYPES", "_SURPRISES")


def templates_of_code(path: Path) -> Iterator[tuple[str, str]]:
    """(place, template) of every error, fault, hint, notice and page text that a module builds."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _with_parameters(path, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for text in _said(node):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text
        if isinstance(node, ast.Assign) and {_name(target) for target in node.targets} & NAMES:
            for text in _texts(node.value):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            for text in (text for part in node.value.elts for text in _texts(part)):
                if "{" in text:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def _with_parameters(path: Path, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Whatever has a named parameter and reads like a sentence, wherever it stands."""
    others = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in others:
            if PARAMETER.search(node.value) and " " in _fixed(node.value).strip(" :"):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def _said(call: ast.Call) -> Iterator[str]:
    name = _name(call.func)
    found: list[ast.expr] = []
    if (
        name in ERRORS
        or name in FIRST
        or (isinstance(call.func, ast.Call) and _name(call.func.func) in FIRST)
    ):
        found += call.args[:1]
    if name in ("Fault", "Finding", "_fault", "fault"):
        found += [*call.args[2:3], *call.args[4:5]]
    if name == "_flaw":
        found += [*call.args[2:3], *call.args[4:5]]
    if name in ("tell", "tell_requester", "_end"):
        found += call.args[3:4]
    found += [word.value for word in call.keywords if word.arg in ("hint", "template") and name != "Notice"]
    for node in found:
        yield from _texts(node)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def tables(path: Path) -> Iterator[tuple[str, str]]:
    """Texts that stand in a named table of the web package."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and target.id in TABLES and getattr(node, "value", None) is not None:
            for constant in ast.walk(node.value):  # type: ignore[attr-defined]
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    is_pattern = "[" in constant.value or "(?" in constant.value
                    if (" " in constant.value or constant.value[:1].isupper()) and not is_pattern:
                        yield f"{path.relative_to(ROOT)}:{constant.lineno}", constant.value


def templates_of_pages() -> Iterator[tuple[str, str]]:
    environment = jinja2.Environment()
    for path in sorted((ROOT / "web/templates").glob("*.html")):
        tree = environment.parse(path.read_text(encoding="utf-8"))
        for line, _, message in extract_from_ast(tree, ["_"]):
            text = message[0] if isinstance(message, tuple) else message
            if text is not None:
                yield f"{path.relative_to(ROOT)}:{line}", text


def everything() -> dict[str, str]:
    """Every template with one place where it is used."""
    found: dict[str, str] = {}
    for path in SOURCES:
        if any(str(path.relative_to(ROOT)).startswith(prefix) for prefix in NOT_FOR_READERS):
            continue
        for place, template in (*templates_of_code(path), *tables(path)):
            found.setdefault(template, place)
    for place, template in templates_of_pages():
        found.setdefault(template, place)
    return {text: place for text, place in found.items() if any(letter.isalpha() for letter in _fixed(text))}


def _fixed(template: str) -> str:
    """What of a template is not a parameter."""
    return "".join(part for part, *_ in string.Formatter().parse(template))


def test_everything_said_to_people_has_chinese_words() -> None:
    missing = [f"{place}: {text!r}" for text, place in everything().items() if not has_entry(text)]
    assert not missing, "without Chinese:\n" + "\n".join(missing)


def test_a_translation_names_the_same_parameters() -> None:
    chinese = translator("zh")
    for template in everything():
        assert _params(chinese(template)) <= _params(template), template


def _params(template: str) -> set[str]:
    return {str(name) for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize(
    ("context", "values"),
    [
        ("request state", RequestState),
        ("operation state", OperationState),
        ("resource state", ResourceState),
        ("hold state", HoldState),
        ("role", Role),
        ("kind", Kind),
        ("request kind", ("vm", "volume", "project", "backup", "release")),
        ("verdict", ("approved", "returned", "rejected")),
        ("zone", ("public", "dedicated", "internet")),
        ("environment", ("prod", "test", "dev")),
        ("point state", PointState),
        ("plan state", PlanState),
        ("plan health", PlanHealth),
        ("plan way", Way),
        ("plan serving", Serving),
        ("replica state", ReplicaState),
        ("drill state", DrillState),
        ("failover state", FailoverState),
        ("traffic state", TrafficState),
        ("shift state", ShiftState),
        ("protection state", Health),
        ("copy state", ("pending", "copying", "sealed", "suspect", "lost", "missed", "expired")),
        ("database copy state", ("making", "sealed", "protected", "suspect", "failed", "expired")),
        ("installation state", ("acting", "observing")),
        ("alone state", ("home", "standby", "alone")),
        ("export state", ("current", "old", "missing")),
        ("alone kind", ("failover", "drill", "shift", "restore", "point_proof")),
        ("alone conflict", ("both_changed", "name_taken", "lacking", "no_plan", "other_holder")),
        ("proof state", ("running", "passed", "failed", "inconclusive")),
        ("restore state", ("asked", "running", "done", "failed")),
        ("lock mode", LockMode),
        ("vault state", ("ready", "unreachable", "full")),
        ("policy state", ("active", "suspended", "retired")),
        ("arrangement", ("local", "hub", "mutual", "offsite")),
        ("consistency", ("single", "quiesced", "crash-per-volume")),
        ("retention", ("last", "daily", "weekly", "monthly", "yearly")),
    ],
)
def test_stored_values_have_office_words(context: str, values: type[str] | tuple[str, ...]) -> None:
    chinese = office_words("zh")
    for value in values:
        assert has_entry(str(value), context), (context, str(value))
        assert not chinese(context, str(value)).isascii()


def test_what_has_no_entry_is_shown_in_english() -> None:
    assert translator("zh")("never seen before") == "never seen before"
    assert office_words("zh")("request state", "never_seen") == "never seen"
    assert translator("en")("Sign in") == "Sign in"
    assert office_words("en")("request state", "awaiting_approval") == "awaiting approval"
