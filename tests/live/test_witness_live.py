"""The witness of the lab: three real places, one of which is cut off or lost and comes back."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from cloudctl.errors import WitnessUnavailable
from cloudctl.ports import Register
from lab import Lab
from lab.processes import wait_until
from provisioning.drivers.etcd_witness import EtcdWitness
from provisioning.drivers.witness_file import read_witness

pytestmark = pytest.mark.lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The running lab, with a witness from now on; every place joined again afterwards."""
    made = Lab(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    made.up(lambda line: None, with_extras=["witness"])
    yield made
    made.site_join("third")


def test_the_lab_has_a_member_at_each_of_three_places_and_two_are_enough(lab: Lab) -> None:
    witness = EtcdWitness(read_witness(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "witness.yaml"))
    assert {member.name for member in witness.members() if member.is_ok} == {"province", "city-1", "third"}
    group = f"live-{uuid4().hex[:8]}"
    made = witness.swap(None, Register(group, 1, "province", True, "province"))
    lab.site_cut("third")
    after = witness.swap(made, replace(made, epoch=2, holder="city-1", is_open=False))
    assert witness.read(group) == after
    assert {member.name for member in witness.members() if member.is_ok} == {"province", "city-1"}
    lab.site_join("third")
    assert wait_until(lambda: all(member.is_ok for member in witness.members()), timeout_s=30)


def test_a_member_that_lost_its_disk_comes_back_as_a_new_one(lab: Lab) -> None:
    witness = EtcdWitness(read_witness(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "witness.yaml"))
    group = f"live-{uuid4().hex[:8]}"
    made = witness.swap(None, Register(group, 1, "province", True, "province"))
    lab.site_destroy("third")
    assert witness.read(group) == made
    lab.up(lambda line: None)
    assert wait_until(lambda: all(member.is_ok for member in witness.members()), timeout_s=30)
    lab.site_cut("third")
    assert witness.read(group) == made


def test_who_is_alone_is_not_answered(lab: Lab) -> None:
    told = read_witness(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "witness.yaml")
    alone = EtcdWitness(replace(told, members={"third": told.members["third"]}))
    assert alone.read("nobody") is None
    lab.site_cut("third")
    with pytest.raises(WitnessUnavailable):
        alone.read("nobody")
