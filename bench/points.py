"""Replication of a recovery point and its check, beside a bare boto3 script over the same objects.

    python -m bench.points [--mib 512] [--rounds 3] [--threads 8]

Needs the lab (CLOUDCTL_HOME/lab). One backup in Cinder's chunked format (8 MiB objects, zlib; a quarter
zeros, a quarter random, half text) is laid into `province`'s bucket and copied into `city-1`'s vault. Bare
and product take turns; medians are shown. The bare copy reads, hashes (SHA-256), inflates and puts every
object; the bare check reads, hashes, inflates and compares Cinder's own hashes; both seal nothing, record
nothing and survive nothing. Everything is put without a lock and deleted again.
"""

import argparse
import hashlib
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudctl.config import Settings
from cloudctl.envelopes import DataKey
from cloudctl.escrow import EscrowKey, wrap
from cloudctl.ports import ObjectStore, Purpose
from cloudctl.secrets import Signer
from dr.points.checking import check
from dr.points.format import Source
from dr.points.formats import format_of
from dr.points.head import DATA, HEADS, head_key, point_context
from dr.points.manifest import CINDER, Part
from dr.points.parallel import each
from dr.points.replication import Draft, VaultView, replicate
from provisioning.drivers.fake_chunks import SERVICE, Layout, write_backup
from provisioning.drivers.s3_objects import connect
from provisioning.drivers.s3_stores import S3Stores
from provisioning.drivers.stores_file import read_stores
from tests.point_scenes import record_url

SOURCE, TARGET = "province", "city-1"
BAR = 0.80
LAYOUT = Layout(1 << 30, 8 << 20, 64 << 10)
AT = datetime.now(UTC).replace(microsecond=0)


def image(mib: int) -> bytes:
    """A volume's bytes in stretches of 1 MiB: a quarter zeros, a quarter random, the rest like a log."""
    drawn = random.Random(20261126)
    words = [b"%08x " % drawn.getrandbits(32) for _ in range(4096)]
    kinds: list[Callable[[], bytes]] = [
        lambda: bytes(1 << 20),
        lambda: drawn.randbytes(1 << 20),
        *(2 * [lambda: b"".join(drawn.choices(words, k=1 << 17))[: 1 << 20].ljust(1 << 20)]),
    ]
    return b"".join(kinds[number % 4]() for number in range(mib))


@dataclass
class Bench:
    """One backup in the source's bucket, and both ways to bring it to the target and to check it there."""

    home: Path
    threads: int
    stamp: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = Settings(
            home=self.home, installation="bench", stores_yaml=str(self.home / "lab" / "stores.yaml")
        )
        self.stores = S3Stores(settings)
        sites = read_stores(settings.stores_file)
        source, target = sites[SOURCE], sites[TARGET]
        assert source.native and target.vault
        self.bare_source: Any = connect(source.native, 60)
        self.bare_write: Any = connect(target.vault[Purpose.WRITE], 60)
        self.bare_read: Any = connect(target.vault[Purpose.READ], 60)
        self.native_bucket, self.vault_bucket = source.native_bucket, target.vault_bucket
        self.native = self.stores.native(SOURCE)
        self.read = self.stores.vault(TARGET, Purpose.READ)
        self.view = VaultView(self.stores.vault(TARGET, Purpose.WRITE), self.read)
        self.keys = tempfile.TemporaryDirectory(prefix="bench-points")
        keys = Path(self.keys.name)
        Signer.make_key(keys / "points.key")
        self.signer = Signer(keys / "points.key")
        self.escrow = EscrowKey.make(keys / "escrow.key", "bench", TARGET, (self.signer.public,), AT)
        self.prefix = f"bench_{self.stamp}/az_bench_backup_b"

    def lay(self, mib: int) -> None:
        """The backup, and what its description says of it."""
        about = {
            "backup_id": "b", "volume_id": "v", "backup_name": "", "backup_description": "",
            "created_at": "", "parent_id": None, "volume_meta": None,
        }  # fmt: skip
        write_backup(self.native, self.prefix, about, image(mib), LAYOUT)
        url = record_url("b", self.prefix, None, self.native.bucket)
        part = Part(0, CINDER, "root", self.native.bucket, mib << 20, "v", service=SERVICE, url=url)
        self.prepared = format_of(CINDER).prepare(part, self.native)
        texts = {one.name: self.native.read(one.name) for one in self.prepared.sources[-2:]}
        self.told = format_of(CINDER).described(self.prepared.part, texts)
        self.bytes = sum(source.size_bytes for source in self.prepared.sources)

    # -- the bare legs

    def bare_copy(self, name: str) -> None:
        """Read, hash, inflate, put."""

        def one(source: Source) -> None:
            body = self._get(self.bare_source, self.native_bucket, source.name)
            hashlib.sha256(body).hexdigest()
            self._inflated(source, body)
            key = f"{DATA}bench/{name}/{source.name.rpartition('/')[2]}"
            self.bare_write.put_object(Bucket=self.vault_bucket, Key=key, Body=body)

        self._all(one)

    def bare_check(self, name: str) -> None:
        """Read, hash, inflate, and compare the MD5 and the SHA-256 of the blocks that Cinder wrote down."""

        def one(source: Source) -> None:
            key = f"{DATA}bench/{name}/{source.name.rpartition('/')[2]}"
            body = self._get(self.bare_read, self.vault_bucket, key)
            hashlib.sha256(body).hexdigest()
            view = memoryview(self._inflated(source, body))
            hashlib.md5(view, usedforsecurity=False).hexdigest()
            for at in range(0, len(view), LAYOUT.block_bytes):
                hashlib.sha256(view[at : at + LAYOUT.block_bytes]).digest()

        self._all(one)

    def _all(self, one: Callable[[Source], None]) -> None:
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(one, self.prepared.sources))

    @staticmethod
    def _get(client: Any, bucket: str, key: str) -> bytes:
        return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def _inflated(self, source: Source, body: bytes) -> bytes:
        extent = self.told.extents.get(source.name)  # type: ignore[attr-defined]
        return zlib.decompress(body) if extent and extent.compression == "zlib" else body

    # -- the product's legs

    def draft(self, point: str) -> tuple[Draft, DataKey]:
        key = DataKey.new()
        keys = {self.escrow.id: wrap(key, self.escrow.public, point_context("bench", point))}
        draft = Draft(
            "bench", "m", 1, point, "full", None, "bench", SOURCE, "single", AT, None, None, keys,
            (self.prepared.part,),
        )  # fmt: skip
        return draft, key

    def round(self, number: int) -> None:
        name, point = f"bare-{self.stamp}-{number}", f"p-{self.stamp}-{number}"
        draft, key = self.draft(point)
        with self.timed("bare copy"):
            self.bare_copy(name)
        with self.timed("replication"):
            copied = replicate(draft, key, self.signer, {0: self.native}, self.view, threads=self.threads)
        assert copied.head
        with self.timed("bare check"):
            self.bare_check(name)
        with self.timed("L1"):
            found = check(
                self.read,
                head_key(copied.head),
                (self.signer.public,),
                self.escrow,
                now=AT,
                threads=self.threads,
            )
        assert found.level == "L1", found.faults

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        took = time.perf_counter() - begun
        self.seconds.setdefault(what, []).append(took)
        print(f"{what:12} {took:7.2f} s", file=sys.stderr, flush=True)

    def clean(self) -> None:
        """Nothing of it was locked."""
        self.keys.cleanup()
        expire: ObjectStore = self.stores.vault(TARGET, Purpose.EXPIRE)
        for prefix in (HEADS, DATA):
            listed = list(self.read.list_versions(f"{prefix}bench/"))
            list(each(listed, lambda one: expire.delete(one.key, one.version_id), 16))
        for one in list(self.native.list(self.prefix)):
            self.native.delete(one.key)

    def page(self, mib: int) -> str:
        medians = {what: statistics.median(took) for what, took in self.seconds.items()}
        rows = [
            f"| {ours} | {medians[bare]:.2f} | {medians[ours]:.2f} | {self.bytes / medians[ours] / 1e6:.0f} "
            f"| {medians[bare] / medians[ours] * 100:.0f} % |"
            for bare, ours in (("bare copy", "replication"), ("bare check", "L1"))
        ]
        mb, rounds = self.bytes / 1e6, len(self.seconds["L1"])
        return f"""## Recovery points

`python -m bench.points`: a volume of {mib} MiB in {len(self.prepared.sources)} objects, {mb:.0f} MB,
{self.threads} threads, {rounds} rounds, medians.

| | bare boto3, s | cloudctl, s | cloudctl, MB/s | speed of the bare one |
|---|---:|---:|---:|---:|
{rows[0]}
{rows[1]}

The bar is {BAR * 100:.0f} %.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    given = parser.parse_args()
    bench = Bench(Path(os.environ["CLOUDCTL_HOME"]), given.threads)
    try:
        bench.lay(given.mib)
        for number in range(given.rounds):
            bench.round(number)
    finally:
        bench.clean()
    print(bench.page(given.mib))
    return 0


if __name__ == "__main__":
    sys.exit(main())
