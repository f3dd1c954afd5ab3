"""A throw-away RabbitMQ for tests: a node of one's own on free loopback ports, gone when the session ends."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_START_S = 60
_TRIES = 5


@dataclass
class RabbitNode:
    """A running broker that can be stopped and started again."""

    home: Path
    port: int
    distribution_port: int
    names_port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start, and wait until the broker has told that it is up."""
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(
            [_program("rabbitmq-server")], env=self._environment(), stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip
        self._await_pid()
        self._control("await_startup", "--timeout", str(_START_S))

    def kill(self) -> None:
        """Kill it and all it started, as a machine that loses its power would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def end_names(self) -> None:
        """End the daemon of Erlang's node names, which the broker started and leaves behind.

        It refuses while it knows a node, which it does for a moment after that one was killed.
        """
        command = ["epmd", "-port", str(self.names_port), "-kill"]
        end = time.monotonic() + _START_S
        while True:
            done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
            if "Killing not allowed" not in done.stdout:
                return
            if time.monotonic() > end:
                pytest.fail(f"the daemon of node names does not end: {done.stdout}")

    def queues(self) -> dict[str, str]:
        """The type of each queue by its name."""
        listed = self._control("list_queues", "--quiet", "--no-table-headers", "name", "type")
        return dict(line.split("\t") for line in listed.splitlines() if "\t" in line)

    def _await_pid(self) -> None:
        """The broker writes its pid file in two steps; its tool gives up where it meets half of it."""
        for _ in range(_TRIES):
            try:
                self._control("wait", "--timeout", str(_START_S), str(self.home / "pid"))
            except pytest.fail.Exception as failure:
                if "garbage_in_pid_file" not in str(failure):
                    raise
            else:
                return
        pytest.fail("the broker never wrote its pid whole")

    def _control(self, *words: str) -> str:
        done = subprocess.run(
            [_program("rabbitmqctl"), *words], env=self._environment(), capture_output=True, text=True,
            check=False, timeout=2 * _START_S, cwd="/",
        )  # fmt: skip
        if done.returncode:
            log = (self.home / "log").read_text(errors="replace")[-2000:]
            pytest.fail(f"rabbitmqctl {' '.join(words)}: {done.stdout}{done.stderr}\n{log}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.home),
            "RABBITMQ_NODENAME": f"cloudctl-test-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_PID_FILE": str(self.home / "pid"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.names_port),
        }


@contextmanager
def a_rabbitmq() -> Iterator[RabbitNode]:
    """Start a node; kill and remove it at the end."""
    home = Path(tempfile.mkdtemp(prefix="cloudctl-rabbit-"))
    (home / "plugins").write_text("[].\n")
    (home / "rabbitmq.conf").write_text("disk_free_limit.absolute = 50MB\n")
    node = RabbitNode(home, _free_port(), _free_port(), _free_port())
    try:
        node.start()
        yield node
    finally:
        node.kill()
        node.end_names()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def rabbitmq_node() -> Iterator[RabbitNode]:
    with a_rabbitmq() as node:
        yield node


@pytest.fixture
def rabbitmq(rabbitmq_node: RabbitNode) -> RabbitNode:
    """A running broker, whatever the test before did to it."""
    if rabbitmq_node.process is None:
        rabbitmq_node.start()
    return rabbitmq_node


def _program(name: str) -> str:
    """The program without Debian's wrapper, which would switch users; a missing one fails, never skips."""
    found = sorted(Path("/usr/lib/rabbitmq").glob(f"lib/rabbitmq_server-*/sbin/{name}"))
    if not found:
        pytest.fail("RabbitMQ is missing: apt-get install -y rabbitmq-server")
    return str(found[-1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
