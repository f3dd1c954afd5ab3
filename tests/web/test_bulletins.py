"""Bulletins over HTTP and on the portal: asked for, followed, taken home."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import User
from cloudctl.operations import Engine
from cloudctl.secrets import hash_password
from tenants.bulletin.flow import MakeBulletin
from tenants.documents import File, keep
from tenants.settlement import settle
from tests.frozen_months import NOVEMBER, two_months
from tests.web.conftest import PASSWORD, Api, Portal

WithToken = Callable[[str], Api]
SignIn = Callable[[str], Portal]


@pytest.fixture
def province(core: Core, clock: FrozenClock) -> None:
    """Two frozen months instead of the plain province; people sign in as there."""
    two_months(core, clock)
    with core.store.write() as uow:
        uow.update(User, User.id != "", password_hash=hash_password(PASSWORD))


def work(core: Core, operation_id: int) -> None:
    flow = MakeBulletin(lambda _html, on_step: on_step(1) or b"%PDF")
    assert Engine(core.store, core.clock, {"bulletin": flow}, on_end=settle(core)).run(operation_id)


def test_a_bulletin_is_asked_for_followed_and_taken_home(api: WithToken, core: Core) -> None:
    dave = api("dave")
    asked = dave.post("/migration/reports", {"month": NOVEMBER}).get_json()
    assert (asked["state"], asked["progress_total"], asked["documents"]) == ("queued", 9, [])
    work(core, asked["id"])
    shown = api("alice").get(f"/migration/reports/{asked['id']}").get_json()
    assert (shown["state"], shown["progress_done"]) == ("done", 9)
    assert {"id", "name", "state", "month", "scope", "created_at", "ended_at"} <= shown.keys()
    for file in shown["documents"]:
        answer = api("alice").get(f"/documents/{file['id']}")
        assert answer.status_code == 200
        assert f"上云情况通报-广西壮族自治区-2026年11月.{file['format']}" in unquote(
            answer.headers["Content-Disposition"]
        )
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-SHA256"] == file["sha256"]
    assert dave.post("/migration/reports", {}).get_json()["id"] == asked["id"]
    [listed] = dave.get("/migration/reports", scope="division:450000").get_json()["items"]
    assert listed["id"] == asked["id"]
    assert dave.get("/migration/reports", month="2026-1").get_json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"month": "2026-09"}, 404, "not_found"),
        ({"month": "%"}, 404, "not_found"),
        ({"scope": "division:450103"}, 422, "bad_input"),
        ({"scope": "x"}, 422, "bad_input"),
        ({"formats": ["doc"]}, 422, "bad_input"),
        ({"formats": "pdf"}, 422, "bad_input"),
        ({"language": "fr"}, 422, "bad_input"),
        ({"rule": "no-such"}, 404, "not_found"),
    ],
)
def test_what_cannot_be_made_is_refused_and_says_why(
    api: WithToken, body: dict[str, object], status: int, code: str
) -> None:
    answer = api("dave").post("/migration/reports", body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_department_cannot_make_the_provinces_bulletin(api: WithToken) -> None:
    assert api("alice").post("/migration/reports", {}).status_code == 403
    assert api("alice").get("/migration/reports/99").status_code == 404


def test_a_file_for_one_person_is_not_there_for_others(api: WithToken, core: Core) -> None:
    with core.store.write() as uow:
        key = keep(uow, core.clock, File("import_faults", "错误.csv", "text/csv", b"x", owner_id="alice"))
    assert api("alice").get(f"/documents/{key}").data == b"x"
    for who in ("bob", "dave", "sam"):
        assert api(who).get(f"/documents/{key}").status_code == 404


def test_the_portal_makes_one_shows_its_progress_and_offers_its_files(portal: SignIn, core: Core) -> None:
    here = portal("dave")
    page = here.get("/bulletins/").text
    assert "生成通报" in page
    assert re.findall(r"<option value=\"(20[^\"]+)\"", page) == [NOVEMBER, "2026-10"]
    answer = here.post("/bulletins/", month=NOVEMBER, scope="division:450000", issuer="")
    assert answer.status_code == 303
    page = here.get(answer.headers["Location"]).text
    assert "通报正在生成" in page
    assert 'http-equiv="refresh"' in page
    assert "<progress" in page
    work(core, 1)
    page = here.get("/bulletins/").text
    assert 'http-equiv="refresh"' not in page
    links = re.findall(r'href="(/api/v1/documents/[0-9a-f]{32})"', page)
    assert len(links) == 3
    assert here.get(links[1]).data == b"%PDF"
    notices = here.get("/").text
    assert "通报已生成：广西壮族自治区 2026-11" in notices
    assert "/bulletins/#1" in notices


def test_what_is_wrong_with_a_wish_is_said_on_the_page(portal: SignIn) -> None:
    answer = portal("dave").post("/bulletins/", month="2026-09", scope="division:450000", issuer="")
    assert answer.status_code == 404
    assert "2026-09 尚未按口径 default 封存" in answer.text
    assert "cloudctl migration snapshot take 2026-09" in answer.text


def test_whoever_may_only_read_sees_no_form(portal: SignIn) -> None:
    page = portal("alice").get("/bulletins/").text
    assert "通报" in page
    assert "生成通报" not in page
