"""Everything that gates, in order, with the time each part took: `make test` and CI run just this.

Installs what the tests need of Debian (PostgreSQL, RabbitMQ, etcd, BIND, PowerDNS, Chromium, ssh, Pango, a
Chinese font, Spin and the C compiler it needs), then:
check, the tests that need no cloud, the lab, the tests on the lab, the lab with real guests, the tests on
that. A skipped test fails the run. The lab is left running or not as it was found, with rows for guests.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import packages

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PACKAGES = (
    "postgresql", "rabbitmq-server", "chromium", "fonts-noto-cjk", "libatomic1", "openssh-client",
    "libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "poppler-utils", "spin", "gcc", "libc6-dev",
    "etcd-server", "bind9", "pdns-server", "pdns-backend-sqlite3", "faketime",
)  # fmt: skip


@dataclass
class Part:
    """One part of the gate."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)


def pytest(*arguments: str) -> list[str]:
    return [str(BIN / "pytest"), "-q", "--durations=8", *arguments]


PARTS = (
    Part("check", ["make", "-s", "check"]),
    Part("tests without a cloud", pytest("-n", "2", "-m", "not lab and not guests and not soak")),
    Part("lab up", [str(BIN / "cloudctl"), "lab", "up", "--no-guests", "--with", "replication"]),
    Part("tests on the lab", pytest("-m", "lab and not soak")),
    Part("lab up with guests", [str(BIN / "cloudctl"), "lab", "up", "--guests", "--with", "replication"]),
    Part("tests with guests", pytest("-m", "guests and not soak")),
)


def install_packages() -> None:
    """The Debian packages that are missing; their daemons are not started by the package scripts."""
    if names := packages.missing(PACKAGES):
        packages.install(names, ROOT / ".state" / "packages.log")


def lab_is_up() -> bool:
    """Whether somebody else's lab is running, which then must be left running."""
    shown = subprocess.run(
        [str(BIN / "cloudctl"), "lab", "status", "-f", "value", "-c", "state"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "up" in shown.stdout.split()


def main() -> int:
    """Run the parts; the first that fails ends the run. Exit code 0 when all passed."""
    env = {**os.environ, "CLOUDCTL_MUST_RUN": "1", "PYTHONUNBUFFERED": "1"}
    times: list[tuple[str, float]] = []
    started = time.monotonic()

    def run(part: Part) -> bool:
        print(f"== {part.name}", flush=True)
        began = time.monotonic()
        code = subprocess.run(part.command, cwd=ROOT, env={**env, **part.env}, check=False).returncode
        times.append((part.name, time.monotonic() - began))
        return code == 0

    print("== packages", flush=True)
    install_packages()
    times.append(("packages", time.monotonic() - started))
    was_up = lab_is_up()
    passed = all(run(part) for part in PARTS)
    end = ("up", "--no-guests") if was_up else ("down",)
    run(Part(f"lab {end[0]}", [str(BIN / "cloudctl"), "lab", *end]))
    for name, seconds in times:
        print(f"{seconds:7.1f} s  {name}")
    print(f"{time.monotonic() - started:7.1f} s  in all: {'passed' if passed else 'FAILED'}")
    return 0 if passed else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["packages"]:  # all that `make soak` and `make bench` need
        install_packages()
    else:
        sys.exit(main())
