"""How the application of a system is asked whether it answers: checks, data of a policy's member. Pure.

A check holds no secret: it goes into the user data of a server. It asks from beside the servers, under the
addresses they had, so what it demands is what a user of the system would see.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.errors import Fault

TCP, HTTP, HTTPS, POSTGRESQL = "tcp", "http", "https", "postgresql"
KINDS = (TCP, HTTP, HTTPS, POSTGRESQL)
SENTINELS, SENTINELS_TLS = "sentinels", "sentinels+https"  # asked by drills; no document has them
PORT_OF = {HTTP: 80, HTTPS: 443, POSTGRESQL: 5432, SENTINELS: 80, SENTINELS_TLS: 443}
MOST_CHECKS, MOST_TEXT = 20, 500
_KEYS = ("kind", "server", "port", "path", "status", "contains")
_WEB = (HTTP, HTTPS)


@dataclass(frozen=True)
class Check:
    """One question to one server of the system, or to each of them where none is named.

    tcp: the port takes a connection. http, https: a GET of the path is answered with the status, and what
    comes has the text in it; a certificate is not checked, since the name is not known inside. postgresql:
    it answers a greeting, and is not starting, stopping or recovering. sentinels, sentinels+https: a GET of
    the path is answered, and what is seen says which sentinels came back (`dr.sentinels.found`).
    """

    kind: str
    port: int
    server: str = ""  # its name or label; empty: every server
    path: str = ""
    status: int = 0
    contains: str = ""

    def as_json(self) -> dict[str, Any]:
        """As it is kept and shown: only what is said."""
        told = {key: getattr(self, key) for key in _KEYS}
        return {key: value for key, value in told.items() if value}

    @property
    def name(self) -> str:
        """What people read: `http://vm1:80/health`, `tcp://*:22`."""
        return f"{self.kind}://{self.server or '*'}:{self.port}{self.path}"


def read(given: object, place: str) -> tuple[tuple[Check, ...], list[Fault]]:
    """The checks of a document, and everything that is wrong with them."""
    if not isinstance(given, list | tuple) or len(given) > MOST_CHECKS:
        template = "must be a list of at most {most} checks"
        return (), [Fault(place, "bad_shape", template, {"most": MOST_CHECKS})]
    checks: list[Check] = []
    faults: list[Fault] = []
    for index, one in enumerate(given):
        where = f"{place}[{index}]"
        if not isinstance(one, Mapping):
            faults.append(Fault(where, "bad_shape", "must name a kind and a port"))
            continue
        wrong = list(_faults_of(one, where))
        faults += wrong
        if not wrong:
            checks.append(_check(one))
            if checks[-1] in checks[:-1]:
                faults.append(Fault(where, "twice", "is named twice"))
    return tuple(checks), faults


def from_json(rows: Iterable[Mapping[str, Any]]) -> tuple[Check, ...]:
    """The checks as a member keeps them."""
    return tuple(_check(row) for row in rows)


def _check(row: Mapping[str, Any]) -> Check:
    kind = str(row["kind"])
    is_web = kind in _WEB
    return Check(
        kind,
        int(row.get("port") or PORT_OF[kind]),
        str(row.get("server") or ""),
        str(row.get("path") or "/") if is_web or kind in (SENTINELS, SENTINELS_TLS) else "",
        int(row.get("status") or 200) if is_web else 0,
        str(row.get("contains") or "") if is_web else "",
    )


def _faults_of(row: Mapping[str, Any], place: str) -> Iterable[Fault]:
    kind = row.get("kind")
    for key in row:
        if key not in _KEYS:
            yield Fault(f"{place}.{key}", "unknown_key", "is no field of a check")
        elif key in {"path", "status", "contains"} and kind not in _WEB:
            yield Fault(f"{place}.{key}", "contradiction", "only http and https have one")
    if kind not in KINDS:
        params = {"given": str(kind)[:60], "choices": ", ".join(KINDS)}
        yield Fault(f"{place}.kind", "unknown_word", "'{given}' is none of: {choices}", params)
    elif row.get("port") is None and kind not in PORT_OF:
        yield Fault(f"{place}.port", "missing", "is missing")
    yield from _bad_numbers(row, place)
    yield from _bad_texts(row, place)


def _bad_numbers(row: Mapping[str, Any], place: str) -> Iterable[Fault]:
    for key, least, most in (("port", 1, 65535), ("status", 100, 599)):
        value = row.get(key)
        if value is not None and (type(value) is not int or not least <= value <= most):
            params = {"least": least, "most": most}
            template = "must be a number from {least} to {most}"
            yield Fault(f"{place}.{key}", "out_of_range", template, params)


def _bad_texts(row: Mapping[str, Any], place: str) -> Iterable[Fault]:
    for key in ("server", "path", "contains"):
        text = row.get(key) or ""
        if not isinstance(text, str) or len(text) > MOST_TEXT or not text.isprintable():
            template = "must be one line of at most {most} characters"
            yield Fault(f"{place}.{key}", "bad_text", template, {"most": MOST_TEXT})
        elif key == "path" and text and (text[0] != "/" or not text.isascii() or " " in text):
            template = "must begin with / and have neither spaces nor Chinese in it"
            yield Fault(f"{place}.path", "bad_path", template)
