"""The portal's main job: ask, preview, decide, follow; as people see it."""

import re
from collections.abc import Callable

import pytest

from cloudctl.core import Core
from cloudctl.models import Operation, Project, Resource, ServiceRequest
from tenants import approvals, ledger, requests
from tests.builders import AN_SSH_KEY, a_vm_form, an_actor
from tests.web.conftest import Portal

SignIn = Callable[[str], Portal]
VM = {
    "system": "gx-finance-budget", "environment": "prod", "zone": "public", "count": "3",
    "flavor": "gov.medium", "image": "debian-12", "volume_type": "standard", "data_total": "1TiB",
    "data_volumes_per_vm": "2", "ssh_key": AN_SSH_KEY, "approval_number": "桂发改〔2026〕17号",
    "payer": "财政厅",
}  # fmt: skip


def ask(here: Portal, do: str, **changes: object) -> tuple[int, str, str]:
    """Status, text and where it led."""
    answer = here.post("/requests/new/vm", **{**VM, "do": do, "key": "k1", **changes})
    return answer.status_code, answer.text, answer.headers.get("Location", "")


def limit(core: Core, **limits: int) -> None:
    for kind, most in limits.items():
        ledger.set_limit(core, an_actor(core, "dave"), "department:gx-finance", "*", kind, most)


def test_a_preview_says_what_is_needed_and_who_decides_and_writes_nothing(portal: SignIn, core: Core) -> None:
    status, text, _ = ask(portal("alice"), "preview")
    assert status == 200
    for words in ("需要审批", "云主机 3 台", "单位审批：王博", "云管审批：陈凯", "省级政务云"):
        assert words in text
    with core.store.read() as uow:
        assert uow.count(ServiceRequest) == 0


def test_a_second_click_finds_the_first_request(portal: SignIn, core: Core) -> None:
    here = portal("alice")
    first, second = ask(here, "submit"), ask(here, "submit")
    assert first[0] == second[0] == 303
    assert first[2] == second[2]
    with core.store.read() as uow:
        assert uow.count(ServiceRequest) == 1
    page = here.get(first[2])
    assert "申请已提交" in page.text
    assert "待审批 · 单位审批" in page.text


def test_all_faults_of_a_form_are_shown_at_their_fields_in_chinese(portal: SignIn) -> None:
    status, text, _ = ask(
        portal("alice"), "submit", count="0", data_total="much", ssh_key="x", approval_number=""
    )
    assert status == 422
    assert "申请表有 4 处错误" in text
    for field in ("count", "data_total", "ssh_key", "approval_number"):
        assert f'id="{field}-fault"' in text
        assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', text), field
    assert 'value="much"' in text


def test_a_private_key_is_refused_and_never_shown_again(portal: SignIn) -> None:
    secret = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk"
    status, text, _ = ask(portal("alice"), "preview", ssh_key=secret)
    assert status == 422
    assert "这是私钥" in text
    assert "b3BlbnNzaC1rZXk" not in text


def test_over_quota_names_the_level_and_offers_what_fits(portal: SignIn, core: Core) -> None:
    limit(core, instances=2)
    here = portal("alice")
    status, text, _ = ask(here, "submit")
    assert status == 409
    assert "单位：财政厅" in text
    assert "在配额内可以申请：2 台云主机" in text
    status, text, _ = ask(here, "nearest")
    assert status == 200
    assert re.search(r'name="count"[^>]*value="2"', text)
    assert "需要审批" in text


def test_whoever_decides_finds_it_and_says_yes(portal: SignIn, core: Core) -> None:
    where = ask(portal("alice"), "submit")[2].split("?")[0]
    bob = portal("bob")
    assert "办理" in bob.get("/inbox").text
    assert "您的审批：单位审批" in bob.get(where).text
    assert bob.post(f"{where}approve", opinion="同意").status_code == 303
    assert "您的审批" not in bob.get(where).text
    carol = portal("carol")
    carol.post(f"{where}approve", opinion="拟同意")
    page = carol.get(where).text
    assert "开通中" in page
    assert 'http-equiv="refresh"' in page
    assert "王博（财政厅）" in page


def test_the_requester_sees_no_decision_and_cannot_make_one(portal: SignIn) -> None:
    here = portal("alice")
    where = ask(here, "submit")[2].split("?")[0]
    assert "您的审批" not in here.get(where).text
    answer = here.post(f"{where}approve", opinion="同意")
    assert answer.status_code == 409
    assert "须由他人审批" in answer.text


def test_no_without_a_reason_keeps_the_page_and_says_so(portal: SignIn) -> None:
    where = ask(portal("alice"), "submit")[2].split("?")[0]
    bob = portal("bob")
    answer = bob.post(f"{where}reject", opinion="")
    assert answer.status_code == 422
    assert "请说明理由" in answer.text
    assert bob.post(f"{where}reject", opinion="与规划重复").status_code == 303
    assert "与规划重复" in portal("alice").get(where).text


def test_a_returned_request_comes_back_as_a_form_and_goes_out_again(portal: SignIn, core: Core) -> None:
    alice, bob = portal("alice"), portal("bob")
    where = ask(alice, "submit")[2].split("?")[0]
    bob.post(f"{where}return", opinion="请减少数量")
    assert "请修改" in alice.get("/").text
    form = alice.get(f"{where}correct").text
    assert "王博 退回：请减少数量" in form
    assert re.search(r'name="count"[^>]*value="3"', form)
    assert re.search(r'name="data_total"[^>]*value="1024GiB"', form)
    answer = alice.post(f"{where}correct", **{**VM, "count": "2", "do": "submit", "key": "k2"})
    assert answer.status_code == 303
    assert "待审批" in alice.get(where).text
    with core.store.read() as uow:
        [row] = uow.all(ServiceRequest)
    assert len(row.draft["servers"]) == 2


def test_what_was_not_returned_cannot_be_corrected(portal: SignIn) -> None:
    alice = portal("alice")
    where = ask(alice, "submit")[2].split("?")[0]
    assert alice.get(f"{where}correct").status_code == 404


def test_the_requester_withdraws_and_the_quota_is_free_again(portal: SignIn, core: Core) -> None:
    alice = portal("alice")
    limit(core, instances=3)
    where = ask(alice, "submit")[2].split("?")[0]
    assert alice.post(f"{where}withdraw").status_code == 303
    assert "已撤回" in alice.get(where).text
    assert ask(alice, "submit", key="another")[0] == 303


def test_a_request_of_another_department_is_not_there(portal: SignIn) -> None:
    where = ask(portal("alice"), "submit")[2].split("?")[0]
    erin = portal("erin")
    assert erin.get(where).status_code == 404
    assert erin.post(f"{where}withdraw").status_code == 404
    assert "gov.medium" not in erin.get("/requests").text


def test_a_failed_request_says_why_in_words_and_with_the_clouds_number(portal: SignIn, core: Core) -> None:
    request_id = requests.submit(core, an_actor(core, "alice"), a_vm_form(), "k")
    with core.store.write() as uow:
        row = uow.need(ServiceRequest, request_id)
        row.state, row.error_code, row.error_message = (
            "failed",
            "cloud_quota_exceeded",
            "Quota exceeded for cores",
        )
        row.cloud_request_id = "req-1234"
    page = portal("alice").get(f"/requests/{request_id}/").text
    for words in ("云平台侧的配额不足", "req-1234", "预占的配额已释放"):
        assert words in page


def test_what_was_delivered_can_be_used(portal: SignIn, core: Core) -> None:
    request_id = requests.submit(core, an_actor(core, "alice"), a_vm_form(count=1), "k")
    server = {
        "name": "vm1", "addresses": {"ipv4": ["10.20.0.9"], "ipv6": ["fd00::9"]}, "login": "debian",
        "connect": "ssh debian@10.20.0.9",
    }  # fmt: skip
    with core.store.write() as uow:
        row = uow.need(ServiceRequest, request_id)
        row.state = "delivered"
        row.delivered = {"servers": [server], "volumes": [], "contact": [{"name": "陈凯", "phone": "0771-1"}]}
    page = portal("alice").get(f"/requests/{request_id}/").text
    for words in ("ssh debian@10.20.0.9", "fd00::9", "陈凯 0771-1"):
        assert words in page


def test_what_we_hold_is_listed_and_can_be_chosen_for_release(portal: SignIn, core: Core) -> None:
    requests.submit(core, an_actor(core, "alice"), a_vm_form(count=1), "k")
    with core.store.write() as uow:
        project = uow.first(Project)
        assert project is not None
        for name in ("budget-r1-vm1", "budget-r1-vm1-boot", "budget-r1-vm1-data1"):
            kind = "server" if name.endswith("vm1") else "volume"
            uow.add(
                Resource(
                    id=f"id-{name}", kind=kind, site_id="province", project_id=project.id,
                    system_id="gx-finance-budget", department_id="gx-finance", name=name, state="active",
                    created_at=core.clock.now(),
                )
            )  # fmt: skip
    alice = portal("alice")
    assert "budget-r1-vm1" in alice.get("/resources/").text
    assert "budget-r1-vm1" not in portal("erin").get("/resources/").text
    form = alice.get("/requests/new/release").text
    assert 'value="id-budget-r1-vm1"' in form
    assert "vm1-boot" not in form
    answer = alice.post("/requests/new/release", resources="id-budget-r1-vm1-data1", do="preview")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("who", ["alice", "bob", "carol", "dave", "erin", "frank", "ivan", "sam"])
def test_every_page_of_the_menu_opens_for_everybody_who_is_offered_it(
    portal: SignIn, core: Core, who: str
) -> None:
    limit(core, instances=5)
    requests.submit(core, an_actor(core, "alice"), a_vm_form(), "k")
    here = portal(who)
    home = here.get("/")
    assert home.status_code == 200
    menu = re.findall(r'<a href="(/[^"]*)"', home.text.split("<nav")[1].split("</nav>")[0])
    for path in [*menu, "/notices", "/account/"]:
        assert here.get(path).status_code == 200, path


def test_english_readers_read_english(portal: SignIn) -> None:
    here = portal("alice")
    here.post("/language", language="en", onward="/")
    text = ask(here, "preview")[1]
    assert "needs approval" in text
    assert "What is left for new requests" in here.get("/quota/").text


def test_trouble_while_building_is_shown_to_whoever_waits(portal: SignIn, core: Core) -> None:
    alice = an_actor(core, "alice")
    request_id = requests.submit(core, alice, a_vm_form(), "k")
    for who in ("bob", "carol"):
        approvals.approve(core, an_actor(core, who), request_id, "")
    with core.store.write() as uow:
        operation = uow.first(Operation)
        assert operation is not None
        operation.progress_done, operation.progress_total = 3, 9
        operation.error_message = "the cloud is busy"
    page = portal("alice").get(f"/requests/{request_id}/").text
    assert 'max="9" value="3"' in page
    assert "the cloud is busy" in page
    assert "取消申请" in page


def test_an_auditor_reads_the_records_and_nobody_below(portal: SignIn, core: Core) -> None:
    requests.submit(core, an_actor(core, "alice"), a_vm_form(), "k")
    page = portal("ivan").get("/audit?action=request.*&actor=alice").text
    assert "request.submit" in page
    assert "session.start" not in page
    assert portal("alice").get("/audit").status_code == 403
