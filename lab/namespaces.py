"""Each site's network namespace and the cable from it to the machine, which can be cut."""

import ctypes
import os
import socket
import threading
from pathlib import Path

from lab.commands import run
from lab.errors import LabError
from lab.processes import all_processes
from lab.sites import Site

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_INSIDE_LINK = "mgmt0"


def exists(site: Site) -> bool:
    """True if the site has a network at all."""
    return (_NAMESPACES / site.namespace).exists()


def create(site: Site, log: Path) -> None:
    """Makes the namespace and its cable, or repairs what is there; joins a site that was cut off."""
    if not exists(site):
        _ip(log, "netns", "add", site.namespace)
    if not _link_exists(site):
        _ip(
            log,
            "link",
            "add",
            site.host_link,
            "type",
            "veth",
            "peer",
            "name",
            _INSIDE_LINK,
            "netns",
            site.namespace,
        )
    _ip(log, "address", "replace", f"{site.gateway}/24", "dev", site.host_link)
    inside = ("-n", site.namespace)
    _ip(log, *inside, "address", "replace", f"{site.address}/24", "dev", _INSIDE_LINK)
    _ip(log, *inside, "link", "set", "lo", "up")
    _ip(log, *inside, "link", "set", _INSIDE_LINK, "up")
    join(site, log)
    _ip(log, *inside, "route", "replace", "default", "via", site.gateway)
    # The sites reach each other through the machine, as data centres do through a wide area network.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def cut(site: Site, log: Path) -> None:
    """Pulls the cable: the site lives on, and nobody reaches it."""
    _ip(log, "link", "set", site.host_link, "down")


def join(site: Site, log: Path) -> None:
    """Plugs the cable in again."""
    _ip(log, "link", "set", site.host_link, "up")


def is_joined(site: Site) -> bool:
    """True unless the cable is cut or missing."""
    flags = Path("/sys/class/net") / site.host_link / "flags"
    return flags.exists() and bool(int(flags.read_text(), 16) & 1)


def remove(site: Site, log: Path) -> None:
    """Removes the namespace and its cable; nothing may run in it any more."""
    if _link_exists(site):
        _ip(log, "link", "delete", site.host_link)
    if exists(site):
        _ip(log, "netns", "delete", site.namespace)


def pids_inside(site: Site) -> list[int]:
    """Every process whose network is the site's, whoever started it."""
    if not exists(site):
        return []
    wanted = (_NAMESPACES / site.namespace).stat()
    inside = []
    for stat in all_processes():
        try:
            seen = os.stat(f"/proc/{stat.identity.pid}/ns/net")
        except OSError:
            continue
        if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
            inside.append(stat.identity.pid)
    return inside


def connect(site: Site, address: str, port: int, timeout_s: float = 3) -> socket.socket:
    """Opens a TCP connection from within the site, so a site that is cut off can still be looked at.

    A socket belongs to the namespace in which it was made. A thread enters a namespace, not a process, so one
    is made for the visit.
    """
    made: list[socket.socket] = []
    visitor = threading.Thread(target=_make_socket, args=(site.namespace, made))
    visitor.start()
    visitor.join()
    if not made:
        raise LabError(f"cannot enter the network of {site.name}")
    made[0].settimeout(timeout_s)
    try:
        made[0].connect((address, port))
    except OSError:
        made[0].close()
        raise
    return made[0]


def _make_socket(namespace: str, made: list[socket.socket]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(_NAMESPACES / namespace, os.O_RDONLY)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) == 0:
            made.append(socket.socket())
    finally:
        os.close(descriptor)


def _link_exists(site: Site) -> bool:
    return (Path("/sys/class/net") / site.host_link).exists()


def _ip(log: Path, *argv: str) -> None:
    run(["ip", *argv], log=log, timeout_s=20)
