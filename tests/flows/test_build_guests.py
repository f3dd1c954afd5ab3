"""What a build does inside its servers, where the site wants it: baseline, data volumes, and deaths."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import Misconfigured
from cloudctl.models import Site
from cloudctl.ports import Host
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_plays import PUBLIC_KEY, FakePlays
from provisioning.lanes import Lanes
from tests.conftest import make_core
from tests.flows.building import World, a_request, a_vm_draft, a_world, cancel
from tests.flows.crashing import Executioner, Killed, MortalStore


def let_in(world: World, guests: str = "managed", **values: Any) -> FakePlays:
    """The site lets cloudctl into its servers; `values` are what every server is like."""
    with world.core.store.write() as uow:
        uow.need(Site, "province").guests = guests
    world.plays = FakePlays(world.clock)
    if values:
        made = world.plays.guest
        world.plays.guest = partial(made, **values)  # type: ignore[method-assign]
    return world.plays


def noted(world: World, operation_id: int = 1) -> dict[str, dict[str, Any]]:
    """What the request shows of each server."""
    found: dict[str, dict[str, Any]] = world.operation(operation_id).scratch["delivered"]["guests"]
    return found


def test_where_the_site_does_not_ask_for_it_nobody_comes_into_a_server(world: World) -> None:
    plays = let_in(world, guests="none")
    world.work(a_request(world)[1])
    assert world.operation(1).state == "done"
    assert plays.runs == []
    assert not plays.asked
    assert set(world.cloud.state.user_data.values()) == {None}


def test_servers_get_baseline_and_volumes_and_the_request_shows_it(world: World) -> None:
    plays = let_in(world)
    world.work(a_request(world)[1])
    assert world.operation(1).state == "done"
    assert world.request_state(1) == "delivered"
    assert [play.playbook for play in plays.runs] == ["baseline", "volumes"]
    by_id = {row.external_id: row for row in world.resources(1)}
    for guest in plays.guests.values():
        assert guest.has["baseline"] == 3
        assert by_id[guest.has["/srv/data"]].spec["size_gib"] == 10
        assert by_id[guest.has["/srv/data2"]].spec["size_gib"] == 20
    assert len(plays.guests) == 2
    assert {one["state"] for one in noted(world).values()} == {"done"}
    servers = world.operation(1).scratch["delivered"]["servers"]
    assert [one["guest"]["paths"] for one in servers] == [["/srv/data", "/srv/data2"]] * 2
    world.assert_exactly(1, servers=2, volumes=6, ports=2)


def test_a_server_is_made_with_a_user_for_cloudctl_and_nothing_secret(world: World) -> None:
    let_in(world)
    world.work(a_request(world)[1])
    [text] = set(world.cloud.state.user_data.values())
    assert text is not None
    head, _, document = text.partition("\n")
    assert head == "#cloud-config"
    users = json.loads(document)["users"]
    assert users[0] == "default"
    assert users[1]["name"] == "cloudctl"
    assert users[1]["ssh_authorized_keys"] == [f"restrict {PUBLIC_KEY}"]


def test_a_server_that_boots_slowly_is_waited_for(world: World) -> None:
    plays = let_in(world, answers_after=4)
    world.work(a_request(world)[1])
    assert {one["state"] for one in noted(world).values()} == {"done"}
    assert set(plays.asked.values()) == {5}


def test_a_server_that_never_answers_is_noted_and_delivered(world: World) -> None:
    plays = let_in(world, is_up=False)
    world.work(a_request(world)[1])
    assert world.request_state(1) == "delivered"
    assert {one["state"] for one in noted(world).values()} == {"unreachable"}
    assert plays.runs == []
    world.assert_settled()


def test_waiting_for_a_server_never_uses_up_the_time_of_the_build(world: World) -> None:
    let_in(world, is_up=False)
    world.work(a_request(world, deadline_s=120)[1])
    assert world.request_state(1) == "delivered"


def test_a_task_that_fails_is_noted_with_what_it_said(world: World) -> None:
    let_in(world, broken={"volumes": "vdb holds something (crypto_LUKS); it is left as it is"})
    world.work(a_request(world)[1])
    assert world.request_state(1) == "delivered"
    for one in noted(world).values():
        assert one["state"] == "failed"
        assert "crypto_LUKS" in one["message"]


def test_where_the_site_demands_it_a_build_without_it_is_undone(world: World) -> None:
    let_in(world, guests="required", broken={"baseline": "no space left on device"})
    world.work(a_request(world)[1])
    operation = world.operation(1)
    assert (operation.state, operation.error_code) == ("failed", "guest_not_ready")
    assert "no space left on device" in (operation.error_message or "")
    assert world.is_bare(), world.things()
    world.assert_settled()


def test_where_the_site_demands_it_what_passes_by_itself_is_tried_again(world: World) -> None:
    plays = let_in(world, guests="required", is_up=False)
    _, operation_id = a_request(world)
    engine = world.engine()
    while world.operation(operation_id).step != "guests" or world.operation(operation_id).attempts == 0:
        if not engine.run(operation_id):
            world.clock.advance(1)
    for guest in plays.guests.values():
        guest.is_up = True
    world.work(operation_id)
    assert world.request_state(1) == "delivered"
    assert {one["state"] for one in noted(world).values()} == {"done"}


@pytest.mark.parametrize(("guests", "state"), [("managed", "delivered"), ("required", "failed")])
def test_where_nothing_can_be_reached_from_here_the_reason_is_told_at_once(
    world: World, guests: str, state: str
) -> None:
    plays = let_in(world, guests=guests)

    def without_ssh(host: Host) -> bool:
        raise Misconfigured("the program '{name}' is not installed here", name="ssh")

    plays.reaches = without_ssh  # type: ignore[method-assign]
    began = world.clock.now()
    world.work(a_request(world)[1])
    assert world.request_state(1) == state
    operation = world.operation(1)
    told = [operation.error_message or ""]
    if state == "delivered":
        told = [one["message"] for one in noted(world).values()]
        assert (world.clock.now() - began).total_seconds() < 120, "nobody waited for the servers"
    assert all("'ssh' is not installed here" in one for one in told)


def test_a_request_cancelled_while_servers_are_waited_for_is_undone(world: World) -> None:
    plays = let_in(world, is_up=False)
    request_id, operation_id = a_request(world)
    asked = plays.reaches

    def cancelling(host: Any) -> bool:
        plays.reaches = asked  # type: ignore[method-assign]
        cancel(world, request_id, operation_id)
        return asked(host)

    plays.reaches = cancelling  # type: ignore[method-assign]
    world.work(operation_id)
    assert world.request_state(1) == "cancelled"
    assert world.is_bare(), world.things()


def test_volumes_asked_for_alone_find_their_place_in_the_server(world: World) -> None:
    plays = let_in(world)
    request_id, operation_id = a_request(world, a_vm_draft(1, ()))
    world.work(operation_id)
    server = world.resources(request_id, "server")[0]
    draft = {"volumes": [{"size_gib": 5, "type": "ssd"}], "attach_to": server.id}
    world.work(a_request(world, draft, kind="volume")[1])
    assert world.operation(2).state == "done"
    [guest] = plays.guests.values()
    [volume] = world.resources(2)
    assert guest.has["/srv/r2-data1"] == volume.external_id
    assert noted(world, 2)[server.name]["paths"] == ["/srv/r2-data1"]


# -- a death at any point: before and after every play, every call and every commit


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("guests") / "home"
    home.mkdir()
    clock = FrozenClock()
    world = a_world(make_core(home, clock=clock), clock)
    with world.core.store.write() as uow:
        uow.need(Site, "province").guests = "managed"
        uow.need(Site, "province").slots = 1
    world.core.store.close()
    return home


def _tell(template: Path, home: Path, at: int) -> Executioner:
    shutil.copytree(template, home)
    clock = FrozenClock()
    core: Core = make_core(home, clock=clock)
    plays = FakePlays(clock)
    world = World(core, clock, FakeCloud("province", clock), plays=plays)
    request_id, operation_id = a_request(world, a_vm_draft(1, (10,)))
    executioner = Executioner(at)
    store = MortalStore(core.settings.database_url, executioner)
    plays.before, plays.after = executioner.before, executioner.after
    mortal = World(replace(core, store=store), clock, world.cloud, Lanes(), plays)
    try:
        mortal.work(operation_id)
    except Killed:
        clock.advance(core.settings.lease_s + 1)
    finally:
        store.close()
    plays.before = plays.after = lambda _call: None
    world.work(operation_id)
    assert world.request_state(request_id) == "delivered"
    assert {one["state"] for one in noted(world).values()} == {"done"}
    [guest] = plays.guests.values()
    assert guest.has["baseline"] == 3
    assert "/srv/data" in guest.has
    world.assert_exactly(1, servers=1, volumes=2, ports=1)
    world.assert_settled()
    core.store.close()
    return executioner


def test_a_death_around_every_play_and_commit_ends_with_the_same_servers(
    template: Path, tmp_path: Path
) -> None:
    points = _tell(template, tmp_path / "whole", 0).points
    first = points.index("before play baseline")
    assert points.count("before play volumes") == 1
    for at in range(first + 1, len(points) + 1):
        _tell(template, tmp_path / f"home-{at}", at)


def test_a_worker_that_was_frozen_over_its_lease_runs_no_play(world: World) -> None:
    plays = let_in(world)
    _, operation_id = a_request(world)
    asked = plays.reaches

    def late(host: Any) -> bool:
        world.clock.advance(timedelta(seconds=world.core.settings.lease_s + 1).total_seconds())
        plays.reaches = asked  # type: ignore[method-assign]
        return asked(host)

    plays.reaches = late  # type: ignore[method-assign]
    world.engine().run(operation_id)
    assert plays.runs == []
    world.clock.advance(world.core.settings.lease_s + 1)
    world.work(operation_id)
    assert world.request_state(1) == "delivered"
