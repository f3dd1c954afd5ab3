"""A real router on an isolated network: the probe inside catches it, beside a look at the configuration."""

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.config import Settings
from cloudctl.errors import CloudBusy
from cloudctl.operations import Run
from cloudctl.ports import TAG_INSTALLATION, Cloud, NewVolume
from dr.isolated import clearing, laying, plan, probe, watching
from dr.isolated.laying import Place
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.zone_rules import rules

pytestmark = [pytest.mark.guests, pytest.mark.soak, pytest.mark.timeout(600)]

CITY, GATEWAY = "city-1", "10.20.0.1"
TAGS = {TAG_INSTALLATION: "isolation"}
ROOM = {
    Kind.INSTANCES: 2,
    Kind.VCPUS: 2,
    Kind.RAM_MIB: 1024,
    Kind.VOLUMES: 2,
    Kind.VOLUME_GIB: 4,
    Kind.PORTS: 4,
}
_PAUSE = threading.Event()  # never set


class Holding:
    """A run that nobody takes away."""

    def must_hold(self) -> None:
        """It is held."""


RUN = cast("Run", Holding())


@pytest.fixture
def cloud() -> Cloud:
    lab = Path(os.environ["CLOUDCTL_HOME"]) / "lab"
    settings = Settings(home=lab.parent, installation="isolation", clouds_yaml=str(lab / "clouds.yaml"))
    return OpenStackClouds(settings, sites={CITY: CITY}).at(CITY)


@pytest.fixture
def project(cloud: Cloud) -> Iterator[str]:
    domain = cloud.find_domain("Default")
    assert domain is not None
    name = f"isolation-{uuid.uuid4().hex[:8]}"
    made = cloud.create_project(domain.id, name, "", [f"{TAG_INSTALLATION}=isolation"])
    cloud.ensure_own_access(made.id)
    cloud.set_quota(made.id, Amounts(ROOM))
    yield made.id
    inside = cloud.in_project(made.id)
    while clearing.clear(RUN, cloud, made.id):
        _PAUSE.wait(1)
    while volumes := inside.list_volumes():
        for volume in volumes:
            with suppress(CloudBusy):
                inside.delete_volume(volume.id)
        _PAUSE.wait(1)
    cloud.delete_project(made.id)


def test_a_router_that_somebody_joins_answers_the_canary(cloud: Cloud, project: str) -> None:
    inside, call = cloud.in_project(project), cast("Any", cloud)._call
    image = next(one.id for one in cloud.list_images() if one.name == "debian-12")
    boot = inside.create_volume(NewVolume("boot", 1, "standard", TAGS, image))
    while any(one.status != "available" for one in inside.list_volumes()):
        _PAUSE.wait(1)
    server = {"name": "vm1", "flavor": "gov.micro", "zone": "public", "boot": 0, "data": [],
              "addresses": {"ipv4": ["10.20.0.77"], "ipv6": []}}  # fmt: skip
    drawn, faults = plan.draw(
        {
            "servers": [server],
            "networks": {"public": {"ipv4": "10.20.0.0/20"}},
            "security_groups": {"public": [asdict(one) for one in rules("public", 3)]},
        },
        plan.Offer(cloud.list_flavors(), cloud.list_images()),
        cloud.api_addresses(),
    )
    assert not faults
    assert drawn is not None
    place, nonce = Place(project, TAGS, {0: boot.id}), uuid.uuid4().hex
    ids = laying.lay_networks(RUN, cloud, place, drawn)
    router = call.post("network", "/routers", "make a router", {"router": {"name": "leak"}})["router"]["id"]
    where = {"network_id": ids.networks["public"], "fixed_ips": [{"ip_address": GATEWAY}]}
    port = call.post("network", "/ports", "make its port", {"port": where})["port"]["id"]
    call.put("network", f"/routers/{router}/add_router_interface", "join it", {"port_id": port})
    try:
        while isinstance(started := laying.start(RUN, cloud, place, drawn, ids, (), nonce), str):
            _PAUSE.wait(2)
        [network] = inside.list_own_networks()
        assert network.ways_out == (f"router {router}",)
        while (report := probe.read(inside.console_output(started.probe_id), nonce)) is None:
            _PAUSE.wait(2)
        print(report)
        assert GATEWAY in report.answered
        verdict = watching.judge("L4", started.errand, (), report, (), is_late=False)
        assert verdict is not None
        assert verdict.is_breached
    finally:
        call.put("network", f"/routers/{router}/remove_router_interface", "leave it", {"port_id": port})
        call.delete("network", f"/routers/{router}", "delete the router")
