"""The web application: pages for people, REST API v1 for programs."""

from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Any

from apiflask import APIFlask
from flask.json.provider import DefaultJSONProvider
from werkzeug.routing import IntegerConverter, Map

from cloudctl import __version__
from cloudctl.core import Core
from cloudctl.ports import ConnectableClouds, Dns, Stores
from dr.keyring import Keyring
from dr.plans.facts import Outside
from web import auth, errors, headers, openapi, template_words
from web.api import BLUEPRINTS as API
from web.api.shapes import MOST_NUMBER
from web.pages import BLUEPRINTS as PAGES
from web.visitor import EXTENSION, Parts

BODY_LIMIT = 1024 * 1024


class Json(DefaultJSONProvider):
    """Chinese as it is written, times in ISO 8601 with their zone, keys in the order given."""

    ensure_ascii = False
    sort_keys = False
    compact = True

    @staticmethod
    def default(o: Any) -> Any:
        if isinstance(o, datetime | date):
            return o.isoformat()
        if isinstance(o, Enum):
            return o.value
        return DefaultJSONProvider.default(o)


class Number(IntegerConverter):
    """An id in an address. One that no database could hold is the id of nothing."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=MOST_NUMBER)


class Application(APIFlask):
    json_provider_class = Json


def create_app(
    core: Core,
    clouds: ConnectableClouds,
    stores: Stores | None = None,
    keyring: Callable[[], Keyring] | None = None,
    outside: Callable[[], Outside] | None = None,
    dns: Callable[[], Dns] | None = None,
) -> APIFlask:
    """The WSGI application of one installation. It decides nothing: every view asks one use case."""
    app = Application(
        "web", title="cloudctl", version=__version__, spec_path="/api/v1/openapi.json",
        docs_path=None, json_errors=False,
    )  # fmt: skip
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        OPENAPI_VERSION="3.1.0",
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_SERVERS=False,
        AUTO_OPERATION_ID=True,
        VALIDATION_ERROR_STATUS_CODE=422,
    )
    app.url_map.converters["int"] = Number
    app.extensions[EXTENSION] = Parts(core, clouds, stores, keyring, outside, dns)
    headers.register(app)
    auth.register(app)
    errors.register(app)
    openapi.register(app)
    template_words.register(app)
    for blueprint in (*API, *PAGES):
        app.register_blueprint(blueprint)
    return app
