"""The masters of the zones out of dns.yaml, checked as a whole; all faults at once.

zones:
  - zone: gov.example.
    server: 192.0.2.53            # an address, never a name: it has to be found when no name is
    port: 53
    gives: shares                 # PowerDNS with LUA records; `whole`: any other name server
    key: {name: cloudctl., algorithm: hmac-sha256, secret: ...}
"""

import base64
import binascii
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudctl.errors import Fault, Misconfigured
from provisioning.drivers.key_file import NotReadError, open_to_others, read_document

ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
SHARES, WHOLE = "shares", "whole"
_WORDS = ("zone", "server", "port", "gives", "key")
_KEY_WORDS = ("name", "algorithm", "secret")


@dataclass(frozen=True)
class Master:
    """The server that is master of a zone, and the key under which it takes changes."""

    zone: str  # lower case, with the dot at its end
    server: str
    port: int
    key_name: str
    algorithm: str
    secret: str = field(repr=False)
    gives_shares: bool = False


def read_masters(path: Path) -> tuple[Master, ...]:
    """The file, checked. Misconfigured names every fault; what it quotes is never a key."""
    try:
        document = read_document(path, hint="write one entry for each zone")
    except NotReadError as error:
        raise Misconfigured("the name servers cannot be read", faults=[error.fault]) from error
    reading = _Reading(str(path))
    reading.faults += open_to_others(path, str(path))
    found = reading.masters(document)
    if reading.faults:
        raise Misconfigured("dns.yaml has faults", faults=reading.faults)
    return found


class _Reading:
    """One pass over the document, collecting faults."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.faults: list[Fault] = []

    def fault(
        self, where: str, code: str, template: str, *, hint: str | None = None, **params: object
    ) -> None:
        place = f"{self._place}: {where}" if where else self._place
        self.faults.append(Fault(place, code, template, params, hint))

    def masters(self, document: Any) -> tuple[Master, ...]:
        rows = document.get("zones") if isinstance(document, dict) else None
        if not isinstance(rows, list) or not rows:
            self.fault("zones", "missing", "is missing", hint="write one entry for each zone")
            return ()
        found = tuple(self._master(f"zones[{index}]", row) for index, row in enumerate(rows))
        if len({one.zone for one in found}) < len(found):
            self.fault("zones", "twice", "is named twice")
        return found

    def _master(self, where: str, row: Any) -> Master:
        row = self._mapping(where, row, _WORDS)
        key = self._mapping(f"{where}.key", row.get("key"), _KEY_WORDS)
        server, secret = self._text(where, row, "server"), self._text(f"{where}.key", key, "secret")
        if server and not _is_address(server):
            self.fault(f"{where}.server", "bad_value", "must be an IPv4 or IPv6 address")
        if secret and not _is_base64(secret):
            self.fault(f"{where}.key.secret", "bad_value", "must be written in base64")
        port = row.get("port", 53)
        if type(port) is not int or not 1 <= port <= 65535:
            self.fault(f"{where}.port", "out_of_range", "must be a number from {least} to {most}", least=1,
                       most=65535)  # fmt: skip
        gives = self._word(f"{where}.gives", row.get("gives", WHOLE), (SHARES, WHOLE))
        algorithm = self._word(f"{where}.key.algorithm", key.get("algorithm", ALGORITHMS[0]), ALGORITHMS)
        zone, name = self._text(where, row, "zone"), self._text(f"{where}.key", key, "name")
        return Master(_with_dot(zone), server, port, _with_dot(name), algorithm, secret, gives == SHARES)

    def _text(self, where: str, row: dict[str, Any], word: str) -> str:
        value = row.get(word)
        if not isinstance(value, str) or not value:
            self.fault(f"{where}.{word}", "missing", "is missing")
            return ""
        return value

    def _word(self, where: str, value: object, choices: tuple[str, ...]) -> str:
        if value not in choices:
            self.fault(where, "unknown_word", "'{given}' is none of: {choices}", given=str(value)[:60],
                       choices=", ".join(choices))  # fmt: skip
            return choices[0]
        return str(value)

    def _mapping(self, where: str, row: Any, known: tuple[str, ...]) -> dict[str, Any]:
        words = ", ".join(known)
        if not isinstance(row, dict):
            self.fault(where, "not_a_mapping", "write keys", hint="known: {known}", known=words)
            return {}
        for word in sorted(set(row) - set(known), key=str):
            self.fault(
                f"{where}.{word}", "unknown_key", "is not a setting", hint="known: {known}", known=words
            )
        return row


def _with_dot(name: str) -> str:
    return f"{name.lower().rstrip('.')}."


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_base64(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) >= 16
    except binascii.Error:
        return False
