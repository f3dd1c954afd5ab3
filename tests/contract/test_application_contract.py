"""What an application is to whoever writes records through it; the one in memory and one over real HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudctl.errors import ApplicationUnavailable
from cloudctl.ports import Application
from provisioning.drivers.fake_application import FakeApplication
from provisioning.drivers.http_application import HttpApplication

RECORDS = [json.dumps({"seq": seq, "text": "记录"}).encode() for seq in (1, 2)]


class Bench:
    """An application, the URL that answers, and one that does not."""

    def __init__(self, application: Application, url: str, dead: str) -> None:
        self.application = application
        self.url = url
        self.dead = dead


class Table(BaseHTTPRequestHandler):
    """POST /records keeps the body, GET gives all; /moved leads to it, /broken fails."""

    kept: list[str]

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/records":
            self.kept.append(text)
        self._say("")

    def do_GET(self) -> None:
        self._say(f"[{','.join(self.kept)}]")

    def _say(self, text: str) -> None:
        status = {"/records": 200, "/moved": 302}.get(self.path, 500)
        self.send_response(status)
        self.send_header("Location", "/records")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_words: object) -> None:
        """Quiet."""


@pytest.fixture
def table() -> Iterator[str]:
    handler = type("Kept", (Table,), {"kept": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["fake", "http"])
def bench(request: pytest.FixtureRequest, table: str) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeApplication()
        yield Bench(fake, "http://web1/records", "")
        return
    line = HttpApplication()
    yield Bench(line, f"{table}/records", "http://127.0.0.1:1/records")
    line.close()


def test_what_was_acknowledged_is_read_again(bench: Bench) -> None:
    for one in RECORDS:
        bench.application.write(bench.url, one)
    assert json.loads(bench.application.read(bench.url)) == [json.loads(one) for one in RECORDS]


def test_what_does_not_answer_is_unavailable_and_may_be_tried_again(bench: Bench) -> None:
    if isinstance(bench.application, FakeApplication):
        bench.application.is_up = False
    for call in (
        lambda: bench.application.write(bench.dead, RECORDS[0]),
        lambda: bench.application.read(bench.dead),
    ):
        with pytest.raises(ApplicationUnavailable) as caught:
            call()
        assert caught.value.retry


@pytest.mark.parametrize("path", ["moved", "broken"])
def test_an_answer_that_is_no_yes_is_no_acknowledgement(table: str, path: str) -> None:
    """A redirect is none either: what it leads to is not what the plan names."""
    line = HttpApplication()
    for call in (lambda: line.write(f"{table}/{path}", RECORDS[0]), lambda: line.read(f"{table}/{path}")):
        with pytest.raises(ApplicationUnavailable, match=r"HTTP [35]"):
            call()
    assert line.read(f"{table}/records") == "[]"
    line.close()


@pytest.mark.parametrize("url", ["", "no url", "ftp://web1/x", "http://"])
def test_what_is_no_url_is_unavailable(url: str) -> None:
    line = HttpApplication()
    with pytest.raises(ApplicationUnavailable):
        line.write(url, RECORDS[0])
    line.close()
