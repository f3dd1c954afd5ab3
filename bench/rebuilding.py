"""How long until the points of a vault are known to an empty database: `backup rebuild`, the use case itself.

    python -m bench.rebuilding [--points 1000] [--systems 20]

Needs the lab (CLOUDCTL_HOME/lab). Heads and sealed manifests of full points (a volume of 1 GiB in 130
objects, which are not there: nobody looks) are put into `city-1`'s vault without a lock, rebuilt into an
SQLite database that has a topology and nothing else, rebuilt again into the same, and deleted. The bar for
1,000 is 60 s.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.backup_ground import CITY, SOURCE, UnlockedStores
from cloudctl.clock import SystemClock
from cloudctl.config import Settings
from cloudctl.envelopes import DataKey, Digest, sealed_size
from cloudctl.escrow import EscrowKey, wrap
from cloudctl.models import PointCopy, RecoveryPoint
from cloudctl.ports import Purpose, Stores
from cloudctl.secrets import Box, Signer
from dr import rebuild
from dr.keyring import Keyring
from dr.points import manifest as parts
from dr.points.head import DATA, HEADS, Head, Previous, head_key, manifest_key, point_context
from dr.points.manifest import CINDER, Manifest, Part, Piece
from dr.points.parallel import each
from dr.points.replication import VaultView, sealed_manifest
from provisioning.drivers.fake_chunks import SERVICE
from tests.builders import a_province, an_actor
from tests.conftest import make_core
from tests.point_scenes import record_url

BAR_S, THREADS = 60.0, 16
OBJECTS, OBJECT_BYTES = 128, 8 << 20
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


class Rebuilding:
    """A vault full of points of an installation that is lost, and a new one that reads them."""

    def __init__(self, stores: Stores, home: Path) -> None:
        self.stores = stores
        self.home = home
        self.lost = f"bench-{uuid.uuid4().hex[:8]}"
        Signer.make_key(home / "keys" / "points.key")
        Box.make_key(home / "keys" / "box.key")
        self.signer = Signer(home / "keys" / "points.key")
        self.escrow = EscrowKey.make(
            home / "keys" / "escrow.json", self.lost, CITY, (self.signer.public,), AT
        )
        self.view = VaultView(stores.vault(CITY, Purpose.WRITE), stores.vault(CITY, Purpose.READ))

    def lay(self, points: int, systems: int) -> None:
        """Put the heads and manifests of so many points."""
        list(each(self._points(points, systems), self._put, THREADS))

    def rebuild(self, points: int) -> tuple[float, float]:
        """The seconds of a first and of a second rebuild into the same empty database."""
        core = make_core(self.home, clock=SystemClock())  # type: ignore[arg-type]  # it asks for the time only
        a_province(core)
        keyring = Keyring(self.signer, Box(self.home / "keys" / "box.key"), lambda: {CITY: self.escrow})
        actor, seconds = an_actor(core, "dave"), []
        for new in (points, 0):
            begun = time.perf_counter()
            found = rebuild.rebuild(core, actor, self.stores, keyring, CITY, self.lost)
            seconds.append(time.perf_counter() - begun)
            if (found.points, found.new, found.faults) != (points, new, ()):
                raise RuntimeError(f"{found.points} points, {found.new} new, {found.faults[:3]}")
        with core.store.read() as uow:
            if {uow.count(RecoveryPoint), uow.count(PointCopy)} != {points}:
                raise RuntimeError("rows are missing")
        core.store.close()
        return seconds[0], seconds[1]

    def clean(self) -> None:
        """Nothing of it was locked."""
        expire = self.stores.vault(CITY, Purpose.EXPIRE)
        for prefix in (HEADS, DATA):
            listed = list(self.view.read.list_versions(f"{prefix}{self.lost}/"))
            list(each(listed, lambda one: expire.delete(one.key, one.version_id), THREADS))

    # -- the pieces

    def _points(self, points: int, systems: int) -> Iterator[tuple[Head, bytes]]:
        """System by system, each point after the one before it."""
        for number in range(systems):
            previous = None
            for sequence in range(1, len(range(number, points, systems)) + 1):
                head, body = self._point(f"bench-{number}", sequence, previous)
                previous = Previous(sequence, head.sha256)
                yield head, body

    def _point(self, system: str, sequence: int, previous: Previous | None) -> tuple[Head, bytes]:
        point, key = uuid.uuid4().hex, DataKey.new()
        taken_at = AT + timedelta(seconds=sequence)
        wrapped = wrap(key, self.escrow.public, point_context(self.lost, point))
        manifest = _manifest(self.lost, point, taken_at)
        sealed = sealed_manifest(manifest, key)
        head = Head(
            self.lost, f"system-{SOURCE}-{system}", sequence, point, "full", None, system, SOURCE, "single",
            taken_at, None, previous, sealed.sealed, len(manifest.pieces), manifest.plain_bytes, 1 << 30,
            {self.escrow.id: wrapped},
        )  # fmt: skip
        return head.signed(self.signer), sealed.body

    def _put(self, made: tuple[Head, bytes]) -> None:
        head, manifest = made
        self.view.write.put(manifest_key(head), manifest)
        self.view.write.put(head_key(head), head.body())


def _manifest(installation: str, point: str, taken_at: datetime) -> Manifest:
    """What a full backup of 1 GiB looks like."""
    prefix = f"volume_v/20261126080000/az_nova_backup_{point}"
    roles = [(parts.DATA, f"-{number:05d}", OBJECT_BYTES) for number in range(1, OBJECTS + 1)]
    roles += [(parts.HASHES, "_sha256file", 1_200_000), (parts.DESCRIPTION, "_metadata", 40_000)]
    pieces = tuple(
        Piece(
            number,
            0,
            role,
            prefix + name,
            _digest(point, number, size),
            _digest(point, -number, sealed_size(size)),
        )
        for number, (role, name, size) in enumerate(roles, 1)
    )
    part = Part(
        0, CINDER, "root", "volume-backups", 1 << 30, "v", "standard", backup_id=point, service=SERVICE,
        url=record_url(point, prefix, None, "volume-backups"), block_bytes=64 << 10,
        root_sha256=hashlib.sha256(point.encode()).hexdigest(),
    )  # fmt: skip
    return Manifest(installation, point, taken_at, (part,), pieces)


def _digest(point: str, number: int, size: int) -> Digest:
    return Digest(size, hashlib.sha256(f"{point}/{number}".encode()).hexdigest())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--systems", type=int, default=20)
    given = parser.parse_args()
    lab = Path(os.environ["CLOUDCTL_HOME"]) / "lab"
    with tempfile.TemporaryDirectory(prefix="bench-rebuild") as directory:
        settings = Settings(home=lab, installation="bench", stores_yaml=str(lab / "stores.yaml"))
        bench = Rebuilding(UnlockedStores(settings), Path(directory))
        try:
            bench.lay(given.points, given.systems)
            first_s, again_s = bench.rebuild(given.points)
        finally:
            bench.clean()
    print(f"""### Rebuild

`python -m bench.rebuilding`: {given.points} points of {given.systems} systems out of a vault into an empty
database, 130 objects in each manifest: {first_s:.1f} s, again {again_s:.1f} s; the bar is {BAR_S:.0f} s.
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
