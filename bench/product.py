"""The column of cloudctl: an installation of its own, used through its command line as people would.

A request is asked for and approved by two people; the clock runs from the last approval's time on record
to the end of the operation on record.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.bare_openstack import PUBLIC_KEY, Wanted

ROOT = Path(__file__).parents[1]
CLOUDCTL = Path(sys.executable).parent / "cloudctl"
ADMINISTRATORS = ("admin1", "admin2")
PEOPLE = {
    "wang": (None, "province_admin", "installation:*"),
    "alice": ("bench", "requester", "department:bench"),
    "bob": ("bench", "department_approver", "department:bench"),
    "carol": (None, "cloud_admin", "site:province"),
}
PATIENCE_S = 1200


class Installation:
    """One throw-away installation with its server running."""

    def __init__(self, home: Path, clouds: Path, systems: list[str], slots: int) -> None:
        self.home = home
        self._counts = home / "calls.txt"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, mode=0o700)
        (home / "clouds.yaml").symlink_to(clouds)
        (home / "key.pub").write_text(PUBLIC_KEY + "\n")
        (home / "topology.yaml").write_text(yaml.safe_dump(_topology(systems, slots), allow_unicode=True))
        admins = [part for name in ADMINISTRATORS for part in ("--admin", f"{name}={name}")]
        shown = json.loads(self._call("init", *admins, "-f", "json"))
        self.server = self._serve()
        for one in shown["administrators"]:
            self._sign_in(one["id"], one["password"])
        self.rest_mib = _pss_mib(self.server.pid)
        self._hire("wang")
        self._call("topology", "apply", str(home / "topology.yaml"), "--yes", user="wang")
        for user in PEOPLE:
            if user != "wang":
                self._hire(user)
        self._call("site", "check", "province", user="wang")

    @property
    def worked_mib(self) -> float:
        """Memory after all the work."""
        return _pss_mib(self.server.pid)

    def run(self, wanted: Wanted, system: str) -> dict[str, Any]:
        """One request from submit to delivered."""
        disks = [part for gib in wanted.data_gib for part in ("--data-volume", f"{gib}GiB")]
        form = (
            "--system", system, "--zone", "public", "--flavor", wanted.flavor, "--image", wanted.image,
            "--boot-size", f"{wanted.boot_gib}GiB", "--count", str(wanted.vms), "--reason", "bench",
            "--ssh-key", str(self.home / "key.pub"), "--approval-number", "bench", "--payer", "bench",
            "--volume-type", wanted.volume_type, *disks,
        )  # fmt: skip
        created = self._call("request", "create", "vm", *form, "-f", "json", user="alice")
        number = str(json.loads(created)["id"])
        self._call("request", "approve", number, "--opinion", "ok", user="bob")
        before = len(self._counts.read_text().splitlines())
        self._call("request", "approve", number, "--opinion", "ok", user="carol")
        shown = self._wait(number)
        calls = Counter(self._counts.read_text().splitlines()[before:])
        if shown["state"] != "delivered":
            raise RuntimeError(f"{shown['state']}: {shown.get('error_message')}")
        operation = json.loads(
            self._call("operation", "show", str(shown["operation_id"]), "-f", "json", user="carol")
        )
        approved = max(datetime.fromisoformat(one["at"]) for one in shown["approvals"])
        ended = datetime.fromisoformat(operation["ended_at"])
        return {
            "seconds": round((ended - approved).total_seconds(), 2),
            "total_calls": sum(calls.values()),
            "calls": dict(sorted(calls.items())),
        }

    def stop(self) -> None:
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(60)

    # -- the pieces

    def _wait(self, number: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            shown: dict[str, Any] = json.loads(
                self._call("request", "show", number, "-f", "json", user="alice")
            )
            if shown["state"] not in ("building", "awaiting_approval"):
                return shown
            time.sleep(3)
        raise RuntimeError(f"request {number} is not delivered after {PATIENCE_S} s")

    def _serve(self) -> "subprocess.Popen[bytes]":
        log = (self.home / "serve.log").open("ab")
        command = [sys.executable, "-m", "bench.counted", str(self._counts), "--listen", "127.0.0.1:0"]
        server = subprocess.Popen(
            command, cwd=ROOT, env=self._environ(), stdout=log, stderr=subprocess.STDOUT
        )
        until = time.monotonic() + 60
        while not (self.home / "cloudctl.sock").exists():
            if time.monotonic() > until or server.poll() is not None:
                raise RuntimeError((self.home / "serve.log").read_text()[-2000:])
            time.sleep(0.2)
        time.sleep(3)  # at rest
        return server

    def _hire(self, user: str) -> None:
        department, role, scope = PEOPLE[user]
        where = ("--department", department) if department else ()
        made = self._call("user", "create", user, "--name", user, *where, "-f", "json", user="admin1")
        self._call("user", "grant", user, role, scope, user="admin2")
        self._sign_in(user, json.loads(made)["first_password"])

    def _sign_in(self, user: str, password: str) -> None:
        own = f"Bench-{os.urandom(9).hex()}-1"
        self._call("login", user, "--output", str(self._token(user)), text=f"{password}\n{own}\n")

    def _token(self, user: str) -> Path:
        return self.home / f"{user}.token"

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "CLOUDCTL_HOME": str(self.home)}

    def _call(self, *words: str, user: str | None = None, text: str | None = None) -> str:
        environ = self._environ()
        if user is not None:
            environ["CLOUDCTL_TOKEN"] = self._token(user).read_text().strip()
        done = subprocess.run(
            [CLOUDCTL, *words], env=environ, cwd=ROOT, input=text, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"cloudctl {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


def _topology(systems: list[str], slots: int) -> dict[str, Any]:
    """The lab's province with a department of its own and a system for each run."""
    topology: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "lab.yaml").read_text())
    topology["sites"] = [{**site, "slots": slots} for site in topology["sites"]]
    topology["departments"].append({"code": "bench", "name": "bench", "kind": "政府", "division": "450000"})
    topology["systems"] += [
        {"code": code, "name": code, "department": "bench", "mlps_level": 2} for code in systems
    ]
    topology["quotas"] = []
    topology["approvals"] = [
        {"name": "department", "title": "department", "role": "department_approver", "at": "department"},
        {"name": "cloud", "title": "cloud", "role": "cloud_admin", "at": "site"},
    ]
    return topology


def _pss_mib(pid: int) -> float:
    """The share of memory of the process and of all that it has started."""
    own = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            own = int(line.split()[1])
    children = Path(f"/proc/{pid}/task").glob("*/children")
    started = {int(child) for file in children for child in file.read_text().split()}
    return round(own / 1024 + sum(_pss_mib(child) for child in started), 1)
