"""What a release takes away, and what it leaves."""

from dataclasses import replace

from cloudctl.errors import (
    CloudForbidden,
)
from cloudctl.models import Project, Resource
from tests.flows.building import PROJECT, World, a_request, a_vm_draft, cancel


def test_a_release_keeps_the_data_volumes_that_were_not_named(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.work(operation_id)
    servers = world.resources(request_id, "server")
    data = servers[0].spec["data"][0]
    draft = {"resources": [servers[0].id, data]}
    assert world.work(a_request(world, draft, kind="release")[1]).state == "done"
    by_state: dict[str, set[str]] = {}
    for row in world.resources(request_id):
        by_state.setdefault(row.state, set()).add(row.name.removeprefix("gx-finance-budget-r1-"))
    assert by_state["released"] == {"vm1", "vm1-boot", "vm1-port", "vm1-data1"}
    kept = next(row for row in world.resources(request_id) if row.name.endswith("vm1-data2"))
    assert kept.spec["server"] is None
    assert len(world.cloud.state.volumes) == 4


def test_a_data_volume_is_detached_from_a_server_that_stays(world: World) -> None:
    request_id, operation_id = a_request(world, a_vm_draft(1))
    world.work(operation_id)
    server = world.resources(request_id, "server")[0]
    draft = {"resources": [server.spec["data"][1]]}
    assert world.work(a_request(world, draft, kind="release")[1]).state == "done"
    assert len(world.cloud.state.volumes) == 2
    [there] = world.cloud.state.servers.values()
    assert len(there.volume_ids) == 2


def test_a_release_of_what_is_gone_already_is_done(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.work(operation_id)
    for server in list(world.cloud.state.servers):
        del world.cloud.state.servers[server]
    servers = [row.id for row in world.resources(request_id, "server")]
    world.cloud.state.volumes = {
        key: replace(volume, status="available", server_ids=())
        for key, volume in world.cloud.state.volumes.items()
    }
    draft = {"resources": servers, "with_volumes": True}
    assert world.work(a_request(world, draft, kind="release")[1]).state == "done"
    assert world.states(request_id) == {"released"}
    assert not any(world.things().values())


def test_a_release_cancelled_before_it_began_takes_nothing_away(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.work(operation_id)
    servers = [row.id for row in world.resources(request_id, "server")]
    release, operation_id = a_request(world, {"resources": servers}, kind="release")
    cancel(world, release, operation_id)
    assert world.work(operation_id).error_code == "cancelled"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


def test_a_release_that_is_refused_says_what_is_left_as_it_was(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.work(operation_id)
    servers = [row.id for row in world.resources(request_id, "server")]
    world.cloud.fail("delete_volume", 1, CloudForbidden("no right", cloud_request_id="req-3"), times=999)
    _, operation_id = a_request(world, {"resources": servers, "with_volumes": True}, kind="release")
    operation = world.work(operation_id)
    assert (operation.error_code, operation.cloud_request_id) == ("cloud_forbidden", "req-3")
    with world.core.store.read() as uow:
        rows = uow.all(Resource, Resource.request_id == request_id)
        states = {row.kind: row.state for row in rows}
    assert states == {"server": "released", "port": "released", "volume": "active"}


def test_a_project_row_is_never_bound_twice(world: World) -> None:
    _, operation_id = a_request(world, {}, kind="project")
    world.work(operation_id)
    bound = world.project().external_id
    _, operation_id = a_request(world, {}, kind="project")
    world.work(operation_id)
    with world.core.store.read() as uow:
        assert uow.need(Project, PROJECT).external_id == bound
    assert world.cloud.count("create_project") == 1
