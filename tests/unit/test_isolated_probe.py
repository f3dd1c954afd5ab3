"""The probe: what it asks over real sockets of this machine, and how its words are told from others."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dr.isolated import probe, probe_script
from dr.isolated.checks import Check
from dr.isolated.probe import Errand, Question, Target

NETWORK = probe_script.Network()
HERE = Target("vm1", "web", "127.0.0.1")


@contextmanager
def saying(answer: bytes) -> Iterator[int]:
    """A port that says this to whoever has said something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(1000)
                line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"notes": 3}'
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Quiet."""


@pytest.fixture
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def ask(kind: str, port: int, **words: Any) -> tuple[bool, str]:
    return probe_script.ask(NETWORK, {"kind": kind, "address": "127.0.0.1", "port": port, **words})


def test_a_page_passes_by_status_and_text(web: int) -> None:
    assert ask("http", web, path="/health", status=200, contains='"notes"') == (True, '200 {"notes": 3}')
    assert not ask("http", web, path="/health", status=200, contains="payments")[0]
    assert not ask("http", web, path="/nothing", status=200)[0]
    assert ask("http", web, path="/nothing", status=404)[0]


def test_a_port_that_refuses_does_not_pass_and_shows_that_somebody_is_there() -> None:
    port = closed_port()
    assert ask("tcp", port) == (False, "refused")
    passed, saw = ask("http", port, path="/", status=200)
    assert not passed
    assert saw.startswith("ConnectionRefusedError")
    assert NETWORK.connect("127.0.0.1", port) == "refused"


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (b"R\0\0\0\x08\0\0\0\x05", True),
        (b"E\0\0\0\x40SFATAL\0C28000\0Mno entry for host\0\0", True),
        (b"E\0\0\0\x40SFATAL\0C57P03\0Mthe database system is starting up\0\0", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"", False),
    ],
)
def test_a_database_answers_when_it_asks_who_is_there_or_says_no(answer: bytes, passes: bool) -> None:
    with saying(answer) as port:
        assert ask("postgresql", port)[0] is passes


def test_an_answer_to_somebody_else_is_not_taken_for_one_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found on the lab: a gateway that nobody has seemed to answer, and a drill ended with an alarm."""
    real = socket.socket

    class Late(real):  # type: ignore[misc,valid-type]
        """Another question is answered before this socket is connected; its own is lost on the way."""

        def connect(self, address: Any) -> None:
            with monkeypatch.context() as plain:
                plain.setattr(socket, "socket", real)
                assert NETWORK.ping("127.0.0.1")
            super().connect(address)

        def send(self, data: Any, *_flags: int) -> int:
            return len(data)

    monkeypatch.setattr(probe_script, "WAIT_S", 0.3)
    monkeypatch.setattr(socket, "socket", Late)
    with pytest.raises(TimeoutError):
        NETWORK.ping("127.0.0.9")
    monkeypatch.setattr(socket, "socket", real)
    assert NETWORK.ping("127.0.0.9")


class Deaf(probe_script.Network):
    """Nobody answers."""

    def ping(self, address: str) -> bool:
        raise PermissionError("no raw sockets here")

    def connect(self, address: str, port: int) -> str:
        raise TimeoutError("timed out")


def test_nobody_is_there_where_nothing_answers_and_addresses_may_have_ports() -> None:
    assert probe_script.presence(Deaf(), "10.0.0.9", (80,)) == ""
    assert probe_script.split("10.0.0.9") == ("10.0.0.9", probe_script.COMMON_PORTS)
    assert probe_script.split("10.0.0.9:5000") == ("10.0.0.9", (5000,))
    assert probe_script.split("[fd00::9]:5000") == ("fd00::9", (5000,))
    assert probe_script.split("fd00::9")[0] == "fd00::9"


def test_whoever_answered_once_and_must_not_stays_in_every_later_line() -> None:
    class Leaking(Deaf):
        rounds = 0

        def connect(self, address: str, port: int) -> str:
            self.rounds += 1
            if self.rounds == 1:
                return "refused"
            raise TimeoutError("timed out")

    said: list[str] = []
    task = {
        "nonce": "n",
        "rounds": 3,
        "pause_s": 0,
        "servers": [],
        "checks": [],
        "forbidden": ["10.0.0.1:80"],
    }
    probe_script.main(task, Leaking(), said.append, lambda _seconds: None)
    reports = [probe.read(line, "n") for line in said]
    assert [dict(one.answered) for one in reports if one] == [{"10.0.0.1:80": "port 80 refused"}] * 3


def errand(port: int) -> Errand:
    check = Check("http", port, "", "/health", 200, '"notes"')
    return Errand((HERE,), (Question(check, HERE),), ("192.0.2.1:9",))


def test_the_user_data_is_a_script_that_needs_nothing_but_python(web: int, tmp_path: Path) -> None:
    """Run as a server would run it, alone; it goes to the console where there is one, so that is left out."""
    text = probe.user_data(errand(web), "a-nonce")
    assert text.startswith("#!/usr/bin/python3\n")
    assert len(text) < 40_000
    assert "import cloudctl" not in text
    script = tmp_path / "script"
    text = text.replace('"/dev/console"', '"/nowhere/console"').replace("WAIT_S = 2.0", "WAIT_S = 0.2")
    script.write_text(text.replace(str(probe.ROUNDS), "1").replace(str(probe.PAUSE_S), "0.0"))
    done = subprocess.run(
        [sys.executable, "-IS", str(script)], capture_output=True, text=True, check=True, timeout=30
    )
    report = probe.read(done.stdout, "a-nonce")
    assert report is not None
    assert report.servers["vm1"]
    assert report.checks == {f"http://vm1:{web}/health@127.0.0.1": (True, '200 {"notes": 3}')}


def line(nonce: str, number: int) -> str:
    found = {"servers": {"vm1": "echo"}, "checks": {}, "answered": {}, "round": number}
    return probe_script.line_of(nonce, found)


def test_only_lines_bound_to_the_nonce_are_read_and_of_these_the_newest() -> None:
    forged = line("other", 9)
    changed = line("n", 3).replace('"echo"', '""')
    console = "\r\n".join(["boot", line("n", 1), f"[  1.0] kernel {line('n', 2)}", forged, changed, "login:"])
    report = probe.read(console, "n")
    assert report is not None
    assert (report.round, report.servers) == (2, {"vm1": "echo"})
    assert probe.read("nothing of it", "n") is None


def test_checks_are_put_to_the_servers_they_name_and_those_of_none_are_lost() -> None:
    other = Target("vm2", "db", "10.0.0.8")
    everywhere, labelled, nowhere = Check("tcp", 22), Check("tcp", 80, "web"), Check("tcp", 80, "mail")
    asked, lost = probe.questions([everywhere, labelled, nowhere], [HERE, other])
    assert [(one.check, one.target.name) for one in asked] == [
        (everywhere, "vm1"), (everywhere, "vm2"), (labelled, "vm1"),
    ]  # fmt: skip
    assert lost == [nowhere]
    assert json.dumps([one.id for one in asked])
