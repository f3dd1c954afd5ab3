"""`cloudctl system`: sheets in and out, fields, lineage, history, as scripts rely on them."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cloudctl.cli import exits
from cloudctl.clock import FrozenClock, local_day
from cloudctl.core import Core
from tests.builders import a_province
from tests.command_line import CommandLine, a_server
from tests.registering import ASSETS, BUDGET, ENROLL, a_row, a_sheet


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    a_province(core)
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def file(path: Path, content: bytes, name: str = "登记表.xlsx") -> str:
    (path / name).write_bytes(content)
    return str(path / name)


def test_a_sheet_is_imported_and_counted(cloudctl: CommandLine, tmp_path: Path) -> None:
    sheet = file(tmp_path, a_sheet(a_row(), a_row("gx-finance-b")))
    made = cloudctl.rows("system", "import", sheet, user="dave")
    assert (made["state"], made["created"], made["faulty"]) == ("imported", 2, 0)
    again = cloudctl("system", "import", sheet, "-f", "value", "-c", "unchanged", user="dave")
    assert again.out.strip() == "2"


def test_a_sheet_with_faults_is_bad_input_with_every_fault_on_a_line(
    cloudctl: CommandLine, tmp_path: Path
) -> None:
    sheet = file(tmp_path, a_sheet(a_row(mlps_level=9), a_row("gx-finance-b", department="财务厅")))
    ended = cloudctl("system", "import", sheet, user="dave")
    assert ended.code == exits.USAGE
    lines = ended.err.splitlines()
    assert lines[0].startswith("bad_input: 2 of 2 rows have faults")
    assert lines[1].startswith("  D2 等保级别: ") and "did you mean '财政厅'?" in lines[2]
    assert ended.out == ""
    assert cloudctl("system", "show", "gx-finance-tax", user="dave").code == exits.NOT_FOUND


def test_the_sheet_with_the_faults_in_red_is_saved(cloudctl: CommandLine, tmp_path: Path) -> None:
    sheet, out = file(tmp_path, a_sheet(a_row(mlps_level=9))), tmp_path / "问题.xlsx"
    ended = cloudctl("system", "import", sheet, "--faults", str(out), user="dave")
    assert ended.code == exits.USAGE
    assert "D2 等保级别" in openpyxl.load_workbook(out).active["E2"].value
    unreadable = file(tmp_path, b"%PDF", "x.xlsx")
    assert cloudctl("system", "import", unreadable, "--faults", str(out), user="dave").code == exits.USAGE


def test_a_dry_run_changes_nothing_and_says_what_would_be(cloudctl: CommandLine, tmp_path: Path) -> None:
    sheet = file(tmp_path, a_sheet(a_row(), a_row("gx-finance-b", mlps_level=9)))
    ended = cloudctl("system", "import", sheet, "--dry-run", "-f", "json", user="dave")
    assert ended.code == exits.USAGE
    assert (ended.json["state"], ended.json["created"], ended.json["faulty"]) == ("preview", 1, 1)
    assert "D3 等保级别" in ended.err
    assert cloudctl("system", "show", "gx-finance-tax", user="dave").code == exits.NOT_FOUND


def test_the_rows_without_faults_are_imported_when_asked(cloudctl: CommandLine, tmp_path: Path) -> None:
    sheet = file(tmp_path, a_sheet(a_row(), a_row("gx-finance-b", mlps_level=9)))
    ended = cloudctl("system", "import", sheet, "--partial", "-f", "json", user="dave")
    assert ended.code == exits.USAGE, "some rows still have faults"
    assert (ended.json["created"], ended.json["faulty"]) == (1, 1)
    assert cloudctl("system", "show", "gx-finance-tax", user="dave").code == 0


def test_a_file_that_is_not_there_is_bad_input(cloudctl: CommandLine, tmp_path: Path) -> None:
    ended = cloudctl("system", "import", str(tmp_path / "none.xlsx"), user="dave")
    assert (ended.code, ended.err.startswith("bad_input: ")) == (exits.USAGE, True)


def test_an_export_imports_unchanged_and_the_template_opens(cloudctl: CommandLine, tmp_path: Path) -> None:
    for name in ("out.xlsx", "out.csv"):
        made = cloudctl.rows("system", "export", str(tmp_path / name), user="dave")
        assert made["bytes"] == (tmp_path / name).stat().st_size
        again = cloudctl.rows("system", "import", str(tmp_path / name), "--dry-run", user="dave")
        assert (again["unchanged"], again["faulty"]) == (4, 0)
    assert cloudctl("system", "export", str(tmp_path / "out.pdf"), user="dave").code == exits.USAGE
    cloudctl.rows("system", "template", str(tmp_path / "t.xlsx"), user="alice")
    assert openpyxl.load_workbook(tmp_path / "t.xlsx").sheetnames[0] == "信息系统"


def test_an_export_takes_the_filters_of_the_list(cloudctl: CommandLine, tmp_path: Path) -> None:
    cloudctl.rows("system", "export", str(tmp_path / "out.csv"), "--department", "财政厅", user="dave")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert BUDGET in text and ENROLL not in text


def test_fields_are_set_and_cleared(cloudctl: CommandLine) -> None:
    shown = cloudctl.rows(
        "system", "set", BUDGET, "灾备等级=4", "person=张三", "--reason", "核对", user="bob"
    )
    assert (shown["dr_tier"], shown["person"]) == (4, "张三")
    assert cloudctl.rows("system", "set", BUDGET, "person=", user="bob")["person"] is None
    made = cloudctl.rows("system", "set", "gx-finance-b", "name=会计系统", "department=财政厅", user="bob")
    assert made["id"] == "gx-finance-b"
    refused = cloudctl("system", "set", BUDGET, "dr_tier=9", "hostign=x", user="bob")
    assert refused.code == exits.USAGE and len(refused.err.splitlines()) == 3
    assert cloudctl("system", "set", BUDGET, "person", user="bob").code == exits.USAGE
    assert cloudctl("system", "set", ENROLL, "person=x", user="bob").code == exits.REFUSED


def test_systems_are_merged_and_their_history_told(cloudctl: CommandLine, clock: FrozenClock) -> None:
    then = local_day(clock.now())
    clock.advance(86400)
    merged = cloudctl.rows("system", "merge", ASSETS, "--into", "预算管理一体化系统", user="bob")
    assert merged["merged_into"] == BUDGET
    history = cloudctl.rows("system", "history", ASSETS, user="bob")
    assert [row["reason"] for row in history] == ["merge", "topology"]
    assert cloudctl.rows("system", "show", ASSETS, "--as-of", str(then), user="bob")["stage"] == "registered"
    listed = cloudctl.rows("system", "list", "--as-of", str(then), user="bob")
    assert ASSETS in {row["id"] for row in listed}
    assert ASSETS not in {row["id"] for row in cloudctl.rows("system", "list", user="bob")}


def test_lists_are_filtered_by_names(cloudctl: CommandLine) -> None:
    def ids(*options: str) -> set[str]:
        return {row["id"] for row in cloudctl.rows("system", "list", *options, user="dave")}

    assert ids("--division", "青秀区") == {ENROLL}
    assert ids("--text", "资产") == {ASSETS}
    assert ids("--classified", "yes") == {"gx-finance-secret"}
    assert ids("--stage", "done") == set()


def test_a_table_of_a_system_leaves_out_what_says_nothing(cloudctl: CommandLine) -> None:
    shown = cloudctl("system", "show", BUDGET, user="dave")
    assert "hosting" in shown.out and "report_document" not in shown.out
    assert io.StringIO(shown.out).readline().startswith("+")
