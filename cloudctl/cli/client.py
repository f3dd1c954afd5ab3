"""The REST API as the command line calls it: over the socket in the home, or a URL, with a personal token.

A token comes from CLOUDCTL_TOKEN, `--token-file` or CLOUDCTL_HOME/token, never from an argument: arguments
are visible to everyone on the machine.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cloudctl import __version__
from cloudctl.cli.exits import Complaint
from cloudctl.config import home_directory

# httpx's own command line would be loaded with it: rich and click, 0.3 s that no command of ours needs.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402

log = logging.getLogger(__name__)

API = "/api/v1"
_KNOW_NAMES = frozenset({"/departments", "/systems", "/resources"})  # the server finds these by name itself
TIMEOUT_S = 60.0
MAX_PAGE = 500
Json = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """Where the API is: a URL, or a socket."""

    url: str
    socket: str | None = None

    @classmethod
    def at(cls, address: str | None) -> "Server":
        """The server named by option, by CLOUDCTL_SERVER, or the socket in the home."""
        address = address or os.environ.get("CLOUDCTL_SERVER") or str(home_directory() / "cloudctl.sock")
        if address.startswith(("http://", "https://")):
            return cls(address.rstrip("/"))
        return cls("http://cloudctl", address.removeprefix("unix:"))

    def __str__(self) -> str:
        return self.socket or self.url


def token_from(token_file: str | None) -> str | None:
    """The token to sign in with, None when there is none. A Complaint when others may read its file."""
    if token_file is None and (token := os.environ.get("CLOUDCTL_TOKEN")):
        return token.strip()
    path = Path(token_file) if token_file else home_directory() / "token"
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise Complaint("bad_input", f"others may read the token in {path}: run chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        if token_file:
            raise Complaint("not_found", f"the token cannot be read: {path}: {error.strerror}") from error
        return None


class Client:
    """Calls the API. Whatever goes wrong is a Complaint."""

    def __init__(self, server: Server, token: str | None, language: str = "en") -> None:
        self._server = server
        headers = {"Accept": "application/json", "Accept-Language": language}
        headers["User-Agent"] = f"cloudctl/{__version__}"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.HTTPTransport(uds=server.socket) if server.socket else None
        self._http = httpx.Client(
            base_url=server.url, headers=headers, timeout=TIMEOUT_S, transport=transport
        )

    def get(self, path: str, **query: object) -> Json:
        """One object."""
        return self.call("GET", path, query=query)

    def rows(self, path: str, limit: int | None = None, **query: object) -> list[Json]:
        """All rows of a list, or the first `limit`; pages are followed."""
        rows: list[Json] = []
        page_size = min(limit, MAX_PAGE) if limit else None
        for page in self._pages(path, {"limit": page_size, **query}):
            rows += page
            if limit is not None and len(rows) >= limit:
                return rows[:limit]
        return rows

    def post(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Json:
        """Act; what the server answered."""
        return self.call("POST", path, body={} if body is None else body, headers=headers)

    def put(self, path: str, body: object) -> Json:
        return self.call("PUT", path, body=body)

    def delete(self, path: str) -> Json:
        return self.call("DELETE", path)

    def download(self, path: str, **query: object) -> bytes:
        """A file, as it is."""
        answer = self._send("GET", path, query, None, None)
        if not answer.is_success:
            _checked(answer)
        return answer.content

    def find(self, path: str, wanted: str) -> Json:
        """The row of a list with this id or name. A Complaint when there is none, or more than one."""
        rows = self.rows(path)
        found = [row for row in rows if str(row.get("id")) == wanted]
        found = found or [row for row in rows if wanted in (row.get("name"), row.get("title"))]
        if not found:
            raise Complaint("not_found", f"there is no '{wanted}' in {path.strip('/')}")
        if len(found) > 1:
            ids = ", ".join(str(row["id"]) for row in found)
            raise Complaint("conflict", f"'{wanted}' names several: {ids}; give the id")
        return found[0]

    def id_of(self, path: str, wanted: str | None) -> str | None:
        """The id for an id or a name; what is not in the list is left to the server to judge."""
        if wanted is None:
            return None
        try:
            if path in _KNOW_NAMES:
                return str(self.get(f"{path}/{quote(wanted, safe='')}")["id"])
            return str(self.find(path, wanted)["id"])
        except Complaint as complaint:
            if complaint.code in ("not_found", "not_allowed"):
                return wanted
            raise

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """One call. `body` is sent as JSON, bytes as they are."""
        return _checked(self._send(method, path, query, body, headers))

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None,
        body: object,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        params = {key: _param(value) for key, value in (query or {}).items() if value is not None}
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        if body is None:
            content = {}
        try:
            answer = self._http.request(method, API + path, params=params, headers=headers, **content)
        except httpx.TimeoutException as error:
            raise Complaint("server_unavailable", f"{self._server} did not answer in time") from error
        except httpx.HTTPError as error:
            hint = "is `cloudctl serve` running?"
            raise Complaint(
                "server_unavailable", f"no answer from {self._server}: {error}; {hint}"
            ) from error
        log.debug("%s %s %s", method, answer.request.url, answer.status_code)
        return answer

    def _pages(self, path: str, query: dict[str, object]) -> Iterator[list[Json]]:
        marker = None
        while True:
            answer = self.get(path, **query, marker=marker)
            yield answer["items"]
            marker = answer.get("next")
            if marker is None:
                return


def _param(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked(answer: httpx.Response) -> Json:
    """The JSON of a good answer; a Complaint for any other."""
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        body = None
    if answer.is_success and isinstance(body, dict):
        return body
    if not isinstance(body, dict) or "code" not in body:
        words = (
            f"the server answered {answer.status_code} {answer.reason_phrase}, which is no answer of cloudctl"
        )
        raise Complaint("server_unavailable" if answer.status_code >= 500 else "error", words)
    message = str(body.get("detail") or body.get("title"))
    cloud_id = body.get("cloud_request_id")
    if cloud_id and cloud_id not in message:
        message += f" [{cloud_id}]"
    faults = body.get("faults", ())
    codes = tuple(fault["code"] for fault in faults)
    raise Complaint(body["code"], message, tuple(map(_fault, faults)), body.get("request_id"), codes)


def _fault(fault: Mapping[str, Any]) -> str:
    words = f"{fault['place']}: {fault['message']}"
    hint = fault.get("hint")
    return f"{words} ({hint})" if hint and hint not in words else words
