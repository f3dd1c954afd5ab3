"""What people may send: a checked draft, or every fault at once."""

import base64
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.amounts import Amounts, Kind
from tenants import catalogue, forms, ssh_keys
from tenants.catalogue import Catalogue, Image
from tenants.draft import Ask, Disk, Draft
from tests.builders import AN_SSH_KEY, a_vm_form

OFFER = Catalogue(
    flavors={"gov.medium": Amounts({Kind.VCPUS: 2, Kind.RAM_MIB: 4096})},
    images={"debian-12": Image("debian", 10)},
    volume_types=("standard", "ssd"),
)


def read(form: dict[str, Any]) -> Ask:
    ask, faults = forms.read(form, OFFER)
    assert not faults
    return ask


def faults_of(form: dict[str, Any]) -> dict[str, str]:
    return {fault.place: fault.code for fault in forms.read(form, OFFER)[1]}


def test_three_vms_and_a_tebibyte_are_spread_exactly() -> None:
    draft = read(a_vm_form()).draft
    assert [[disk.size_gib for disk in disks] for disks in draft.servers] == [
        [171, 171],
        [171, 170],
        [171, 170],
    ]
    assert draft.data_gib == 1024
    assert catalogue.needed(draft, OFFER.flavors["gov.medium"]) == Amounts(
        {"instances": 3, "vcpus": 6, "ram_mib": 12288, "volumes": 9, "volume_gib": 1024 + 3 * 40, "ports": 3}
    )


def test_each_vm_may_have_the_same_list_of_volumes() -> None:
    volumes = ["100GiB", {"size": "1TiB", "type": "ssd"}]
    form = a_vm_form(data_total=None, data_volumes_per_vm=None, data_volumes=volumes)
    assert read(form).draft.servers == ((Disk(100, "standard"), Disk(1024, "ssd")),) * 3


def test_a_page_sends_words_where_a_script_sends_numbers() -> None:
    sent = {"count": "3", "data_volumes_per_vm": "2", "site": "", "reason": ""}
    assert read(a_vm_form(**sent)).draft == read(a_vm_form()).draft


def test_what_is_stored_reads_back_the_same() -> None:
    draft = read(a_vm_form()).draft
    assert Draft.from_json("vm", draft.as_json()) == draft
    volume = read({**VOLUME, "volumes": ["1TiB", "10"]}).draft
    assert Draft.from_json("volume", volume.as_json()) == volume


def test_every_fault_of_a_form_comes_at_once_with_its_place() -> None:
    form = {
        "kind": "vm",
        "cuont": 3,
        "environment": "production",
        "zone": "dmz",
        "flavor": "gov.meduim",
        "image": "debian-12",
        "boot_size": "5GiB",
        "data_volumes": ["10GiB", "much", {"size": "1GiB", "type": "nvme", "colour": "red"}],
        "ssh_key": "ssh-ed25519 AAAA",
        "reason": "two\nlines",
    }
    assert faults_of(form) == {
        "cuont": "unknown_key",
        "count": "missing",
        "environment": "unknown_name",
        "zone": "unknown_name",
        "flavor": "unknown_name",
        "boot_size": "disk_too_small",
        "data_volumes[1]": "bad_size",
        "data_volumes[2].type": "unknown_name",
        "data_volumes[2].colour": "unknown_key",
        "ssh_key": "bad_key",
        "reason": "bad_text",
        "system": "missing",
        "approval_number": "missing",
        "payer": "missing",
    }


def test_a_mistyped_name_gets_a_suggestion() -> None:
    _, [fault] = forms.read(a_vm_form(flavor="gov.meduim"), OFFER)
    assert fault.text() == "there is no 'gov.meduim' (did you mean gov.medium?)"


VOLUME = {"kind": "volume", "system": "s", "approval_number": "1", "payer": "p"}


@pytest.mark.parametrize(
    ("form", "place", "code"),
    [
        ({}, "kind", "missing"),
        ({"kind": "vpn"}, "kind", "unknown_name"),
        (a_vm_form(count=0), "count", "out_of_range"),
        (a_vm_form(count=51), "count", "out_of_range"),
        (a_vm_form(count="3.5"), "count", "out_of_range"),
        (a_vm_form(count=True), "count", "out_of_range"),
        (a_vm_form(data_total="5GiB"), "data_total", "too_small"),
        (a_vm_form(data_total="1000TiB"), "data_total", "too_big"),
        (a_vm_form(data_volumes=["1GiB"]), "data_total", "contradiction"),
        (a_vm_form(boot_size="9" * 400), "boot_size", "bad_size"),
        (a_vm_form(boot_size="100TiB"), "boot_size", "too_big"),
        (a_vm_form(payer=["a"]), "payer", "bad_text"),
        (a_vm_form(volumes=["1GiB"]), "volumes", "unknown_key"),
        (VOLUME, "volumes", "missing"),
        ({**VOLUME, "volumes": ["1GiB"] * 51}, "volumes", "too_many"),
        ({**VOLUME, "volumes": [{}]}, "volumes[0]", "bad_size"),
        ({"kind": "release"}, "resources", "missing"),
        ({"kind": "release", "resources": [str(n) for n in range(201)]}, "resources", "too_many"),
    ],
)
def test_what_cannot_be_is_refused_by_name(form: dict[str, Any], place: str, code: str) -> None:
    assert faults_of(form)[place] == code


@given(total=st.integers(1, 10**6), count=st.integers(1, 100))
def test_spreading_loses_and_adds_nothing(total: int, count: int) -> None:
    sizes = forms.spread(total, count)
    assert sum(sizes) == total
    assert len(sizes) == count
    assert max(sizes) - min(sizes) <= 1


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(
    kind=st.sampled_from(forms.KINDS), changes=st.dictionaries(st.sampled_from(sorted(a_vm_form())), anything)
)
def test_no_form_whatever_breaks_the_reader(kind: str, changes: dict[str, Any]) -> None:
    _, faults = forms.read({**a_vm_form(), "kind": kind, **changes}, OFFER)
    assert all(fault.text() for fault in faults)


# -- SSH keys


def a_key(kind: str, *fields: bytes, comment: str = " me@here") -> str:
    blob = b"".join(struct.pack(">I", len(one)) + one for one in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()}{comment}"


@pytest.mark.parametrize(
    "key",
    [
        AN_SSH_KEY,
        a_key("ssh-ed25519", b"k" * 32, comment=""),
        a_key("ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 256),
        a_key("ecdsa-sha2-nistp256", b"nistp256", b"\4" + b"p" * 64),
        a_key("sk-ssh-ed25519@openssh.com", b"k" * 32, b"ssh:"),
    ],
)
def test_public_keys_of_every_usual_kind_pass(key: str) -> None:
    assert ssh_keys.check(f"  {key}\n") == (key, None)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "bad_key"),
        ("ssh-ed25519", "bad_key"),
        (AN_SSH_KEY[:60], "bad_key"),
        (AN_SSH_KEY.replace("ssh-ed25519 ", "ssh-rsa "), "bad_key"),
        (a_key("ssh-ed25519", b"k" * 31), "bad_key"),
        (a_key("ssh-rsa", b"\1\0\1", b"\xff" * 128), "weak_key"),
        (a_key("ssh-dss", b"p", b"q", b"g", b"y"), "bad_key"),
        (f'command="id" {AN_SSH_KEY}', "bad_key"),
        (f"{AN_SSH_KEY}\n{AN_SSH_KEY}", "bad_key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----", "private_key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nsecret", "private_key"),
    ],
)
def test_what_is_no_public_key_is_refused_and_never_repeated(key: str, code: str) -> None:
    text, fault = ssh_keys.check(key)
    assert text == ""
    assert fault is not None
    assert fault.code == code
    assert len(key) < 20 or key not in str(fault)
    assert "b3Blbn" not in str(fault)
    assert "secret" not in str(fault)
