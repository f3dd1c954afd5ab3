"""What the chapters on disaster recovery are told with: plans, agents, observers, drills and moves."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import telling
from backup_story import inside
from telling import StoryError, ask, run, say

WRITERS = "/usr/local/sbin/guest-writers"  # of the lab's guests
_ANSIBLE = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
SHOWN = ("verdict", "rpo_s", "rto_s", "left_behind")


def widen_topology(types: str, systems: str) -> None:
    """The lab's topology with more volume types and systems; the province's divisions use both sites, and
    cloudctl comes into the servers that are built from now on."""
    text = Path("examples/lab.yaml").read_text()
    for mark, more in (("    - {name: ssd, ", types), ("  - {code: gx-finance-assets", systems)):
        text = text.replace(mark, f"{more}\n{mark}", 1)
    text = text.replace("served_by: [province]}", "served_by: [province, city-1]}", 1)
    text = text.replace("    zones:\n", "    guests: managed\n    zones:\n", 2)
    file = telling.HOME / "story" / "topology.yaml"
    file.write_text(text)
    run("cloudctl", "topology", "apply", str(file), "--yes", "--summary", user="wang")


def apply_plan(name: str, text: str) -> None:
    """The plan as a file, looked at before it is applied."""
    file = telling.HOME / "story" / f"plan-{name}.yaml"
    file.write_text(text)
    say(text, "33")
    run("cloudctl", "dr", "plan", "apply", str(file), "--dry-run", user="wang")
    run("cloudctl", "dr", "plan", "apply", str(file), user="wang")


def let_agent_in(plan: str, server: str, address: str, site: str) -> None:
    """An agent beside the writers of a server, brought by whoever has its key."""
    file = telling.HOME / "story" / f"agent-{plan}-{server}.json"
    file.unlink(missing_ok=True)
    words = [f"--command={word}={WRITERS} {word}" for word in ("start", "stop", "kill", "runs")]
    run("cloudctl", "dr", "witness", "agent", plan, server, str(file), "--site", site, *words, user="wang")
    os.environ["ANSIBLE_CONFIG"] = str(telling.ROOT / "playbooks" / "ansible.cfg")
    run(
        "ansible-playbook", "-i", f"{address},", "-u", "debian", "--key-file", os.environ["STORY_KEY"],
        "--ssh-common-args", _ANSIBLE, "playbooks/agent.yml", "-e", f"@{file}",
    )  # fmt: skip


def let_through(site: str, address: str, peer: str, port: int = 5432) -> None:
    """The site's administrator lets one server ask a port of another one; once said, it stays so."""
    plain = ("openstack", "--os-cloud", site)
    shown = ("-f", "value", "-c")
    found = run(*plain, "port", "list", "--fixed-ip", f"ip-address={address}", *shown, "ID", show=False)
    groups = run(*plain, "port", "show", found.strip(), *shown, "security_group_ids", show=False)
    group = groups.strip().strip("[]").split(",")[0].strip(" '\"")
    listed = run(*plain, "security", "group", "rule", "list", group, "-f", "json", show=False)
    ways: list[dict[str, str]] = json.loads(listed)
    if any((one["IP Range"], one["Port Range"]) == (f"{peer}/32", f"{port}:{port}") for one in ways):
        return
    way_in = ("--protocol", "tcp", "--dst-port", str(port), "--remote-ip", f"{peer}/32", group)
    run(*plain, "security", "group", "rule", "create", *way_in, *shown, "id")


def make_ready(plan: str, site: str, server: str, reason: str) -> None:
    """The old server is taken away by its site's administrator, and its volumes follow the new ones again."""
    run("openstack", "--os-cloud", site, "server", "delete", "--all-projects", "--wait", server)
    run("cloudctl", "site", "sync", site, user="wang", show=False)  # it counts no more
    run("cloudctl", "dr", "failback", "start", plan, "--reason", reason, "--wait", user="judy")
    run("cloudctl", "site", "sync", site, user="wang", show=False)


def wait_until_ready(plan: str) -> None:
    """Until nothing would stop a move: the room for it at the other site is held by the next look."""
    until = time.monotonic() + 400  # longer than from one look to the next
    while True:
        try:
            run("cloudctl", "dr", "readiness", plan, user="wang", show=False)
            return
        except StoryError:
            if time.monotonic() > until:
                raise
        time.sleep(5)


def now_called(system: str, site: str) -> str:
    """The server of the system that a move has made at the site."""
    asked = ("cloudctl", "resource", "list", "--system", system, "--site", site, "--kind", "server")
    rows: Any = ask(*asked, user="wang")
    return next(str(row["name"]) for row in rows if row["state"] == "active")


class Observers:
    """At the third place and at the city, each in a network of its own: what they see of the province."""

    def __init__(self, plan: str, seen: str, url: str) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        for place in ("third", "city-1"):
            file = telling.HOME / "story" / f"observer-{plan}-{place}.json"
            file.unlink(missing_ok=True)
            run("cloudctl", "dr", "witness", "agent", plan, f"observer-{place}", str(file), "--site", place,
                "--observe", f"{seen}/api={url}", user="wang")  # fmt: skip
            told: Any = json.loads(file.read_text())
            file.write_text(json.dumps({**told["agent_config"], **told["agent_files"]}))
            script = telling.ROOT / "dr" / "agents" / "agent_script.py"
            argv = ["ip", "netns", "exec", f"site-{place}", sys.executable, str(script), str(file)]
            say(f"$ {' '.join(argv)} &", "33")
            self._running.append(subprocess.Popen(argv, start_new_session=True))

    def stop(self) -> None:
        for one in self._running:
            one.terminate()
            one.wait(timeout=30)


def wait_for_records(address: str, count: int) -> None:
    """Until so many records went through the application and are there to be read."""
    until = time.monotonic() + 180
    while len(str(inside(address, "/notes")).split("cloudctl-sentinel")) <= count:
        if time.monotonic() > until:
            raise StoryError("no records arrive through the application")
        time.sleep(5)


def report(kind: str, number: object) -> dict[str, Any]:
    """The report of a drill or a move in all three forms, checked; as JSON."""
    for form in ("pdf", "html", "json"):
        out = telling.HOME / "story" / f"{kind}-{number}.{form}"
        out.unlink(missing_ok=True)
        run("cloudctl", "dr", "report", "get", f"{kind}-{number}", "--format", form, "--out", str(out),
            user="wang")  # fmt: skip
    file = telling.HOME / "story" / f"{kind}-{number}.json"
    run("cloudctl", "dr", "report", "verify", str(file), user="wang")
    told: Any = json.loads(file.read_text())
    return dict(told.get("report", told))


def tell(kind: str, number: object) -> None:
    """Its figures; StoryError unless it passed and left nothing."""
    found = report(kind, number)
    loss = {name: (found.get("loss") or {}).get(name) for name in ("acked", "found", "missing")}
    say(json.dumps({name: found[name] for name in SHOWN} | loss, ensure_ascii=False), "1;32")
    if found["verdict"] != "passed" or found["left_behind"]:
        raise StoryError(f"the {kind} {number} did not pass: {found['why']}")


def rehearse(plan: str, *more: str) -> None:
    """One drill from beginning to end; what it found."""
    wait_until_ready(plan)
    run("cloudctl", "dr", "readiness", plan, user="wang")
    shown: Any = ask("cloudctl", "dr", "drill", "start", plan, *more, "--wait", "--reason", "季度演练",
                     user="judy")  # fmt: skip
    run("cloudctl", "dr", "drill", "show", str(shown["id"]), user="judy")
    tell("drill", shown["id"])
    run("cloudctl", "dr", "plan", "show", plan, user="wang")


def wait_until_gone(plan: str, site: str) -> None:
    """Until two places say that they see nothing of the site."""
    until = time.monotonic() + 180
    while True:
        told = run("cloudctl", "dr", "witness", "status", "-f", "json", user="judy", expect=5, show=False)
        rows, _end = json.JSONDecoder().raw_decode(told)
        if sum(row["kind"] == "seen" and row["name"] == f"{plan}/{site}/api" and row["state"] == "gone"
               for row in rows) >= 2:  # fmt: skip
            break
        if time.monotonic() > until:
            raise StoryError(f"nobody sees that {site} is gone")
        time.sleep(2)
    run("cloudctl", "dr", "witness", "status", expect=5, user="judy")


def move(plan: str, *more: str, reason: str, second: str = "heidi") -> str:
    """A move that the duty officer asks for and two others say yes to; its number when people are there.

    `second` administers the cloud to which it goes.
    """
    ask_for = ("cloudctl", "dr", "failover", "start", plan, *more, "--reason", reason)
    run(*ask_for, "--dry-run", user="judy")
    number = str(ask(*ask_for, user="judy")["id"])  # type: ignore[call-overload]
    run("cloudctl", "dr", "failover", "approve", number, "--opinion", "同意", user="wang")
    run("cloudctl", "dr", "failover", "approve", number, "--opinion", "同意", user=second)
    return follow(number)


def follow(number: str) -> str:
    """Until people are there, which is then committed; its number."""
    until = time.monotonic() + 1800
    while True:
        shown: Any = ask("cloudctl", "dr", "failover", "show", number, user="judy")
        if shown["state"] in ("shifted", "committed", "aborted", "failed"):
            break
        if time.monotonic() > until:
            raise StoryError(f"the move {number} has not ended: {shown['state']}")
        time.sleep(2)
    if shown["state"] != "shifted":
        raise StoryError(f"the move {number} is {shown['state']}")
    run("cloudctl", "dr", "failover", "commit", number, user="judy")
    run("cloudctl", "dr", "failover", "show", number, user="judy")
    return number
