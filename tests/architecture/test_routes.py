"""Every address and verb has a row in the table of rights, and the table is kept."""

from collections.abc import Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.routing import AnyConverter, BaseConverter, IntegerConverter, Rule

from cloudctl.actors import RIGHTS
from cloudctl.core import Core
from cloudctl.models import Session, User
from cloudctl.secrets import fingerprint, hash_password
from tenants import people
from tests.builders import a_province, an_actor
from web.access import ACCESS, PUBLIC, SIGNED_IN
from web.app import create_app

PASSWORD = "Nobody-special-1"


class NoClouds:
    def at(self, site_id: str) -> None:
        raise AssertionError(f"asked for the cloud of {site_id}")


@pytest.fixture
def app(core: Core) -> APIFlask:
    a_province(core)
    with core.store.write() as uow:
        uow.add(
            User(
                id="nobody",
                name="无角色",
                password_hash=hash_password(PASSWORD),
                created_at=core.clock.now(),
            )
        )
    made = create_app(core, NoClouds())  # type: ignore[arg-type]
    made.testing = False
    return made


def calls(app: APIFlask) -> Iterator[tuple[Rule, str, str]]:
    """Every rule with each of its verbs and an address that fits."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            values = {name: _sample(rule._converters[name]) for name in rule.arguments}
            built = rule.build(values)
            assert built is not None
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, built[1]


def _sample(converter: BaseConverter) -> str:
    if isinstance(converter, AnyConverter):
        return sorted(converter.items)[0]
    return "1" if isinstance(converter, IntegerConverter) else "no-such"


def test_every_address_has_a_row_and_every_row_an_address(app: APIFlask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints - set(ACCESS) == set(), "addresses without a right"
    assert set(ACCESS) - endpoints == set(), "rights without an address"


def test_every_right_of_the_table_exists() -> None:
    assert {needed for needed in ACCESS.values() if needed not in (PUBLIC, SIGNED_IN)} <= set(RIGHTS)


def test_a_stranger_gets_401_everywhere_but_at_the_door(app: APIFlask) -> None:
    client = app.test_client()
    for rule, method, path in calls(app):
        answer = client.open(path, method=method)
        if ACCESS[rule.endpoint] == PUBLIC:
            assert answer.status_code < 500, (method, path)
        else:
            assert answer.status_code == 401, (method, path, answer.status_code)


def test_somebody_without_a_role_is_let_in_nowhere(app: APIFlask, core: Core) -> None:
    token = people.create_token(core, an_actor(core, "nobody"), "tests", 1)
    browser, csrf = _browser(app, core)
    for rule, method, path in calls(app):
        if rule.endpoint == "session.sign_out":
            continue
        if path.startswith("/api/"):
            answer = app.test_client().open(
                path, method=method, headers={"Authorization": f"Bearer {token}"}, json={}
            )
        else:
            answer = browser.open(path, method=method, data={"csrf": csrf})
        if ACCESS[rule.endpoint] in (PUBLIC, SIGNED_IN):
            assert answer.status_code < 500, (method, path)
            if answer.is_json and "items" in (answer.json or {}):
                assert not answer.get_json()["items"] or rule.endpoint == "tokens.list_tokens"
        else:
            assert answer.status_code == 403, (method, path, answer.status_code)


def test_no_page_of_a_session_can_be_changed_without_its_token(app: APIFlask, core: Core) -> None:
    browser, _ = _browser(app, core)
    for rule, method, path in calls(app):
        if method != "GET" and ACCESS[rule.endpoint] != PUBLIC:
            answer = browser.open(path, method=method, json={})
            assert answer.status_code == 403, (method, path, answer.status_code)


def _browser(app: APIFlask, core: Core) -> tuple[FlaskClient, str]:
    client = app.test_client()
    client.post("/sign-in", data={"user_id": "nobody", "password": PASSWORD})
    cookie = client.get_cookie("cloudctl_session")
    assert cookie is not None
    with core.store.read() as uow:
        return client, uow.need(Session, fingerprint(cookie.value)).csrf
