"""Two storages that copy volumes to each other, and what the contract tests ask of them again and again."""

import os
import select
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from cloudctl.errors import CloudctlError, StorageUnavailable
from cloudctl.ports.replication import Replica, ReplicaState, Replication
from provisioning.drivers.fake_storage import FakeStorage
from provisioning.drivers.rbd_command import NotThere, Rbd, RbdAccess

T = TypeVar("T")
Content = bytes  # inside of classes that have a field of that name

PATIENCE_S = 120.0
_ANSWER_S = 30.0  # to one who was put out, nobody may answer at all
_PAUSE = threading.Event()  # never set: real storage is asked again after a while
#: Only Debian's own Python has the bindings of Ceph, and the driver does without them.
_PYTHON = "/usr/bin/python3"
_WRITE = """
import rados, rbd, sys
conf, keyring, user, pool, image, data = sys.argv[1:]
with rados.Rados(conffile=conf, rados_id=user, conf={"keyring": keyring}) as cluster:
    with cluster.open_ioctx(pool) as ioctx, rbd.Image(ioctx, image, read_only=data == "read") as disk:
        if data == "read":
            sys.stdout.buffer.write(disk.read(0, 64).rstrip(b"\\0"))
        elif data == "hold":
            disk.lock_acquire(rbd.RBD_LOCK_MODE_EXCLUSIVE)
            print("open", flush=True)
            for line in sys.stdin:
                try:
                    disk.write(line.strip().encode().ljust(512, b"\\0"), 0)
                    disk.flush()
                    print("written", flush=True)
                except (OSError, rbd.Error) as error:
                    print("refused", error, flush=True)
        else:
            disk.write(data.encode().ljust(512, b"\\0"), 0)
            disk.flush()
"""
_FEATURES = "layering,exclusive-lock,object-map,fast-diff,deep-flatten,journaling"


class Bytes(Protocol):
    """What servers do with volumes: make, write, read, keep open."""

    def make(self, site: str, volume_id: str, data: bytes) -> None: ...

    def write(self, site: str, image: str, data: bytes) -> None:
        """PermissionError where nobody may write."""

    def read(self, site: str, image: str) -> bytes: ...

    def hold(self, site: str, image: str) -> "Grip":
        """Open it for writing; what is returned closes it when it is called."""

    def forget(self, site: str, image: str) -> None:
        """The image goes, whatever it is."""


class Grip(Protocol):
    """An image that somebody has open for writing."""

    def __call__(self) -> None:
        """Closed."""

    def writes(self, data: Content) -> bool:
        """Whether what is sent to it still arrives."""


@dataclass
class StorageBench:
    """`home` is where volumes are made, `other` where their copies are."""

    storage: Replication
    bytes: Bytes
    home: str
    other: str
    pause_s: float
    made: list[tuple[str, str]] = field(default_factory=list)
    stock: list[str] = field(default_factory=list)

    def fill_stock(self, count: int) -> None:
        """Volumes for the tests to come, so that all of them are copied at the same time."""
        for _ in range(count):
            volume_id = str(uuid.uuid4())
            self.made += [(site, f"volume-{volume_id}") for site in (self.home, self.other)]
            self.bytes.make(self.home, volume_id, b"new")
            self.stock.append(volume_id)

    def volume(self, data: Content) -> str:
        """A replicated volume with these bytes, whose copy follows it."""
        if not self.stock:
            self.fill_stock(1)
        volume_id = self.stock.pop()
        self.state(self.other, volume_id, ReplicaState.REPLICA)
        self.bytes.write(self.home, f"volume-{volume_id}", data)
        return volume_id

    def name(self, site: str) -> str:
        """A name for an image there; it goes when the suite is over."""
        name = f"contract-{uuid.uuid4().hex[:8]}"
        self.made.append((site, name))
        return name

    def replica(self, site: str, volume_id: str) -> Replica:
        [found] = self.storage.replicas(site, (volume_id,))
        return found

    def state(self, site: str, volume_id: str, *states: ReplicaState) -> Replica:
        return self.until(lambda: _if(self.replica(site, volume_id), states), f"{site} to be {states}")

    def arrived(self, site: str, volume_id: str, word: str) -> None:
        self.until(lambda: self.storage.marked(site, volume_id) == word or None, f"the mark {word}")

    def done(self, act: Callable[[], object]) -> None:
        """Repeat it while the storage is not ready for it."""

        def once() -> bool | None:
            try:
                act()
            except StorageUnavailable:
                return None
            return True

        self.until(once, "the storage")

    def until(self, ask: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = ask()
            if found is not None:
                return found
            assert time.monotonic() < deadline, f"waited in vain for: {what}"
            _PAUSE.wait(self.pause_s)

    def clean(self) -> None:
        for site, image in reversed(self.made):
            with suppress(CloudctlError, NotThere):
                self.bytes.forget(site, image)


def _if(found: Replica, states: tuple[ReplicaState, ...]) -> Replica | None:
    return found if found.state in states else None


@dataclass
class FakeBytes:
    """On a FakeStorage."""

    storage: FakeStorage

    def make(self, site: str, volume_id: str, data: bytes) -> None:
        self.storage.make(site, volume_id, data)

    def write(self, site: str, image: str, data: bytes) -> None:
        self.storage.write(site, image.removeprefix("volume-"), data)

    def read(self, site: str, image: str) -> bytes:
        return self.storage.read(site, image)

    def hold(self, site: str, image: str) -> Grip:
        self.storage.images[site][image].is_open = True
        return _FakeGrip(self, site, image)

    def forget(self, site: str, image: str) -> None:
        self.storage.images[site].pop(image, None)


@dataclass
class _FakeGrip:
    bytes: FakeBytes
    site: str
    image: str

    def __call__(self) -> None:
        self.bytes.storage.images[self.site][self.image].is_open = False

    def writes(self, data: Content) -> bool:
        held = self.bytes.storage.images[self.site][self.image]
        if held.is_open and held.is_primary:
            self.bytes.write(self.site, self.image, data)
        return held.is_open and held.is_primary


@dataclass
class _RealGrip:
    child: subprocess.Popen[str]

    def __call__(self) -> None:
        try:
            self.child.communicate(timeout=_ANSWER_S)
        except subprocess.TimeoutExpired:  # who was put out may wait for ever
            self.child.kill()
            self.child.communicate()

    def writes(self, data: Content) -> bool:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(data.decode() + "\n")
        self.child.stdin.flush()
        answered, _, _ = select.select([self.child.stdout], [], [], _ANSWER_S)
        return bool(answered) and self.child.stdout.readline() == "written\n"


@dataclass
class RealBytes:
    """On Ceph, as a client of its own."""

    access: dict[str, RbdAccess]

    def make(self, site: str, volume_id: str, data: bytes) -> None:
        rbd, image = Rbd(self.access[site]), f"volume-{volume_id}"
        rbd.run("create", "--size", "64M", "--image-feature", _FEATURES, rbd.spec(image))
        self.write(site, image, data)
        rbd.run("mirror", "image", "enable", rbd.spec(image))

    def write(self, site: str, image: str, data: bytes) -> None:
        done = self._run(site, image, data.decode())
        if done.returncode:
            raise PermissionError(done.stderr)

    def read(self, site: str, image: str) -> bytes:
        done = self._run(site, image, "read")
        assert done.returncode == 0, done.stderr
        return done.stdout.encode()

    def hold(self, site: str, image: str) -> Grip:
        child = subprocess.Popen(
            self._argv(site, image, "hold"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        return _RealGrip(child)

    def forget(self, site: str, image: str) -> None:
        """A pair goes at its primary; the copy follows, or is let go by force where there is no primary."""
        rbd = Rbd(self.access[site])
        for argv in (("mirror", "image", "disable", "--force"), ("snap", "purge", "--no-progress")):
            with suppress(Exception):
                rbd.run(*argv, rbd.spec(image))
        rbd.run("rm", "--no-progress", rbd.spec(image))

    def _argv(self, site: str, image: str, data: str) -> list[str]:
        one = self.access[site]
        where = [str(one.conf), str(one.keyring), one.user, one.pool, image, data]
        return [_PYTHON, "-c", _WRITE, *where]

    def _run(self, site: str, image: str, data: str) -> subprocess.CompletedProcess[str]:
        argv = self._argv(site, image, data)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def storage_file() -> Path:
    """That of the running lab; fails, never skips, when there is none."""
    home = os.environ.get("CLOUDCTL_HOME")
    assert home, "CLOUDCTL_HOME names no home with a running lab"
    path = Path(home) / "lab" / "storage.yaml"
    assert path.exists(), f"the lab copies no volumes (lab up --with replication): {path} does not exist"
    return path
