"""The clouds that keep the contract: the one in memory, and the province of the running lab."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

from cloudctl.config import Settings
from cloudctl.ports import (
    TAG_INSTALLATION,
    Cloud,
)
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.openstack_cloud import OpenStackClouds
from tests.contract.workbench import ROOM, Bench


def forget_keys(run: str) -> None:
    """Key pairs belong to the user and outlive the project."""
    path = str(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "clouds.yaml")
    config = openstack.config.OpenStackConfig(config_files=[path], load_envvars=False)
    with contextlib.closing(openstack.connection.Connection(config=config.get_one("province"))) as admin:
        for name in (f"key-{run}", f"vmkey-{run}"):
            admin.compute.delete_keypair(name)


def lab_cloud() -> Cloud:
    """The province of the running lab; fails, never skips, when there is none."""
    home = os.environ.get("CLOUDCTL_HOME")
    assert home, "CLOUDCTL_HOME names no home with a running lab"
    clouds_file = Path(home) / "lab" / "clouds.yaml"
    assert clouds_file.exists(), f"the lab is not up: {clouds_file} does not exist"
    settings = Settings(home=Path(home), installation="contract", clouds_yaml=str(clouds_file))
    return OpenStackClouds(settings, sites={"province": "province"}).at("province")


@pytest.fixture(scope="module", params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    is_fake = request.param == "fake"
    cloud: Cloud = FakeCloud("province") if is_fake else lab_cloud()
    domain = cloud.find_domain("Default")
    assert domain is not None
    name = f"contract-{uuid.uuid4().hex[:8]}"
    project = cloud.create_project(domain.id, name, "of the contract suite", [f"{TAG_INSTALLATION}=contract"])
    cloud.set_quota(project.id, ROOM)
    cloud.ensure_own_access(project.id)
    made = Bench(cloud, project.id, 0.0 if is_fake else 0.3)
    yield made
    made.clean()
    cloud.delete_project(project.id)
    if not is_fake:
        forget_keys(made.run)
