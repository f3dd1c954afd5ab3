"""What the live tests of builds start from: an installation of their own on the lab's province cloud."""

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloudctl.clock import SystemClock
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.errors import CloudNotFound
from cloudctl.models import Hold, Operation, Project, QuotaRow, Resource, ServiceRequest
from cloudctl.operations import Engine, Flow
from cloudctl.ports import TAG_RESOURCE, Cloud, Port, Server, Volume
from provisioning.build import Build
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.release import Release
from tenants import recount
from tenants.settlement import settle
from tests.conftest import make_core
from tests.flows import building
from tests.flows.building import PROJECT

LEASE_S = 8  # shorter than usual, so that the tests wait less for the dead
CALL_S = 7.0
_PAUSE = threading.Event()  # never set


@dataclass
class LabWorld:
    """One installation, known to the lab by an id of its own."""

    core: Core
    clouds: OpenStackClouds

    @property
    def cloud(self) -> Cloud:
        return self.clouds.at("province")

    def engine(self, flows: Mapping[str, Flow] | None = None) -> Engine:
        settings = self.core.settings
        made: dict[str, Flow] = {
            "build": Build(self.clouds, settings),
            "release": Release(self.clouds, settings),
        }
        return Engine(
            self.core.store, self.core.clock, {**made, **(flows or {})}, settings.lease_s, settle(self.core)
        )

    def request(self, draft: dict[str, Any], kind: str = "vm", deadline_s: int = 600) -> tuple[int, int]:
        """An approved request: its id and that of its operation."""
        return building.a_request(self, draft, kind, deadline_s)  # type: ignore[arg-type]

    @property
    def clock(self) -> Any:
        return self.core.clock

    def work(self, operation_id: int, flows: Mapping[str, Flow] | None = None) -> Operation:
        """Work in this process until the operation has ended."""
        engine = self.engine(flows)
        while self.operation(operation_id).ended_at is None:
            if not engine.run(operation_id):
                _PAUSE.wait(0.2)
        return self.operation(operation_id)

    def worker(self, operation_id: int) -> "subprocess.Popen[bytes]":
        """Another process that works on the operation until it has ended."""
        settings = self.core.settings
        command = [sys.executable, "-m", "tests.live.worker", str(settings.home), settings.installation]
        return subprocess.Popen(
            [*command, str(operation_id)], cwd=Path(__file__).parents[2], start_new_session=True
        )

    # -- reading

    def operation(self, operation_id: int) -> Operation:
        with self.core.store.read() as uow:
            return uow.need(Operation, operation_id)

    def request_row(self, request_id: int) -> ServiceRequest:
        with self.core.store.read() as uow:
            return uow.need(ServiceRequest, request_id)

    def resources(self, request_id: int, kind: str | None = None) -> list[Resource]:
        with self.core.store.read() as uow:
            conditions = [Resource.request_id == request_id]
            conditions += [Resource.kind == kind] if kind else []
            return uow.all(Resource, *conditions, order_by=[Resource.name])

    def project(self) -> Project:
        with self.core.store.read() as uow:
            return uow.need(Project, PROJECT)

    def things(self) -> list[Server | Volume | Port]:
        """All that the cloud has in the project."""
        external = self.project().external_id
        if external is None:
            return []
        inside = self.cloud.in_project(external)
        return [*inside.list_servers(), *inside.list_volumes(), *inside.list_ports()]

    # -- asserting

    def assert_exactly(self, request_id: int, servers: int, disks: int) -> None:
        """Exactly the asked resources, each once and tagged with the id of its row; holds as they must be."""
        things = self.things()
        rows = {row.external_id: row for row in self.resources(request_id)}
        assert sorted(thing.id for thing in things) == sorted(str(one) for one in rows)
        assert len(rows) == servers * (2 + disks)
        for thing in things:
            row = rows[thing.id]
            assert (thing.tags[TAG_RESOURCE], thing.name, row.state) == (row.id, row.name, "active")
            if isinstance(thing, Server):
                assert thing.status == "ACTIVE"
                assert len(thing.volume_ids) == disks
        self.assert_settled()

    def assert_settled(self) -> None:
        with self.core.store.read() as uow:
            assert recount.differences(uow) == []
            assert uow.count(Hold, Hold.state == "held") == 0
            assert uow.count(QuotaRow, QuotaRow.held > 0) == 0

    # -- cleaning up

    def clean(self) -> None:
        """Take away whatever a test left, whether it went well or not."""
        for request_id in self._open_requests():
            with self.core.store.write() as uow:
                uow.need(Operation, request_id).cancel_asked_at = self.core.clock.now()
            self.work(request_id)
        servers = self._servers()
        if servers:
            draft = {"resources": servers, "with_volumes": True}
            self.work(self.request(draft, "release")[1])
        external = self.project().external_id
        if external is not None:
            inside = self.cloud.in_project(external)
            try:
                for group in inside.list_security_groups():
                    if group.name != "default":
                        inside.delete_security_group(group.id)
                self.cloud.delete_project(external)
            except CloudNotFound:
                pass

    def _open_requests(self) -> list[int]:
        with self.core.store.read() as uow:
            return uow.column(Operation.id, Operation.ended_at.is_(None))

    def _servers(self) -> list[str]:
        with self.core.store.read() as uow:
            return uow.column(Resource.id, Resource.kind == "server", Resource.state != "released")


def open_lab_core(home: Path, installation: str) -> Core:
    """The core of a test's installation; the worker processes open the same."""
    lab = Path(os.environ["CLOUDCTL_HOME"]) / "lab"
    assert (lab / "clouds.yaml").exists(), f"the lab is not up: {lab / 'clouds.yaml'} is missing"
    core = make_core(home, clock=SystemClock())  # type: ignore[arg-type]
    settings = Settings(
        home=home,
        installation=installation,
        clouds_yaml=str(lab / "clouds.yaml"),
        stores_yaml=str(lab / "stores.yaml"),
        lease_s=LEASE_S,
        cloud_timeout_s=CALL_S,
    )
    return replace(core, settings=settings)


def a_lab_world(home: Path) -> LabWorld:
    """A province with a planned project whose name nobody else on the lab has."""
    home.mkdir()
    core = open_lab_core(home, f"test-{uuid.uuid4().hex[:10]}")
    building.a_world(core, core.clock)  # type: ignore[arg-type]
    with core.store.write() as uow:
        uow.need(Project, PROJECT).name = core.settings.installation
    return LabWorld(core, OpenStackClouds(core.settings, core.store))
