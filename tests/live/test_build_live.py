"""Builds on the lab's real OpenStack: delivered, killed, raced, meddled with."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.lifecycle import Outcome
from cloudctl.models import CatalogueItem
from cloudctl.operations import Run
from provisioning.build import Build
from provisioning.job import Job
from tests.flows.building import a_vm_draft
from tests.live.building import LEASE_S, LabWorld, a_lab_world

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LabWorld]:
    made = a_lab_world(tmp_path / "home")
    try:
        yield made
    finally:
        made.clean()
        made.core.store.close()


class Meddled(Build):
    """A build in the middle of which, right before anything is made, somebody meddles with the cloud."""

    def __init__(self, world: LabWorld, act: Callable[[Job], object]) -> None:
        super().__init__(world.clouds, world.core.settings)
        self._act: Callable[[Job], object] | None = act

    def _create(self, run: Run, job: Job) -> Outcome | None:
        if self._act is not None:
            act, self._act = self._act, None
            act(job)
        return super()._create(run, job)


def test_three_servers_with_two_volumes_each_and_a_tebibyte_in_all(world: LabWorld) -> None:
    request_id, operation_id = world.request(a_vm_draft(3, (171, 170)))
    operation = world.work(operation_id)
    assert operation.state == "done", operation.error_message
    world.assert_exactly(request_id, servers=3, disks=3)
    request = world.request_row(request_id)
    assert request.state == "delivered"
    for server in request.delivered["servers"]:
        assert server["addresses"]["ipv4"][0].startswith("10.20.")
        assert server["addresses"]["ipv6"][0].startswith("fd00:1:1:")
        assert server["connect"].startswith("ssh debian@10.20.")
    sizes = [
        row.spec["size_gib"] for row in world.resources(request_id, "volume") if row.spec["role"] == "data"
    ]
    assert sum(sizes) == 3 * 341
    pushed = world.cloud.get_quota(str(world.project().external_id))
    assert pushed == Amounts(
        {
            Kind.INSTANCES: 3,
            Kind.VCPUS: 3,
            Kind.RAM_MIB: 3072,
            Kind.VOLUMES: 9,
            Kind.VOLUME_GIB: 3 * 351,
            Kind.PORTS: 3,
        }
    )


def test_a_lone_volume_is_attached_and_a_release_takes_everything_away(world: LabWorld) -> None:
    request_id, operation_id = world.request(a_vm_draft(1, (5,)))
    assert world.work(operation_id).state == "done"
    server = world.resources(request_id, "server")[0]
    draft: dict[str, Any] = {"volumes": [{"size_gib": 3, "type": "ssd"}], "attach_to": server.id}
    more, operation_id = world.request(draft, "volume")
    assert world.work(operation_id).state == "done", world.operation(operation_id).error_message
    inside = world.cloud.in_project(str(world.project().external_id))
    assert len(inside.list_servers()[0].volume_ids) == 3
    lone = world.resources(more)[0]
    draft = {"resources": [server.id, lone.id], "with_volumes": True}
    assert world.work(world.request(draft, "release")[1]).state == "done"
    assert world.things() == []
    world.assert_settled()


def test_a_nova_quota_lowered_by_hand_in_the_middle_is_put_right_once(world: LabWorld) -> None:
    def lower(job: Job) -> None:
        project = str(job.project.external_id)
        limits = world.cloud.get_quota(project)
        world.cloud.set_quota(project, limits - Amounts({Kind.INSTANCES: 1}))

    request_id, operation_id = world.request(a_vm_draft(2, (2,)))
    operation = world.work(operation_id, {"build": Meddled(world, lower)})
    assert operation.state == "done", operation.error_message
    assert operation.scratch["quota_again"]
    world.assert_exactly(request_id, servers=2, disks=2)


def test_a_nova_quota_that_is_lowered_again_and_again_undoes_everything(world: LabWorld) -> None:
    class Stubborn(Meddled):
        def _create(self, run: Run, job: Job) -> Outcome | None:
            project = str(job.project.external_id)
            limits = world.cloud.get_quota(project)
            none = Amounts({Kind.INSTANCES: limits[Kind.INSTANCES]})
            world.cloud.set_quota(project, limits - none)
            return super()._create(run, job)

    request_id, operation_id = world.request(a_vm_draft(1, (2,)))
    operation = world.work(operation_id, {"build": Stubborn(world, lambda _job: None)})
    assert (operation.state, operation.error_code) == ("failed", "cloud_quota_exceeded")
    assert (operation.cloud_request_id or "").startswith("req-")
    assert_nothing_left(world, request_id)


def test_an_image_deleted_in_the_middle_undoes_everything_and_names_openstacks_request(
    world: LabWorld, tmp_path: Path
) -> None:
    os.environ["OS_CLIENT_CONFIG_FILE"] = world.core.settings.clouds_yaml
    connection = openstack.connect(cloud="province")
    file = tmp_path / "image.raw"
    file.write_bytes(bytes(1024 * 1024))
    name = world.core.settings.installation
    image = connection.create_image(
        name, filename=str(file), disk_format="raw", container_format="bare", wait=True, visibility="public"
    )
    with world.core.store.write() as uow:
        uow.add(CatalogueItem(kind="image", name=name, title=name, spec={"login": "x", "min_disk_gib": 1}))
    try:
        request_id, operation_id = world.request({**a_vm_draft(2, (2,)), "image": name})
        flow = Meddled(world, lambda _job: connection.delete_image(image.id, wait=True))
        operation = world.work(operation_id, {"build": flow})
    finally:
        connection.delete_image(image.id)
        connection.close()
    assert operation.state == "failed"
    assert "image" in (operation.error_message or "").lower()
    assert (operation.cloud_request_id or "").startswith("req-")
    assert_nothing_left(world, request_id)


def test_a_build_cancelled_in_the_middle_leaves_nothing(world: LabWorld) -> None:
    def cancel(job: Job) -> None:
        with world.core.store.write() as uow:
            uow.need(type(job.operation), job.operation.id).cancel_asked_at = world.core.clock.now()
            uow.need(type(job.request), job.request.id).state = "cancelling"

    request_id, operation_id = world.request(a_vm_draft(2, (2,)))
    operation = world.work(operation_id, {"build": Meddled(world, cancel)})
    assert (operation.state, operation.error_code) == ("failed", "cancelled")
    assert_nothing_left(world, request_id)


def test_two_worker_processes_race_for_one_operation(world: LabWorld) -> None:
    request_id, operation_id = world.request(a_vm_draft(2, (2,)))
    workers = [world.worker(operation_id) for _ in range(2)]
    assert [worker.wait(300) for worker in workers] == [0, 0]
    assert world.operation(operation_id).state == "done"
    assert world.operation(operation_id).fence == 1
    world.assert_exactly(request_id, servers=2, disks=2)


def kill_and_finish(world: LabWorld, moments: random.Random) -> int:
    """Kill -9 workers of a 3-VM build, each at a random moment, until one comes through; how many died."""
    request_id, operation_id = world.request(a_vm_draft(3, (2, 3)))
    deaths = 0
    for _ in range(2):
        worker = world.worker(operation_id)
        began, moment = time.monotonic(), moments.uniform(1.0, 14.0)
        while time.monotonic() - began < moment and worker.poll() is None:
            threading.Event().wait(0.02)
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            deaths += 1
        worker.wait()
    last = world.worker(operation_id)
    assert last.wait(300) == 0
    operation = world.operation(operation_id)
    assert operation.state == "done", operation.error_message
    world.assert_exactly(request_id, servers=3, disks=3)
    servers = [row.id for row in world.resources(request_id, "server")]
    assert (
        world.work(world.request({"resources": servers, "with_volumes": True}, "release")[1]).state == "done"
    )
    assert world.things() == []
    world.assert_settled()
    return deaths


def test_a_worker_killed_at_a_random_moment_leaves_exactly_what_was_asked_for(world: LabWorld) -> None:
    deaths, moments = 0, random.Random()
    while deaths < 3:
        deaths += kill_and_finish(world, moments)
    print(f"{deaths} workers killed, lease {LEASE_S} s")


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_fifty_workers_killed_at_random_moments_leave_exactly_what_was_asked_for(world: LabWorld) -> None:
    deaths, builds, moments = 0, 0, random.Random()
    while deaths < 50:
        deaths, builds = deaths + kill_and_finish(world, moments), builds + 1
        print(f"{deaths} workers killed in {builds} builds of 3 VMs", flush=True)


def assert_nothing_left(world: LabWorld, request_id: int) -> None:
    assert world.things() == []
    assert world.project().external_id is None
    assert {row.state for row in world.resources(request_id)} <= {"released"}
    names = [project.name for project in world.cloud.list_projects()]
    assert world.core.settings.installation not in names
    world.assert_settled()
