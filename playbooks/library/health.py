#!/usr/bin/python3
"""Ansible module: checks that read and change nothing: processes, ports, PostgreSQL, web, room on disks."""

from __future__ import annotations

import glob
import os
import pwd
import socket
import subprocess
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: health
short_description: Whether what should run on a server runs and answers
options:
  processes: {type: list, elements: str, default: [], description: "Names of processes that must run."}
  ports: {type: list, elements: int, default: [], description: "TCP ports of the server that must be open."}
  urls: {type: list, elements: str, default: [], description: "Must answer with a status below 400."}
  paths: {type: list, elements: path, default: [/], description: "Must have room left."}
  free_percent: {type: int, default: 5}
  database: {type: str, default: if present, choices: [if present, required, unasked]}
  timeout_s: {type: int, default: 10}
"""


def processes() -> set[str]:
    """The names of all processes, as the kernel has them."""
    names = set()
    for place in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(place, encoding="utf-8", errors="replace") as file:
                names.add(file.read().strip())
        except OSError:
            continue
    return names


def port(number: int, timeout_s: int) -> tuple[bool, str]:
    """Whether somebody accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", number), timeout=timeout_s).close()
    except OSError as error:
        return False, str(error)
    return True, ""


def url(address: str, timeout_s: int) -> tuple[bool, str]:
    """Whether the page is served; proxies of the server are not asked."""
    if not address.startswith(("http://", "https://")):
        return False, "is not an address of the web"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=timeout_s) as answer:
            return True, f"{answer.status}"
    except (OSError, urllib.error.HTTPError) as error:
        return False, str(error)


def database(timeout_s: int) -> tuple[bool, str] | None:
    """Whether PostgreSQL answers a query, and how long it has run; None where there is none."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))
    if not programs or not glob.glob("/usr/lib/postgresql/*/bin/postgres"):
        return None
    user = pwd.getpwnam("postgres")
    question = "select version()"
    command = [programs[-1], "-X", "-A", "-t", "-h", "/run/postgresql", "-c", question, "postgres"]
    try:
        done = subprocess.run(
            command, user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, f"no answer within {timeout_s} s"
    said = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode == 0, said[0] if said else ""


def room(path: str, free_percent: int) -> tuple[bool, str]:
    """Whether enough of the file system is free."""
    try:
        stat = os.statvfs(path)
    except OSError as error:
        return False, str(error)
    free = 100 * stat.f_bavail // max(stat.f_blocks, 1)
    return free >= free_percent, f"{free} % free"


def look(params: dict) -> list[dict]:
    """Every check with its outcome."""
    timeout_s = params["timeout_s"]
    running = processes()
    found = [(f"process {name}", (name[:15] in running, "")) for name in params["processes"]]
    found += [(f"port {number}", port(number, timeout_s)) for number in params["ports"]]
    found += [(address, url(address, timeout_s)) for address in params["urls"]]
    found += [(f"disk {path}", room(path, params["free_percent"])) for path in params["paths"]]
    answer = database(timeout_s) if params["database"] != "unasked" else None
    if answer is not None:
        found.append(("postgresql", answer))
    elif params["database"] == "required":
        found.append(("postgresql", (False, "is not installed")))
    return [{"name": name, "is_ok": is_ok, "detail": detail} for name, (is_ok, detail) in found]


def main() -> None:
    """What Ansible calls."""
    lists = {"processes": "str", "ports": "int", "urls": "str"}
    module = AnsibleModule(
        argument_spec={
            **{name: {"type": "list", "elements": kind, "default": []} for name, kind in lists.items()},
            "paths": {"type": "list", "elements": "path", "default": ["/"]},
            "free_percent": {"type": "int", "default": 5},
            "database": {"default": "if present", "choices": ["if present", "required", "unasked"]},
            "timeout_s": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    checks = look(module.params)
    bad = [one for one in checks if not one["is_ok"]]
    if bad:
        said = "; ".join(f"{one['name']}: {one['detail'] or 'does not run'}" for one in bad)
        module.fail_json(msg=said, checks=checks)
    module.exit_json(changed=False, checks=checks)


if __name__ == "__main__":
    main()
