"""A site that lets cloudctl into real guests: they are built to the baseline, and held still for a point."""

from collections.abc import Iterator
from typing import Any

import pytest

from cloudctl.ports import Host, Play
from tests.flows.building import a_vm_draft
from tests.live.protecting import GuardedWorld, a_guarded_world

# Some six minutes in a guest whose processor is emulated: too long for every run.
pytestmark = [pytest.mark.guests, pytest.mark.soak, pytest.mark.timeout(1800)]

DRAFT: dict[str, Any] = {**a_vm_draft(1, (1, 1)), "flavor": "gov.micro", "boot_gib": 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedWorld]:
    made = a_guarded_world(tmp_path_factory.mktemp("managed") / "home")
    made.let_in()
    try:
        yield made
    finally:
        made.clean()
        made.core.store.close()


@pytest.fixture(scope="module")
def request_id(world: GuardedWorld) -> int:
    """A delivered request for one server with two data volumes."""
    made, operation_id = world.request(DRAFT)
    operation = world.work(operation_id)
    assert operation.state == "done", operation.error_message
    return made


def test_a_build_ends_with_the_baseline_applied_and_every_volume_in_its_place(
    world: GuardedWorld, request_id: int
) -> None:
    request = world.request_row(request_id)
    assert request.state == "delivered"
    [noted] = request.delivered["guests"].values()
    print(noted)
    assert (noted["state"], noted["paths"]) == ("done", ["/srv/data", "/srv/data2"]), noted["message"]
    assert noted["changed"] > 0
    [server] = world.resources(request_id, "server")
    address = server.addresses["ipv4"][0]
    host = Host(server.name, address, str(server.external_id), variables={"baseline_level": 3})
    again = world.plays.run(Play("baseline", (host,)))
    assert again.is_fine, again
    assert again.changed == 0
    checks = {"check_paths": ["/srv/data", "/srv/data2"], "check_urls": ["http://127.0.0.1/health"]}
    assert world.plays.run(Play("check", (host,), {**checks, "check_database": "required"})).is_fine


@pytest.mark.usefixtures("request_id")
def test_a_point_of_it_is_quiesced(world: GuardedWorld) -> None:
    point = world.back_up()
    assert point.state == "protected", world.operation(world.operation_of(point.id)).error_message
    assert point.consistency == "quiesced"
    world.assert_nothing_over()
