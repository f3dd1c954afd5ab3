"""The migration from the command line: stages, exemptions, targets, waves, facilities, certificates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudctl.cli import exits
from cloudctl.core import Core
from tests.builders import a_province, a_resource, a_vm_form
from tests.command_line import CommandLine, a_server
from tests.migrating import ASSETS, BUDGET, DECISION, bind, go, registered


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    a_province(core)
    registered(core)
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def test_a_stage_is_shown_tried_and_reached(cloudctl: CommandLine) -> None:
    stage = ("migration", "stage", "预算管理一体化系统")
    table = cloudctl(*stage, user="bob")
    assert "classify → 已定密审查: decision_document decision_on decision_reviewer [network]" in table.out
    shown = [f"{name}={value}" for name, value in DECISION.items()]
    tried = cloudctl.rows(*stage, "classify", *shown, "--dry-run", user="bob")
    assert (tried["state"], tried["changes"]["stage"][1]) == ("registered", "classified")
    assert cloudctl.rows(*stage, "classify", *shown, user="bob")["state"] == "classified"
    missing = cloudctl(*stage, "assess", user="bob")
    assert missing.code == exits.USAGE
    assert "assessed_on: the stage 已评估 has to show 评估日期" in missing.err
    assert cloudctl(*stage, "classify", *shown, user="bob").code == exits.CONFLICT
    assert cloudctl(*stage, "assess", "today", user="bob").err.startswith("bad_usage: ")
    assert cloudctl(*stage, "exempt", user="dave").code == exits.REFUSED


def test_an_exemption_waits_for_a_second_person(cloudctl: CommandLine) -> None:
    ask = ("migration", "exempt", "ask", BUDGET, "--clause", "第十二条", "--document", "9号",
           "--until", "2027-11-20", "--reason", "专用硬件")  # fmt: skip
    number = str(cloudctl.rows(*ask, user="dave")["id"])
    refused = cloudctl("migration", "exempt", "approve", number, user="dave")
    assert refused.code == exits.SECOND_PERSON
    [row] = cloudctl.rows("migration", "exempt", "list", "--state", "asked", user="dave")
    assert (row["name"], row["asked_by_name"]) == ("预算管理一体化系统", "戴伟")
    assert cloudctl("migration", "exempt", "reject", number, user="dave").code == exits.USAGE
    assert cloudctl.rows("migration", "exempt", "withdraw", number, user="dave")["state"] == "withdrawn"


def test_targets_are_applied_decomposed_urged_and_closed(cloudctl: CommandLine, tmp_path: Path) -> None:
    tried = cloudctl.rows("target", "apply", "examples/targets.yaml", "--dry-run", user="dave")
    assert {row["state"] for row in tried} == {"created"}
    assert cloudctl.rows("target", "list", user="alice") == []
    cloudctl.rows("target", "apply", "examples/targets.yaml", user="dave")
    [row] = cloudctl.rows("target", "list", "--measure", "ipv6_rate", user="alice")
    assert (row["target"], row["due_on"], row["state"], row["lamp"]) == (
        "100.00", "2021-12-31", "overdue", "red",
    )  # fmt: skip
    number = str(row["id"])
    decomposed = cloudctl(
        "target", "decompose", number, "own:广西壮族自治区=50", "--dry-run", "-f", "json", user="dave"
    )
    assert [part["value"] for part in decomposed.json] == ["50.00"]
    assert "not enough: when every part reaches its own, 2 are still missing" in decomposed.err
    parts = cloudctl.rows("target", "decompose", number, "--to", "cities", user="dave")
    own = str(parts[0]["id"])
    assert cloudctl.rows("target", "urge", own, "请加快", user="dave")["told"] == ["bob"]
    nobody = cloudctl("target", "urge", str(parts[1]["id"]), "请加快", user="dave")
    assert "nobody was told" in nobody.err
    assert cloudctl("target", "report", own, "已部署", user="grace").code == exits.REFUSED
    shown = cloudctl("target", "show", number, user="alice")
    assert "南宁市: 0.00 of 100.00, overdue" in shown.out
    assert cloudctl.rows("target", "close", own, "--reason", "销号", user="dave")["state"] == "closed"


def test_a_target_is_set_by_names_and_every_fault_is_told(cloudctl: CommandLine, tmp_path: Path) -> None:
    create = ("target", "create", "department:财政厅", "migration_rate")
    more = ("--by", "2026-12-31", "--name", "上云率", "--source", "8号")
    assert cloudctl.rows(*create, "95", *more, user="dave")["scope"] == "department:gx-finance"
    wrong = cloudctl(*create, "94.996", *more, user="dave")
    assert (wrong.code, wrong.err.splitlines()[1].split(":")[0].strip()) == (exits.USAGE, "value")
    assert cloudctl("target", "create", "everything", "x", "1", *more, user="dave").code == exits.USAGE
    broken = tmp_path / "targets.yaml"
    broken.write_text("targets: 7\n", encoding="utf-8")
    for file in (str(broken), str(tmp_path / "none.yaml")):
        assert cloudctl("target", "apply", file, user="dave").err.startswith("bad_input: ")


def test_a_wave_is_planned_checked_begun_and_opened(cloudctl: CommandLine, tmp_path: Path) -> None:
    form = tmp_path / "form.yaml"
    form.write_text(yaml.safe_dump(a_vm_form(system=None), allow_unicode=True), encoding="utf-8")
    wave = ("--scope", "division:450000", "--from", "2026-12-01", "--to", "2026-12-31")
    cloudctl.rows("wave", "create", "第一批", *wave, "--pilot", user="dave")
    assert cloudctl("wave", "check", "第一批", user="dave").code == exits.REFUSED
    cloudctl.rows("wave", "add", "第一批", BUDGET, "--form", str(form), user="dave")
    cloudctl.rows("wave", "add", "第一批", ASSETS, "--after", BUDGET, "--form", str(form), user="dave")
    table = cloudctl("wave", "show", "第一批", user="dave")
    assert "gx-finance-assets 国有资产管理系统: registered, after gx-finance-budget" in table.out
    assert cloudctl("wave", "start", "第一批", "--dry-run", user="dave").code == exits.DONE
    cloudctl.rows("wave", "remove", "第一批", ASSETS, user="dave")
    cloudctl.rows("wave", "edit", "第一批", "--to", "2027-01-31", user="dave")
    assert cloudctl.rows("wave", "start", "第一批", user="dave")["state"] == "running"
    [row] = cloudctl.rows("wave", "open", "第一批", user="alice")
    assert row["state"] == "submitted"
    assert cloudctl.rows("wave", "open", "第一批", user="erin") == [], "none of hers is in it"
    assert cloudctl("wave", "finish", "第一批", user="dave").code == exits.REFUSED
    assert cloudctl.rows("wave", "cancel", "第一批", user="dave")["state"] == "cancelled"
    assert cloudctl("wave", "show", "第九批", user="dave").code == exits.NOT_FOUND


def test_what_a_wave_is_short_of_is_told(cloudctl: CommandLine, tmp_path: Path) -> None:
    form = tmp_path / "form.yaml"
    form.write_text(yaml.safe_dump(a_vm_form(system=None), allow_unicode=True), encoding="utf-8")
    wave = ("--scope", "division:450000", "--from", "2026-12-01", "--to", "2026-12-31")
    cloudctl.rows("wave", "create", "第一批", *wave, user="dave")
    for system in (BUDGET, ASSETS):
        cloudctl.rows("wave", "add", "第一批", system, "--form", str(form), user="dave")
    cloudctl.rows("quota", "set", "department:gx-finance", "instances", "5", user="dave")
    checked = cloudctl("wave", "check", "第一批", user="dave")
    assert checked.code == exits.REFUSED
    assert ASSETS in checked.out
    assert "short of 1 instances" in checked.out
    assert cloudctl("wave", "start", "第一批", user="dave").code == exits.REFUSED


def test_facilities_are_set_ended_and_counted(cloudctl: CommandLine, tmp_path: Path) -> None:
    fields = ("name=财政专网", "kind=private_network", "department=财政厅", "ends_on=2026-01-01",
              "yearly_cost_yuan=500")  # fmt: skip
    assert cloudctl.rows("facility", "set", "net", *fields, "--dry-run", user="bob")["state"] == "created"
    assert cloudctl.rows("facility", "list", user="bob") == []
    assert cloudctl.rows("facility", "set", "net", *fields, user="bob")["department"] == "gx-finance"
    costs = cloudctl("facility", "costs", "-f", "json", user="dave")
    assert [row["reasons"] for row in costs.json] == [["past_end"]]
    assert "500 yuan a year; 0 without a cost" in costs.err
    ended = cloudctl.rows("facility", "end", "net", "--on", "2026-11-01", "--document", "40号", user="bob")
    assert ended["state"] == "ended"
    [milestone] = cloudctl.rows("facility", "milestones", user="dave")
    assert (milestone["left"], milestone["cost_saved_yuan"]) == (0, 500)
    assert cloudctl.rows("facility", "reopen", "net", "--reason", "误报", user="bob")["state"] == "planned"
    assert cloudctl.rows("facility", "coverage", user="dave")[0]["departments"]["all"] == 2
    file = tmp_path / "facilities.yaml"
    row = "  - {code: room, name: 机房, kind: 自建机房, department: gx-finance, ends_on: 2026-12-31}\n"
    file.write_text(f"facilities:\n{row}", encoding="utf-8")
    assert cloudctl.rows("facility", "apply", str(file), user="bob")[0]["state"] == "created"


def test_the_gate_says_by_its_exit_code_whether_a_system_relies_on_the_cloud(
    cloudctl: CommandLine, core: Core
) -> None:
    refused = cloudctl("migration", "gate", BUDGET, "--dry-run", "-f", "json", user="bob")
    assert (refused.code, refused.json["verdict"]) == (exits.REFUSED, "does_not_rely")
    go(core, "accept")
    a_resource(core, bind(core), {"instances": 1})
    certified = cloudctl("migration", "gate", BUDGET, "-f", "json", user="bob")
    assert (certified.code, certified.json["verdict"]) == (exits.DONE, "relies")
    code = certified.json["code"]
    assert cloudctl("migration", "certificate", code.lower(), "-f", "json").json["state"] == "valid"
    slipped = code[:-1] + ("3" if code[-1] != "3" else "4")
    assert cloudctl("migration", "certificate", slipped).code == exits.NOT_FOUND
    assert cloudctl("migration", "certificate", "nonsense").code == exits.NOT_FOUND
    assert cloudctl("migration", "gate", "gx-finance-secret", user="bob").code == exits.REFUSED
    table = cloudctl("migration", "gate", BUDGET, user="bob")
    assert "1 servers of it run on the cloud 省级政务云" in table.out
