"""The column of restic, Debian's own: the image file into a repository in a bucket at the other site.

The bucket belongs to an account of the gateway's own that is made for it: over plain HTTP restic signs in
chunks, which radosgw does not take from accounts of Keystone.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudctl.ports import ObjectStore
from provisioning.drivers.s3_objects import Access, S3ObjectStore, connect

TIMEOUT_S = 60.0


class Account:
    """An account of a site's object gateway, with a bucket of its name."""

    def __init__(self, ceph_conf: Path, like: Access, name: str) -> None:
        self._conf, self.name = ceph_conf, name
        self.access = replace(like, access_key=secrets.token_hex(10), secret_key=secrets.token_hex(20))
        key = {"user": name, "access_key": self.access.access_key, "secret_key": self.access.secret_key}
        user: dict[str, Any] = {
            "user_id": name, "display_name": name, "max_buckets": 2, "keys": [key],
            "op_mask": "read, write, delete", "type": "rgw",
        }  # fmt: skip
        row = {"key": f"user:{name}", "ver": {"tag": "bench", "ver": 1}, "data": user}
        self._admin("metadata", "put", f"user:{name}", text=json.dumps(row))

    def store(self) -> ObjectStore:
        """Its bucket, which restic makes."""
        return S3ObjectStore(connect(self.access, TIMEOUT_S), self.access.site, self.name)

    def remove(self) -> None:
        """With all that it has."""
        self._admin("user", "rm", f"--uid={self.name}", "--purge-data")

    def _admin(self, *words: str, text: str = "") -> None:
        command = ["radosgw-admin", "-c", str(self._conf), "-n", "client.rgw.x", *words]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"radosgw-admin {words[0]}: {done.stderr[-500:]}")


def program(place: Path) -> Path:
    """restic as it is installed, or unpacked from Debian's package without installing it."""
    found = shutil.which("restic")
    if found:
        return Path(found)
    unpacked = place / "restic"
    if not (unpacked / "usr" / "bin" / "restic").exists():
        unpacked.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-qq", "download", "restic"], cwd=unpacked, check=True, stdout=sys.stderr)
        [package] = unpacked.glob("restic_*.deb")
        subprocess.run(["dpkg", "-x", package, unpacked], check=True)
    return unpacked / "usr" / "bin" / "restic"


class Restic:
    """One repository in the bucket of an account."""

    def __init__(self, place: Path, account: Account) -> None:
        self._program = program(place)
        self._cache = place / f"cache-{account.name}"
        self._environ = {
            **os.environ,
            "RESTIC_REPOSITORY": f"s3:{account.access.endpoint}/{account.name}",
            "RESTIC_PASSWORD": secrets.token_hex(16),
            "RESTIC_CACHE_DIR": str(self._cache),
            "AWS_ACCESS_KEY_ID": account.access.access_key,
            "AWS_SECRET_ACCESS_KEY": account.access.secret_key,
        }
        self.must("init")

    def back_up(self, file: Path) -> float:
        """The seconds of `restic backup`."""
        return self._timed("backup", str(file))

    def restore(self, to: Path) -> float:
        """The seconds of `restic restore latest`; every blob is checked against its hash on the way."""
        return self._timed("restore", "latest", "--target", str(to))

    def complains(self, *words: str, password: str = "") -> str:
        """What it says when it ends in an error; empty when it does not. Never from its cache."""
        changed = {"RESTIC_PASSWORD": password} if password else {}
        done = subprocess.run(
            [self._program, "--no-cache", "--no-lock", *words],
            env={**self._environ, **changed}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return (done.stderr.strip().splitlines() or ["?"])[-1] if done.returncode else ""

    def must(self, *words: str) -> str:
        """RuntimeError when it ends in an error."""
        done = subprocess.run(
            [self._program, *words], env=self._environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"restic {words[0]}: {done.stderr[-1000:]}")
        return done.stdout

    def version(self) -> str:
        """As it says itself."""
        return " ".join(self.must("version").split()[:2])

    def clean(self) -> None:
        """Its cache; the repository goes with the account."""
        shutil.rmtree(self._cache, ignore_errors=True)

    def _timed(self, *words: str) -> float:
        begun = time.monotonic()
        self.must(*words)
        return time.monotonic() - begun
