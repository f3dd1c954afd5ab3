"""What goes wrong in the middle of a build is retried or undone completely, and said in one line."""

from dataclasses import replace

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    CloudQuotaExceeded,
)
from provisioning import naming
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_state import Pace
from tests.flows.building import World, a_request, a_world
from tests.flows.interfering import BROKEN_GATEWAY, after_first, assert_undone, steps


@pytest.mark.parametrize(
    "call",
    [
        "find_domain",
        "create_domain",
        "list_projects",
        "create_project",
        "ensure_own_access",
        "set_quota",
        "get_quota",
        "list_images",
        "ensure_security_group",
        "ensure_key",
        "create_volume",
        "create_port",
        "create_server",
        "list_volumes",
        "list_servers",
        "list_ports",
    ],
)
@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["not done", "done, answer lost"])
def test_a_call_that_fails_for_a_moment_changes_nothing_in_the_end(
    world: World, call: str, is_answer_lost: bool
) -> None:
    request_id, operation_id = a_request(world)
    world.cloud.fail(call, 1, BROKEN_GATEWAY, is_after=is_answer_lost, times=2)
    assert world.work(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)
    assert len(world.cloud.state.projects) == 1


def test_a_server_that_goes_to_error_is_made_once_more(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.cloud.break_server(naming.server("gx-finance-budget", request_id, 2))
    assert world.work(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)
    assert world.cloud.count("create_server") == 3


def test_a_server_that_goes_to_error_again_undoes_everything_and_gives_novas_reason(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.cloud.break_server(naming.server("gx-finance-budget", request_id, 2), times=2)
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "build_failed")
    assert "No valid host was found" in (world.operation(operation_id).error_message or "")


def test_a_quota_lowered_by_hand_is_pushed_once_more(world: World) -> None:
    request_id, operation_id = a_request(world)

    def lower() -> None:
        state = world.cloud.state
        state.quotas = {key: amounts - Amounts({Kind.INSTANCES: 1}) for key, amounts in state.quotas.items()}

    after_first(world, "create_port", lower)
    assert world.work(operation_id).state == "done"
    assert world.cloud.count("set_quota") == 2
    assert steps(world, operation_id)["quota again"] == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


def test_a_quota_lowered_between_the_push_and_its_reading_is_pushed_again(world: World) -> None:
    def lower() -> None:
        state = world.cloud.state
        state.quotas = {key: amounts - Amounts({Kind.INSTANCES: 1}) for key, amounts in state.quotas.items()}

    after_first(world, "set_quota", lower)
    request_id, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    assert world.cloud.count("set_quota") == 2
    assert world.project().quota_pushed["instances"] == 2
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


def test_a_quota_refusal_that_the_clouds_own_numbers_do_not_bear_out_is_tried_again(world: World) -> None:
    request_id, operation_id = a_request(world)
    refusal = CloudQuotaExceeded("Quota exceeded for resources: ['port'].", cloud_request_id="req-4")
    world.cloud.fail("create_port", 1, refusal, times=5)
    assert world.work(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)
    assert world.cloud.count("set_quota") == 2


def test_a_quota_that_somebody_keeps_lowering_undoes_everything(world: World) -> None:
    request_id, operation_id = a_request(world)

    def lower(call: object) -> None:
        if getattr(call, "name", "") == "create_server":
            state = world.cloud.state
            state.quotas = {key: amounts * 0 for key, amounts in state.quotas.items()}

    world.cloud.state.before = lower
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cloud_quota_exceeded")
    assert world.cloud.count("set_quota") == 2


def test_an_image_deleted_in_the_middle_undoes_everything_and_says_so(world: World) -> None:
    request_id, operation_id = a_request(world)
    after_first(world, "ensure_key", lambda: world.cloud.remove_image("debian-12"))
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cloud_rejected")
    operation = world.operation(operation_id)
    assert "image" in (operation.error_message or "")
    assert (operation.cloud_request_id or "").startswith("req-")


def test_an_image_deleted_while_volumes_are_copied_from_it_is_found_out_too(world: World) -> None:
    request_id, operation_id = a_request(world)
    after_first(world, "list_volumes", lambda: world.cloud.remove_image("debian-12"))
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cloud_rejected")


def test_a_cinder_that_is_away_for_minutes_is_waited_for(world: World) -> None:
    request_id, operation_id = a_request(world)
    world.cloud.fail("create_volume", 1, BROKEN_GATEWAY, times=40)
    assert world.work(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


def test_a_site_that_stays_away_is_given_up_at_the_deadline_and_undone_when_it_is_back(
    world: World, clock: FrozenClock
) -> None:
    request_id, operation_id = a_request(world, deadline_s=300)
    after_first(world, "create_server", lambda: setattr(world.cloud.state, "is_cut_off", True))
    engine = world.engine()
    while world.operation(operation_id).state != "undoing":
        if not engine.run(operation_id):
            clock.advance(5)
        if clock.now() > world.operation(operation_id).created_at.replace(hour=10):
            raise AssertionError("never given up")
        if world.operation(operation_id).state == "undoing":
            break
        if (clock.now() - world.operation(operation_id).created_at).total_seconds() > 400:
            world.cloud.state.is_cut_off = False
    world.cloud.state.is_cut_off = False
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cloud_unavailable")


def test_a_server_that_never_becomes_active_times_out(core: Core, clock: FrozenClock) -> None:
    world = a_world(core, clock, FakeCloud("province", clock))
    request_id, operation_id = a_request(world, deadline_s=120)

    def slow() -> None:
        world.cloud.state.pace = Pace(lists=10_000)

    def fast(call: object) -> None:
        if getattr(call, "name", "") == "delete_server":
            world.cloud.state.pace = Pace(lists=1)

    world.cloud.state.before = fast
    after_first(world, "ensure_key", lambda: None)
    after_first(world, "list_volumes", slow)
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "timed_out")
    assert "server" in (world.operation(operation_id).error_message or "")


def test_two_of_one_from_an_answer_that_came_too_late_end_as_one(world: World) -> None:
    """A create whose answer was lost may take effect after the next look: the last look finds it."""
    request_id, operation_id = a_request(world)
    state = world.cloud.state
    world.cloud.fail("create_volume", 1, BROKEN_GATEWAY, is_after=True)
    hidden: list[object] = []
    looks = {"n": 0}

    def hide(call: object) -> None:
        name = getattr(call, "name", "")
        if name == "list_volumes":
            looks["n"] += 1
            if looks["n"] == 1:
                hidden.extend([state.volumes.pop(next(iter(state.volumes)))])
            if looks["n"] == 2:
                state.volumes[hidden[0].id] = replace(hidden[0], status="available")  # type: ignore

    state.before = hide
    assert world.work(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)
    assert world.cloud.count("create_volume") == 7
