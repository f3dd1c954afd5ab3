"""What goes wrong in the middle of a build is retried or undone completely, and said in one line."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import (
    CloudBusy,
    CloudctlError,
    CloudForbidden,
    CloudQuotaExceeded,
    CloudRejected,
    CloudUnavailable,
)
from cloudctl.models import Project, QuotaRow, Resource, Site, Step
from cloudctl.ports import CloudProject
from provisioning import naming
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_state import Pace
from provisioning.lanes import Lanes
from tests.flows.building import PROJECT, World, a_request, a_vm_draft, a_world, cancel

BROKEN_GATEWAY = CloudUnavailable("502", cloud_request_id="req-502")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> World:
    return a_world(core, clock)


def after_first(world: World, name: str, act: Callable[[], None]) -> None:
    """`act` happens right after the first call of that name."""
    done = threading.Event()

    def hook(call: object) -> None:
        if getattr(call, "name", "") == name and not done.is_set():
            done.set()
            act()

    world.cloud.state.after = hook


def steps(world: World, operation_id: int) -> dict[str, str]:
    with world.core.store.read() as uow:
        return {step.name: step.state for step in uow.all(Step, Step.operation_id == operation_id)}


def assert_undone(world: World, request_id: int, operation_id: int, code: str) -> None:
    operation = world.operation(operation_id)
    assert (operation.state, operation.error_code) == ("failed", code)
    assert world.is_bare(), world.things()
    assert world.states(request_id) <= {"released"}


# -- delivered


def test_three_servers_with_a_tebibyte_are_delivered_with_all_one_needs_to_get_in(world: World) -> None:
    request_id, operation_id = a_request(world, a_vm_draft(3, (171, 170)))
    operation = world.work(operation_id)
    world.assert_exactly(request_id, servers=3, volumes=9, ports=3)
    delivered = operation.scratch["delivered"]
    first = delivered["servers"][0]
    assert first["connect"] == f"ssh debian@{first['addresses']['ipv4'][0]}"
    assert first["addresses"]["ipv6"][0].startswith("fd00:1:1::")
    assert delivered["contact"] == [{"name": "陈凯", "phone": None}]
    assert sum(volume["size_gib"] for volume in delivered["volumes"]) == 3 * (171 + 170 + 10)
    assert operation.progress_done == operation.progress_total == 16
    servers = world.resources(request_id, "server")
    assert all(row.addresses["ipv4"] and row.active_at for row in servers)
    assert steps(world, operation_id) == dict.fromkeys(
        ("plan", "project", "quota", "ground", "deliver"), "done"
    )


def test_a_build_makes_no_more_calls_than_it_needs(world: World) -> None:
    _, operation_id = a_request(world, a_vm_draft(3))
    world.work(operation_id)
    counts = world.cloud.counts()
    assert {name: n for name, n in counts.items() if name.startswith("create_")} == {
        "create_domain": 2,  # one was there before
        "create_project": 1,
        "create_port": 3,
        "create_server": 3,
        "create_volume": 9,
    }
    assert counts["set_quota"] == counts["get_quota"] == counts["ensure_own_access"] == 1
    assert counts["list_ports"] == 1
    assert counts["list_volumes"] + counts["list_servers"] <= 6


def test_the_second_request_of_a_project_finds_domain_and_project_bound(world: World) -> None:
    world.work(a_request(world)[1])
    before = world.cloud.counts()
    request_id, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    after = world.cloud.counts()
    assert all(after[name] == before[name] for name in ("find_domain", "list_projects", "create_project"))
    assert len(world.cloud.state.servers) == 4
    assert {row.state for row in world.resources(request_id)} == {"active"}


def test_the_clouds_quota_is_what_was_granted_and_read_back(world: World) -> None:
    _, operation_id = a_request(world)
    world.work(operation_id)
    project = world.project()
    held = world.cloud.state.quotas[str(project.external_id)]
    assert held.as_json() == project.quota_pushed
    assert project.quota_pushed["instances"] == 2
    assert project.quota_pushed["volume_gib"] == 2 * (10 + 10 + 20)


def test_a_limit_of_the_project_is_what_the_cloud_gets(world: World) -> None:
    _, operation_id = a_request(world)
    with world.core.store.write() as uow:
        uow.update(QuotaRow, QuotaRow.scope_id == PROJECT, QuotaRow.kind == "instances", limit=50)
        uow.update(QuotaRow, QuotaRow.scope_id == PROJECT, QuotaRow.kind == "vcpus", limit=1)
    world.work(operation_id)
    assert world.project().quota_pushed["instances"] == 50
    assert world.project().quota_pushed["vcpus"] == 2  # never less than what is granted


def test_a_ledger_that_moves_during_the_push_is_pushed_again(world: World) -> None:
    _, operation_id = a_request(world)

    def more() -> None:
        a_request(world)

    after_first(world, "set_quota", more)
    world.work(operation_id)
    assert world.cloud.count("set_quota") == 2
    assert world.project().quota_pushed["instances"] == 4


def test_a_site_with_one_domain_for_all_needs_that_domain(world: World) -> None:
    with world.core.store.write() as uow:
        site = uow.need(Site, "province")
        site.domain_policy, site.domain_name = "single", "gov"
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "failed"
    assert "gov" in (world.operation(operation_id).error_message or "")
    world.cloud.create_domain("gov", "")
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    assert world.cloud.count("create_domain") == 2


# -- somebody else's


def test_a_strangers_project_of_that_name_is_left_alone_and_ours_gets_a_second_name(world: World) -> None:
    domain = world.cloud.create_domain("gx-finance", "")
    strange = world.cloud.create_project(domain.id, "gx-finance-budget-prod", "", [])
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    bound = world.project().external_id
    assert bound is not None
    assert bound != strange.id
    name, second = naming.projects("gx-finance-budget-prod", "test-installation")
    assert (strange.name, world.cloud.state.projects[bound].name) == (name, second)
    assert world.cloud.state.projects[strange.id] == CloudProject(strange.id, name, domain.id)


def test_where_both_names_are_taken_the_way_out_is_said(world: World) -> None:
    domain = world.cloud.create_domain("gx-finance", "")
    for name in naming.projects("gx-finance-budget-prod", "test-installation"):
        world.cloud.create_project(domain.id, name, "", [])
    _, operation_id = a_request(world)
    operation = world.work(operation_id)
    assert (operation.state, operation.error_code) == ("failed", "cloud_conflict")
    assert "project adopt" in (operation.error_message or "")


def test_a_project_that_this_installation_made_and_forgot_is_adopted(world: World) -> None:
    domain = world.cloud.create_domain("gx-finance", "")
    tags = naming.labels(naming.tags("test-installation", "gx-finance-budget", 99))
    project = world.cloud.create_project(domain.id, "gx-finance-budget-prod", "", tags)
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "done"
    assert world.project().external_id == project.id


def test_what_others_have_in_the_project_survives_an_undo(world: World) -> None:
    first, operation_id = a_request(world)
    world.work(operation_id)
    world.cloud.fail("create_server", nth=2, error=CloudRejected("no"), times=99)
    _, operation_id = a_request(world)
    assert world.work(operation_id).state == "failed"
    world.assert_exactly(first, servers=2, volumes=6, ports=2)
    assert world.project().state == "active"


# -- trouble that passes


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


# -- release


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
