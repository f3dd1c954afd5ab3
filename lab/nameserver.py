"""The name server of the lab: PowerDNS at the third place, master of a zone that takes signed changes."""

import secrets
import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path

from lab.commands import SYSTEM_PATH
from lab.credentials import write_private
from lab.errors import LabError
from lab.layout import Layout
from lab.services import Service
from lab.sites import PORTS, THIRD, Site

PACKAGES = ("pdns-server", "pdns-backend-sqlite3")
SERVICE = "pdns"
ZONE = "gov.lab"
KEY = "cloudctl"
_ALGORITHM = "hmac-sha256"
_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
_CONF = """\
launch=gsqlite3
gsqlite3-database={database}
gsqlite3-dnssec=yes
local-address={address}:{port}
dnsupdate=yes
allow-dnsupdate-from=
enable-lua-records=yes
edns-subnet-processing=yes
zone-cache-refresh-interval=0
socket-dir={run}
daemon=no
guardian=no
disable-syslog=yes
"""


def services(layout: Layout, place: Site) -> tuple[Service, ...]:
    """The daemon at the third place; no other place has one."""
    if place != THIRD:
        return ()
    conf = _folder(layout) / "pdns.conf"
    env = {"PATH": SYSTEM_PATH, "HOME": str(layout.site(place).data), "LANG": "C.UTF-8"}
    return (Service(SERVICE, "names", ("pdns_server", f"--config-dir={conf.parent}"), env, (conf,)),)


def create(layout: Layout) -> None:
    """The zone with its key, the daemon's configuration, and dns.yaml for cloudctl; again changes nothing."""
    folder, site = _folder(layout), layout.site(THIRD)
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "zones.db"
    values = {"database": database, "address": THIRD.address, "port": PORTS[SERVICE], "run": site.run}
    (folder / "pdns.conf").write_text(_CONF.format(**values))
    if not database.exists():
        _fill(database)
    with closing(sqlite3.connect(database)) as zones:
        [(secret,)] = zones.execute("SELECT secret FROM tsigkeys WHERE name = ?", (KEY,))
    key = f"{{name: {KEY}., algorithm: {_ALGORITHM}, secret: {secret}}}"
    rows = (f"zone: {ZONE}.", f"server: {THIRD.address}", f"port: {PORTS[SERVICE]}", "gives: shares")
    body = "".join(f"    {row}\n" for row in (*rows, f"key: {key}")).removeprefix("    ")
    write_private(layout.dns_yaml, f"zones:\n  - {body}")


def forget(layout: Layout) -> None:
    """Removes what is left when every place is destroyed."""
    layout.dns_yaml.unlink(missing_ok=True)


def _fill(database: Path) -> None:
    """A database with an empty zone and a new key, in place only when it is whole."""
    if not _SCHEMA.exists():
        raise LabError(f"{_SCHEMA} is missing: apt-get install -y {' '.join(PACKAGES)}")
    new = database.with_suffix(".new")
    new.unlink(missing_ok=True)
    secret = b64encode(secrets.token_bytes(32)).decode()
    records = (
        (ZONE, "SOA", f"ns.{ZONE} admin.{ZONE} 1 3600 600 86400 5"),
        (ZONE, "NS", f"ns.{ZONE}"),
        (f"ns.{ZONE}", "A", THIRD.address),
    )
    rights = (("TSIG-ALLOW-DNSUPDATE", KEY), ("ALLOW-DNSUPDATE-FROM", "0.0.0.0/0"))
    with closing(sqlite3.connect(new)) as zones, zones:
        zones.executescript(_SCHEMA.read_text())
        key = (KEY, _ALGORITHM, secret)
        zones.execute("INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, ?, ?)", key)
        zones.execute("INSERT INTO domains (id, name, type) VALUES (1, ?, 'NATIVE')", (ZONE,))
        zones.executemany(
            "INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES (1, ?, ?, ?, 60, 1)",
            records,
        )
        zones.executemany("INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, ?, ?)", rights)
    new.replace(database)


def _folder(layout: Layout) -> Path:
    return layout.site(THIRD).data / SERVICE
