"""A build cancelled or refused is undone to the last piece; workers side by side make nothing twice."""

import itertools
import threading

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    CloudBusy,
    CloudctlError,
    CloudForbidden,
    CloudRejected,
)
from cloudctl.models import Site
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.lanes import Lanes
from tests.flows.building import World, a_request, a_world, cancel
from tests.flows.interfering import BROKEN_GATEWAY, after_first, assert_undone

# -- giving up


def test_a_cancelled_build_is_undone_to_the_last_piece(world: World) -> None:
    request_id, operation_id = a_request(world)
    after_first(world, "create_server", lambda: cancel(world, request_id, operation_id))
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cancelled")


def test_a_build_cancelled_before_it_began_touches_no_cloud(world: World) -> None:
    request_id, operation_id = a_request(world)
    cancel(world, request_id, operation_id)
    before = world.cloud.counts()
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cancelled")
    assert {name for name in world.cloud.counts() if name not in before} <= {"find_domain"}


def test_a_cancel_in_the_very_last_moment_is_still_obeyed(world: World) -> None:
    request_id, operation_id = a_request(world)
    after_first(world, "list_ports", lambda: cancel(world, request_id, operation_id))
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cancelled")


@pytest.mark.parametrize(
    "error", [BROKEN_GATEWAY, CloudBusy("409"), CloudForbidden("no right"), CloudRejected("400")]
)
@pytest.mark.parametrize("call", ["delete_server", "delete_volume", "delete_port", "list_volumes"])
def test_an_undo_never_gives_up(world: World, call: str, error: CloudctlError) -> None:
    request_id, operation_id = a_request(world)
    world.cloud.fail("create_server", 2, CloudRejected("no", cloud_request_id="req-7"), times=99)

    def begin_trouble() -> None:
        world.cloud.fail(call, 1, error, times=6)

    after_first(world, "create_server", begin_trouble)
    world.work(operation_id)
    assert_undone(world, request_id, operation_id, "cloud_rejected")
    assert world.operation(operation_id).cloud_request_id == "req-7"
    assert world.operation(operation_id).error_message == "no [req-7]"


def test_a_project_that_cannot_be_deleted_does_not_keep_the_undo_from_ending(world: World) -> None:
    _, operation_id = a_request(world)
    world.cloud.fail("create_server", 1, CloudRejected("no"), times=99)
    world.cloud.fail("delete_project", 1, CloudForbidden("no right"), times=99)
    assert world.work(operation_id).state == "failed"
    assert not any(world.things().values())
    assert world.project().state == "active"
    assert world.project().external_id in world.cloud.state.projects


def test_a_project_taken_away_by_an_undo_is_made_again_by_the_next_request(world: World) -> None:
    world.cloud.fail("create_server", 1, CloudRejected("no"))
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "failed"
    request_id, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


def test_an_undo_leaves_the_project_to_another_request_that_builds_in_it(world: World) -> None:
    world.cloud.fail("create_server", 1, CloudRejected("no"))
    _, failing = a_request(world)
    request_id, other = a_request(world)
    assert world.work(failing).state == "failed"
    assert world.project().external_id is not None
    assert world.work(other).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


# -- side by side


@pytest.mark.parametrize("split_tagging", [False, True])
def test_two_workers_and_one_operation(core: Core, clock: FrozenClock, split_tagging: bool) -> None:
    world = a_world(core, clock, FakeCloud("province", clock, split_tagging=split_tagging))
    request_id, operation_id = a_request(world)
    engines = [world.engine(Lanes()) for _ in range(2)]
    threads = [threading.Thread(target=engine.run, args=(operation_id,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.operation(operation_id).state == "done"
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)
    assert world.cloud.count("create_server") == 2


def test_a_worker_that_slept_through_its_lease_does_not_make_things_twice(
    world: World, clock: FrozenClock
) -> None:
    """Frozen in the middle of a batch, it wakes up when another has taken its place."""
    request_id, operation_id = a_request(world)
    with world.core.store.write() as uow:
        uow.need(Site, "province").slots = 1
    other = world.engine(Lanes())

    def freeze() -> None:
        clock.advance(31)
        assert other.run(operation_id)

    after_first(world, "create_volume", freeze)
    world.engine(Lanes()).run(operation_id)
    assert world.operation(operation_id).state == "done"
    assert world.operation(operation_id).fence == 2
    assert world.cloud.count("create_volume") == 6
    world.assert_exactly(request_id, servers=2, volumes=6, ports=2)


def test_two_requests_of_one_new_project_make_it_once(world: World) -> None:
    (first, one), (second, two) = a_request(world), a_request(world)
    engines = [(world.engine(Lanes()), operation_id) for operation_id in (one, two)]
    threads = [threading.Thread(target=engine.run, args=(operation_id,)) for engine, operation_id in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.work(one)
    world.work(two)
    assert [world.operation(one).state, world.operation(two).state] == ["done", "done"]
    assert len(world.cloud.state.projects) == 1
    assert len(world.cloud.state.groups) == 1
    assert len(world.cloud.state.servers) == 4
    assert {row.state for row in (*world.resources(first), *world.resources(second))} == {"active"}


def test_never_more_calls_at_a_time_than_the_site_has_slots(world: World) -> None:
    with world.core.store.write() as uow:
        uow.need(Site, "province").slots = 3
    now, most, lock = [0], [0], threading.Lock()
    together, early = threading.Barrier(3), itertools.count()

    def enter(call: object) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            is_early = getattr(call, "name", "") == "create_volume" and next(early) < 3
        if is_early:
            together.wait(20)

    def leave(_call: object) -> None:
        with lock:
            now[0] -= 1

    world.cloud.state.before, world.cloud.state.after = enter, leave
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    assert most[0] == 3
