"""Servers held still for a snapshot, by plays: what is held, what is not, and what is said about it."""

from dataclasses import dataclass

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.models import Site
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_plays import FakeGuest, FakePlays
from provisioning.quiescing import GuestQuiescing
from tests.flows.building import World, a_request, a_vm_draft, a_world


@dataclass
class Ground:
    """Two servers that run, and what holds them."""

    world: World
    plays: FakePlays
    quiescing: GuestQuiescing
    servers: list[str]

    def guests(self) -> list[FakeGuest]:
        found = self.world.cloud.state.servers
        return [self.plays.guest(found[one].addresses[0]) for one in self.servers]

    def freeze(self, point: str = "p1") -> bool:
        return self.quiescing.freeze("province", self.servers, point, 60.0)

    def thaw(self, point: str = "p1") -> bool:
        return self.quiescing.thaw("province", self.servers, point)


@pytest.fixture
def ground(core: Core, clock: FrozenClock) -> Ground:
    world = a_world(core, clock)
    world.work(a_request(world, a_vm_draft(2, (10,)))[1])
    with core.store.write() as uow:
        uow.need(Site, "province").guests = "managed"
    plays = FakePlays(clock)
    clouds = FakeClouds({"province": world.cloud})
    return Ground(world, plays, GuestQuiescing(core.store, clouds, plays), sorted(world.cloud.state.servers))


def test_all_servers_are_held_and_let_go_and_again_changes_nothing(ground: Ground) -> None:
    assert ground.freeze()
    assert [one.held_for for one in ground.guests()] == ["p1", "p1"]
    assert ground.freeze()
    assert ground.thaw()
    assert [one.held_for for one in ground.guests()] == [None, None]
    assert ground.thaw()


def test_when_one_cannot_be_reached_none_stays_held(ground: Ground) -> None:
    ground.guests()[1].is_up = False
    assert not ground.freeze()
    assert ground.guests()[0].held_for is None
    assert not ground.thaw()


def test_a_hold_that_ended_by_its_own_timer_does_not_count(ground: Ground) -> None:
    assert ground.freeze()
    ground.world.clock.advance(61)
    assert not ground.thaw()


def test_what_is_held_for_one_point_is_not_let_go_for_another(ground: Ground) -> None:
    assert ground.freeze("p1")
    assert not ground.freeze("p2")
    assert not ground.thaw("p2")
    assert [one.held_for for one in ground.guests()] == ["p1", "p1"]


def test_a_server_the_cloud_no_longer_has_means_not_held(ground: Ground) -> None:
    ground.servers.append("gone")
    assert not ground.quiescing.freeze("province", ground.servers, "p1", 60.0)
    assert ground.plays.runs == []


def test_where_the_site_keeps_cloudctl_out_nothing_is_asked(ground: Ground) -> None:
    with ground.world.core.store.write() as uow:
        uow.need(Site, "province").guests = "none"
    assert not ground.freeze()
    assert not ground.thaw()
    assert ground.plays.runs == []
