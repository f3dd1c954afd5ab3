"""The shape of the house: sizes, names, docs and tables that are true."""

import ast
import configparser
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cloudctl", "tenants", "provisioning", "dr", "web", "lab")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "base", "manager", "misc"}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def product_modules() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def test_no_module_of_the_product_or_its_tests_is_longer_than_400_lines() -> None:
    modules = [*product_modules(), *sorted((ROOT / "tests").rglob("*.py"))]
    long = {str(p.relative_to(ROOT)): n for p in modules if (n := len(p.read_text().splitlines())) > 400}
    assert not long


def test_no_module_is_named_after_nothing() -> None:
    assert not [path for path in product_modules() if path.stem in FORBIDDEN_NAMES]


def test_every_public_module_class_and_function_says_its_promise() -> None:
    silent = []
    for path in product_modules():
        tree = ast.parse(path.read_text())
        if not ast.get_docstring(tree):
            silent.append(str(path.relative_to(ROOT)))
        for node in tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                continue
            if not node.name.startswith("_") and not ast.get_docstring(node):
                if not _speaks_for_itself(node):
                    silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not silent


def _speaks_for_itself(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """A class of fields only, or a function of one statement."""
    if isinstance(node, ast.ClassDef):
        is_frozen = any("dataclass" in ast.unparse(one) for one in node.decorator_list)
        return is_frozen or all(isinstance(one, ast.AnnAssign | ast.Assign) for one in node.body)
    return len(node.body) == 1


def test_nothing_names_this_machine_or_a_package_registry() -> None:
    pattern = re.compile(
        r"/wor[k]/|/roo[t]/|pypi\.or[g]|files\.pythonhosted|registry\.npmj[s]|deb\.debia[n]\.org"
    )
    named = []
    for path in tracked():
        if path.suffix in {".png", ".gz", ".xz", ".woff2", ".lock", ".xlsx"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                named.append(f"{path.relative_to(ROOT)}:{number}")
    assert not named


def test_no_test_sleeps() -> None:
    sleeping = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"\btime\.sleep\(|^from time import .*sleep", path.read_text(), re.MULTILINE)
    ]
    assert not sleeping


def test_no_test_can_be_skipped() -> None:
    skipping = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"pytest\.(skip|importorskip|xfail)\b|mark\.(skip|skipif|xfail)\b", path.read_text())
        and path.name != Path(__file__).name
    ]
    assert not skipping


def test_the_package_table_of_the_architecture_page_is_the_import_contract() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    layers = config["importlinter:contract:layers"]["layers"].split("\n")
    contract = [line.strip() for line in layers if line.strip()]
    page = (ROOT / "docs/architecture.md").read_text()
    cells = [re.split(r"(?<!\\)\|", line)[1] for line in page.splitlines() if line.startswith("| `")]
    told = [" | ".join(re.findall(r"`([\w.]+)`", cell)) for cell in cells]
    assert told == list(reversed(contract))


def test_celery_messages_carry_an_operation_id_and_nothing_else() -> None:
    tree = ast.parse((ROOT / "cloudctl/worker.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    sent = [ast.unparse(call.args[1]) for call in calls if ast.unparse(call.func).endswith(".send_task")]
    tasks = [call.args[0] for call in calls if ast.unparse(call.func).startswith("queue.task(")]
    handlers = {ast.unparse(task).removeprefix("self.") for task in tasks}
    defined = {node.name: node.args for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert sent == ["(operation_id,)"]
    assert handlers
    for name in handlers:
        assert [one.arg for one in defined[name].args if one.arg != "self"] == ["operation_id"]


@pytest.mark.parametrize(
    "page", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)?", text) if "://" not in t]
    missing = [t for t in targets if not ((ROOT / page).parent / t.rstrip(")")).exists()]
    assert not missing
