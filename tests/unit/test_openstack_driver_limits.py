"""Slots of a site, and a cloud whose certificate a private CA has signed."""

import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloudctl.errors import CloudBusy, CloudUnavailable
from provisioning.drivers.limited import Slots
from tests.unit.stub_openstack import Answer, Asked, StubOpenStack, clouds_of, running, write_clouds_yaml


class Crowd:
    """Counts who is inside at the same time; lets nobody out before the door opens."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.door = threading.Event()
        self.has_come = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __call__(self, _asked: Asked) -> Answer:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.has_come.release()
        self.door.wait(10)
        with self._lock:
            self.inside -= 1
        return Answer(body={"volumes": []})


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def stub(crowd: Crowd) -> Iterator[StubOpenStack]:
    with running() as made:
        for project in PROJECTS:
            made.answer("GET", f"/volume/v3/{project}/volumes/detail", crowd)
        yield made


PROJECTS = ("b" * 32, "c" * 32)


def test_no_more_calls_than_slots_run_side_by_side_whoever_makes_them(
    stub: StubOpenStack, crowd: Crowd, tmp_path: Path
) -> None:
    cloud = clouds_of(write_clouds_yaml(tmp_path / "clouds.yaml", stub.url), slots=3).at("province")
    with ThreadPoolExecutor(10) as pool:
        asked = [
            pool.submit(cloud.in_project(project).list_volumes) for project in PROJECTS for _ in range(5)
        ]
        for _ in range(3):
            assert crowd.has_come.acquire(timeout=10)
        assert not crowd.has_come.acquire(timeout=0.1)
        crowd.door.set()
        assert [one.result(10) for one in asked] == [[]] * 10
    assert crowd.most == 3


def test_a_slot_is_given_back_after_an_error_and_waiting_has_an_end() -> None:
    slots = Slots("province", 1, wait_s=0.05)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), slots.taken():
            raise ZeroDivisionError
    with slots.taken(), pytest.raises(CloudBusy, match="all 1 places"), slots.taken():
        pass


# -- a private CA


def a_private_ca(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The file of a CA of one's own, and a server's context with a certificate that it has signed."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provincial CA")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keystone")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    ca = builder(ca_name, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    own = builder(name, key.public_key()).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    ca_file, cert_file = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    cert_file.write_bytes(own.sign(ca_key, hashes.SHA256()).public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file)
    return ca_file, context


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[StubOpenStack, Path]]:
    ca_file, context = a_private_ca(tmp_path)
    with running(context=context) as stub:
        stub.answer("GET", "/identity/v3/projects", Answer(body={"projects": []}))
        yield stub, ca_file


def test_a_private_ca_is_trusted_where_clouds_yaml_names_it_and_nowhere_else(
    secured: tuple[StubOpenStack, Path], tmp_path: Path
) -> None:
    stub, ca_file = secured
    trusting = clouds_of(write_clouds_yaml(tmp_path / "ca.yaml", stub.url, cacert=str(ca_file)))
    assert trusting.at("province").list_projects() == []
    strict = clouds_of(write_clouds_yaml(tmp_path / "no-ca.yaml", stub.url))
    with pytest.raises(CloudUnavailable, match=r"the certificate of .*set cacert"):
        strict.at("province").list_projects()
