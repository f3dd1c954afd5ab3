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


def environment(home: Path) -> Path:
    """The venv, made when it is not there yet."""
    place = home / "ansible-venv"
    if not (place / "bin" / "ansible-playbook").exists():
        venv.create(place, with_pip=True)
        # the released collection (2.5.0) reads openstack.version, which newer SDKs no longer have
        command = [place / "bin" / "pip", "install", "-q", "ansible", "openstacksdk<4.9"]
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
    place = environment(home)
    auth = {key: entry["auth"][key] for key in ("auth_url", "username", "password", "user_domain_name")}
    own = {"auth": entry["auth"], "region_name": entry["region_name"]}
    given = {
        "cloud": own,
        "in_project": {"auth": auth, "region_name": entry["region_name"]},
        "user": entry["auth"]["username"],
        "wanted": asdict(wanted),
        "public_key": PUBLIC_KEY,
        "rules": [_rule(rule) for rule in RULES],
        "ansible_python_interpreter": str(place / "bin" / "python"),
    }
    variables = home / f"{wanted.name}.json"
    variables.touch(mode=0o600)
    variables.write_text(json.dumps(given))
    environ = {**os.environ, "ANSIBLE_FORKS": str(slots), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(home)}
    command = [place / "bin" / "ansible-playbook", "-i", "localhost,", "-e", f"@{variables}", PLAYBOOK]
    start = time.monotonic()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    variables.unlink()
    if done.returncode:
        raise RuntimeError(
            re.sub(entry["auth"]["password"], "***", done.stdout[-3000:] + done.stderr[-1000:])
        )
    return {"seconds": round(seconds, 2)}


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    """The same rule in the collection's words."""
    words = {"ethertype": "ether_type"}
    return {"direction": "ingress", **{words.get(key, key): value for key, value in rule.items()}}
