"""The RTO of an application of two tiers on the lab with real guests, in its segments.

    CLOUDCTL_HOME=... python -m bench.dr_two_tiers

A database on one server and the application that asks it on another, on volumes that the storage replicates:
the plan says that the application needs the database. Rehearsed once from the replicas; what is told is the
report's. Brings the lab up with guests, a witness and replication; begins in a home that has no installation
yet, and leaves one with the two servers.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))

import drill_story  # noqa: E402
import recovery_words as words  # noqa: E402
import telling  # noqa: E402
from backup_story import (  # noqa: E402
    FIRST,
    FULL_NOTE,
    ask_for,
    await_proof,
    city_project,
    inside,
    install,
    newest,
    on_guest,
    protect,
    take,
)
from telling import Server, StoryError, ask, key, run, say  # noqa: E402

SYSTEM = "gx-finance-ledger"
_SYSTEM = f"""\
  - code: {SYSTEM}
    name: 财政总账系统
    department: gx-finance
    mlps_level: 2
    key_application: true"""
_PLAN = """\
plans:
  - name: ledger
    system: {system}
    home: province
    recovery: city-1
    rpo: 5m
    rto: 30m
    lease: 30s
    parts:
      - name: database
        servers: [{database}]
        way: replication
        patience: 15m
        checks:
          - {{kind: postgresql}}
      - name: application
        servers: [{application}]
        needs: [database]
        way: replication
        patience: 15m
        checks:
          - {{kind: http, port: 80, path: /notes, contains: {note}}}
    sentinels:
      write_url: http://{application}/notes
      read_url: http://{application}/notes
      every_s: 5
"""
#: Run as the superuser of the guest's PostgreSQL; it listens once it is started again.
_SERVE = """\
import psycopg2
line = psycopg2.connect("dbname=app")
line.autocommit = True
ask = line.cursor()
ask.execute("ALTER SYSTEM SET listen_addresses = '*'")
ask.execute('ALTER ROLE "www-data" PASSWORD %s', ({password!r},))
ask.execute("SHOW hba_file")
with open("/tmp/hba", "w") as file:
    file.write("host app www-data {peer}/32 scram-sha-256\\n")
print(ask.fetchone()[0])
"""


def build() -> dict[str, str]:
    """Both servers, the application asking the database of the other one; their names and addresses."""
    number = ask_for(SYSTEM, "--volume-type", "replicated", "--count", "2")
    run("cloudctl", "request", "watch", str(number), user="alice")
    shown: Any = ask("cloudctl", "request", "show", str(number), user="alice")
    servers = {
        one["name"]: one["addresses"]["ipv4"][0] for one in shown["resources"] if one["kind"] == "server"
    }
    database, application = servers.values()
    words.let_through("province", database, application)
    part(database, application)
    inside(application, "/notes", FULL_NOTE)
    return servers


def part(database: str, application: str) -> None:
    """The application asks the database at that address from now on, with a password of its own."""
    password = secrets.token_urlsafe(24)
    hba = on_guest(database, "python3 -", _SERVE.format(password=password, peer=application)).strip()
    restart = "sudo pkill -INT -x -u postgres -o postgres"
    once = f"sudo grep -qf /tmp/hba {hba} || sudo tee -a {hba} </tmp/hba >/dev/null"
    on_guest(database, f"({once}) && {restart}")
    place = f"host={database} dbname=app user=www-data password={password} connect_timeout=3\n"
    file = "/etc/guest-web.conf"
    keep = f"sudo sh -c 'umask 027 && cat >{file} && chgrp www-data {file}'"
    on_guest(application, f"{keep} && sudo pkill -u www-data -f guest-web", place)


def rehearse() -> dict[str, Any]:
    """The report of one drill."""
    shown: Any = ask("cloudctl", "dr", "drill", "start", "ledger", "--wait", "--reason", "两层应用演练",
                     user="judy")  # fmt: skip
    return words.report("drill", shown["id"])


def table(told: Mapping[str, Any]) -> str:
    """What it took, in segments and part by part; seconds."""
    lines = [f"verdict {told['verdict']}, RPO {told['rpo_s']} s, RTO {told['rto_s']} s {told['why']}"]
    for one in (told["recovery_time"] or {}).get("segments", ()):
        if one["seconds"] is not None:
            lines.append(f"  {one['name']:<12}{one['seconds']:8.1f} s")
    for one in told["parts"]:
        if one["answered_s"] is None:
            lines.append(f"  {one['name']:<12}{one['state']}: {one['why']}")
            continue
        made, answered = one["active_s"] - one["begun_s"], one["answered_s"] - one["active_s"]
        lines.append(
            f"  {one['name']:<12}begun at {one['begun_s']:6.1f} s, made in {made:5.1f} s, "
            f"answers after {answered:5.1f} s more"
        )
    return "\n".join(lines)


def main() -> int:
    """0 when the drill passed, 1 when not, 2 where there is an installation already."""
    if (telling.HOME / "cloudctl.db").exists():
        say(
            f"There is an installation in {telling.HOME} already: name another home, CLOUDCTL_HOME=DIRECTORY",
            "1;31",
        )
        return 2
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(telling.HOME / "lab" / "clouds.yaml")
    os.chdir(ROOT)
    run("cloudctl", "lab", "up", "--guests", "--with", "witness", "--with", "replication")
    server = Server("127.0.0.1:8090")
    try:
        install(server, (*FIRST, "heidi", "judy"))
        os.environ["STORY_KEY"] = key("alice").removesuffix(".pub")
        words.widen_topology(drill_story.TYPES, f"{drill_story.SYSTEMS}\n{_SYSTEM}")
        servers = build()
        protect(SYSTEM)
        city_project(SYSTEM)
        (database, _), (application, address) = servers.items()
        plan = _PLAN.format(system=SYSTEM, database=database, application=application, note=FULL_NOTE)
        words.apply_plan("ledger", plan)
        run("cloudctl", "dr", "failover", "enrol", "ledger", user="wang")
        words.wait_for_records(address, 3)
        take(SYSTEM)
        await_proof(newest())
        told = rehearse()
    except StoryError as error:
        say(f"The bench broke off: {error}", "1;31")
        return 1
    finally:
        server.stop()
    say(table(told), "1;32")
    return 0 if told["verdict"] == "passed" else 1


if __name__ == "__main__":
    sys.exit(main())
