"""A vault and a native bucket with a corner of their own, and what contract tests need to know of them."""

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloudctl.errors import ObjectLocked
from cloudctl.ports import ObjectStore, Purpose, Stores

HELD_S = 12.0  # a lock that outlives the calls of a test, on a busy machine too
_PAUSE = threading.Event()  # never set: a real lock runs out by itself


@dataclass
class VaultBench:
    """The three views of a vault. `wait` lets seconds of the store's clock pass."""

    stores: Stores
    site: str
    now: Callable[[], datetime]
    wait: Callable[[float], object] = _PAUSE.wait
    run: str = field(default_factory=lambda: f"contract-{uuid.uuid4().hex[:8]}")

    @property
    def write(self) -> ObjectStore:
        return self.stores.vault(self.site, Purpose.WRITE)

    @property
    def read(self) -> ObjectStore:
        return self.stores.vault(self.site, Purpose.READ)

    @property
    def expire(self) -> ObjectStore:
        return self.stores.vault(self.site, Purpose.EXPIRE)

    @property
    def native(self) -> ObjectStore:
        return self.stores.native(self.site)

    def key(self, name: str) -> str:
        return f"{self.run}/{name}"

    def soon(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)

    def clean(self) -> None:
        """Nothing stays; what is still locked is waited for."""
        for found in list(self.native.list(self.run)):
            self.native.delete(found.key)
        for _ in range(60):
            for found in list(self.read.list_versions(self.run)):
                with suppress(ObjectLocked):
                    self.expire.delete(found.key, found.version_id)
            if not list(self.read.list_versions(self.run)):
                return
            self.wait(1.0)
        raise AssertionError("the vault is not clean")
