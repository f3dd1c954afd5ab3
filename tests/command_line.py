"""The command line against the real application, served in this process: how tests run `cloudctl`."""

import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import structlog
from werkzeug.serving import WSGIRequestHandler, make_server

from cloudctl import logs
from cloudctl.cli.main import main
from cloudctl.core import Core
from cloudctl.ports import Clouds, ConnectableClouds, Dns, Stores
from dr.keyring import Keyring
from dr.plans.facts import Outside
from tenants import people
from tests.builders import an_actor
from web.app import create_app


class Quiet(WSGIRequestHandler):
    """Writes no line for each request: stderr belongs to the command under test."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Runs commands as somebody; the environment is the test's own."""

    core: Core
    url: str
    monkeypatch: pytest.MonkeyPatch
    _tokens: dict[str, str] = field(default_factory=dict)

    def token_of(self, user: str) -> str:
        if user not in self._tokens:
            self._tokens[user] = str(people.create_token(self.core, an_actor(self.core, user), "test", 1))
        return self._tokens[user]

    def __call__(self, *argv: str, user: str | None = None, stdin: str = "") -> Ended:
        """Run `cloudctl argv...` as the person; nobody's token is taken without one."""
        with self.monkeypatch.context() as patch:
            patch.setenv("CLOUDCTL_HOME", str(self.core.settings.home))
            patch.setenv("CLOUDCTL_SERVER", self.url)
            patch.setenv("LC_ALL", "C.UTF-8")
            patch.delenv("CLOUDCTL_TOKEN", raising=False)
            if user is not None:
                patch.setenv("CLOUDCTL_TOKEN", self.token_of(user))
            return run(patch, *argv, stdin=stdin)

    def rows(self, *argv: str, user: str) -> Any:
        """The JSON of a command that must succeed."""
        ended = self(*argv, "-f", "json", user=user)
        assert ended.code == 0, ended.err
        return ended.json


def run(patch: pytest.MonkeyPatch, *argv: str, stdin: str = "") -> Ended:
    """Run a command in this process, with streams of its own."""
    out, err = io.StringIO(), io.StringIO()
    for name, stream in (("stdout", out), ("stderr", err), ("stdin", io.StringIO(stdin))):
        patch.setattr(sys, name, stream)
    patch.setenv("COLUMNS", "200")
    code = main(list(argv))
    os.environ.pop("CLIFF_FIT_WIDTH", None)
    return Ended(code, out.getvalue(), err.getvalue())


@contextmanager
def a_server(
    core: Core,
    clouds: Clouds,
    keyring: Callable[[], Keyring] | None = None,
    outside: Callable[[], Outside] | None = None,
    dns: Callable[[], Dns] | None = None,
    stores: Stores | None = None,
) -> Iterator[str]:
    """The application on a free loopback port; its URL."""
    before = structlog.get_config()
    logs.configure("error", core.settings.home / "log" / "serve.log")
    known = cast("ConnectableClouds", clouds)
    app = create_app(core, known, stores, keyring=keyring, outside=outside, dns=dns)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        structlog.configure(**before)
