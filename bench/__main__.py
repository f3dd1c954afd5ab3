"""How long from the last approval to delivered, beside a bare script and beside Ansible's collection.

    python -m bench [--sizes 1,3,20] [--rounds 3] [--without-ansible]

Needs the lab (CLOUDCTL_HOME/lab). Rounds are taken in turns, so that what else the machine does falls on
all columns alike; the table shows medians. Cleans up after itself and writes docs/benchmarks.md.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench import ansible_openstack
from bench.bare_openstack import Wanted, entry_of, run
from bench.cleaning import clean, forget_key, project_named
from bench.product import Installation
from bench.report import write

SLOTS, POLL_S = 8, 1.0
OTHERS = "## The register"


@dataclass
class Bench:
    """What is measured and what came out."""

    home: Path
    clouds: Path
    sizes: list[int]
    rounds: int
    with_ansible: bool
    stamp: str = field(default_factory=lambda: f"{int(time.time()):x}")
    results: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entry = entry_of(self.clouds, "province")

    def systems(self) -> list[str]:
        return [self.name("c", size, n) for size in self.sizes for n in range(self.rounds_of(size))]

    def rounds_of(self, size: int) -> int:
        """Big builds take minutes each: two rounds of them must do."""
        return self.rounds if size < 10 else min(self.rounds, 2)

    def name(self, column: str, size: int, n: int) -> str:
        return f"bench-{self.stamp}-{column}{size}-{n}"

    def measure(self, installation: Installation) -> None:
        for size in self.sizes:
            for n in range(self.rounds_of(size)):
                self.bare(size, n)
                self.product(installation, size, n)
                if self.with_ansible and n == 0:
                    self.ansible(size, n)

    def bare(self, size: int, n: int) -> None:
        name = self.name("b", size, n)
        self._keep("bare", size, lambda: asyncio.run(run(self.entry, Wanted(name, size), SLOTS, POLL_S)))
        self._clean(name, domain=name)

    def product(self, installation: Installation, size: int, n: int) -> None:
        name = self.name("c", size, n)
        self._keep("cloudctl", size, lambda: installation.run(Wanted(name, size), name))
        self._clean(name, domain=None)

    def ansible(self, size: int, n: int) -> None:
        name, place = self.name("a", size, n), self.home / "bench"
        self._keep(
            "ansible", size, lambda: ansible_openstack.run(place, self.entry, Wanted(name, size), SLOTS)
        )
        self._clean(name, domain=name)

    def _keep(self, column: str, size: int, measure: Any) -> None:
        try:
            result = measure()
        except (RuntimeError, OSError, httpx.HTTPError) as error:  # one round lost is one round less
            self.failures.append(f"{column} {size}: {error}")
            print(f"{column} {size}: {error}", file=sys.stderr, flush=True)
            return
        self.results.setdefault((column, size), []).append(result)
        print(
            f"{column:9} {size:3} VMs {result['seconds']:7.2f} s {result.get('total_calls', '')}", flush=True
        )

    def _clean(self, name: str, domain: str | None) -> None:
        for project in filter(None, [self._project(name)]):
            asyncio.run(clean(self.entry, project, domain))
        asyncio.run(forget_key(self.entry, name))

    def _project(self, name: str) -> str | None:
        return asyncio.run(project_named(self.entry, name)) or asyncio.run(
            project_named(self.entry, f"{name}-prod")
        )

    def median(self, column: str, size: int) -> float | None:
        found = [result["seconds"] for result in self.results.get((column, size), [])]
        return round(statistics.median(found), 2) if found else None


def keep(page: str) -> None:
    """Write the page; what other measurements have written below it stays."""
    file = Path(__file__).parents[1] / "docs" / "benchmarks.md"
    _, mark, others = file.read_text().partition(OTHERS)
    file.write_text(f"{page}\n{mark}{others}" if mark else page)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,3,20")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-ansible", action="store_true")
    parser.add_argument("--no-report", action="store_true", help="print, write no page")
    given = parser.parse_args()
    home = Path(os.environ["CLOUDCTL_HOME"])
    sizes = [int(size) for size in given.sizes.split(",")]
    bench = Bench(home, home / "lab" / "clouds.yaml", sizes, given.rounds, not given.without_ansible)
    (home / "bench").mkdir(exist_ok=True)
    if bench.with_ansible:
        ansible_openstack.environment(home / "bench")
    installation = Installation(home / "bench" / "home", bench.clouds, bench.systems(), SLOTS)
    try:
        bench.measure(installation)
        memory = (installation.rest_mib, installation.worked_mib)
    finally:
        installation.stop()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    compared = ansible_openstack.version(home / "bench") if bench.with_ansible else None
    page = write(bench, memory, machine, datetime.now(UTC), compared)
    print(page)
    if not given.no_report:
        keep(page)
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
