"""Asks a daemon whether it answers."""

import json
import socket
from pathlib import Path
from typing import Any

from lab import namespaces
from lab.services import Service
from lab.sites import Site


def answers(service: Service, site: Site) -> bool:
    """True if the daemon can be spoken to where it listens; one that listens nowhere counts as answering."""
    if service.port is not None:
        return http_answers(site, service.port) if speaks_http(service) else port_open(service, site)
    if service.socket is not None:
        return socket_open(service.socket)
    return True


def speaks_http(service: Service) -> bool:
    """True for the OpenStack APIs and the object gateway."""
    return service.port is not None and (
        service.layer in ("identity", "control") or service.name == "radosgw"
    )


def port_open(service: Service, site: Site) -> bool:
    """True if somebody listens on the port of the service."""
    try:
        namespaces.connect(site, address_of(service, site), service.port or 0).close()
    except OSError:
        return False
    return True


def address_of(service: Service, site: Site) -> str:
    """Where inside the site the service listens."""
    return "127.0.0.1" if service.loopback else site.address


def http_answers(site: Site, port: int) -> bool:
    """True if a request gets an HTTP answer that is no server's fault: the application is loaded."""
    try:
        with namespaces.connect(site, site.address, port, timeout_s=10) as connection:
            connection.sendall(f"GET / HTTP/1.0\r\nHost: {site.address}:{port}\r\n\r\n".encode())
            head = connection.recv(64)
    except OSError:
        return False
    return head.startswith(b"HTTP/1.") and head[9:10] in (b"2", b"3", b"4")


def socket_open(path: Path) -> bool:
    """True if somebody listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def ceph_daemon_state(path: Path) -> str:
    """The state a Ceph daemon gives on its admin socket ("leader", "active"); empty without an answer."""
    command = "mon_status" if path.name.startswith("mon.") else "status"
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(json.dumps({"prefix": command, "format": "json"}).encode() + b"\0")
            with client.makefile("rb") as answer:
                length = int.from_bytes(answer.read(4), "big")
                status: dict[str, Any] = json.loads(answer.read(length))
    except (OSError, ValueError):
        return ""
    return str(status.get("state", ""))
