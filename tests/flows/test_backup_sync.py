"""A site that is compared while points are taken, proved and brought back shows nothing that is not wrong."""

from typing import Any

import pytest

from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Project, Resource
from cloudctl.ports import TAG_RESTORE, NewVolume
from dr.starting import begin_proof
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_state import Call
from provisioning.sync import sync
from tests.flows.protecting import CITY, SOURCE, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")
ADMIN = Actor("dave", "dave", None, frozenset({Grant(Role.PROVINCE_ADMIN, INSTALLATION)}))


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    return protect(core, clock, vault_sites=[CITY])


def _compared(world: Protected, site: str = CITY) -> dict[str, Any]:
    return sync(world.core, FakeClouds(world.clouds), ADMIN, site)


def _watched(world: Protected) -> list[dict[str, Any]]:
    """What a sync says whenever a worker has looked at the volumes of the city; filled as it works."""
    found: list[dict[str, Any]] = []
    state = world.clouds[CITY].state

    def look(call: Call) -> None:
        if call.name == "list_volumes" and state.volumes:
            found.append(_compared(world))

    state.after = look
    return found


def test_what_a_proof_makes_for_a_time_is_no_orphan(world: Protected) -> None:
    point = world.back_up()
    with world.core.store.write() as uow:
        proof = begin_proof(uow, world.clock, uow.need(type(point), point.id), "L2", CITY, "dave")
        operation_id = proof.operation_id
    seen = _watched(world)
    assert world.work(operation_id).state == "done"
    assert len(seen) > 1
    assert {(len(one["orphaned"]), len(one["foreign"])) for one in seen} == {(0, 0)}
    with world.core.store.read() as uow:
        assert not uow.count(Resource, Resource.site_id == CITY)


def test_what_a_proof_that_has_ended_left_behind_is_an_orphan(world: Protected) -> None:
    point = world.back_up()
    world.prove(point.id, "L2")
    inside = world.clouds[CITY].in_project(world.external[CITY])
    tags = {"cloudctl:installation": "test-installation", TAG_RESTORE: "1"}
    stray = inside.create_volume(NewVolume("left", 1, "standard", tags))
    assert [one["external_id"] for one in _compared(world)["orphaned"]] == [stray.id]


def test_room_that_was_opened_for_a_snapshot_is_no_drift_and_more_than_that_is(world: Protected) -> None:
    cloud, external = world.source, world.external[SOURCE]
    pushed = Amounts({Kind.VOLUMES: 2, Kind.VOLUME_GIB: 3})
    with world.core.store.write() as uow:
        uow.need(Project, f"{SOURCE}-budget").quota_pushed = pushed.as_json()
        uow.need(Project, f"{SOURCE}-budget").quota_pushed_at = world.clock.now()
    for gib, drifts in ((3, []), (6, []), (7, [("volume_gib", 7)]), (2, [("volume_gib", 2)])):
        cloud.set_quota(external, Amounts({Kind.VOLUMES: 2, Kind.VOLUME_GIB: gib}))
        found = _compared(world, SOURCE)["quota_drift"]
        assert [(one["kind"], one["is_now"]) for one in found] == drifts, gib
