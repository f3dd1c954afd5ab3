#!/usr/bin/python3
"""What the agent beside it asks about the world: a question, and one line or an exit code for an answer.

`facts_script.py uuid`: the UUID that the cloud gave the machine, which no copy of its disk brings along;
nothing where none did. `facts_script.py rehearsal`: 0 on a copy that a drill or a proof has started, as its
config drive says (https://docs.openstack.org/nova/latest/user/metadata.html), 1 elsewhere; needs root, to
mount it. `facts_script.py look` reads from standard input what is to be observed, writes what it saw, and
ends with 0 when that is as it should be. It needs nothing but Python's own library (3.7 or newer).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import tempfile
from typing import Any
from urllib.parse import urlsplit

UUID_FILES = ("/sys/class/dmi/id/product_uuid", "/sys/hypervisor/uuid", "/proc/device-tree/vm,uuid")
DRIVES = ("/dev/disk/by-label/config-2", "/dev/sr0")
TAG = "cloudctl:rehearsal"  # as cloudctl tags the servers that it starts cut off from everything
PATIENCE_S, MOUNT_S = 5.0, 20.0

Json = Any


def uuid(files: tuple[str, ...] = UUID_FILES) -> str:
    """The first that one of the files tells; empty: none does."""
    for path in files:
        with contextlib.suppress(OSError), open(path) as file:
            found = file.read().strip(" \0\n").lower()
            if found:
                return found
    return ""


def is_rehearsal(drives: tuple[str, ...] = DRIVES) -> bool:
    """Whether the metadata on the config drive has the tag; a drive that cannot be read says no."""
    for drive in drives:
        with tempfile.TemporaryDirectory() as place:
            if run("mount", "-o", "ro", drive, place) != 0:
                continue
            try:
                with open(f"{place}/openstack/latest/meta_data.json", encoding="utf-8") as file:
                    return TAG in (json.load(file).get("meta") or {})
            except (OSError, ValueError):
                continue
            finally:
                run("umount", place)
    return False


def look(place: Json) -> tuple[bool, str]:
    """Whether a URL answers, and has in it what it should, and what was seen."""
    url = urlsplit(place["url"])
    try:
        line = http.client.HTTPConnection(url.netloc, timeout=PATIENCE_S)
        if url.scheme == "https":
            trust = ssl.create_default_context(cafile=place.get("ca"))
            line = http.client.HTTPSConnection(url.netloc, timeout=PATIENCE_S, context=trust)
        with contextlib.closing(line):
            line.request("GET", url.path or "/", headers={"Connection": "close"})
            answer = line.getresponse()
            text = answer.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"{type(error).__name__}: {error}"[:160]
    is_right = answer.status < http.HTTPStatus.INTERNAL_SERVER_ERROR and place.get("contains", "") in text
    return is_right, f"HTTP {answer.status}"


def run(*argv: str) -> int:
    """Its exit code, nothing of what it says; 127 where it cannot be run or takes too long."""
    try:
        quiet = subprocess.DEVNULL
        done = subprocess.run(argv, check=False, stdin=quiet, stdout=quiet, stderr=quiet, timeout=MOUNT_S)
    except (OSError, subprocess.TimeoutExpired):
        return 127
    return done.returncode


def main(question: str) -> int:
    """Answer it; the exit code."""
    if question == "uuid":
        sys.stdout.write(uuid() + "\n")
        return 0
    if question == "rehearsal":
        return 0 if is_rehearsal() else 1
    is_right, seen = look(json.load(sys.stdin))
    with contextlib.suppress(BrokenPipeError):  # whoever asked is ended meanwhile
        sys.stdout.write(seen + "\n")
        sys.stdout.flush()
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
