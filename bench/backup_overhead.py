"""What cloudctl adds to Cinder's own call: a full backup of one volume, with it and without.

    python -m bench.backup_overhead [--mib 1024] [--rounds 3]

Needs the lab (CLOUDCTL_HOME/lab). Bare: POST /backups and a look each second until it is available. cloudctl:
from the row of the point to the end of its operation (vault asked, volumes listed, snapshot, backup of it,
record exported, snapshot gone), without copying into the vault and reading back, which bench.points measures.
They take turns on the same volume; medians are shown. The bar is 5 % of the bare call or 3 s, whichever is
more.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

from bench.backup_ground import SOURCE, Ground
from bench.bare_backup import Bare
from bench.bare_openstack import entry_of
from bench.volume_image import lay, make
from cloudctl.models import Operation
from dr.starting import FULL

BAR_SHARE, BAR_S = 0.05, 3.0
STAGES = ("admit", "freeze", "thaw", "read", "settle", "copy city-1", "check city-1", "tidy")


class Overhead:
    """One volume, and both ways to back it up."""

    def __init__(self, home: Path, mib: int) -> None:
        self.lab = home / "lab"
        self.ground = Ground(self.lab)
        self.image = home / f"bench-{self.ground.installation}.raw"
        self.mib = mib
        self.cinder = Bare(entry_of(self.lab / "clouds.yaml", SOURCE), self.ground.projects[SOURCE])
        self.bare: list[float] = []
        self.ours: list[float] = []
        self.whole: list[float] = []

    def lay(self) -> None:
        """The volume with its image."""
        self.volume = self.ground.volume("image", -(-self.mib // 1024))
        self.cinder.make_room()
        conf = self.lab / "sites" / SOURCE / "etc" / "ceph.conf"
        lay(conf, self.volume, self.image, make(self.image, self.mib))

    def round(self) -> None:
        """Both once."""
        self.bare.append(self.cinder.back_up(self.volume)[1])
        _, operation = self.ground.back_up(FULL)
        whole, stored = self._seconds(operation)
        self.whole.append(whole)
        self.ours.append(whole - stored)
        print(
            f"bare {self.bare[-1]:6.2f} s   cloudctl {self.ours[-1]:6.2f} s   with the vault {whole:6.2f} s",
            file=sys.stderr,
            flush=True,
        )

    def _seconds(self, operation: Operation) -> tuple[float, float]:
        """All of it, and what of that went into the vault and its check."""
        steps = self.ground.steps(operation)
        begun, last = operation.created_at, operation.created_at
        for name in STAGES:
            ended = steps[name].ended_at
            assert ended is not None
            print(f"  {name:14} {(ended - last).total_seconds():6.2f} s", file=sys.stderr)
            last = ended
        assert operation.ended_at is not None
        settled, checked = steps["settle"].ended_at, steps["check city-1"].ended_at
        assert settled is not None
        assert checked is not None
        return (operation.ended_at - begun).total_seconds(), (checked - settled).total_seconds()

    def clean(self) -> None:
        """The lab is as it was."""
        self.image.unlink(missing_ok=True)
        self.ground.clean()

    def page(self) -> str:
        """The section of docs/benchmarks.md."""
        bare, ours, whole = (statistics.median(one) for one in (self.bare, self.ours, self.whole))
        bar = max(BAR_SHARE * bare, BAR_S)
        return f"""### What cloudctl adds to Cinder's own call

`python -m bench.backup_overhead`: a full backup of {self.mib} MiB, {len(self.bare)} rounds, medians.

| Cinder alone, s | cloudctl without the vault, s | added, s | bar, s | cloudctl with copy and L1, s |
|---:|---:|---:|---:|---:|
| {bare:.2f} | {ours:.2f} | {ours - bare:.2f} | {bar:.2f} | {whole:.2f} |
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    bench = Overhead(Path(os.environ["CLOUDCTL_HOME"]), given.mib)
    try:
        bench.lay()
        for _ in range(given.rounds):
            bench.round()
    finally:
        bench.clean()
    print(bench.page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
