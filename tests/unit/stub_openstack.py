"""A stand-in for OpenStack's HTTP front: answers what a test tells it, and remembers what it was asked.

For what a healthy lab never does: old releases, broken lines, half answers.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from cloudctl.config import Settings
from provisioning.drivers.openstack_cloud import OpenStackClouds

OWN_PROJECT = "a" * 32
USER = "u" * 32


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: dict[str, str]


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False  # take the request, then break the line


Says = Answer | Callable[[Asked], Answer]


@dataclass
class StubOpenStack:
    """Routes are (method, path); the first matching rule of a test wins over the defaults."""

    url: str = ""
    nova: str = "2.90"
    cinder: str = "3.70"
    roles: tuple[str, ...] = ("admin", "member")
    says: dict[tuple[str, str], list[Says]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    may_rescope: bool = True

    def answer(self, method: str, path: str, *answers: Says) -> None:
        """What to say there, one after another; the last one for good."""
        self.says[method, path] = list(answers)

    def calls(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if (one.method, one.path) == (method, path)]

    def handle(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        told = self.says.get((asked.method, asked.path))
        if told:
            says = told.pop(0) if len(told) > 1 else told[0]
            return says(asked) if callable(says) else says
        return self._default(asked)

    def _default(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) == ("POST", "/identity/v3/auth/tokens"):
            return self._token(asked)
        documents = {
            "/identity/v3": ("v3.14", None, "identity/v3"),
            "/compute/v2.1": ("v2.1", self.nova, "compute/v2.1"),
            "/volume/v3": ("v3.0", self.cinder, "volume/v3"),
        }
        path = asked.path.rstrip("/")
        if path in documents:
            version, newest, where = documents[path]
            return Answer(body={"version": self._version(version, newest, where)})
        if path == "/network":
            return Answer(body={"versions": [self._version("v2.0", None, "network/v2.0")]})
        if path == "/image":
            return Answer(300, {"versions": [self._version("v2.9", None, "image/v2")]})
        return Answer(404, {"error": {"message": "no such thing"}}, {"x-openstack-request-id": "req-404"})

    def _version(self, name: str, newest: str | None, where: str) -> dict[str, Any]:
        document: dict[str, Any] = {
            "id": name,
            "status": "CURRENT",
            "links": [{"rel": "self", "href": f"{self.url}/{where}/"}],
        }
        if newest:
            document |= {"version": newest, "max_version": newest, "min_version": name.lstrip("v")}
        return document

    def _token(self, asked: Asked) -> Answer:
        auth = asked.body["auth"]
        methods = auth["identity"]["methods"]
        project = auth.get("scope", {}).get("project", {}).get("id", OWN_PROJECT)
        if methods == ["token"] and not self.may_rescope:
            return Answer(403, {"error": {"message": "rescope a scoped token"}})
        names = (("identity", "identity/v3"), ("compute", "compute/v2.1"), ("network", "network"))
        services = [*names, ("image", "image"), ("block-storage", f"volume/v3/{project}")]
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "id": kind,
                        "interface": "public",
                        "region": "R",
                        "region_id": "R",
                        "url": f"{self.url}/{path}",
                    }
                ],
            }
            for kind, path in services
        ]
        if "nocatalog" in asked.query:
            catalog = []
        token = {
            "methods": methods,
            "user": {"id": USER, "name": "cloudctl", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": project, "name": "p", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": name, "name": name} for name in self.roles],
            "catalog": catalog,
            "issued_at": "2026-11-21T08:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
        }
        return Answer(201, {"token": token}, {"X-Subject-Token": f"{'-'.join(methods)}:{project}"})


def _handler(stub: StubOpenStack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            where = urlsplit(self.path)
            asked = Asked(
                self.command,
                where.path,
                parse_qs(where.query, keep_blank_values=True),
                json.loads(raw) if raw else None,
                {key.lower(): value for key, value in self.headers.items()},
            )
            answer = stub.handle(asked)
            if answer.is_cut:
                self.close_connection = True
                self.connection.close()
                return
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            content = b"" if answer.body is None else text.encode()
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _any

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    return Handler


@contextmanager
def running(
    stub: StubOpenStack | None = None, context: ssl.SSLContext | None = None
) -> Iterator[StubOpenStack]:
    """The stub on a port of its own; with a context it speaks TLS."""
    stub = stub or StubOpenStack()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub))
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    stub.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_clouds_yaml(path: Path, url: str, **changes: Any) -> Path:
    """A clouds.yaml with one entry `stub`; `changes` are keys of the entry."""
    auth = {
        "auth_url": f"{url}/identity/v3",
        "username": "cloudctl",
        "password": "secret",
        "project_id": OWN_PROJECT,
        "user_domain_name": "Default",
    }
    entry = {"region_name": "R", "auth": auth, **changes}
    path.write_text(yaml.safe_dump({"clouds": {"stub": entry}}))
    return path


def clouds_of(path: Path, slots: int = 8) -> OpenStackClouds:
    """The driver on that file, with the entry `stub` as the province."""
    settings = Settings(home=path.parent, installation="here", clouds_yaml=str(path), cloud_timeout_s=2.0)
    return OpenStackClouds(settings, sites={"province": "stub"}, slots=slots)
