"""A volume's backup in a bucket in memory, a vault beside it, and what it takes to copy one to the other."""

import base64
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from cloudctl.clock import FrozenClock
from cloudctl.envelopes import DataKey
from cloudctl.errors import Fault
from cloudctl.escrow import EscrowKey, wrap
from cloudctl.ports import LockMode, Purpose
from cloudctl.secrets import Signer
from dr.points.checking import check
from dr.points.head import Head, Previous, head_key_of, point_context
from dr.points.judging import Judgement
from dr.points.manifest import CINDER, Manifest, Part, piece_key
from dr.points.replication import Copied, Draft, VaultView, replicate
from provisioning.drivers.fake_bucket import FakeBucket
from provisioning.drivers.fake_chunks import SERVICE, Layout, write_backup
from provisioning.drivers.fake_objects import FakeStores

SMALL = Layout(gib_bytes=1 << 20, object_bytes=256 << 10, block_bytes=32 << 10)
HOME = "province"
OTHER = "city-1"


def content(seed: int, size: int = 1 << 20) -> bytes:
    """Half of it random, half of it like text."""
    drawn = random.Random(seed)
    return drawn.randbytes(size // 2) + (b"%d line of a log\n" % seed * size)[: size - size // 2]


def record_url(backup: str, prefix: str, parent: str | None, container: str) -> str:
    """What Cinder's export says about a backup of a volume of 1 GiB."""
    told = {
        "id": backup, "service_metadata": prefix, "container": container, "size": 1, "parent_id": parent,
        "display_name": "nightly", "display_description": "", "object_count": 4, "volume_id": "v-1",
        "num_dependent_backups": 3, "host": "p-backup-1", "status": "available",
    }  # fmt: skip
    return base64.b64encode(json.dumps(told).encode()).decode()


@dataclass
class Scene:
    """One member with backups at home and a vault elsewhere. Its points are p-1, p-2 and so on."""

    place: Path
    clock: FrozenClock = field(default_factory=FrozenClock)
    lock: LockMode = LockMode.COMPLIANCE

    def __post_init__(self) -> None:
        self.stores = FakeStores(self.clock, (HOME, OTHER, "city-2"), lock=self.lock)
        self.native: FakeBucket = self.stores.native_bucket(HOME)
        self.vault: FakeBucket = self.stores.vault_bucket(OTHER)
        Signer.make_key(self.place / "points.key")
        self.signer = Signer(self.place / "points.key")
        self.trusted = (self.signer.public,)
        self.escrow = EscrowKey.make(self.place / "escrow.key", "gx", OTHER, self.trusted, self.clock.now())
        self.keys: dict[str, DataKey] = {}
        self.heads: list[Head] = []

    def view(self, site: str = OTHER) -> VaultView:
        return VaultView(self.stores.vault(site, Purpose.WRITE), self.stores.vault(site, Purpose.READ))

    def back_up(self, number: int, data: bytes, parent: int | None = None) -> Part:
        """What Cinder leaves behind."""
        store = self.stores.native(HOME)
        prefix, backup = self.prefix(number), f"b-{number}"
        about = {
            "backup_id": backup, "volume_id": "v-1", "backup_name": "n", "backup_description": "",
            "created_at": "2026-11-21", "volume_meta": None,
            "parent_id": None if parent is None else f"b-{parent}",
            "parent_prefix": None if parent is None else self.prefix(parent),
        }  # fmt: skip
        write_backup(store, prefix, about, data, SMALL)
        url = record_url(backup, prefix, None if parent is None else f"b-{parent}", store.bucket)
        return Part(
            0, CINDER, "root", store.bucket, volume_id="v-1", volume_type="rbd", service=SERVICE, url=url
        )

    @staticmethod
    def prefix(number: int) -> str:
        return f"volume_v-1/2026112108000{number}/az_nova_backup_b-{number}"

    def draft(self, number: int, part: Part, parent: int | None = None) -> Draft:
        point = f"p-{number}"
        key = self.keys.setdefault(point, DataKey.new())
        before = self.heads[-1] if self.heads else None
        context = point_context("gx", point)
        return Draft(
            "gx", "m-1", number, point, "full" if parent is None else "incremental",
            None if parent is None else f"p-{parent}", "register", HOME, "crash-per-volume",
            self.clock.now(), self.clock.now() + timedelta(days=30),
            Previous(before.sequence, before.sha256) if before else None,
            {self.escrow.id: wrap(key, self.escrow.public, context)}, (part,), {"flavor": "m1.small"},
        )  # fmt: skip

    def copy(self, draft: Draft, site: str = OTHER) -> Copied:
        natives = {part.position: self.stores.native(HOME) for part in draft.parts}
        return replicate(draft, self.keys[draft.point], self.signer, natives, self.view(site), threads=3)

    def made(self, number: int = 1, seed: int | None = None) -> tuple[Head, Manifest]:
        """A full point, copied."""
        draft = self.draft(number, self.back_up(number, content(number if seed is None else seed)))
        copied = self.copy(draft)
        assert copied.is_complete
        assert copied.head is not None
        assert copied.manifest is not None
        self.heads.append(copied.head)
        return copied.head, copied.manifest

    def look(self, number: int = 1, level: str = "L1", site: str = OTHER, **more: object) -> Judgement:
        store = self.stores.vault(site, Purpose.READ)
        key = head_key_of("gx", "m-1", number, f"p-{number}")
        given = {"now": self.clock.now(), "level": level, "threads": 3, **more}
        return check(store, key, self.trusted, self.escrow, **given)  # type: ignore[arg-type]

    @staticmethod
    def key(number: int, point: int = 1) -> str:
        """Of a piece in the vault."""
        return piece_key("gx", f"p-{point}", number)


def codes(faults: tuple[Fault, ...] | list[Fault]) -> set[str]:
    return {fault.code for fault in faults}


def rewrite(bucket: FakeBucket, key: str, change: Callable[[dict[str, object]], None]) -> None:
    """Change a JSON document in a bucket behind everybody's back."""
    told = json.loads(bucket.find(key).body)
    change(told)
    bucket.versions[key] = [replace(bucket.find(key), body=json.dumps(told).encode())]


def packed(data: bytes) -> bytes:
    return zlib.compress(data)
