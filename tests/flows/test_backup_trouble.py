"""What goes wrong while points are made: nothing is lost, nothing left over, and the next point is whole."""

from datetime import timedelta

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudUnavailable
from cloudctl.models import Operation, Resource, Vault
from cloudctl.ports import NewBackup
from dr.capture import PATIENCE
from dr.marks import name_of_point
from provisioning.drivers.fake_state import Call
from tests.flows.protecting import CITY, DAY_S, SOURCE, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    return protect(core, clock)


class Held:
    """Quiescing that remembers who was held, and whether anybody was still held when asked."""

    def __init__(self) -> None:
        self.is_held = False
        self.calls: list[str] = []

    def freeze(self, site_id: str, server_ids: list[str], point_id: str, hold_s: float) -> bool:
        self.calls.append(f"freeze {','.join(server_ids)}")
        self.is_held = True
        return True

    def thaw(self, site_id: str, server_ids: list[str], point_id: str) -> bool:
        was_held, self.is_held = self.is_held, False
        self.calls.append("thaw")
        return was_held


def test_a_point_of_held_servers_is_quiesced(core: Core, clock: FrozenClock) -> None:
    held = Held()
    world = protect(core, clock, [CITY], quiescing=held)  # type: ignore[arg-type]
    point = world.back_up()
    assert point.consistency == "quiesced"
    assert held.calls == ["freeze server-1", "thaw"]


def test_servers_are_let_go_when_snapshots_cannot_be_taken(core: Core, clock: FrozenClock) -> None:
    held = Held()
    world = protect(core, clock, [CITY], quiescing=held)  # type: ignore[arg-type]
    world.source.fail("create_snapshot", nth=1, error=CloudUnavailable("503"))
    point = world.back_up()
    assert not held.is_held
    assert point.state == "protected"
    assert point.consistency == "crash-per-volume", "what was held was let go before the last snapshot"
    world.assert_nothing_over()


def test_a_single_volume_is_called_so(core: Core, clock: FrozenClock) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1])
    assert world.back_up().consistency == "single"


def test_a_volume_that_grew_is_backed_up_whole_and_the_others_by_increment(world: Protected) -> None:
    world.back_up()
    world.source.grow(world.volumes[1], 2)
    point = world.back_up()
    assert point.state == "protected"
    assert [row.is_incremental for row in world.parts(point.id)] == [True, False]
    assert "grown from 1 to 2 GiB" in world.parts(point.id)[1].spec["full_because"]
    world.assert_nothing_over()


def test_a_volume_that_is_gone_is_left_out_and_named(world: Protected) -> None:
    world.back_up()
    del world.source.state.volumes[world.volumes[1]]
    point = world.back_up()
    assert (point.state, point.kind) == ("protected", "incremental")
    assert [row.name for row in world.parts(point.id)] == ["budget-boot"]


def test_a_new_volume_is_in_the_next_point(world: Protected) -> None:
    world.back_up()
    with world.core.store.write() as uow:
        row = uow.first(Resource, Resource.name == "budget-data1")
        assert row is not None
        row.state = "released"
    assert [row.name for row in world.parts(world.back_up().id)] == ["budget-boot"]
    with world.core.store.write() as uow:
        row = uow.first(Resource, Resource.name == "budget-data1")
        assert row is not None
        row.state = "active"
    point = world.back_up()
    assert [row.is_incremental for row in world.parts(point.id)] == [True, False]


def test_a_backup_of_somebody_else_makes_the_next_one_a_full_one(world: Protected) -> None:
    world.back_up()
    inside = world.source.in_project(world.external[SOURCE])
    world.clock.advance(10)
    foreign = inside.create_backup(NewBackup("mine", world.volumes[0], {}))
    for _ in range(2):
        inside.list_backups()
    point = world.back_up()
    assert [row.is_incremental for row in world.parts(point.id)] == [False, True]
    assert foreign.id in world.source.cinder.backups, "what is not ours stays"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is given up after a minute instead of half an hour."""
    monkeypatch.setitem(PATIENCE, "backup", timedelta(seconds=60))
    monkeypatch.setattr("dr.capturing._S_PER_GIB", 1)


@pytest.mark.usefixtures("impatient")
def test_a_backup_that_hangs_is_given_up_and_made_once_more(world: Protected) -> None:
    point_id = world.begin()
    name = name_of_point(point_id, 0)
    world.source.cinder.stuck.add(name)
    operation_id = world.point(point_id).operation_id
    assert operation_id is not None

    def let_go(call: Call) -> None:
        if call.name == "reset_stuck":
            world.source.cinder.stuck.clear()

    world.source.state.after = let_go
    world.work(operation_id)
    assert world.source.count("reset_stuck")
    assert world.point(point_id).state == "protected"
    assert "stuck in creating" in world.parts(point_id)[0].spec["note"]
    world.assert_nothing_over()


@pytest.mark.usefixtures("impatient")
def test_a_backup_that_hangs_twice_fails_the_point_and_leaves_nothing(world: Protected) -> None:
    point_id = world.begin()
    world.source.cinder.stuck.add(name_of_point(point_id, 0))
    operation = world.work(world.point(point_id).operation_id)
    assert operation.state == "failed"
    assert operation.error_code == "build_failed"
    assert world.point(point_id).state == "failed"
    world.assert_nothing_over()
    world.source.cinder.stuck.clear()
    assert world.back_up().state == "protected"


def test_a_scheduler_that_does_not_know_its_service_yet_is_waited_for(world: Protected) -> None:
    point_id = world.begin()
    world.source.cinder.is_service_known = False
    operation_id = world.point(point_id).operation_id
    began, engine = world.clock.now(), world.engine()

    def hears_of_it_in_time(_call: Call) -> None:
        if (world.clock.now() - began).total_seconds() > 40:
            world.source.cinder.is_service_known = True

    world.source.state.before = hears_of_it_in_time
    while world.operation(operation_id).ended_at is None:
        assert operation_id is not None
        engine.run(operation_id)
        world.clock.advance(1)
    assert world.point(point_id).state == "protected", world.operation(operation_id).error_message
    world.assert_nothing_over()


def test_a_vault_that_is_cut_off_for_an_hour_keeps_nobody_waiting(world: Protected) -> None:
    point_id = world.begin()
    operation_id = world.point(point_id).operation_id
    assert operation_id is not None
    world.stores.vault_bucket(CITY).is_cut_off = True
    began, engine = world.clock.now(), world.engine()
    seen: set[str] = set()
    while world.operation(operation_id).ended_at is None:
        engine.run(operation_id)
        world.clock.advance(300)
        if (world.clock.now() - began).total_seconds() > 3600:
            world.stores.vault_bucket(CITY).is_cut_off = False
        else:
            seen.add(world.copies(point_id)[SOURCE].state)
    assert "sealed" in seen, "the vault that is there has its copy while the other is waited for"
    assert world.point(point_id).state == "protected"
    assert {row.state for row in world.copies(point_id).values()} == {"sealed"}
    world.assert_nothing_over()


def test_a_vault_cut_off_for_good_is_done_without_and_the_next_is_a_full_one(
    core: Core, clock: FrozenClock
) -> None:
    world = protect(core, clock, every_s=3600)
    world.back_up()
    world.stores.vault_bucket(CITY).is_cut_off = True
    point = world.back_up()
    assert {site: row.state for site, row in world.copies(point.id).items()} == {
        SOURCE: "sealed",
        CITY: "missed",
    }
    assert (point.state, point.level) == ("protected", "L1")
    world.stores.vault_bucket(CITY).is_cut_off = False
    following = world.back_up()
    assert following.kind == "full"
    assert {row.state for row in world.copies(following.id).values()} == {"sealed"}
    world.assert_nothing_over()


def test_a_vault_that_is_full_says_so_and_heals_with_the_next_point(world: Protected) -> None:
    bucket = world.stores.vault_bucket(CITY)
    bucket.capacity_bytes = 100_000
    point = world.back_up()
    copy = world.copies(point.id)[CITY]
    assert copy.state == "missed"
    assert copy.note
    assert point.state == "protected"
    with world.core.store.read() as uow:
        assert uow.need(Vault, CITY).state == "full"
    bucket.capacity_bytes = None
    following = world.back_up()
    assert (following.kind, following.state) == ("full", "protected")
    assert {row.state for row in world.copies(following.id).values()} == {"sealed"}


def test_no_room_in_any_vault_fails_before_anything_is_made(world: Protected) -> None:
    with world.core.store.write() as uow:
        for vault in uow.all(Vault):
            vault.limit_bytes = 1000
    point = world.back_up()
    assert (point.state, point.error_code) == ("failed", "vault_full")
    assert not world.source.count("create_snapshot")
    world.assert_nothing_over()


def test_a_cancelled_point_is_undone(world: Protected) -> None:
    point_id = world.begin()
    operation_id = world.point(point_id).operation_id
    inner = world.source.state.after

    def ask(call: object) -> None:
        inner(call)  # type: ignore[arg-type]
        if getattr(call, "name", "") == "create_backup":
            with world.core.store.write() as uow:
                uow.need(Operation, operation_id).cancel_asked_at = world.clock.now()

    world.source.state.after = ask
    world.work(operation_id)
    assert world.point(point_id).state == "cancelled"
    world.assert_nothing_over()


def test_every_nth_point_is_a_full_one(core: Core, clock: FrozenClock) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1], full_every=3)
    assert [world.back_up().kind for _ in range(5)] == [
        "full", "incremental", "incremental", "full", "incremental",
    ]  # fmt: skip
    assert DAY_S == 86400
