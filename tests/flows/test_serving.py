"""`cloudctl serve`: one command, on loopback and a private socket, small at rest, gone when told."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cloudctl import serving
from cloudctl.cli import exits
from cloudctl.config import FILE_NAME, load
from cloudctl.errors import Misconfigured
from cloudctl.initialise import Wish, initialise

PROGRAM = Path(sys.executable).parent / "cloudctl"
AT_REST_MIB = 200


@pytest.fixture
def installed(home: Path) -> Path:
    initialise(home, Wish())
    return home


def command(home: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "CLOUDCTL_HOME": str(home)}
    return subprocess.run([PROGRAM, *argv], env=environment, capture_output=True, text=True, check=False)


@contextmanager
def a_server(home: Path, *argv: str) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A server that answers, and its URL; killed at the end if it still lives."""
    environment = {**os.environ, "CLOUDCTL_HOME": str(home)}
    process = subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0", *argv],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = re.search(r"http://\S+", process.stdout.readline())
        assert told is not None
        transport = httpx.HTTPTransport(retries=50)  # until it listens
        with httpx.Client(transport=transport, timeout=60) as client:
            assert client.get(f"{told[0]}/api/v1/health/ready").status_code == httpx.codes.OK
        yield process, told[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def family(pid: int) -> list[int]:
    """The process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def memory_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def test_it_serves_on_loopback_and_a_private_socket_and_stops_when_told(installed: Path) -> None:
    with a_server(installed) as (process, url):
        socket = load(installed).socket
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
            assert client.get("http://cloudctl/api/v1/health/live").json()["state"] == "ok"
        assert httpx.get(f"{url}/sign-in").status_code == httpx.codes.OK
        listed = command(installed, "request", "list")
        assert listed.stderr.startswith("not_signed_in: ")
        assert serving.is_running(installed) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert not socket.exists()
    assert serving.is_running(installed) is None
    log = (installed / "log" / "serve.log").read_text()
    assert "serving at" in log
    assert "stopped" in log
    for path in (installed / "log").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_at_rest_it_needs_little_memory(installed: Path) -> None:
    with a_server(installed) as (process, _url):
        pids = family(process.pid)
        assert sum(map(memory_mib, pids)) < AT_REST_MIB


def test_a_second_server_of_the_same_home_is_refused(installed: Path) -> None:
    with a_server(installed):
        ended = command(installed, "serve", "--listen", "127.0.0.1:0")
    assert ended.returncode == exits.CONFLICT
    assert "is served already" in ended.stderr


def test_a_killed_server_leaves_nothing_that_stops_the_next(installed: Path) -> None:
    with a_server(installed) as (process, _url):
        for pid in reversed(family(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
    with a_server(installed):
        pass


def test_it_listens_beyond_loopback_only_where_the_settings_say_so(installed: Path) -> None:
    ended = command(installed, "serve", "--listen", "0.0.0.0:8080")
    assert ended.returncode == exits.FAILED
    assert "listen_host: 0.0.0.0" in ended.stderr
    with (installed / FILE_NAME).open("a") as file:
        file.write("listen_host: 0.0.0.0\n")
    assert serving.place(load(installed)).host == "0.0.0.0"
    assert serving.place(load(installed), "0.0.0.0:9000").port == 9000


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("cloud.example", False)],
)  # fmt: skip
def test_what_is_loopback_is_known(host: str, is_loopback: bool) -> None:
    assert serving.Place(host, 80).is_loopback is is_loopback


@pytest.mark.parametrize("text", ["8080x", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(installed: Path, text: str) -> None:
    with pytest.raises(Misconfigured):
        serving.place(load(installed), text)


def test_a_port_in_use_is_named_before_anything_starts(installed: Path) -> None:
    with a_server(installed) as (_process, url):
        taken = serving.Place("127.0.0.1", int(url.rpartition(":")[2]))
        with pytest.raises(Misconfigured, match="cannot listen there"):
            serving.claim_port(taken)


def test_a_command_loads_no_library_of_the_server(installed: Path) -> None:
    environment = {**os.environ, "CLOUDCTL_HOME": str(installed)}
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", str(PROGRAM), "request", "list"],
        env=environment, capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    assert not re.search(r"\| +(sqlalchemy|flask|celery|openstack|rich)\n", loaded)
