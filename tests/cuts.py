"""Three places with a link between each two: a member of the witness in each, writers and agents at two.

Places are network namespaces. A link that is cut swallows what is sent; everything else runs on. What wrote,
and when, is read from what the writers themselves wrote down: one machine, one monotonic clock.
"""

import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import yaml

from cloudctl.errors import CloudctlError
from lab import certificates
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import read_witness

PLACES = {"province": "10.103.0.1", "city-1": "10.103.0.2", "third": "10.103.0.3"}
LINKS = (("province", "city-1"), ("province", "third"), ("city-1", "third"))
_NOWHERE = "02:00:00:00:00:99"
T = TypeVar("T")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _link(one: str, other: str) -> str:
    return f"c{one[0]}-{other[0]}"  # the end at `one`; names are short in the kernel


@dataclass
class Places:
    """The three places and the witness; `home` holds everything."""

    home: Path
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def _space(self, place: str) -> str:
        return f"{self.home.name}-{place}"

    def make(self) -> None:
        """Namespaces, links, certificates, members."""
        for place, address in PLACES.items():
            _ip("netns", "add", self._space(place))
            _ip("-n", self._space(place), "link", "set", "lo", "up")
            _ip("-n", self._space(place), "address", "add", f"{address}/32", "dev", "lo")
        for one, other in LINKS:
            ends = (_link(one, other), _link(other, one))
            _ip("-n", self._space(one), "link", "add", ends[0], "type", "veth",
                "peer", "name", ends[1], "netns", self._space(other))  # fmt: skip
            for place, end, far in ((one, ends[0], other), (other, ends[1], one)):
                _ip("-n", self._space(place), "link", "set", end, "up")
                _ip(
                    "-n",
                    self._space(place),
                    "route",
                    "add",
                    f"{PLACES[far]}/32",
                    "dev",
                    end,
                    "src",
                    PLACES[place],
                )
        log = self.home / "openssl.log"
        certificates.create_authority(self.home, log)
        for place, address in PLACES.items():
            certificates.create(self.home, place, [address], log)
        certificates.create(self.home, "cloudctl", [], log)
        members = dict(self.witness_members)
        files = {"ca": "ca.pem", "cert": "cloudctl.pem", "key": "cloudctl.key"}
        (self.home / "witness.yaml").write_text(
            yaml.safe_dump({"members": members, **files, "timeout_s": 0.4})
        )
        for place in PLACES:
            self.run(place, self._member(place), f"etcd-{place}.log")
        self.inside("third", lambda: until(lambda: answers(self.witness()), 20))

    def remove(self) -> None:
        """All of it."""
        for process in self.running:
            process.kill()
            process.wait()
        for place in PLACES:
            subprocess.run(["ip", "netns", "delete", self._space(place)], check=False, capture_output=True)

    def run(
        self, place: str, argv: list[str], log: str, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program at a place."""
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self._space(place)}", "--", *argv],
            stdin=subprocess.DEVNULL, stdout=(self.home / log).open("ab"), stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **(env or {})},
        )  # fmt: skip
        self.running.append(process)
        return process

    def inside(self, place: str, what: Callable[[], T]) -> T:
        """Do it from there."""
        return inside(self._space(place), what)

    @property
    def witness_members(self) -> dict[str, str]:
        """Where each member is asked."""
        return {place: f"https://{address}:2379" for place, address in PLACES.items()}

    def witness(self) -> EtcdWitness:
        """The driver of the product; use it inside a place."""
        return EtcdWitness(read_witness(self.home / "witness.yaml"))

    def cut(self, one: str, other: str) -> None:
        """What is sent over this link from now on is swallowed, both ways."""
        self._neighbours(one, other, "replace", "lladdr", _NOWHERE, "nud", "permanent")

    def join(self, one: str, other: str) -> None:
        """End of a cut; one that was never made is fine."""
        with suppress(subprocess.CalledProcessError):
            self._neighbours(one, other, "delete")

    def _neighbours(self, one: str, other: str, verb: str, *words: str) -> None:
        for place, far in ((one, other), (other, one)):
            _ip("-n", self._space(place), "neighbour", verb, PLACES[far], *words, "dev", _link(place, far))

    def _member(self, place: str) -> list[str]:
        own, home = PLACES[place], self.home
        peers = ",".join(f"{name}=https://{address}:2380" for name, address in PLACES.items())
        files = {"cert": f"{place}.pem", "key": f"{place}.key", "trusted-ca": "ca.pem"}
        tls = [f"--{kind}{word}-file={home / name}" for kind in ("", "peer-") for word, name in files.items()]
        return [
            "etcd", f"--name={place}", f"--data-dir={home / place}", *tls, "--pre-vote",
            "--client-cert-auth", "--peer-client-cert-auth",
            f"--listen-client-urls=https://{own}:2379", f"--advertise-client-urls=https://{own}:2379",
            f"--listen-peer-urls=https://{own}:2380", f"--initial-advertise-peer-urls=https://{own}:2380",
            f"--initial-cluster={peers}", "--initial-cluster-state=new", "--heartbeat-interval=50",
            "--election-timeout=500", "--logger=zap", "--log-level=error",
        ]  # fmt: skip


def inside(namespace: str, what: Callable[[], T]) -> T:
    """Do it from a network namespace: a thread may enter one, and its sockets are of that one."""
    found: list[T] = []
    failed: list[BaseException] = []

    def enter() -> None:
        descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def visit() -> None:
        try:
            enter()
            found.append(what())
        except BaseException as error:  # raised again below, in the thread that asked
            failed.append(error)

    visitor = threading.Thread(target=visit)
    visitor.start()
    visitor.join()
    if failed:
        raise failed[0]
    return found[0]


def answers(witness: EtcdWitness) -> bool:
    """Whether a majority answers."""
    try:
        witness.read("nobody")
    except CloudctlError:
        return False
    return True


def until(happened: Callable[[], bool], within_s: float) -> bool:
    """Wait for it; False when it did not come."""
    end = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
