"""Throw-away name servers for tests, masters of `gov.test.` on free loopback ports: BIND and PowerDNS."""

import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
import yaml

ZONE = "gov.test."
_START_S, _LOOK_S = 20.0, 0.05
_PDNS_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")

_NAMED_CONF = """
options {{ directory "{home}"; pid-file "{home}/named.pid"; session-keyfile "{home}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;
  notify no; managed-keys-directory "{home}"; }};
controls {{ }};
key "cloudctl." {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "gov.test" {{ type master; file "{home}/gov.test.zone"; allow-update {{ key "cloudctl."; }}; }};
zone "shut.test" {{ type master; file "{home}/shut.test.zone"; }};
"""
_NAMED_ZONE = "$TTL 60\n@ SOA ns.{zone} host.{zone} 1 3600 600 86400 5\n@ NS ns.{zone}\nns A 127.0.0.1\n"
_PDNS_CONF = """
launch=gsqlite3
gsqlite3-database={home}/zones.db
gsqlite3-dnssec=yes
local-address=127.0.0.1:{port}
dnsupdate=yes
allow-dnsupdate-from=
enable-lua-records=yes
edns-subnet-processing=yes
zone-cache-refresh-interval=0
socket-dir={home}
disable-syslog=yes
"""


@dataclass
class NameServer:
    """A running master, and dns.yaml that names it."""

    home: Path
    port: int
    process: "subprocess.Popen[bytes]"
    gives_shares: bool

    @property
    def file(self) -> Path:
        return self.home / "dns.yaml"


def write_dns_yaml(file: Path, port: int, secret: str, gives_shares: bool) -> None:
    """The file of an installation that uses the server, for its zone and one that it holds shut."""
    key = {"name": "cloudctl.", "algorithm": "hmac-sha256", "secret": secret}
    gives = "shares" if gives_shares else "whole"
    rows = [
        {"zone": zone, "server": "127.0.0.1", "port": port, "gives": gives, "key": key}
        for zone in (ZONE, "shut.test.")
    ]
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump({"zones": rows}))


@contextmanager
def a_bind() -> Iterator[NameServer]:
    """Start BIND; kill and remove it at the end."""
    home, port, secret = Path(tempfile.mkdtemp(prefix="cloudctl-named-")), _free_port(), _secret()
    for zone in ("gov.test", "shut.test"):
        (home / f"{zone}.zone").write_text(_NAMED_ZONE.format(zone=f"{zone}."))
    (home / "named.conf").write_text(_NAMED_CONF.format(home=home, port=port, secret=secret))
    command: list[object] = [_program("named", "bind9"), "-g", "-n", "1", "-c", home / "named.conf"]
    with _running(home, port, secret, command, gives_shares=False) as server:
        yield server


@contextmanager
def a_powerdns() -> Iterator[NameServer]:
    """Start PowerDNS over SQLite; kill and remove it at the end."""
    home, port, secret = Path(tempfile.mkdtemp(prefix="cloudctl-pdns-")), _free_port(), _secret()
    if not _PDNS_SCHEMA.exists():
        pytest.fail("PowerDNS's SQLite backend is missing: apt-get install -y pdns-backend-sqlite3")
    with sqlite3.connect(home / "zones.db") as database:
        database.executescript(_PDNS_SCHEMA.read_text())
        key = ("cloudctl", "hmac-sha256", secret)
        database.execute("INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, ?, ?)", key)
        for number, zone in enumerate(("gov.test", "shut.test"), 1):
            database.execute("INSERT INTO domains (id, name, type) VALUES (?, ?, 'NATIVE')", (number, zone))
            rows = [("SOA", zone, f"ns.{zone} host.{zone} 1 3600 600 86400 5"), ("NS", zone, f"ns.{zone}")]
            for kind, name, content in (*rows, ("A", f"ns.{zone}", "127.0.0.1")):
                database.execute("INSERT INTO records (domain_id, name, type, content, ttl, auth) "
                                 "VALUES (?, ?, ?, ?, 60, 1)", (number, name, kind, content))  # fmt: skip
        for kind, content in (("TSIG-ALLOW-DNSUPDATE", "cloudctl"), ("ALLOW-DNSUPDATE-FROM", "127.0.0.0/8")):
            database.execute("INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, ?, ?)",
                             (kind, content))  # fmt: skip
    database.close()
    (home / "pdns.conf").write_text(_PDNS_CONF.format(home=home, port=port))
    command: list[object] = [_program("pdns_server", "pdns-server"), f"--config-dir={home}"]
    command += ["--daemon=no", "--guardian=no"]
    with _running(home, port, secret, command, gives_shares=True) as server:
        yield server


@pytest.fixture(scope="session")
def bind() -> Iterator[NameServer]:
    with a_bind() as server:
        yield server


@pytest.fixture(scope="session")
def powerdns() -> Iterator[NameServer]:
    with a_powerdns() as server:
        yield server


@contextmanager
def _running(
    home: Path, port: int, secret: str, command: list[object], *, gives_shares: bool
) -> Iterator[NameServer]:
    write_dns_yaml(home / "dns.yaml", port, secret, gives_shares)
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, cwd="/", env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    try:
        _await(process, port, home / "log")
        yield NameServer(home, port, process, gives_shares)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _await(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Ask until it answers; one that ended or stays silent fails the test with its log."""
    question = dns.message.make_query(ZONE, "SOA")
    for _ in range(int(_START_S / _LOOK_S)):
        try:
            if dns.query.udp(question, "127.0.0.1", port=port, timeout=_LOOK_S).answer:
                return
        except (dns.exception.DNSException, OSError):
            pass
        try:
            process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"the name server did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _program(name: str, package: str) -> str:
    """Where Debian's package put it; a missing one fails, and never skips."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        pytest.fail(f"{name} is missing: apt-get install -y {package}")
    return found


def _secret() -> str:
    return b64encode(secrets.token_bytes(32)).decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
