"""A throw-away witness for tests: three real members of etcd on loopback, gone when the session ends."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from cloudctl.errors import WitnessUnavailable
from lab import certificates
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import read_witness

PLACES = {"province": "127.0.41.1", "city-1": "127.0.41.2", "third": "127.0.41.3"}


@dataclass
class EtcdMembers:
    """Three members that can be stopped, started and frozen."""

    home: Path
    client_port: int
    peer_port: int
    running: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def urls(self) -> dict[str, str]:
        """Where each member is asked."""
        return {place: f"https://{address}:{self.client_port}" for place, address in PLACES.items()}

    @property
    def file(self) -> Path:
        """The witness.yaml that names them."""
        return self.home / "witness.yaml"

    def witness(self) -> EtcdWitness:
        """The driver as a person at no place in particular has it."""
        return EtcdWitness(read_witness(self.file))

    def start(self, *places: str) -> None:
        """Start those that do not run; who asks next waits for them by asking again."""
        for place in places or PLACES:
            if place not in self.running:
                self.running[place] = subprocess.Popen(
                    self._command(place), cwd="/", stdin=subprocess.DEVNULL,
                    stdout=(self.home / f"{place}.log").open("ab"), stderr=subprocess.STDOUT,
                    env={"PATH": os.environ["PATH"], "ETCD_UNSUPPORTED_ARCH": ""},
                )  # fmt: skip

    def await_majority(self, within_s: float = 20) -> None:
        """Until a read is answered; after a start the members have to find each other."""
        witness, until = self.witness(), time.monotonic() + within_s
        while True:
            try:
                witness.read("nobody")
            except WitnessUnavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self, place: str) -> None:
        """As a machine that loses its power."""
        process = self.running.pop(place)
        process.kill()
        process.wait()

    def freeze(self, place: str) -> None:
        """It takes connections and does not answer."""
        self.running[place].send_signal(signal.SIGSTOP)

    def thaw(self, place: str) -> None:
        """End of a freeze."""
        self.running[place].send_signal(signal.SIGCONT)

    def make(self) -> None:
        """The authority, the certificates and the file."""
        log = self.home / "openssl.log"
        certificates.create_authority(self.home, log)
        for place, address in PLACES.items():
            certificates.create(self.home, place, [address, "127.0.0.1"], log)  # peers come from there
        certificates.create(self.home, "cloudctl", [], log)
        members = self.urls
        files = {"ca": "ca.pem", "cert": "cloudctl.pem", "key": "cloudctl.key"}
        document = {"members": members, **files, "timeout_s": 0.8}
        self.file.write_text(yaml.safe_dump(document))

    def _command(self, place: str) -> list[str]:
        home, own = self.home, PLACES[place]
        peers = ",".join(f"{name}=https://{address}:{self.peer_port}" for name, address in PLACES.items())
        program = shutil.which("etcd")
        if program is None:
            pytest.fail("etcd is missing: apt-get install -y etcd-server")
        files = {"cert": f"{place}.pem", "key": f"{place}.key", "trusted-ca": "ca.pem"}
        tls = [f"--{kind}{word}-file={home / file}" for kind in ("", "peer-") for word, file in files.items()]
        return [
            program, f"--name={place}", f"--data-dir={home / place}", *tls,
            "--client-cert-auth", "--peer-client-cert-auth", "--pre-vote",
            f"--listen-client-urls=https://{own}:{self.client_port}",
            f"--advertise-client-urls=https://{own}:{self.client_port}",
            f"--listen-peer-urls=https://{own}:{self.peer_port}",
            f"--initial-advertise-peer-urls=https://{own}:{self.peer_port}",
            f"--initial-cluster={peers}", "--initial-cluster-state=new",
            "--heartbeat-interval=50", "--election-timeout=500", "--logger=zap", "--log-level=warn",
        ]  # fmt: skip


@contextmanager
def an_etcd() -> Iterator[EtcdMembers]:
    """Three members on free ports; killed and removed at the end."""
    members = EtcdMembers(Path(tempfile.mkdtemp(prefix="cloudctl-etcd-")), _free_port(), _free_port())
    try:
        members.make()
        members.start()
        members.await_majority()
        yield members
    finally:
        for place in list(members.running):
            members.kill(place)
        shutil.rmtree(members.home)


@pytest.fixture(scope="session")
def etcd_members() -> Iterator[EtcdMembers]:
    with an_etcd() as members:
        yield members


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.41.1", 0))
        return int(probe.getsockname()[1])
