#!/usr/bin/python3
"""The probe: asks the servers of an isolated network from inside it, and says on the console what it saw.

It is the user data of a server, so it needs nothing but Python's own library (3.7 or newer) and has no secret
in it. Nothing has a way in to it or out of it: each line it writes is bound to the nonce it was given, and
whoever started it reads the console. It tells again and again, since servers take their time to boot.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

MARK = "cloudctl-probe"
WAIT_S = 2.0
PATIENCE_S = 10.0
MOST_BYTES = 1 << 20
MOST_SAID = 160
MOST_RECORDS, MOST_SPANS = 64 << 20, 3000  # bytes of an answer with sentinels, letters of their numbers
SENTINEL = "cloudctl-sentinel-1"
STARTING = "57P03"  # PostgreSQL: the database system is starting up, shutting down or recovering
COMMON_PORTS = (22, 80, 443)

Json = Any


class Network:
    """How the probe asks; tests put another one in its place."""

    def ping(self, address: str) -> bool:
        """Whether this very echo request is answered. Until it is connected a raw socket hears answers to
        others too, and everything is asked side by side: what is sent has to come back."""
        is_six = ":" in address
        family = socket.AF_INET6 if is_six else socket.AF_INET
        kind = socket.IPPROTO_ICMPV6 if is_six else socket.IPPROTO_ICMP
        token = os.urandom(16)
        packet = struct.pack("!BBHHH", 128 if is_six else 8, 0, 0, os.getpid() & 0xFFFF, 1) + token
        if not is_six:  # the kernel sums those of IPv6 itself
            packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
        with socket.socket(family, socket.SOCK_RAW, kind) as line:
            line.settimeout(WAIT_S)
            line.connect((address, 0))
            line.send(packet)
            until = time.monotonic() + WAIT_S
            while time.monotonic() < until:
                answer = line.recv(1500)
                if not is_six:
                    answer = answer[(answer[0] & 15) * 4 :]
                if answer[:1] == (b"\x81" if is_six else b"\x00") and answer[4:] == packet[4:]:
                    return True
        return False

    def connect(self, address: str, port: int) -> str:
        """`open`, `refused` (somebody is there) or, raised, what else became of it."""
        try:
            with socket.create_connection((address, port), WAIT_S):
                return "open"
        except ConnectionRefusedError:
            return "refused"

    def get(
        self, address: str, port: int, path: str, is_tls: bool, most: int = MOST_BYTES
    ) -> tuple[int, str]:
        """The status and the text of an answer, cut off after `most` bytes."""
        if is_tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                address, port, timeout=PATIENCE_S, context=context
            )
        else:
            line = http.client.HTTPConnection(address, port, timeout=PATIENCE_S)
        try:
            line.request("GET", path, headers={"User-Agent": MARK, "Connection": "close"})
            answer = line.getresponse()
            return answer.status, answer.read(most).decode("utf-8", "replace")
        finally:
            line.close()

    def greet(self, address: str, port: int) -> tuple[str, str]:
        """What a PostgreSQL says to a stranger: the kind of its message, and the fields of an error."""
        words = b"user\0cloudctl\0database\0postgres\0\0"
        with socket.create_connection((address, port), PATIENCE_S) as line:
            line.sendall(struct.pack("!ii", 8 + len(words), 196608) + words)
            said = line.recv(4096)
        return said[:1].decode("latin-1"), said[5:].decode("utf-8", "replace")


def checksum(packet: bytes) -> int:
    """The sum of an Internet header (RFC 1071)."""
    words = int(sum(struct.unpack(f"!{len(packet) // 2}H", packet)))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF


def presence(network: Network, address: str, ports: Sequence[int]) -> str:
    """How an address shows that somebody is there: by echo, or by a port that is open or refuses; else ''."""
    try:
        if network.ping(address):
            return "echo"
    except OSError:
        pass  # no right to ask so, or no route: the ports are asked all the same
    for port in ports:
        try:
            return f"port {port} {network.connect(address, port)}"
        except OSError:
            continue
    return ""


def ask(network: Network, check: Json) -> tuple[bool, str]:
    """Whether the check passes, and what was seen."""
    address, port, kind = check["address"], check["port"], check["kind"]
    try:
        if kind == "tcp":
            said = network.connect(address, port)
            return said == "open", said
        if kind == "postgresql":
            message, text = network.greet(address, port)
            if message == "R":
                return True, "asks who is there"
            return message == "E" and STARTING not in text, text.replace("\0", " ").strip() or "nothing"
        if kind.startswith("sentinels"):
            status, text = network.get(address, port, check["path"], kind.endswith("+https"), MOST_RECORDS)
            return (True, summary(sentinels(text))) if status == 200 else (False, f"{status}")
        status, text = network.get(address, port, check["path"], kind == "https")
        is_right = status == check["status"] and check.get("contains", "") in text
        return is_right, f"{status} {' '.join(text.split())}"
    except (OSError, http.client.HTTPException) as error:
        return False, f"{type(error).__name__}: {error}"


def sentinels(text: str) -> set[tuple[str, int, str]]:
    """(writer, number, code) of every sentinel in an answer: a JSON document, or lines of them."""
    found: set[tuple[str, int, str]] = set()

    def walk(value: Json) -> None:
        if isinstance(value, dict) and value.get("format") == SENTINEL:
            found.add((str(value["writer"]), int(value["seq"]), str(value["code"])))
        elif isinstance(value, (dict, list)):
            for one in value.values() if isinstance(value, dict) else value:
                walk(one)
        elif isinstance(value, str) and SENTINEL in value:
            parse(value)  # kept by the application as a text

    def parse(piece: str) -> bool:
        try:
            walk(json.loads(piece))
        except (ValueError, KeyError, TypeError):
            return False
        return True

    if not parse(text):
        for line in text.splitlines():
            parse(line)
    return found


def summary(records: set[tuple[str, int, str]]) -> str:
    """One line: the newest number, how many, a digest over all, and their numbers by writer as spans."""
    lines = sorted(f"{writer} {seq} {code}" for writer, seq, code in records)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    numbers = sorted({(writer, seq) for writer, seq, _ in records})
    spans: list[tuple[str, int, int]] = []
    for writer, seq in numbers:
        if spans and spans[-1][0] == writer and spans[-1][2] == seq - 1:
            spans[-1] = (writer, spans[-1][1], seq)
        else:
            spans.append((writer, seq, seq))
    mark = ""
    while sum(len(f"{first}-{last},") for _, first, last in spans) > MOST_SPANS:
        mark, spans = "~", spans[len(spans) // 4 + 1 :]  # the oldest matter least
    told: dict[str, list[str]] = {}
    for writer, first, last in spans:
        told.setdefault(writer, []).append(f"{first}-{last}" if last > first else f"{first}")
    text = ";".join(f"{writer}:{','.join(ones)}" for writer, ones in told.items())
    newest = max((seq for _, seq in numbers), default=0)
    return f"newest={newest} count={len(numbers)} digest={digest} found={mark}{text}"


def split(place: str) -> tuple[str, Sequence[int]]:
    """`address`, `address:port` or `[address]:port` as address and ports."""
    if place.startswith("["):
        address, _, port = place[1:].partition("]:")
    elif place.count(":") == 1:
        address, _, port = place.partition(":")
    else:
        address, port = place, ""
    return address, (int(port),) if port else COMMON_PORTS


def look(network: Network, task: Json) -> dict[str, Json]:
    """One round, everything side by side: who is there, what the checks say, who answers and must not."""
    found: dict[str, Json] = {"servers": {}, "checks": {}, "answered": {}}

    def server(one: Json) -> None:
        ports = [check["port"] for check in task["checks"] if check["address"] == one["address"]]
        found["servers"][one["id"]] = presence(network, one["address"], [*ports, *COMMON_PORTS])

    def question(one: Json) -> None:
        is_right, said = ask(network, one)
        most = 2 * MOST_SPANS if one["kind"].startswith("sentinels") else MOST_SAID
        found["checks"][one["id"]] = [is_right, said[:most]]

    def forbidden(place: str) -> None:
        how = presence(network, *split(place))
        if how:
            found["answered"][place] = how

    work: list[tuple[Callable[[Json], None], Json]] = [(server, one) for one in task["servers"]]
    work += [(question, one) for one in task["checks"]] + [(forbidden, one) for one in task["forbidden"]]
    threads = [threading.Thread(target=what, args=(one,)) for what, one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def line_of(nonce: str, found: Json) -> str:
    """One line of the console: the mark, what binds the text to the nonce, the text."""
    text = json.dumps(found, separators=(",", ":"), sort_keys=True)
    bound = hmac.new(nonce.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{MARK} {bound} {text}"


def write(line: str) -> None:
    """To the console; on a fresh line, so that what others write there does not end up in it."""
    try:
        with open("/dev/console", "w", encoding="ascii") as console:
            console.write(f"\n{line}\n")
    except OSError:
        sys.stdout.write(f"\n{line}\n")
        sys.stdout.flush()


def main(
    task: Json,
    network: Network | None = None,
    say: Callable[[str], None] = write,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Look and tell until the rounds are over; whoever once answered and must not stays in every line."""
    answered: dict[str, str] = {}
    for number in range(1, task["rounds"] + 1):
        found = look(network or Network(), task)
        answered.update(found["answered"])
        say(line_of(task["nonce"], {**found, "round": number, "answered": answered}))
        pause(task["pause_s"])
