"""The web server's way in: the portal and REST API over one opened installation."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from cloudctl.bootstrap import App

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Any]


def application(app: "App") -> WsgiApp:
    """The WSGI application of the installation."""
    from web.app import create_app

    return cast(WsgiApp, create_app(app.core, app.clouds, app.stores, app.keyring, app.outside, app.dns))
