"""A request from the command line alone: previewed, refused, submitted, approved, followed, released."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudctl.cli import exits
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import QuotaRow
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.lanes import Lanes
from tests.builders import AN_SSH_KEY, a_province
from tests.command_line import CommandLine, a_server
from tests.flows.building import World

APPROVERS = (("bob", "同意"), ("carol", "资源充足"))


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> World:
    a_province(core)
    return World(core, clock, FakeCloud("province", clock), Lanes())


@pytest.fixture
def cloudctl(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_server(world.core, FakeClouds({"province": world.cloud})) as url:
        yield CommandLine(world.core, url, monkeypatch)


@pytest.fixture
def vm(tmp_path: Path) -> list[str]:
    key = tmp_path / "id_ed25519.pub"
    key.write_text(AN_SSH_KEY + "\n")
    form = {
        "--system": "预算管理一体化系统", "--zone": "public", "--flavor": "gov.small", "--image": "debian-12",
        "--boot-size": "10GiB", "--ssh-key": str(key), "--payer": "财政厅",
        "--approval-number": "桂发改〔2026〕17号",
    }  # fmt: skip
    return ["request", "create", "vm", *(word for pair in form.items() for word in pair)]


def limit(core: Core, kind: str, most: int) -> None:
    with core.store.write() as uow:
        uow.insert_missing(
            QuotaRow,
            [{"scope_kind": "department", "scope_id": "gx-finance", "site": "*", "kind": kind, "limit": most,
              "guarantee": 0, "held": 0, "used": 0, "load": 0}],
        )  # fmt: skip


def approved(cloudctl: CommandLine, request: int) -> None:
    for user, opinion in APPROVERS:
        waiting = [row["id"] for row in cloudctl.rows("inbox", user=user)]
        assert request in waiting
        cloudctl.rows("request", "approve", str(request), "--opinion", opinion, user=user)


def test_a_request_is_previewed_submitted_approved_followed_and_shown(
    cloudctl: CommandLine, world: World, vm: list[str]
) -> None:
    decision = cloudctl.rows(*vm, "--count", "2", "--data-total", "30GiB", "--dry-run", user="alice")
    assert decision["verdict"] == "needs_approval"
    assert cloudctl.rows("request", "list", user="alice") == []
    made = cloudctl.rows(*vm, "--count", "2", "--data-total", "30GiB", user="alice")
    assert (made["state"], made["name"]) == ("awaiting_approval", "2 x gov.small")
    number = made["id"]
    approved(cloudctl, number)
    shown = cloudctl.rows("request", "show", str(number), user="alice")
    working = threading.Thread(target=world.work, args=(shown["operation_id"],))
    working.start()
    watched = cloudctl.rows("request", "watch", str(number), "--timeout", "60", user="alice")
    working.join()
    assert watched["state"] == "delivered"
    assert {one["kind"] for one in watched["resources"]} == {"server", "volume", "port"}
    for one in watched["resources"]:
        assert {"kind", "site", "external_id", "name", "state", "addresses"} <= one.keys()
    table = cloudctl("request", "show", str(number), user="alice")
    assert "approved by 王博: 同意" in table.out
    servers = cloudctl.rows("resource", "list", "--request", str(number), "--kind", "server", user="alice")
    assert {row["state"] for row in servers} == {"active"}
    steps = cloudctl.rows("operation", "show", str(shown["operation_id"]), user="alice")["steps"]
    assert steps


def test_more_than_the_quota_is_refused_with_the_level_and_what_would_fit(
    cloudctl: CommandLine, core: Core, vm: list[str]
) -> None:
    limit(core, "vcpus", 3)
    ended = cloudctl(*vm, "--count", "5", user="alice")
    assert ended.code == exits.REFUSED
    first, *faults = ended.err.splitlines()
    assert first.startswith("over_quota: ")
    assert any("gx-finance" in fault for fault in faults)
    assert "3" in ended.err
    refused = cloudctl(*vm, "--count", "5", "--dry-run", user="alice")
    assert refused.code == exits.REFUSED
    assert "refused" in refused.out
    assert cloudctl.rows(*vm, "--count", "3", user="alice")["state"] == "awaiting_approval"
    row = next(
        row
        for row in cloudctl.rows(
            "quota", "show", "--scope", "department:财政厅", "--kind", "vcpus", user="alice"
        )
        if row["site"] == "*"
    )
    assert (row["limit"], row["held"], row["used"], row["free"], row["over"]) == (3, 3, 0, 0, 0)


def test_a_counter_that_has_drifted_is_shown_with_what_it_must_be_and_repaired(
    cloudctl: CommandLine, world: World
) -> None:
    limit(world.core, "vcpus", 3)
    with world.core.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.scope_id == "gx-finance", held=7, used=0)
    wrong = {"scope": "department:gx-finance", "site": "*", "kind": "vcpus", "is": 7, "must_be": 0}
    for verb in (("drift",), ("repair", "--dry-run"), ("repair",)):
        rows = cloudctl.rows("quota", *verb, user="dave")
        [held] = [row for row in rows if row["number"] == "held"]
        assert {key: held[key] for key in wrong} == wrong
    assert cloudctl.rows("quota", "drift", user="dave") == []


def test_the_same_key_again_answers_the_first_request(cloudctl: CommandLine, vm: list[str]) -> None:
    first = cloudctl.rows(*vm, "--idempotency-key", "once", user="alice")
    again = cloudctl.rows(*vm, "--idempotency-key", "once", user="alice")
    assert first["id"] == again["id"]


def test_nobody_approves_their_own_request_and_the_exit_code_says_so(
    cloudctl: CommandLine, vm: list[str]
) -> None:
    number = str(cloudctl.rows(*vm, user="alice")["id"])
    assert cloudctl("request", "approve", number, user="alice").code in (exits.REFUSED, exits.SECOND_PERSON)
    assert cloudctl("request", "approve", number, user="heidi").code in (exits.REFUSED, exits.NOT_FOUND)


def test_waiting_for_an_approval_ends_with_the_code_of_a_second_person(
    cloudctl: CommandLine, vm: list[str]
) -> None:
    ended = cloudctl(*vm, "--wait", "--timeout", "0", user="alice")
    assert ended.code == exits.SECOND_PERSON
    assert ended.err.startswith("second_person_needed: ")


def test_rejecting_wants_an_opinion_and_whoever_waits_is_told(cloudctl: CommandLine, vm: list[str]) -> None:
    number = str(cloudctl.rows(*vm, user="alice")["id"])
    assert cloudctl("request", "reject", number, user="bob").code == exits.USAGE
    cloudctl.rows("request", "reject", number, "--opinion", "先清理旧机器", user="bob")
    ended = cloudctl("request", "watch", number, user="alice")
    assert ended.code == exits.REFUSED
    assert any("先清理旧机器" in str(row) for row in cloudctl.rows("notice", "list", user="alice"))


def test_a_withdrawn_request_cannot_be_approved_any_more(cloudctl: CommandLine, vm: list[str]) -> None:
    number = str(cloudctl.rows(*vm, user="alice")["id"])
    assert cloudctl.rows("request", "withdraw", number, user="alice")["state"] == "withdrawn"
    ended = cloudctl("request", "approve", number, user="bob")
    assert ended.code == exits.CONFLICT


def test_all_faults_of_a_request_come_at_once(cloudctl: CommandLine, vm: list[str]) -> None:
    ended = cloudctl(*vm, "--count", "0", "--flavor", "gov.hug", "--boot-size", "many", user="alice")
    assert ended.code == exits.USAGE
    places = {line.split(":")[0].strip() for line in ended.err.splitlines()[1:]}
    assert {"count", "flavor", "boot_size"} <= places
    assert "did you mean gov." in ended.err


def test_a_private_key_never_leaves_the_machine(cloudctl: CommandLine, vm: list[str], tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")
    ended = cloudctl(*vm, "--ssh-key", str(key), user="alice")
    assert ended.code == exits.USAGE
    assert "private key" in ended.err
    assert cloudctl.rows("request", "list", user="alice") == []
