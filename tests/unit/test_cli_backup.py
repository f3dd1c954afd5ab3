"""The offsite backup from the command line."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudctl.cli import exits
from cloudctl.core import Core
from tests.builders import a_province
from tests.command_line import CommandLine, a_server
from tests.protecting import ASSETS, BUDGET, KEY, a_document, a_point, a_policy, a_proof, a_vault, a_volume


class NoClouds:
    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def cloudctl(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    a_province(core)
    a_vault(core)
    a_volume(core)
    with a_server(core, NoClouds()) as url:
        yield CommandLine(core, url, monkeypatch)


def test_policies_are_applied_from_a_file_and_by_options(cloudctl: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(
        yaml.safe_dump({"policies": [a_document(line_mbit=10)]}, allow_unicode=True), encoding="utf-8"
    )
    apply = ("backup", "policy", "apply")
    tried = cloudctl(*apply, str(file), "--dry-run", "-f", "json", user="dave")
    assert [row["state"] for row in tried.json] == ["new"]
    assert "window: the line takes" in tried.err
    cloudctl.rows(*apply, str(file), user="dave")
    options = ("--name", "省本级关键数据", "--tier", "T2", "--vault", "南宁市政务云", "--every", "12h",
               "--window", "22:00-06:00", "--keep", "daily=30",
               "--system", "预算管理一体化系统@省级政务云")  # fmt: skip
    [row] = cloudctl.rows(*apply, *options, user="dave")
    assert (row["state"], row["changes"]["every_s"]) == ("changed", [86_400, 43_200])
    assert cloudctl.rows(*apply, *options, user="dave")[0]["state"] == "same"
    wrong = cloudctl(
        *apply, "--name", "x", "--tier", "T2", "--vault", "province", "--lock", "1d", user="dave"
    )
    assert wrong.code == exits.USAGE
    assert "lock: a lock of 1d may end before the point is proved again (7d)" in wrong.err
    assert cloudctl(*apply, user="dave").code == exits.USAGE
    assert cloudctl(*apply, "--name", "x", "--system", BUDGET, user="dave").code == exits.USAGE
    shown = cloudctl("backup", "policy", "show", "省本级关键数据", user="bob")
    assert f"{BUDGET}@province: seeding, nothing counts yet" in shown.out
    suspend = ("backup", "policy", "suspend", "省本级关键数据")
    assert cloudctl.rows(*suspend, "--reason", "检修", user="dave")["state"] == "suspended"
    assert cloudctl(*suspend, "--reason", "检修", user="dave").code == exits.CONFLICT
    assert cloudctl.rows("backup", "policy", "resume", "省本级关键数据", user="dave")["state"] == "active"
    assert cloudctl("backup", "policy", "show", "没有", user="dave").code == exits.NOT_FOUND


def test_points_are_listed_with_their_level_and_shown(cloudctl: CommandLine, core: Core) -> None:
    a_policy(core)
    point = a_point(core, core.clock.now() - timedelta(hours=3))
    a_proof(core, point, core.clock.now())
    [row] = cloudctl.rows("point", "list", "--system", "预算管理一体化系统", user="bob")
    wanted = ("id", "name", "state", "system", "taken_at", "stored_at", "level", "verified_at", "bytes")
    assert [key for key in wanted if key not in row] == []
    assert (row["level"], row["system"]) == ("L2", BUDGET)
    assert (
        cloudctl.rows("point", "list", "--policy", "省本级关键数据", "--state", "suspect", user="bob") == []
    )
    assert (
        "city-1: sealed, compliance, 800/800 objects" in cloudctl("point", "show", point[:12], user="bob").out
    )
    assert cloudctl("point", "show", point, user="grace").code == exits.NOT_FOUND


def test_a_point_is_taken_verified_tested_and_brought_back(cloudctl: CommandLine, core: Core) -> None:
    a_policy(core)
    [row] = cloudctl.rows("backup", "run", "预算管理一体化系统", user="bob")
    assert row["state"] == "planned"
    assert cloudctl("backup", "run", BUDGET, user="bob").code == exits.CONFLICT
    assert cloudctl("backup", "run", ASSETS, user="bob").code == exits.NOT_FOUND
    assert cloudctl("backup", "run", user="bob").code == exits.USAGE
    point = a_point(core, core.clock.now())
    assert cloudctl.rows("point", "verify", point, user="bob")["level"] == "L1"
    assert cloudctl("point", "test", point, user="bob").code == exits.CONFLICT, "the first proof goes on"
    late = cloudctl(
        "backup", "restore", point, "--volume", "0=again:ssd", "--wait", "--timeout", "0", user="carol"
    )
    assert (late.code, late.err.startswith("timed_out: ")) == (exits.FAILED, True)
    assert cloudctl("backup", "restore", point, "--volume", "x", user="carol").code == exits.USAGE
    assert cloudctl("backup", "restore", point, "--to", "city-1", user="dave").code == exits.REFUSED
    assert cloudctl("point", "expire", point, user="dave").code == exits.REFUSED


def test_protection_is_shown_worst_first_and_what_is_missing_is_named(
    cloudctl: CommandLine, core: Core
) -> None:
    told = cloudctl("backup", "coverage", "-f", "json", user="dave")
    assert [row["lacking"] for row in told.json if row["id"] == "T2"] == [1]
    assert f"{BUDGET} 预算管理一体化系统: T2" in told.err
    a_policy(core)
    [row] = cloudctl.rows("backup", "status", user="bob")
    assert (row["state"], row["rpo_s"]) == ("seeding", None)


def test_only_the_public_half_of_an_escrow_key_is_sent(cloudctl: CommandLine, tmp_path: Path) -> None:
    [row] = cloudctl.rows("vault", "list", user="dave")
    assert (row["site"], row["lock_mode"]) == ("city-1", "compliance")
    file = tmp_path / "city-1.escrow"
    file.write_text(json.dumps({"public": KEY, "private": "cd" * 32}), encoding="utf-8")
    checked = cloudctl("vault", "check", "city-1", "--escrow-key", str(file), "--limit", "1TiB", user="heidi")
    assert checked.err.startswith("misconfigured: "), "this installation has no stores"
    assert cloudctl("vault", "check", "city-1", "--escrow-key", "none", user="heidi").code == exits.USAGE


def test_a_backup_is_asked_for_like_anything_else(cloudctl: CommandLine, core: Core) -> None:
    a_policy(core, members=[{"system": ASSETS, "site": "province"}])
    ask = ("request", "create", "backup", "--system", BUDGET, "--tier")
    refused = cloudctl(*ask, "T3", "--payer", "财政厅", "--dry-run", "-f", "json", user="alice")
    assert (refused.code, refused.json["reasons"][0]["code"]) == (exits.REFUSED, "no_policy")
    assert cloudctl.rows(*ask, "T2", "--payer", "财政厅", user="alice")["state"] == "awaiting_approval"


def test_an_escrow_key_is_made_once_and_its_file_says_all(
    cloudctl: CommandLine, core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "installation"
    monkeypatch.setenv("CLOUDCTL_HOME", str(home))
    assert cloudctl("init", user="dave").code == exits.DONE
    file = tmp_path / "city-1.key"
    made = cloudctl.rows("vault", "key", "city-1", str(file), user="dave")
    assert (made["name"], file.stat().st_mode & 0o777) == ("city-1", 0o600)
    assert json.loads(file.read_text(encoding="utf-8"))["public"] == made["public"]
    again = cloudctl("vault", "key", "city-1", str(file), user="dave")
    assert (again.code, again.err.startswith("misconfigured: ")) == (exits.FAILED, True)


def test_the_example_is_a_policy_that_can_be_applied(cloudctl: CommandLine, core: Core) -> None:
    a_vault(core, "province")
    rows = cloudctl.rows("backup", "policy", "apply", "examples/backup-policies.yaml", user="dave")
    assert [row["state"] for row in rows] == ["new", "new", "new"]
