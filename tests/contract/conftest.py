"""The clouds that keep the contract: the one in memory, and the province of the running lab."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

from cloudctl.clock import FrozenClock, SystemClock
from cloudctl.config import Settings
from cloudctl.ports import (
    TAG_INSTALLATION,
    Cloud,
    Stores,
)
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_objects import FakeStores
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.drivers.s3_stores import S3Stores
from tests.contract.vault_bench import VaultBench
from tests.contract.workbench import ROOM, Bench


def forget_keys(run: str) -> None:
    """Key pairs belong to the user and outlive the project."""
    path = str(Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "clouds.yaml")
    config = openstack.config.OpenStackConfig(config_files=[path], load_envvars=False)
    with contextlib.closing(openstack.connection.Connection(config=config.get_one("province"))) as admin:
        for name in (f"key-{run}", f"vmkey-{run}"):
            admin.compute.delete_keypair(name)


def lab_settings() -> Settings:
    """Of the running lab; fails, never skips, when there is none."""
    home = os.environ.get("CLOUDCTL_HOME")
    assert home, "CLOUDCTL_HOME names no home with a running lab"
    made = Path(home) / "lab"
    assert (made / "clouds.yaml").exists(), f"the lab is not up: {made}/clouds.yaml does not exist"
    return Settings(
        home=Path(home),
        installation="contract",
        clouds_yaml=str(made / "clouds.yaml"),
        stores_yaml=str(made / "stores.yaml"),
    )


def lab_cloud() -> Cloud:
    """The province of the running lab."""
    return OpenStackClouds(lab_settings(), sites={"province": "province"}).at("province")


@pytest.fixture(scope="module", params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def vault(request: pytest.FixtureRequest) -> Iterator[VaultBench]:
    if request.param == "fake":
        clock = FrozenClock()
        made = VaultBench(FakeStores(clock), "city-1", clock.now, clock.advance)
    else:
        made = VaultBench(S3Stores(lab_settings()), "city-1", SystemClock().now)
    yield made
    made.clean()


@pytest.fixture(scope="module", params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    is_fake = request.param == "fake"
    stores: Stores = FakeStores() if is_fake else S3Stores(lab_settings())
    native = stores.native("province")
    cloud: Cloud = FakeCloud("province", native=native) if is_fake else lab_cloud()
    domain = cloud.find_domain("Default")
    assert domain is not None
    name = f"contract-{uuid.uuid4().hex[:8]}"
    project = cloud.create_project(domain.id, name, "of the contract suite", [f"{TAG_INSTALLATION}=contract"])
    cloud.set_quota(project.id, ROOM)
    cloud.ensure_own_access(project.id)
    made = Bench(cloud, project.id, 0.0 if is_fake else 0.3, native)
    yield made
    made.clean()
    cloud.delete_project(project.id)
    if not is_fake:
        forget_keys(made.run)
