"""The register on pages: the list, one system, and a sheet that is looked at before it is imported."""

import io
from collections.abc import Callable

from werkzeug.test import TestResponse

from cloudctl.clock import FrozenClock, local_day
from cloudctl.core import Core
from tests.registering import BUDGET, ENROLL, SECRET, a_row, a_sheet, send, system
from tests.web.conftest import Portal

SignIn = Callable[[str], Portal]


def upload(who: Portal, path: str, content: bytes, name: str = "登记表.xlsx", **form: object) -> TestResponse:
    return who.client.post(path, data={"csrf": who.csrf, "file": (io.BytesIO(content), name), **form})


def test_the_list_is_filtered_and_leads_to_each_system(portal: SignIn) -> None:
    dave = portal("dave")
    page = dave.get("/systems/").text
    assert "预算管理一体化系统" in page and f"/systems/{ENROLL}" in page
    assert 'href="/systems/"' in portal("alice").get("/").text, "the menu has it"
    assert "预算管理一体化系统" not in dave.get("/systems/?department=nn-qingxiu-edu").text
    assert "义务教育招生系统" not in portal("bob").get("/systems/").text
    assert "没有找到" in dave.get("/systems/?text=没有这个").text


def test_a_long_list_comes_in_pages(portal: SignIn, core: Core) -> None:
    send(core, a_sheet(*(a_row(f"gx-finance-{n:03d}", name=f"系统{n}") for n in range(120))))
    page = portal("bob").get("/systems/?text=gx-finance").text
    assert "gx-finance-099" in page and "gx-finance-119" not in page
    assert "marker=gx-finance-" in page and "text=gx-finance" in page


def test_one_system_shows_its_record_and_its_history(portal: SignIn, core: Core, clock: FrozenClock) -> None:
    then = local_day(clock.now())
    clock.advance(86400)
    send(core, a_sheet({"code": BUDGET, "person": "张三", "hosting": "托管"}))
    page = portal("bob").get(f"/systems/{BUDGET}").text
    assert "张三" in page and "托管" in page and "自建机房" in page
    assert "导入：systems.xlsx" in page
    past = portal("bob").get(f"/systems/{BUDGET}?as_of={then}").text
    assert f"{then}" in past and "托管" not in past.split('id="history"')[0]
    assert portal("bob").get(f"/systems/{BUDGET}?as_of=gestern").status_code == 422
    assert portal("erin").get(f"/systems/{BUDGET}").status_code == 404


def test_a_classified_system_shows_whose_it_is_and_nothing_else(portal: SignIn) -> None:
    page = portal("dave").get(f"/systems/{SECRET}").text
    assert "涉密系统" in page and "财政厅" in page
    assert "部署方式" not in page and "等保级别" not in page


def test_a_sheet_is_looked_at_and_imported_when_it_is_sent_again(portal: SignIn, core: Core) -> None:
    bob, content = portal("bob"), a_sheet(a_row())
    page = upload(bob, "/systems/upload", content).text
    sha256 = page.split('name="sha256" value="')[1].split('"')[0]
    assert "新增系统" in page
    assert bob.get("/systems/gx-finance-tax").status_code == 404, "nothing was written"
    other = upload(bob, "/systems/import", a_sheet(a_row("gx-other")), sha256=sha256)
    assert other.status_code == 409
    done = upload(bob, "/systems/import", content, sha256=sha256)
    assert done.status_code == 303 and "done=systems_imported" in done.headers["Location"]
    assert system(core, "gx-finance-tax").origin == "register"


def test_faults_are_listed_with_the_sheet_to_save(portal: SignIn) -> None:
    bob = portal("bob")
    page = upload(bob, "/systems/upload", a_sheet(a_row(mlps_level=9), a_row("gx-finance-b"))).text
    assert "D2 等保级别" in page and "1 至 5" in page
    path = page.split('href="/api/v1/documents/')[1].split('"')[0]
    assert bob.get(f"/api/v1/documents/{path}").status_code == 200
    assert 'name="partial"' in page


def test_only_the_right_rows_are_imported_when_that_is_ticked(portal: SignIn, core: Core) -> None:
    bob, content = portal("bob"), a_sheet(a_row(mlps_level=9), a_row("gx-finance-b"))
    page = upload(bob, "/systems/upload", content).text
    sha256 = page.split('name="sha256" value="')[1].split('"')[0]
    assert upload(bob, "/systems/import", content, sha256=sha256).status_code == 422
    done = upload(bob, "/systems/import", content, sha256=sha256, partial="1")
    assert done.status_code == 200 and "D2 等保级别" in done.text
    assert system(core, "gx-finance-b").name == "税费征管系统"


def test_a_file_that_is_none_is_told_on_the_page(portal: SignIn) -> None:
    bob = portal("bob")
    for content in (b"", b"%PDF-1.7 \xff\xfe", "系统编号,名称\n1,2\n".encode()):
        answer = upload(bob, "/systems/upload", content)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert bob.post("/systems/upload").status_code == 422


def test_who_may_not_change_systems_sends_no_sheet(portal: SignIn) -> None:
    alice = portal("alice")
    assert alice.get("/systems/upload").status_code == 403
    assert upload(alice, "/systems/upload", a_sheet(a_row())).status_code == 403
    assert "发送" not in alice.get("/systems/").text or "/systems/upload" not in alice.get("/systems/").text


def test_words_of_the_sender_are_shown_as_text(portal: SignIn) -> None:
    page = upload(portal("bob"), "/systems/upload", a_sheet(a_row(hosting="<script>alert(1)</script>"))).text
    assert "<script>" not in page and "&lt;script&gt;" in page
