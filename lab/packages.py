"""The Debian packages a lab needs, installed when some are missing and without starting their daemons."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.commands import run

PACKAGES = (
    "mariadb-server-core", "mariadb-client", "rabbitmq-server", "memcached",
    "openvswitch-switch", "ovn-central", "ovn-host", "iproute2",
    "ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "radosgw", "python3-rados", "python3-rbd",
    "qemu-utils", "python3", "util-linux",
)  # fmt: skip
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing(names: Sequence[str] = PACKAGES) -> list[str]:
    """Which of the packages are not installed; asks dpkg, never apt."""
    found = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *names],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    installed = {line.split()[0] for line in found.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def install(names: list[str], log: Path) -> None:
    """Installs the packages; finishes an installation that was killed in the middle first."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = "-oDPkg::Lock::Timeout=300"
    with _daemons_forbidden():
        _wait_for_dpkg()
        run(["dpkg", "--configure", "-a"], log=log, env=env, timeout_s=600)
        run(["apt-get", wait, "-q", "update"], log=log, env=env, timeout_s=600)
        run(
            ["apt-get", wait, "-q", "-y", "--no-install-recommends", "install", *names],
            log=log, env=env, timeout_s=1800,
        )  # fmt: skip


def _wait_for_dpkg() -> None:
    """Waits while somebody else installs, for instance what a killed `up` has left running."""
    with Path("/var/lib/dpkg/lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)


@contextlib.contextmanager
def _daemons_forbidden() -> Iterator[None]:
    """Package scripts start daemons unless a policy says no; a policy that the machine has already stays."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
