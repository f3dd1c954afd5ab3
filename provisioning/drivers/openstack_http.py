"""The line to one site: one keystoneauth session, service addresses looked up once, JSON in and out.

Speed matters here (a build is mostly calls): no SDK resource objects, no discovery per call, no refresh
after a create. Nothing is repeated in secret: keystoneauth reports a broken answer like a refused
connection, and repeating a POST then could make a thing twice. Reads, and what can be said twice
(PUT, DELETE), are tried once more.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import requests
from keystoneauth1 import discover
from keystoneauth1 import exceptions as ka
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack.config.cloud_region import CloudRegion

from cloudctl.errors import CloudctlError, CloudUnavailable, Misconfigured
from provisioning.drivers.limited import LimitedAdapter, Slots
from provisioning.drivers.openstack_errors import UNAVAILABLE, error_of, translated

Json = dict[str, Any]
Params = Mapping[str, str | int | list[str]]

_VERSIONS: Final[Mapping[str, str]] = {
    "identity": "3", "compute": "2", "block-storage": "3", "network": "2", "image": "2",
    "placement": "1",
}  # fmt: skip
# The newest microversion that this driver was written against; older clouds get the newest they know.
# Nova 2.52: tags at create; 2.47: the flavor by name; 2.69: servers of a cell that is down are listed.
# Cinder 3.5: messages of one volume.
_PINNED: Final[Mapping[str, tuple[int, int]]] = {"compute": (2, 79), "block-storage": (3, 70)}
_PAGE = 1000
_MAX_PAGES = 1000


@dataclass(frozen=True)
class Service:
    """Where a service answers, and which microversion both sides know."""

    url: str  # {project} stands for the id of the project where the catalogue has one in it
    microversion: tuple[int, int] | None = None

    def knows(self, major: int, minor: int) -> bool:
        return self.microversion is not None and self.microversion >= (major, minor)


class Line:
    """The session of a site and what was found out about its services; shared by all threads."""

    def __init__(self, site: str, region: CloudRegion, slots: Slots, timeout_s: float) -> None:
        self.site = site
        self.region = region
        auth = region.get_auth()
        if not isinstance(auth, BaseIdentityPlugin):
            raise Misconfigured("{site}: the entry of clouds.yaml does not sign in to a Keystone", site=site)
        self.auth = auth
        verify, cert = region.get_requests_verify_args()
        pool = requests.Session()
        for scheme in ("http://", "https://"):
            pool.mount(scheme, LimitedAdapter(slots))
        self.session = Session(
            auth=self.auth, session=pool, verify=verify, cert=cert, timeout=timeout_s,
            user_agent="cloudctl", split_loggers=False,
        )  # fmt: skip
        self._pool = pool
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()

    def service(self, name: str) -> Service:
        """The service as the cloud offers it. Misconfigured when the catalogue has none."""
        found = self._services.get(name)
        if found is None:
            with self._lock:
                found = self._services.get(name) or self._discover(name)
                self._services[name] = found
        return found

    def _discover(self, name: str) -> Service:
        """Ask with cloudctl's own token: those for projects come without a catalogue."""
        version = _VERSIONS[name]
        with translated(self.site, name, "say which versions it has"):
            project_id = self.auth.get_project_id(self.session)
            data = self.auth.get_endpoint_data(
                self.session,
                endpoint_override=self.region.get_endpoint(name),
                service_type=name,
                interface=_first(self.region.get_interface(name)) or "public",
                region_name=self.region.get_region_name(name),
                min_version=version,
                max_version=f"{version}.latest",
            )
        if data is None or not data.url:
            raise Misconfigured(
                "{site}: the catalogue of the cloud has no {service} in region {region}",
                site=self.site, service=name, region=str(self.region.get_region_name(name)),
            )  # fmt: skip
        pinned, newest = _PINNED.get(name), data.max_microversion
        if newest is None if pinned else data.api_version is None:
            # keystoneauth goes on with whatever the catalogue says, and we would remember it for good
            raise CloudUnavailable(
                UNAVAILABLE, site=self.site, service=name, what="say which versions it has",
                reason=f"there is no version document at {data.url}",
            )  # fmt: skip
        url = str(data.url).rstrip("/")
        if project_id and project_id in url:
            url = url.replace(project_id, "{project}")
        usable = min(pinned, cast("tuple[int, int]", tuple(newest))) if pinned and newest else None
        return Service(url, usable)

    def forget_services(self) -> None:
        """Look the services up again at the next call (a cloud was upgraded or moved)."""
        self._services.clear()

    def close(self) -> None:
        self._pool.close()


class Caller:
    """Calls the services of a site with one token: cloudctl's own, or one for a project."""

    def __init__(self, line: Line, auth: BaseIdentityPlugin | None = None, project: str = "") -> None:
        self.line = line
        self.auth = auth or line.auth
        self._project = project or None

    @property
    def site(self) -> str:
        return self.line.site

    @property
    def project_id(self) -> str | None:
        """The project that the token is for, if any."""
        if self._project is None:
            with translated(self.site, "identity", "give a token"):
                self._project = self.auth.get_project_id(self.line.session)
        return self._project

    def service(self, name: str) -> Service:
        """The service, as discovered once for the site."""
        return self.line.service(name)

    def get(self, service: str, path: str, what: str, params: Params | None = None) -> Json:
        return self.call(service, "GET", path, what, params=params)

    def post(self, service: str, path: str, what: str, body: object) -> Json:
        return self.call(service, "POST", path, what, body=body)

    def put(self, service: str, path: str, what: str, body: object = None) -> Json:
        return self.call(service, "PUT", path, what, body=body)

    def delete(self, service: str, path: str, what: str) -> None:
        self.call(service, "DELETE", path, what)

    def call(
        self, service: str, method: str, path: str, what: str,
        *, params: Params | None = None, body: object = None,
    ) -> Json:  # fmt: skip
        """One call; the JSON of the answer, empty when it has none. Raises our errors with the request id."""
        response = self.respond(service, method, path, what, params=params, body=body)
        if response.status_code >= 400:
            raise self.error(response, service, what)
        if not response.content:
            return {}
        try:
            return cast("Json", response.json())
        except ValueError as error:
            raise CloudUnavailable(
                UNAVAILABLE, site=self.site, service=service, what=what, reason="the answer is no JSON"
            ) from error

    def error(self, response: requests.Response, service: str, what: str) -> CloudctlError:
        """The error that an answer stands for."""
        about = (self.site, service, what)
        return error_of(response.status_code, response.text, response.headers, about, response.reason or "")

    def respond(
        self, service: str, method: str, path: str, what: str,
        *, params: Params | None = None, body: object = None,
    ) -> requests.Response:  # fmt: skip
        """One call; whatever the service answered."""
        found = self.service(service)
        url = path if "://" in path else found.url.replace("{project}", self.project_id or "") + path
        headers: dict[str, str] = {"Accept": "application/json"}
        if found.microversion:
            headers["OpenStack-API-Version"] = _version_header(service, found.microversion)
        with translated(self.site, service, what):
            try:
                return self._send(method, url, headers, params, body)
            except ka.ConnectFailure:
                if method == "POST":
                    raise
            return self._send(method, url, headers, params, body)

    def _send(
        self, method: str, url: str, headers: dict[str, str], params: Params | None, body: object
    ) -> requests.Response:
        return self.line.session.request(
            url, method, auth=self.auth, headers=headers, params=dict(params or {}), json=body,
            raise_exc=False, redirect=method == "GET",
        )  # fmt: skip

    def pages(self, service: str, path: str, key: str, what: str, params: Params | None = None) -> list[Json]:
        """All rows of a listing, page by page, by the links that the services give."""
        rows: list[Json] = []
        limit = {} if service == "identity" else {"limit": _PAGE}  # older Keystones refuse the word
        answer = self.get(service, path, what, params={**limit, **(params or {})})
        for _ in range(_MAX_PAGES):
            rows += answer[key]
            link = _next_link(answer, key)
            if link is None:
                break
            query = "?" + link.partition("?")[2]  # behind a proxy the host of the link may be a private one
            answer = self.get(service, path + query, what)
        return rows


def _next_link(answer: Json, key: str) -> str | None:
    links = answer.get(f"{key}_links")
    if isinstance(links, list):
        return next((str(link["href"]) for link in links if link.get("rel") == "next"), None)
    more = answer.get("next") or (answer.get("links") or {}).get("next")  # Glance, Keystone
    return str(more) if more else None


def _first(choice: str | list[str] | None) -> str | None:
    return choice[0] if isinstance(choice, list) and choice else cast("str | None", choice or None)


def _version_header(service: str, version: tuple[int, int]) -> str:
    kind = "volume" if service == "block-storage" else service
    return f"{kind} {discover.version_to_string(version)}"
