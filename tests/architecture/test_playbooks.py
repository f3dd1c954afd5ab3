"""The playbooks: lint clean without a network, shipped with the package, levels that say the same things."""

import os
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "playbooks"


def test_ansible_lint_finds_nothing_in_its_strictest_profile(tmp_path: Path) -> None:
    beside = Path(sys.executable).parent
    environ = {"PATH": f"{beside}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = [
        str(beside / "ansible-lint"),
        "--offline",
        "--strict",
        "--profile",
        "production",
        "--nocolor",
        "-q",
    ]
    done = subprocess.run(command, cwd=PLAYBOOKS, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_level_has_the_same_kinds_of_settings() -> None:
    files = sorted((PLAYBOOKS / "roles/baseline/vars").glob("level_*.yml"))
    levels = [yaml.safe_load(path.read_text())["baseline_of_level"] for path in files]
    assert [path.stem for path in files] == ["level_2", "level_3", "level_4"]
    assert len({tuple(sorted(level)) for level in levels}) == 1
    for lower, higher in pairwise(levels):
        for kind in ("sshd", "sysctl", "quality"):
            assert set(lower[kind]) <= set(higher[kind]), kind
        assert set(lower["unneeded"]) <= set(higher["unneeded"])
        assert higher["idle_s"] <= lower["idle_s"]
        assert higher["passwords"]["PASS_MAX_DAYS"] <= lower["passwords"]["PASS_MAX_DAYS"]
        assert higher["quality"]["minlen"] >= lower["quality"]["minlen"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built without a network from a copy of what goes into it."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    (source / "playbooks").symlink_to(PLAYBOOKS)
    code = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(place)], cwd=source, check=True, capture_output=True, text=True
    )
    return next(place.glob("*.whl"))


def test_an_installed_wheel_has_every_playbook_module_and_role(wheel: Path) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for path in PLAYBOOKS.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".ansible" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    assert wanted <= there, wanted - there
