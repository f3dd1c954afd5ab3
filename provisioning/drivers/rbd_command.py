"""The `rbd` command of one site's Ceph, run as a child: JSON out, exit codes as errors, an end to waiting.

A child can be ended where a call into librbd cannot: it waits for minutes for a monitor that is gone. What it
signs in with is a keyring file; nothing secret is on its command line.
"""

import errno
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloudctl.errors import StorageBusy, StorageRefused, StorageUnavailable

_ANSWER_S: Final = 45.0
#: What Ceph itself waits for: short enough to end before the child is ended.
_PATIENCE: Final = ("--client-mount-timeout", "10", "--rados-mon-op-timeout", "20")
#: A primary image is read-only only while the daemon, which followed the other site, has not let go of it.
_BUSY: Final = frozenset({errno.EBUSY, errno.EAGAIN, errno.EROFS})
_AWAY: Final = frozenset({1, errno.ETIMEDOUT, errno.ENOTCONN, errno.ESHUTDOWN, errno.EIO})


@dataclass(frozen=True)
class RbdAccess:
    """How a site's Ceph is reached: its configuration, a keyring, and the pool of the replicated volumes."""

    site: str
    conf: Path
    keyring: Path
    user: str
    pool: str


class NotThere(Exception):  # an answer, not a fault
    """Ceph has no image, snapshot or value of that name."""


class AlreadyThere(Exception):  # an answer, not a fault
    """Ceph has one of that name."""


class Rbd:
    """Runs the command. `program` is another one in tests."""

    def __init__(
        self, access: RbdAccess, program: tuple[str, ...] = ("rbd",), answer_s: float = _ANSWER_S
    ) -> None:
        self.access = access
        self._program = program
        self._answer_s = answer_s

    def spec(self, image: str, snapshot: str = "") -> str:
        """An image of the pool, or a snapshot of it, as the command takes it."""
        return f"{self.access.pool}/{image}" + (f"@{snapshot}" if snapshot else "")

    def run(self, *argv: str) -> str:
        """Run it to its end; what it printed. NotThere, AlreadyThere, StorageBusy, StorageRefused, or
        StorageUnavailable when it did not answer in time."""
        access = self.access
        command = [
            *self._program, "--conf", str(access.conf), "--name", f"client.{access.user}",
            "--keyring", str(access.keyring), *_PATIENCE, *argv,
        ]  # fmt: skip
        env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=self._answer_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise StorageUnavailable(
                "{site}: the storage did not answer within {seconds} s",
                site=access.site, seconds=int(self._answer_s),
            ) from error  # fmt: skip
        except OSError as error:
            raise StorageUnavailable(
                "{site}: the program {program} cannot be run: {error}",
                site=access.site, program=self._program[0], error=str(error),
            ) from error  # fmt: skip
        if done.returncode:
            self._fail(done.returncode, argv, done.stderr)
        return done.stdout

    def ask(self, *argv: str) -> Any:
        """The JSON it printed."""
        text = self.run(*argv, "--format", "json")
        try:
            return json.loads(text)
        except ValueError as error:
            raise StorageUnavailable(
                "{site}: the storage answered what is no JSON", site=self.access.site
            ) from error

    def _fail(self, code: int, argv: tuple[str, ...], stderr: str) -> None:
        if code == errno.ENOENT and not _is_about_login(stderr):
            raise NotThere(argv)
        if code == errno.EEXIST:
            raise AlreadyThere(argv)
        family = StorageBusy if code in _BUSY else StorageUnavailable if code in _AWAY else StorageRefused
        raise family(
            "{site}: the storage said to `{what}`: {reason}",
            site=self.access.site, what=" ".join(argv[:3]), reason=_reason(stderr) or code,
        )  # fmt: skip


def _is_about_login(stderr: str) -> bool:
    """Ceph says "no such file" too where it finds no key, no monitor, or no pool."""
    return "couldn't connect" in stderr or "unable to find a keyring" in stderr or "opening pool" in stderr


def _reason(stderr: str) -> str:
    """The command's own words: the last line that is not a line of a log."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("rbd:")]
    return (own or lines or [""])[-1].removeprefix("rbd:").strip()[:300]
