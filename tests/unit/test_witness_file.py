"""witness.yaml: read as a whole, every fault at once; and what a member says that is no answer."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cloudctl import doctor
from cloudctl.config import Settings
from cloudctl.errors import Misconfigured, WitnessUnavailable
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import WitnessConfig, read_witness
from tests.etcd import EtcdMembers

MEMBERS = {
    "province": "https://10.1.0.1:2379",
    "city-1": "https://10.2.0.1:2379",
    "third": "https://10.3.0.1:2379",
}


def written(folder: Path, **changes: Any) -> Path:
    for name in ("ca.pem", "own.pem", "own.key"):
        (folder / name).write_text("")
        (folder / name).chmod(0o600)
    document = {"members": MEMBERS, "ca": "ca.pem", "cert": "own.pem", "key": "own.key", **changes}
    path = folder / "witness.yaml"
    path.write_text(yaml.safe_dump({word: value for word, value in document.items() if value is not None}))
    return path


def codes(path: Path) -> set[tuple[str, str]]:
    with pytest.raises(Misconfigured) as refused:
        read_witness(path)
    return {(fault.place.removeprefix(f"{path}: "), fault.code) for fault in refused.value.faults}


def test_a_file_names_members_and_files_beside_it(tmp_path: Path) -> None:
    found = read_witness(written(tmp_path, timeout_s=1))
    assert found.members == MEMBERS
    assert (found.ca, found.key, found.timeout_s) == (tmp_path / "ca.pem", tmp_path / "own.key", 1.0)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        members={"one": "http://10.1.0.1"},
        key="missing.key",
        ca=None,
        timeout_s=0,
        prefix="x",
        extra=1,
    )
    assert codes(path) == {
        ("extra", "unknown_key"), ("members", "bad_number"), ("key", "no_file"), ("ca", "missing"),
        ("timeout_s", "not_positive"), ("prefix", "bad_value"),
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_members_are_so_many_that_a_majority_outlives_a_place(tmp_path: Path, count: int) -> None:
    members = {f"m{number}": f"https://10.{number}.0.1:2379" for number in range(count)}
    assert ("members", "bad_number") in codes(written(tmp_path, members=members))


def test_members_at_one_address_or_without_tls_are_none(tmp_path: Path) -> None:
    members = {**MEMBERS, "third": "https://10.1.0.1:4001", "city-1": "http://10.2.0.1:2379"}
    assert codes(written(tmp_path, members=members)) == {
        ("members", "same_place"),
        ("members.city-1", "bad_value"),
    }


def test_a_key_that_others_can_read_is_a_fault(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "own.key").chmod(0o644)
    assert codes(path) == {("key", "too_open")}


def test_a_file_that_is_not_there_or_is_no_yaml_says_so(tmp_path: Path) -> None:
    assert codes(tmp_path / "nothing.yaml") == {(str(tmp_path / "nothing.yaml"), "no_file")}
    path = tmp_path / "witness.yaml"
    path.write_text("{")
    assert {code for _, code in codes(path)} == {"unreadable"}


def test_certificates_that_cannot_be_used_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        EtcdWitness(read_witness(written(tmp_path)))


def test_each_member_is_asked_until_one_answers_and_that_one_is_asked_first_then(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host == "10.1.0.1":
            raise httpx.ConnectTimeout("timed out")
        if request.url.host == "10.2.0.1":
            return httpx.Response(503, json={"error": "etcdserver: request timed out", "code": 14})
        return httpx.Response(200, json={"header": {}})

    nowhere = Path("unused")
    witness = EtcdWitness(WitnessConfig(MEMBERS, nowhere, nowhere, nowhere), httpx.MockTransport(answer))
    assert witness.read("plan") is None
    assert witness.read("plan") is None
    assert asked == ["10.1.0.1", "10.2.0.1", "10.3.0.1", "10.3.0.1"]


def test_what_each_silent_member_said_is_in_the_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, text="no JSON") if request.url.host == "10.1.0.1" else httpx.Response(502)

    nowhere = Path("unused")
    witness = EtcdWitness(WitnessConfig(MEMBERS, nowhere, nowhere, nowhere), httpx.MockTransport(answer))
    with pytest.raises(WitnessUnavailable) as refused:
        witness.read("plan")
    assert "province: 500; city-1: 502; third: 502" in refused.value.text()
    assert not any(member.is_ok for member in witness.members())


def test_doctor_says_which_members_are_silent(etcd_members: EtcdMembers, tmp_path: Path) -> None:
    settings = Settings(home=etcd_members.home, installation="x")
    assert [one.state for one in doctor.witness(settings)] == [doctor.OK]
    etcd_members.kill("third")
    try:
        [finding] = doctor.witness(settings)
    finally:
        etcd_members.start()
        etcd_members.await_majority()
    assert finding.state == doctor.WARN
    assert finding.detail.startswith("third: ")
    assert list(doctor.witness(Settings(home=tmp_path))) == []
    written(tmp_path, members={})
    assert [one.state for one in doctor.witness(Settings(home=tmp_path))] == [doctor.FAIL]


def test_who_has_no_certificate_is_not_answered(etcd_members: EtcdMembers) -> None:
    context = ssl.create_default_context(cafile=str(etcd_members.home / "ca.pem"))
    with httpx.Client(verify=context, trust_env=False) as stranger, pytest.raises(httpx.TransportError):
        stranger.post(f"{etcd_members.urls['third']}/v3/kv/range", json={"key": "AA=="})
