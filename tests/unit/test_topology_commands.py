"""`cloudctl topology`, from the command line through the API to the rows: what is shown, and how it ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.core import Core
from tests.builders import a_province
from tests.command_line import CommandLine, a_server
from tests.topology_files import PLAIN, edited


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    a_province(core)
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def written(tmp_path: Path, source: bytes) -> str:
    path = tmp_path / "lab.yaml"
    path.write_bytes(source)
    return str(path)


def test_a_bad_file_is_refused_with_every_line_shown(cloudctl: CommandLine, tmp_path: Path) -> None:
    file = written(tmp_path, edited(("role: city\n", "role: citi\n"), ("name: 兴宁区", "name: no")))
    for verb in ("plan", "apply"):
        ended = cloudctl("topology", verb, file, user="dave")
        assert (ended.code, ended.out) == (64, "")
        assert ended.err.splitlines() == [
            "bad_input: faults in the topology: 2; nothing was changed",
            "  lab.yaml:31:11: sites[city-1].role: 'citi' is none of: province, city (did you mean 'city'?)",
            "    31 |     role: citi",
            "       |           ^",
            (
                "  lab.yaml:47:28: divisions[450102].name: no is read as false by many YAML tools "
                '(write false for a no, "no" for text)'
            ),
            '    47 |   - {code: "450102", name: no}',
            "       |                            ^",
        ]


def test_plan_says_by_its_exit_code_whether_anything_would_change(
    cloudctl: CommandLine, tmp_path: Path
) -> None:
    file = written(tmp_path, PLAIN.read_bytes())
    first = cloudctl("topology", "plan", file, "-f", "json", user="dave")
    assert first.code == 2
    assert {"action", "kind", "id"} <= first.json[0].keys()
    assert cloudctl("topology", "apply", file, "--yes", "--allow-destroy", user="dave").code == 0
    again = cloudctl("topology", "plan", file, user="dave")
    assert (again.code, again.err.strip()) == (0, "no changes")
    assert cloudctl("topology", "apply", file, "--yes", user="dave").code == 0


def test_a_long_plan_can_be_told_by_numbers(cloudctl: CommandLine, tmp_path: Path) -> None:
    file = written(tmp_path, PLAIN.read_bytes())
    changes = cloudctl("topology", "plan", file, "-f", "json", user="dave").json
    told = cloudctl("topology", "plan", file, "--summary", "-f", "json", user="dave")
    assert (told.code, sum(row["count"] for row in told.json)) == (2, len(changes))
    assert len(told.json) < len(changes)


def test_a_kept_plan_is_stale_when_another_was_applied(cloudctl: CommandLine, tmp_path: Path) -> None:
    kept = str(tmp_path / "plan.json")
    file = written(tmp_path, PLAIN.read_bytes())
    assert cloudctl("topology", "plan", file, "--out", kept, user="dave").code == 2
    assert cloudctl("topology", "apply", file, "--yes", "--allow-destroy", user="dave").code == 0
    stale = cloudctl("topology", "apply", kept, "--yes", "--allow-destroy", user="dave")
    assert stale.code == 7
    assert stale.err.startswith("stale_plan: ")


def test_destroying_and_strangers_are_refused(cloudctl: CommandLine, tmp_path: Path) -> None:
    file = written(tmp_path, PLAIN.read_bytes())
    cloudctl("topology", "apply", file, "--yes", "--allow-destroy", user="dave")
    system = "  - {code: gx-court-mediate,  name: 在线多元解纷平台, department: gx-court, mlps_level: 3}\n"
    less = written(tmp_path, edited((system, "")))
    refused = cloudctl("topology", "apply", less, "--yes", user="dave")
    assert refused.code == 3
    assert "system gx-court-mediate: would be retired" in refused.err
    assert cloudctl("topology", "plan", less, user="alice").code == 3
    assert cloudctl("topology", "apply", less, "--yes", "--allow-destroy", user="dave").code == 0
