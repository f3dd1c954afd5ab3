"""The application over a small province, and people who are signed in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cloudctl.core import Core
from cloudctl.models import Session, User
from cloudctl.secrets import fingerprint, hash_password
from tenants import people
from tests.builders import a_province, an_actor
from web.app import create_app

PASSWORD = "Known-to-tests-1"
_HASH = hash_password(PASSWORD)


class NoClouds:
    """No page or call of these tests reaches a cloud."""

    def at(self, site_id: str) -> Any:
        raise AssertionError(f"asked for the cloud of {site_id}")

    def entries(self) -> list[str]:
        return []

    def of_entry(self, entry: str) -> Any:
        return self.at(entry)


@dataclass
class Portal:
    """A browser of somebody who is signed in."""

    client: FlaskClient
    csrf: str

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **form: object) -> TestResponse:
        return self.client.post(path, data={"csrf": self.csrf, **form})


@dataclass
class Api:
    """A program with a token."""

    client: FlaskClient
    token: str
    language: str = "en"

    def get(self, path: str, **query: object) -> TestResponse:
        return self.call("GET", path, query_string=query)

    def post(self, path: str, body: object = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, json={} if body is None else body, headers=named)

    def call(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": self.language}
        return self.client.open(
            f"/api/v1{path}", method=method, **{**more, "headers": {**headers, **more.get("headers", {})}}
        )


@pytest.fixture
def province(core: Core) -> None:
    """People can sign in with one password, which need not be changed."""
    a_province(core)
    with core.store.write() as uow:
        uow.update(User, User.id != "", password_hash=_HASH)


@pytest.fixture
def app(core: Core, province: None) -> Iterator[APIFlask]:
    made = create_app(core, NoClouds())
    made.testing = False  # errors are shown as users would see them
    yield made


@pytest.fixture
def anonymous(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def portal(app: APIFlask, core: Core) -> Callable[[str], Portal]:
    def sign_in(user_id: str) -> Portal:
        client = app.test_client()
        answer = client.post("/sign-in", data={"user_id": user_id, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        cookie = client.get_cookie("cloudctl_session")
        assert cookie is not None
        with core.store.read() as uow:
            return Portal(client, uow.need(Session, fingerprint(cookie.value)).csrf)

    return sign_in


@pytest.fixture
def api(app: APIFlask, core: Core) -> Callable[[str], Api]:
    def with_token(user_id: str, language: str = "en") -> Api:
        token = people.create_token(core, an_actor(core, user_id), "tests", 30)
        return Api(app.test_client(), token, language)

    return with_token
