"""`cloudctl serve`: portal, REST API and an embedded worker, on loopback and on a socket in the home.

One process serves with threads; its master only watches it. What needs memory is loaded in the one that
serves. The socket is for the command line of the same account: mode 0600.
"""

import ipaddress
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from cloudctl import logs
from cloudctl.config import Settings, load
from cloudctl.errors import Fault, Misconfigured

log = logging.getLogger(__name__)

STOP_S = 25
REQUEST_S = 120  # a request that takes longer is broken


@dataclass(frozen=True)
class Place:
    """Where to listen on TCP; port 0 asks for any free one."""

    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def place(settings: Settings, listen: str | None = None) -> Place:
    """Where to listen. Misconfigured when asked to listen beyond loopback without cloudctl.yaml saying so."""
    if listen is None:
        return Place(settings.listen_host, settings.listen_port)
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or settings.listen_host
    if not port.isdigit() or int(port) > 65535:
        fault = Fault("--listen", "bad_address", "'{value}' is not HOST:PORT", {"value": listen})
        raise Misconfigured("the address to listen on cannot be read", faults=[fault])
    wanted = Place(host, int(port))
    if not wanted.is_loopback and host != settings.listen_host:
        fault = Fault(
            "--listen", "not_loopback", "{host} can be reached from outside", {"host": host},
            "set listen_host: {host} in cloudctl.yaml, and a proxy with TLS in front",
        )  # fmt: skip
        raise Misconfigured("refused to listen beyond this machine", faults=[fault])
    return wanted


def claim_port(wanted: Place) -> Place:
    """The place with its port known. Misconfigured when somebody listens there already."""
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((wanted.host, wanted.port))
        except OSError as error:
            fault = Fault(wanted.url, "address_in_use", "{error}", {"error": str(error)})
            raise Misconfigured("cannot listen there", faults=[fault]) from error
        return Place(wanted.host, probe.getsockname()[1])


def serve(home: Path, at: Place, with_worker: bool = True) -> None:
    """Serve until SIGTERM or SIGINT. Does not return: the process ends with the server."""
    Server(home, load(home), at, with_worker).run()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, embedded: its settings, and what happens in the process that serves."""

    def __init__(self, home: Path, settings: Settings, at: Place, with_worker: bool) -> None:
        self._home = home
        self._settings = settings
        self._at = at
        self._with_worker = with_worker
        self._app: Any = None
        self._worker: Any = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": [_bind(self._at), f"unix:{self._settings.socket}"],
            "workers": 1,
            "threads": self._settings.web_threads,
            "worker_class": "gthread",
            "timeout": REQUEST_S,
            "graceful_timeout": STOP_S,
            "umask": 0o077,  # of the socket and of every file made later
            "pidfile": str(self._home / "serve.pid"),
            "proc_name": "cloudctl serve",
            "control_socket_disable": True,
            "logger_class": "cloudctl.serving.Log",
            "when_ready": lambda _arbiter: self._settings.socket.chmod(0o600),
            "post_worker_init": lambda _process: self._start_worker(),
            "worker_exit": lambda _arbiter, _process: self._stop_worker(),
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In the serving process: open the installation, answer with its WSGI application."""
        from cloudctl.bootstrap import open_app
        from cloudctl.worker import QueueBell, Worker, open_queue
        from cloudctl.wsgi import application

        settings = self._settings
        logs.configure(settings.log_level, self._home / "log" / "serve.log")
        is_heard = self._with_worker or settings.broker
        queue = open_queue(settings)
        self._app = open_app(self._home, QueueBell(queue) if is_heard else None)
        if self._with_worker:
            look, begin_due = self._app.look_around, self._app.begin_due_points
            sentinels, share = self._app.write_sentinels, self._app.share
            self._worker = Worker(
                self._app, queue, look=look, begin_due=begin_due, write_sentinels=sentinels, share=share,
                beat=self._app.beat_replicas,
            )  # fmt: skip
        return application(self._app)

    def _start_worker(self) -> None:
        if self._worker is not None:
            self._worker.start()
        log.info("serving at %s and %s", self._at.url, self._settings.socket)

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop(STOP_S - 5)
        if self._app is not None:
            self._app.close()
        log.info("stopped")


class Log:
    """gunicorn's logger, in front of the standard one: its lines become ours."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self._log = logging.getLogger("gunicorn")

    def __getattr__(self, level: str) -> Any:
        return getattr(self._log, level)

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg

    def access(self, *_of_request: Any) -> None:
        """The web application logs its own requests, with their ids."""

    def reopen_files(self) -> None:
        """Files are rotated by the handler."""

    def close_on_exec(self) -> None:
        """Python's files are closed on exec anyway."""


def _bind(at: Place) -> str:
    return f"[{at.host}]:{at.port}" if ":" in at.host else f"{at.host}:{at.port}"


def is_running(home: Path) -> int | None:
    """The process id of the server of this home, None when there is none."""
    try:
        pid = int((home / "serve.pid").read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid
