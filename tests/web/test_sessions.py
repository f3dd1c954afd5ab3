"""Signing in to the portal, and what keeps other sites and other people out of a session."""

import dataclasses
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Session
from tenants import people
from tests.builders import an_actor
from tests.web.conftest import PASSWORD, Api, NoClouds, Portal
from web.app import create_app

SignIn = Callable[[str], Portal]


def test_a_stranger_sees_the_form_to_sign_in_and_goes_on_where_they_wanted(anonymous: FlaskClient) -> None:
    page = anonymous.get("/notices")
    assert page.status_code == 401
    assert "登录" in page.text
    answer = anonymous.post("/sign-in", data={"user_id": "alice", "password": PASSWORD, "onward": "/notices"})
    assert answer.headers["Location"] == "/notices"
    assert anonymous.get("/notices").status_code == 200


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\nb"]
)
def test_nobody_is_sent_to_another_site_after_signing_in(anonymous: FlaskClient, onward: str) -> None:
    form = {"user_id": "alice", "password": PASSWORD, "onward": onward}
    assert anonymous.post("/sign-in", data=form).headers["Location"] == "/"


def test_a_wrong_password_shows_the_form_again_and_never_the_password(anonymous: FlaskClient) -> None:
    answer = anonymous.post("/sign-in", data={"user_id": "alice", "password": "hunter2hunter2"})
    assert answer.status_code == 401
    assert "用户名或密码错误" in answer.text
    assert "hunter2" not in answer.text
    assert 'value="alice"' in answer.text


def test_the_cookie_cannot_be_read_by_scripts_and_is_not_sent_by_other_sites(anonymous: FlaskClient) -> None:
    answer = anonymous.post("/sign-in", data={"user_id": "alice", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_signing_in_again_makes_a_new_session_and_ends_the_old_one(portal: SignIn, core: Core) -> None:
    here = portal("alice")
    before = here.client.get_cookie("cloudctl_session")
    here.client.post("/sign-in", data={"user_id": "alice", "password": PASSWORD})
    after = here.client.get_cookie("cloudctl_session")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    with core.store.read() as uow:
        assert uow.count(Session, Session.ended_at.is_(None)) == 1


def test_signing_out_ends_the_session_at_the_server(portal: SignIn, app: APIFlask) -> None:
    here = portal("alice")
    cookie = here.client.get_cookie("cloudctl_session")
    assert cookie is not None
    here.post("/sign-out")
    thief = app.test_client()
    thief.set_cookie("cloudctl_session", cookie.value)
    assert thief.get("/").status_code == 401


def test_an_idle_session_ends_and_says_so(portal: SignIn, clock: FrozenClock, core: Core) -> None:
    here = portal("alice")
    clock.advance(core.settings.session_idle_s + 1)
    page = here.get("/")
    assert page.status_code == 401
    assert "会话已结束" in page.text


def test_a_form_without_its_token_changes_nothing(portal: SignIn, core: Core) -> None:
    here = portal("alice")
    for form in ({}, {"csrf": "wrong"}):
        answer = here.client.post("/account/tokens", data={"name": "x", "days": "3", **form})
        assert answer.status_code == 403
    assert here.client.post("/api/v1/tokens", json={"name": "x"}).status_code == 403
    good = here.client.post("/api/v1/tokens", json={"name": "x"}, headers={"X-CSRF-Token": here.csrf})
    assert good.status_code == 201


def test_a_form_of_another_site_is_refused_even_without_a_session(anonymous: FlaskClient) -> None:
    form = {"user_id": "alice", "password": PASSWORD}
    answer = anonymous.post("/sign-in", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    ours = anonymous.post("/sign-in", data=form, headers={"Origin": "http://localhost"})
    assert ours.status_code == 303


def test_a_first_password_must_be_changed_before_anything_else(core: Core, app: APIFlask) -> None:
    with app.app_context():
        password = people.set_password(core, an_actor(core, "sam"), "alice")
    client = app.test_client()
    client.post("/sign-in", data={"user_id": "alice", "password": password})
    assert client.get("/").headers["Location"] == "/account/password"
    assert client.get("/api/v1/tokens").status_code == 403
    assert client.get("/account/password").status_code == 200
    with core.store.read() as uow:
        session = uow.first(Session, Session.user_id == "alice")
    assert session is not None
    form = {"csrf": session.csrf, "old": password, "new": "Brand-new-words-9", "again": "Brand-new-words-9"}
    bad = client.post("/account/password", data={**form, "again": "other"})
    assert bad.status_code == 422
    assert client.post("/account/password", data=form).status_code == 303
    assert client.get("/").status_code == 200


def test_a_token_made_in_the_portal_works_until_it_is_revoked(portal: SignIn, app: APIFlask) -> None:
    here = portal("alice")
    page = here.post("/account/tokens", name="laptop", days="30")
    token = page.text.split("cct_")[1].split("<")[0]
    program = Api(app.test_client(), f"cct_{token}")
    assert program.get("/me").json == program.get("/me").json
    [row] = program.get("/tokens").get_json()["items"]
    assert row["name"] == "laptop"
    assert "cct_" not in here.get("/account/").text
    here.post(f"/account/tokens/{row['id']}/revoke")
    assert program.get("/me").status_code == 401


def test_the_language_is_switched_and_remembered(portal: SignIn) -> None:
    here = portal("alice")
    assert "首页" in here.get("/").text
    answer = here.post("/language", language="en", onward="/notices")
    assert answer.headers["Location"] == "/notices"
    assert "Home" in here.get("/").text
    here.client.delete_cookie("cloudctl_language")
    assert "Home" in here.get("/").text


def test_behind_https_the_cookie_is_secure_and_the_browser_told_to_stay(core: Core, province: None) -> None:
    settings = dataclasses.replace(core.settings, public_url="https://cloud.example.gov.cn")
    client = create_app(dataclasses.replace(core, settings=settings), NoClouds()).test_client()
    form = {"user_id": "alice", "password": PASSWORD}
    answer = client.post("/sign-in", data=form, headers={"Origin": "https://cloud.example.gov.cn"})
    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]
