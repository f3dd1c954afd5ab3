"""The story of a drill, on the lab with real guests.

An application with a database is protected by recovery points, records go through it all the time, and its
move to the city is rehearsed where nothing leads in or out. The report says what a loss would have cost.

    CLOUDCTL_HOME=... python examples/drill_story.py
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import telling
from backup_story import FIRST, FULL_NOTE, build, city_project, inside, install, protect, take
from telling import Server, StoryError, ask, chapter, key, run, say

PLAN = "assets"
SYSTEM = "gx-finance-assets"  # of level 2: its zone lets HTTP in, which the guest speaks
_PLAN = """\
plans:
  - name: {plan}
    system: {system}
    home: province
    recovery: city-1
    rpo: 25h
    rto: 30m
    parts:
      - name: application
        servers: [{server}]
        checks:
          - {{kind: http, port: 80, path: /notes, contains: {note}}}
          - {{kind: tcp, port: 22}}
    sentinels:
      write_url: http://{address}/notes
      read_url: http://{server}/notes
      every_s: 5
"""


def plan(address: str) -> None:
    """The plan as a file, looked at before it is applied."""
    rows = ask("cloudctl", "resource", "list", "--kind", "server", user="wang")
    server = next(str(row["name"]) for row in rows if row["state"] == "active")  # type: ignore[index]
    file = telling.HOME / "story" / "plan.yaml"
    words = {"plan": PLAN, "system": SYSTEM, "server": server, "note": FULL_NOTE, "address": address}
    file.write_text(_PLAN.format(**words))
    say(file.read_text(), "33")
    run("cloudctl", "dr", "plan", "apply", str(file), "--dry-run", user="wang")
    run("cloudctl", "dr", "plan", "apply", str(file), user="wang")


def wait_for_records(address: str, count: int) -> None:
    """Until so many records went through the application and are there to be read."""
    until = time.monotonic() + 180
    while len(str(inside(address, "/notes")).split("cloudctl-sentinel")) <= count:
        if time.monotonic() > until:
            raise StoryError("no records arrive through the application")
        time.sleep(5)


def rehearse() -> dict[str, Any]:
    """One drill from beginning to end; what it found."""
    run("cloudctl", "dr", "readiness", PLAN, user="wang")
    shown: Any = ask("cloudctl", "dr", "drill", "start", PLAN, "--wait", "--reason", "季度演练", user="wang")
    run("cloudctl", "dr", "drill", "show", str(shown["id"]), user="wang")
    for kind in ("pdf", "html", "json"):
        out = telling.HOME / "story" / f"drill.{kind}"
        out.unlink(missing_ok=True)
        run("cloudctl", "dr", "report", "get", f"drill-{shown['id']}", "--format", kind, "--out", str(out),
            user="wang")  # fmt: skip
    run("cloudctl", "dr", "report", "verify", str(telling.HOME / "story" / "drill.json"), user="wang")
    run("cloudctl", "dr", "plan", "show", PLAN, user="wang")
    return dict(shown)


def tell(servers: list[Server]) -> None:
    """All chapters; StoryError where one does not end as it should."""
    chapter(1, "An application with real guests", "一个真实运行的系统")
    run("cloudctl", "lab", "up", "--guests")
    servers.append(Server("127.0.0.1:8090"))
    install(servers[-1], (*FIRST, "heidi"))
    os.environ["STORY_KEY"] = key("alice").removesuffix(".pub")
    address = build(SYSTEM)
    inside(address, "/notes", FULL_NOTE)
    chapter(2, "It is protected, and planned what happens when its site is lost", "灾备预案")
    protect(SYSTEM)
    city_project(SYSTEM)
    plan(address)
    wait_for_records(address, 3)
    take(SYSTEM)
    chapter(3, "The drill", "灾备演练")
    found = rehearse()
    told = {name: found[name] for name in ("verdict", "rpo_s", "rto_s", "left_behind")}
    say(json.dumps(told, ensure_ascii=False), "1;32")
    if found["verdict"] != "passed" or found["left_behind"]:
        raise StoryError(f"the drill did not pass: {found['why']}")


def main() -> int:
    """Tell the story; 0 when the drill passed and nothing of it is left."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(telling.HOME / "lab" / "clouds.yaml")
    os.chdir(Path(__file__).resolve().parents[1])
    began = time.monotonic()
    servers: list[Server] = []
    try:
        tell(servers)
        say(f"The story took {time.monotonic() - began:.0f} s.", "1;32")
    except StoryError as error:
        say(f"The story broke off: {error}", "1;31")
        return 1
    finally:
        for server in servers:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
