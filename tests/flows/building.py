"""What the tests of flows start from: an approved request with its holds, a cloud, an engine."""

from dataclasses import dataclass, field
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Hold, Operation, Project, QuotaRow, Resource, ServiceRequest
from cloudctl.operations import Engine, Flow, start
from cloudctl.ports import TAG_RESOURCE, Port, Server, Volume
from provisioning.build import Build
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_plays import FakePlays
from provisioning.lanes import Lanes
from provisioning.release import Release
from tenants import ledger, recount
from tenants.settlement import settle
from tests.builders import AN_SSH_KEY, a_province

PROJECT = "p-budget"


@dataclass
class World:
    """One installation with one cloud and whoever works on it."""

    core: Core
    clock: FrozenClock
    cloud: FakeCloud
    lanes: Lanes = field(default_factory=Lanes)
    plays: FakePlays | None = None  # what answers inside servers

    def engine(self, lanes: Lanes | None = None) -> Engine:
        """A worker of its own: nothing but the database is shared with the others."""
        clouds = FakeClouds({self.cloud.site: self.cloud})
        settings, shared = self.core.settings, lanes or self.lanes
        build = Build(clouds, settings, shared, self.plays)
        flows: dict[str, Flow] = {"build": build, "release": Release(clouds, settings, shared)}
        return Engine(self.core.store, self.clock, flows, settings.lease_s, settle(self.core))

    def work(self, operation_id: int, limit_s: float = 3600) -> Operation:
        """Run the operation to its end with one worker, waiting as long as it takes."""
        engine, spent = self.engine(), 0.0
        while self.operation(operation_id).ended_at is None:
            if not engine.run(operation_id):
                self.clock.advance(1)
                spent += 1
            assert spent < limit_s, self.operation(operation_id).why
        return self.operation(operation_id)

    # -- reading

    def operation(self, operation_id: int) -> Operation:
        with self.core.store.read() as uow:
            return uow.need(Operation, operation_id)

    def resources(self, request_id: int, kind: str | None = None) -> list[Resource]:
        with self.core.store.read() as uow:
            conditions = [Resource.request_id == request_id]
            conditions += [Resource.kind == kind] if kind else []
            return uow.all(Resource, *conditions, order_by=[Resource.name])

    def states(self, request_id: int) -> set[str]:
        return {row.state for row in self.resources(request_id)}

    def project(self) -> Project:
        with self.core.store.read() as uow:
            return uow.need(Project, PROJECT)

    def things(self) -> dict[str, list[str]]:
        """The names of all that is on the cloud."""
        state = self.cloud.state
        return {
            "server": sorted(one.name for one in state.servers.values()),
            "volume": sorted(one.name for one in state.volumes.values()),
            "port": sorted(one.name for one in state.ports.values()),
        }

    def is_bare(self) -> bool:
        """Nothing is on the cloud but what was there before."""
        return not any(self.things().values()) and not self.cloud.state.projects

    def request_state(self, request_id: int) -> str:
        with self.core.store.read() as uow:
            return uow.need(ServiceRequest, request_id).state

    def used(self) -> Amounts:
        """What the ledger counts as used by the project at its site."""
        with self.core.store.read() as uow:
            rows = uow.all(QuotaRow, QuotaRow.scope_id == PROJECT, QuotaRow.site == "province")
            return Amounts({row.kind: row.used for row in rows})

    # -- asserting

    def assert_settled(self) -> None:
        """No hold is left, and every counter of the ledger is what holds and resources make it."""
        with self.core.store.read() as uow:
            assert recount.differences(uow) == []
            assert uow.count(Hold, Hold.state == "held") == 0
            assert uow.count(QuotaRow, QuotaRow.held > 0) == 0

    def assert_exactly(self, request_id: int, servers: int, volumes: int, ports: int) -> None:
        """Exactly the asked resources exist, each once, and rows and cloud agree."""
        assert {kind: len(names) for kind, names in self.things().items()} == {
            "server": servers,
            "volume": volumes,
            "port": ports,
        }
        state = self.cloud.state
        rows = {row.external_id: row for row in self.resources(request_id)}
        assert None not in rows
        made: list[Server | Volume | Port] = [
            *state.servers.values(), *state.volumes.values(), *state.ports.values()
        ]  # fmt: skip
        for thing in made:
            row = rows[thing.id]
            assert thing.tags[TAG_RESOURCE] == row.id
            assert thing.name == row.name
            assert row.state == "active"
        assert len(rows) == servers + volumes + ports
        assert all(server.status == "ACTIVE" for server in state.servers.values())
        assert all(len(server.volume_ids) == volumes // max(servers, 1) for server in state.servers.values())


def a_world(core: Core, clock: FrozenClock, cloud: FakeCloud | None = None) -> World:
    """A province with a project that is planned, and an empty cloud."""
    a_province(core)
    with core.store.write() as uow:
        uow.add(
            Project(
                id=PROJECT,
                name="gx-finance-budget-prod",
                system_id="gx-finance-budget",
                department_id="gx-finance",
                environment="prod",
                site_id="province",
                created_at=clock.now(),
            )
        )
    return World(core, clock, cloud or FakeCloud("province", clock))


def a_vm_draft(count: int = 2, data: tuple[int, ...] = (10, 20)) -> dict[str, Any]:
    return {
        "servers": [
            {"name": f"app{n}", "data_volumes": [{"size_gib": gib, "type": "standard"} for gib in data]}
            for n in range(1, count + 1)
        ],
        "flavor": "gov.small",
        "image": "debian-12",
        "boot_gib": 10,
        "boot_type": "standard",
        "ssh_key": AN_SSH_KEY,
        "login": "debian",
    }


def needed(draft: dict[str, Any]) -> Amounts:
    """What a draft counts in the ledger."""
    if "servers" in draft:
        disks = [disk["size_gib"] for server in draft["servers"] for disk in server["data_volumes"]]
        count = len(draft["servers"])
        return Amounts(
            {
                Kind.INSTANCES: count,
                Kind.VCPUS: count,
                Kind.RAM_MIB: 1024 * count,
                Kind.VOLUMES: count + len(disks),
                Kind.VOLUME_GIB: draft["boot_gib"] * count + sum(disks),
                Kind.PORTS: count,
            }
        )
    volumes = draft.get("volumes", [])
    return Amounts(
        {Kind.VOLUMES: len(volumes), Kind.VOLUME_GIB: sum(volume["size_gib"] for volume in volumes)}
    )


def a_request(
    world: World, draft: dict[str, Any] | None = None, kind: str = "vm", deadline_s: int = 1800
) -> tuple[int, int]:
    """An approved request with its operation and its holds at the project: ids of both."""
    core, now = world.core, world.clock.now()
    draft = a_vm_draft() if draft is None else draft
    with core.store.write() as uow:
        count = uow.count(ServiceRequest)
        request = uow.add(
            ServiceRequest(
                kind=kind,
                state="building",
                department_id="gx-finance",
                system_id="gx-finance-budget",
                project_id=PROJECT,
                site_id="province",
                zone="public" if kind == "vm" else None,
                draft=draft,
                needed=needed(draft).as_json(),
                requested_by="alice",
                idempotency_key=f"key-{count}",
                created_at=now,
                changed_at=now,
            )
        )
        if needed(draft):
            ledger.hold(uow, core.clock, request.id, uow.need(Project, PROJECT), needed(draft))
        operation = start(
            uow,
            core.clock,
            "release" if kind == "release" else "build",
            ("service_request", request.id),
            "province",
            deadline_s,
        )
        request.operation_id = operation.id
        return request.id, operation.id


def cancel(world: World, request_id: int, operation_id: int) -> None:
    """What the use case does in one transaction."""
    with world.core.store.write() as uow:
        uow.need(ServiceRequest, request_id).state = "cancelling"
        uow.need(Operation, operation_id).cancel_asked_at = world.clock.now()
