"""cloudctl beside restic and plain Cinder: the same image, full, then 2 % of it changed, then brought back.

    python -m bench.beside_others [--gib 2] [--without-faults]

Needs the lab (CLOUDCTL_HOME/lab) and Debian's restic, which is unpacked from its package where it is not
installed. Then faults are planted into what each of them has stored of a small image, one at a time, and each
is asked to check or to restore (bench/planted_faults.py).
"""

import argparse
import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.backup_columns import Cloudctl, Column, PlainCinder, ResticFile, Took
from bench.backup_ground import CITY, SITES, SOURCE, Ground
from bench.bare_backup import Bare
from bench.bare_openstack import entry_of
from bench.planted_faults import PlantedInCinder, PlantedInRestic, PlantedInVault, rows_of
from bench.restic import Account, Restic
from bench.volume_image import make, scatter
from provisioning.drivers.stores_file import read_stores

CHANGED_PER_CENT = 2.0
STRETCH_MIB = 8  # of the image for the faults: as great as an object of the lab's cinder-backup


class Comparison:
    """One image, three columns."""

    def __init__(self, home: Path, gib: int, stack: ExitStack) -> None:
        """`stack` takes away, when it is closed, whatever was made until then."""
        lab = home / "lab"
        self.ground = Ground(lab)
        stack.callback(self.ground.clean)
        self.place = home / "bench" / self.ground.installation
        self.place.mkdir(parents=True)
        stack.callback(shutil.rmtree, self.place)
        self.file = self.place / "image.raw"
        confs = {site: lab / "sites" / site / "etc" / "ceph.conf" for site in SITES}
        cinder = Bare(entry_of(lab / "clouds.yaml", SOURCE), self.ground.projects[SOURCE])
        cinder.make_room()
        city = read_stores(lab / "stores.yaml")[CITY]
        assert city.native is not None
        self.account = Account(confs[CITY], city.native, f"restic-{secrets.token_hex(4)}")
        stack.callback(self.account.remove)
        self.restic = Restic(home / "bench", self.account)
        stack.callback(self.restic.clean)
        store = self.account.store()
        self.plain = PlainCinder(self.ground, cinder, confs[SOURCE], self.file, gib)
        self.ours = Cloudctl(self.ground, confs, self.file, gib)
        self.of_file = ResticFile(self.restic, store, self.file, self.place)
        self.columns: Sequence[Column] = (self.plain, self.of_file, self.ours)
        self.faults = (
            PlantedInCinder(self.ground, self.plain),
            PlantedInRestic(self.restic, store, self.of_file),
            PlantedInVault(self.ground, self.ours),
        )

    def measure(self, mib: int) -> list[str]:
        """The rows of the table."""
        self._change(make(self.file, mib))
        full = [self._say(one, one.back_up(is_incremental=False)) for one in self.columns]
        self._change(scatter(self.file, CHANGED_PER_CENT, seed=2))
        increment = [self._say(one, one.back_up(is_incremental=True)) for one in self.columns]
        restored = [one.restore() for one in self.columns]
        return [
            _row(column.name, one, other, back_s)
            for column, one, other, back_s in zip(self.columns, full, increment, restored, strict=True)
        ]

    def plant(self, mib: int) -> list[str]:
        """The rows of the table of faults: two backups of a small image, and one fault after the other."""
        self._change(make(self.file, mib, seed=3, stretch_mib=STRETCH_MIB))
        for column in self.columns:
            column.back_up(is_incremental=False)
        text = (2 * STRETCH_MIB << 20, 4 * STRETCH_MIB << 20)
        self._change(scatter(self.file, 10, seed=4, within=text))
        for column in self.columns:
            self._say(column, column.back_up(is_incremental=False))
        return rows_of(self.faults)

    def _change(self, ranges: list[tuple[int, int]]) -> None:
        for one in self.columns:
            one.change(ranges)

    @staticmethod
    def _say(column: Column, took: Took) -> Took:
        print(f"{column.name:32} {took.seconds:7.1f} s {took.bytes} bytes", file=sys.stderr, flush=True)
        return took


def _row(name: str, full: Took, increment: Took, restored_s: float) -> str:
    cells = [
        f"{cell}"
        for one in (full, increment)
        for cell in (f"{one.seconds:.1f}", one.bytes >> 20, one.objects)
    ]
    return f"| {name} | {' | '.join(cells)} | {restored_s:.1f} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gib", type=int, default=2, help="of the volume")
    parser.add_argument("--mib", type=int, help="of the image in it, where that is smaller")
    parser.add_argument("--without-faults", action="store_true")
    given = parser.parse_args()
    mib = given.mib or given.gib << 10
    home = Path(os.environ["CLOUDCTL_HOME"])
    with ExitStack() as stack:
        bench = Comparison(home, given.gib, stack)
        rows, version = bench.measure(mib), bench.restic.version()
    print(
        f"""### Beside restic and plain Cinder

`python -m bench.beside_others`: an image of {mib} MiB (a quarter zeros, a quarter random, half text), then
{CHANGED_PER_CENT:.0f} % of it changed in blocks of 64 KiB; {version} of Debian. Bytes in MiB.

| | full, s | MiB | objects | increment, s | MiB | objects | restore, s |
|---|---:|---:|---:|---:|---:|---:|---:|
{chr(10).join(rows)}
""",
        flush=True,
    )
    if given.without_faults:
        return 0
    with ExitStack() as stack:
        rows = Comparison(home, 1, stack).plant(64)
    print(f"""| planted | plain Cinder, at the restore | restic, `check --read-data` | cloudctl, L1 |
|---|---|---|---|
{chr(10).join(rows)}
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
