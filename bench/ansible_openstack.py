"""The column of Ansible's openstack.cloud collection, from the released `ansible` package in its own venv."""

import json
import os
import re
import subprocess
import sys
import time
import venv
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.bare_openstack import PUBLIC_KEY, RULES, Wanted

PLAYBOOK = Path(__file__).parent / "ansible" / "build.yml"
ONE_BY_ONE = Path(__file__).parent / "ansible" / "dr_servers.yml"


def environment(home: Path) -> Path:
    """The venv, made when it is not there yet."""
    place = home / "ansible-venv"
    if not (place / "bin" / "ansible-playbook").exists():
        venv.create(place, with_pip=True)
        # the released collection (2.5.0) reads openstack.version, which newer SDKs no longer have
        command = [str(place / "bin" / "pip"), "install", "-q", "ansible", "openstacksdk<4.9"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return place


def version(home: Path) -> str:
    """Which releases are compared with."""
    place = environment(home)
    listed = subprocess.run(
        [place / "bin" / "pip", "list", "--format=json"], check=True, capture_output=True, text=True
    )
    packages = {row["name"].lower(): row["version"] for row in json.loads(listed.stdout)}
    manifest = next(place.glob("lib/*/site-packages/ansible_collections/openstack/cloud/MANIFEST.json"))
    collection = json.loads(manifest.read_text())["collection_info"]["version"]
    core = packages["ansible-core"]
    return f"ansible {packages['ansible']} (openstack.cloud {collection}, ansible-core {core})"


def run(home: Path, entry: dict[str, Any], wanted: Wanted, slots: int) -> dict[str, Any]:
    """Run the playbook; the seconds it took. RuntimeError with its output when it failed."""
    auth = {key: entry["auth"][key] for key in ("auth_url", "username", "password", "user_domain_name")}
    own = {"auth": entry["auth"], "region_name": entry["region_name"]}
    given = {
        "cloud": own,
        "in_project": {"auth": auth, "region_name": entry["region_name"]},
        "user": entry["auth"]["username"],
        "wanted": asdict(wanted),
        "public_key": PUBLIC_KEY,
        "rules": [_rule(rule) for rule in RULES],
    }
    return {"seconds": _play(home, entry, wanted.name, PLAYBOOK, given, slots)}


def one_by_one(home: Path, entry: dict[str, Any], project: str, given: dict[str, Any]) -> float:
    """Start the `servers` of `given` (name, volume, port) in their order in the project; how many seconds."""
    keys = ("auth_url", "username", "password", "user_domain_name")
    auth = {**{key: entry["auth"][key] for key in keys}, "project_id": project}
    inside = {"auth": auth, "region_name": entry["region_name"]}
    return _play(home, entry, f"servers-{project}", ONE_BY_ONE, {**given, "inside": inside}, 1)


def _play(
    home: Path, entry: dict[str, Any], name: str, playbook: Path, given: dict[str, Any], slots: int
) -> float:
    place = environment(home)
    given = {**given, "ansible_python_interpreter": str(place / "bin" / "python")}
    variables = home / f"{name}.json"
    variables.touch(mode=0o600)
    variables.write_text(json.dumps(given))
    environ = {**os.environ, "ANSIBLE_FORKS": str(slots), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(home)}
    command = [
        str(place / "bin" / "ansible-playbook"),
        "-i",
        "localhost,",
        "-e",
        f"@{variables}",
        str(playbook),
    ]
    start = time.monotonic()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    variables.unlink()
    if done.returncode:
        raise RuntimeError(
            re.sub(entry["auth"]["password"], "***", done.stdout[-3000:] + done.stderr[-1000:])
        )
    return round(seconds, 2)


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    """The same rule in the collection's words."""
    words = {"ethertype": "ether_type"}
    return {"direction": "ingress", **{words.get(key, key): value for key, value in rule.items()}}
