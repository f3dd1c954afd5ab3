"""The story of `make run`, on the lab, in an installation of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from tests.live import leftovers

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("CLOUDCTL_HOME", "no-home")) / "lab"

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The home and the terminal of one telling; what it made is gone afterwards."""
    home = tmp_path_factory.mktemp("story")
    home.chmod(0o700)
    (home / "lab").symlink_to(LAB.resolve())
    env = {**os.environ, "CLOUDCTL_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, ROOT / "examples/story.py", "--listen", "127.0.0.1:18080"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield home, done.stdout
    finally:
        installation = re.search(r"^installation: *(\S+)", (home / "cloudctl.yaml").read_text(), re.MULTILINE)
        assert installation
        for cloud in ("province", "city-1"):
            leftovers.remove(LAB / "clouds.yaml", cloud, installation[1].strip("'\""))


def part(terminal: str, begin: str) -> str:
    """What the terminal showed from the first command that begins so up to the next command."""
    after = terminal.split(begin, 1)[1].split("\n", 1)[1]
    return re.split(r"^(?:\w+ )?\$ ", after, maxsplit=1, flags=re.MULTILINE)[0]


def test_the_preview_names_who_approves_and_what_is_needed(told: tuple[Path, str]) -> None:
    preview = part(told[1], "alice $ cloudctl request create vm")
    assert "needs_approval" in preview
    assert "赵处长" in preview
    assert "陈云管" in preview
    assert "instances 3" in preview


def test_a_request_over_the_quota_is_refused_with_level_amount_and_what_would_fit(
    told: tuple[Path, str],
) -> None:
    refused = told[1].split("over_quota:", 1)[1].split("alice $", 1)[0]
    assert "department:gx-finance" in refused
    assert "short of 40 vcpus" in refused
    assert "what would fit: 20 VMs" in refused


def test_three_machines_with_one_tib_are_active_as_the_plain_client_sees_them(told: tuple[Path, str]) -> None:
    request = json.loads(part(told[1], "alice $ cloudctl request show"))
    assert request["state"] == "delivered"
    assert [(hold["kind"], hold["state"]) for hold in request["holds"]] == [
        (kind, "converted") for kind in ("instances", "vcpus", "ram_mib", "volumes", "volume_gib", "ports")
    ]
    assert [approval["state"] for approval in request["approvals"]] == ["approved", "approved"]
    assert len({approval["by"] for approval in request["approvals"]}) == 2
    servers = {row["external_id"]: row for row in request["resources"] if row["kind"] == "server"}
    seen = part(told[1], "$ openstack --os-cloud province server list")
    assert len(servers) == 3
    for server in servers.values():
        row = next(line for line in seen.splitlines() if f" {server['name']} " in line)
        assert "ACTIVE" in row
        assert all(address in row for kind in server["addresses"].values() for address in kind)


def test_the_county_request_lands_on_the_city(told: tuple[Path, str]) -> None:
    seen = part(told[1], "$ openstack --os-cloud city-1 server list")
    assert re.search(r"nn-qingxiu-edu-enroll-r\d+-vm1 +\| ACTIVE", seen)


def test_before_anything_runs_the_rate_is_reported_and_nothing_verified(told: tuple[Path, str]) -> None:
    shown = part(told[1], "wang $ cloudctl migration rate --scope division:450000 -f json")
    [rate], _ = json.JSONDecoder().raw_decode(shown)  # the next chapter's heading follows
    assert (rate["numerator"], rate["denominator"], rate["rate"]) == (121, 260, "46.53")
    assert (rate["verified"], rate["verified_rate"], rate["target"]) == (0, "0.00", "95.00")
    assert rate["rule"] == "demo-0d@1"


def test_the_verified_rate_follows_the_machines_up_and_down(told: tuple[Path, str]) -> None:
    row = r"department:gx-finance \| 财政厅 +\| +3 \| +3 \| 100.00 \| +(\d) \| ([\d.]+)"
    assert re.findall(row, told[1]) == [("2", "66.66"), ("1", "33.33")]


def test_the_bulletin_of_the_frozen_month_is_printed(told: tuple[Path, str]) -> None:
    files = {path.suffix: path for path in (told[0] / "story" / "bulletins").iterdir()}
    assert set(files) == {".html", ".pdf", ".xlsx"}
    assert files[".pdf"].read_bytes().startswith(b"%PDF-")
    assert openpyxl.load_workbook(files[".xlsx"]).sheetnames[:2] == ["总表", "排名"]


def test_the_certificate_names_the_machines_it_rests_on(told: tuple[Path, str]) -> None:
    certificate = part(told[1], "wang $ cloudctl migration gate gx-finance-budget")
    assert "relies" in certificate
    assert "3 servers of it run" in certificate


def test_the_chain_is_intact_at_the_end(told: tuple[Path, str]) -> None:
    assert "intact" in part(told[1], "ivan $ cloudctl audit verify")
