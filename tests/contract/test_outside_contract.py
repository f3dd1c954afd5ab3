"""What everybody does who asks as people do: the one in memory, and the one over HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudctl.ports.outside import Outside, Question
from provisioning.drivers.fake_outside import FakeOutside
from provisioning.drivers.http_outside import HttpOutside

NAME = "app.gov.test."


class _Application(BaseHTTPRequestHandler):
    """Healthy by its name; moved, broken and slow at other paths."""

    def do_GET(self) -> None:
        is_named = self.headers["Host"] == NAME.rstrip(".")
        status = {"/health": 200 if is_named else 404, "/moved": 302, "/broken": 502}.get(self.path, 404)
        self.send_response(status)
        self.end_headers()
        self.wfile.write("一切正常 all is well".encode())

    def log_message(self, *_words: object) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Application)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["fake", "http"])
def asking(request: pytest.FixtureRequest, port: int) -> tuple[Outside, Question, Question]:
    """Somebody who asks, with a question that is answered well and one that is not."""
    well = Question("http", "127.0.0.1", port, NAME, "/health", contains="一切正常")
    if request.param == "http":
        return HttpOutside(), well, Question("http", "127.0.0.1", port, NAME, "/broken")
    fake = FakeOutside()
    fake.failing["127.0.0.2"] = "HTTP 502"
    return fake, well, Question("http", "127.0.0.2", port, NAME)


def test_what_answers_is_well(asking: tuple[Outside, Question, Question]) -> None:
    outside, well, _ = asking
    seen = outside.ask(well, 3.0)
    assert (seen.is_well, seen.detail) == (True, "")
    assert seen.took_s < 3.0


def test_what_does_not_says_why_and_never_raises(asking: tuple[Outside, Question, Question]) -> None:
    outside, _, broken = asking
    seen = outside.ask(broken, 3.0)
    assert (seen.is_well, seen.detail) == (False, "HTTP 502")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"path": "/moved"}, "HTTP 302"),
        ({"host": "other.gov.test."}, "HTTP 404"),
        ({"contains": "ready"}, "the text is not in it"),
        ({"kind": "https"}, "SSL"),
        ({"kind": "tcp"}, ""),
        ({"kind": "tcp", "port": 1}, "refused"),
        ({"port": 1}, "refused"),
    ],
)
def test_over_http_whatever_is_wrong_is_seen(port: int, changes: dict[str, object], detail: str) -> None:
    asked = {"kind": "http", "address": "127.0.0.1", "port": port, "host": NAME, "path": "/health", **changes}
    seen = HttpOutside().ask(Question(**asked), 3.0)  # type: ignore[arg-type]
    assert detail in seen.detail
    assert seen.is_well is not bool(detail)
