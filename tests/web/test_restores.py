"""Restores over the API, on pages and on the command line: previewed, asked for, decided by two people."""

from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask

from cloudctl.cli import exits
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Restore
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.command_line import CommandLine, a_server
from tests.protecting import a_policy, a_vault, a_volume
from tests.unit.test_restore_asking import a_point_of_a_server
from tests.web.conftest import Api, Portal
from web.app import create_app


@pytest.fixture
def app(core: Core, province: None, clock: FrozenClock) -> Iterator[APIFlask]:
    clouds = FakeClouds({site: FakeCloud(site, clock) for site in ("province", "city-1")})
    made = create_app(core, clouds)
    made.testing = False
    yield made


@pytest.fixture
def point(core: Core, province: None) -> str:
    a_vault(core)
    a_volume(core)
    a_policy(core)
    return a_point_of_a_server(core)


@pytest.fixture
def cloudctl(
    core: Core, province: None, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandLine]:
    clouds = FakeClouds({site: FakeCloud(site, clock) for site in ("province", "city-1")})
    with a_server(core, clouds) as url:
        yield CommandLine(core, url, monkeypatch)


def test_a_preview_says_what_is_in_the_way_in_the_readers_language(
    api: Callable[..., Api], point: str
) -> None:
    carol = api("carol", "zh")
    asked = {"mode": "system", "zones": {"public": "moon"}}
    answer = carol.post(f"/points/{point}/restore/preview", asked)
    assert (answer.status_code, answer.get_json()["state"]) == (200, "impossible")
    assert [(one["code"], one["message"]) for one in answer.get_json()["faults"]] == [
        ("no_network", "省级政务云 没有网络区域“moon”对应的网络")
    ]
    row = carol.post(f"/points/{point}/restore/preview", {}).get_json()
    assert (row["state"], row["id"], [one["type"] for one in row["volumes"]]) == (
        "possible", point, ["standard"],
    )  # fmt: skip
    assert api("bob").post(f"/points/{point}/restore/preview", {}).status_code == 403


def test_two_people_bring_a_system_back_over_what_is_there(api: Callable[..., Api], point: str) -> None:
    carol, dave = api("carol"), api("dave")
    answer = carol.post(f"/points/{point}/restore", {"mode": "over", "reason": "勒索软件"})
    number = answer.get_json()["id"]
    assert (answer.status_code, answer.get_json()["state"]) == (202, "awaiting")
    assert carol.post(f"/restores/{number}/approve").get_json()["code"] == "second_person_needed"
    assert api("alice").post(f"/restores/{number}/approve").status_code == 403
    [row] = api("bob").get("/restores", state="awaiting").get_json()["items"]
    assert (row["id"], row["mode"], row["reason"], row["asked_by"]) == (number, "over", "勒索软件", "carol")
    assert dave.post(f"/restores/{number}/approve", {"opinion": "同意"}).status_code == 202
    shown = api("bob").get(f"/restores/{number}").get_json()
    assert (shown["decided_by"], [one["name"] for one in shown["servers"]]) == ("dave", ["vm1"])
    assert api("grace").get(f"/restores/{number}").status_code == 404
    assert dave.post(f"/restores/{number}/undo", {"reason": "x"}).get_json()["code"] == "wrong_state"


def test_the_pages_lead_from_the_point_to_the_decision(
    portal: Callable[[str], Portal], core: Core, point: str
) -> None:
    carol, dave = portal("carol"), portal("dave")
    assert f"/backup/points/{point}/restore" in carol.get(f"/backup/points/{point}").text
    shown = carol.get(f"/backup/points/{point}/restore?mode=over").text
    assert "存在以下问题" in shown
    shown = carol.get(f"/backup/points/{point}/restore?mode=over&reason=演练").text
    assert "提交第二人审批" in shown
    refused = carol.post(f"/backup/points/{point}/restore", mode="over")
    assert (refused.status_code, "存在以下问题" in refused.text) == (422, True)
    asked = carol.post(f"/backup/points/{point}/restore", mode="over", reason="演练", position="0")
    assert asked.status_code == 303
    with core.store.read() as uow:
        [restore] = uow.all(Restore)
    page = f"/backup/restores/{restore.id}"
    assert "撤回申请" in carol.get(page).text
    assert "待第二人审批" in dave.get("/backup/restores").text
    assert "现有云硬盘改名保留" in dave.get(page).text
    assert dave.post(f"{page}/reject", opinion="").status_code == 422
    assert dave.post(f"{page}/reject", opinion="先查明原因").status_code == 303
    assert "先查明原因" in carol.get(page).text


def test_a_restore_that_is_done_offers_to_be_undone(
    portal: Callable[[str], Portal], core: Core, point: str
) -> None:
    carol = portal("carol")
    carol.post(f"/backup/points/{point}/restore", mode="over", reason="演练")
    with core.store.read() as uow:
        [restore] = uow.all(Restore)
    page = f"/backup/restores/{restore.id}"
    assert portal("dave").post(f"{page}/approve", opinion="同意").status_code == 303
    with core.store.write() as uow:
        uow.need(Restore, restore.id).state = "done"
    assert "撤销恢复" in carol.get(page).text
    undone = carol.post(f"{page}/undo", reason="新数据有误")
    assert undone.status_code == 303
    assert "撤销就地恢复" in carol.get(undone.headers["Location"]).text


def test_the_command_line_previews_asks_and_decides(cloudctl: CommandLine, point: str) -> None:
    ask = ("backup", "restore", point)
    plan = cloudctl(*ask, "--servers", "--zone", "public=moon", "--dry-run", "-f", "json", user="carol")
    assert (plan.code, plan.json["state"]) == (exits.REFUSED, "impossible")
    assert "no network for zone 'moon'" in plan.err
    assert cloudctl(*ask, "--zone", "public", user="carol").code == exits.USAGE
    assert cloudctl(*ask, "--over", user="carol").code == exits.USAGE, "it needs a reason"
    waits = cloudctl(*ask, "--over", "--reason", "drill", "-f", "json", user="carol")
    number = str(waits.json["id"])
    assert (waits.code, waits.json["state"]) == (0, "awaiting")
    assert f"cloudctl restore approve {number}" in waits.err
    assert cloudctl("restore", "approve", number, user="carol").code == exits.SECOND_PERSON
    [row] = cloudctl.rows("restore", "list", "--state", "awaiting", user="dave")
    assert str(row["id"]) == number
    assert cloudctl.rows("restore", "approve", number, "--opinion", "yes", user="dave")["state"] == "asked"
    assert cloudctl.rows("restore", "show", number, user="dave")["decided_by"] == "dave"
    assert cloudctl("restore", "undo", number, "--reason", "x", user="carol").code == exits.CONFLICT
    assert cloudctl("restore", "reject", number, user="dave").code == exits.CONFLICT
