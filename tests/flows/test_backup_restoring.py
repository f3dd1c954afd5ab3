"""A point brought back over the system it was taken of, undone again, and as a system of its own."""

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudRejected, Conflict, OverQuota
from cloudctl.models import QuotaRow, RecoveryPoint, Resource
from dr import starting
from dr.recording import PAIRS
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.sync import sync
from tests.flows.protecting import CITY, SOURCE, Protected, protect
from tests.flows.restoring import begin_over, begin_system, ended, rows_of, servers_of, with_server
from tests.flows.test_backup_sync import ADMIN

pytestmark = pytest.mark.usefixtures("small_gib")


@pytest.fixture
def world(core: Core, clock: FrozenClock) -> Protected:
    return protect(core, clock, vault_sites=[CITY])


def test_over_what_is_there_the_servers_get_the_volumes_of_the_point_and_theirs_are_kept(
    world: Protected,
) -> None:
    server = with_server(world)
    point, captured = world.back_up(), world.contents()
    world.scribble(0)
    world.scribble(1, seed=2)
    latest = world.contents()
    before = rows_of(world)
    restore, operation = ended(world, begin_over(world, point.id, server))
    assert restore.state == "done", operation.error_message
    rows = rows_of(world)
    new = [rows["budget-boot"].external_id, rows["budget-data1"].external_id]
    assert servers_of(world) == [("budget-vm1", tuple(new))]
    assert [world.source.content(str(one)) for one in new] == captured
    kept = [rows[f"{name}-before-r{restore.id}"].external_id for name in ("budget-boot", "budget-data1")]
    assert kept == world.volumes
    assert [world.source.content(str(one)) for one in kept] == latest
    assert rows["budget-vm1"].addresses == before["budget-vm1"].addresses, "its port is the same"
    names = {one.name for one in world.source.state.volumes.values()}
    assert names == {row.name for row in rows.values() if row.kind == "volume"}
    world.assert_nothing_over()
    found = sync(world.core, FakeClouds(world.clouds), ADMIN, SOURCE)
    assert (found["missing"], found["orphaned"], found["drift"]) == ([], [], [])
    following = world.back_up()
    parts = [(row.volume_id, row.is_incremental) for row in world.parts(following.id)]
    assert (following.state, parts) == ("protected", [(one, False) for one in new]), (
        "what was kept is not in it"
    )


def test_a_restore_over_what_is_there_is_undone_by_the_same_exchange(world: Protected) -> None:
    server = with_server(world)
    point = world.back_up()
    world.scribble(0)
    latest = world.contents()
    first, _ = ended(world, begin_over(world, point.id, server))
    with world.core.store.write() as uow:
        row = uow.need(RecoveryPoint, point.id)
        kept = {key: first.plan[key] for key in ("servers", PAIRS)}
        back = starting.begin_restore(
            uow, world.clock, row, CITY, SOURCE, world.external[SOURCE], "carol", (), "back",
            of=first.id, **kept,
        )  # fmt: skip
        assert (back.state, back.operation_id) == ("awaiting", None)
        starting.start_restore(uow, world.clock, back)
    again, operation = ended(world, back)
    assert again.state == "done", operation.error_message
    rows = rows_of(world)
    assert servers_of(world) == [("budget-vm1", tuple(world.volumes))]
    assert world.contents() == latest
    assert rows["budget-boot"].external_id == world.volumes[0]
    assert f"budget-boot-r{again.id}" in rows
    with world.core.store.read() as uow:
        assert uow.need(type(first), first.id).state == "undone"


def test_a_single_volume_over_what_is_there_leaves_the_others(world: Protected) -> None:
    server = with_server(world)
    point, captured = world.back_up(), world.contents()
    world.scribble(0)
    world.scribble(1, seed=2)
    restore, operation = ended(world, begin_over(world, point.id, server, positions=(1,)))
    assert restore.state == "done", operation.error_message
    data = str(rows_of(world)["budget-data1"].external_id)
    assert servers_of(world) == [("budget-vm1", (world.volumes[0], data))]
    assert world.source.content(data) == captured[1]


def test_where_the_new_volumes_will_not_start_everything_is_as_it_was(world: Protected) -> None:
    server = with_server(world)
    point = world.back_up()
    world.scribble(0)
    latest, before = world.contents(), rows_of(world)
    world.source.state.broken_servers["budget-vm1"] = 3
    restore, operation = ended(world, begin_over(world, point.id, server))
    assert (restore.state, operation.state) == ("failed", "failed")
    assert "went to ERROR" in str(operation.error_message)
    assert servers_of(world) == [("budget-vm1", tuple(world.volumes))]
    assert world.contents() == latest
    assert set(world.source.state.volumes) == set(world.volumes)
    assert {name: row.external_id for name, row in rows_of(world).items() if row.kind == "volume"} == {
        name: row.external_id for name, row in before.items() if row.kind == "volume"
    }
    world.assert_nothing_over()


def test_two_exchanges_of_one_system_wait_for_each_other(world: Protected) -> None:
    server = with_server(world)
    point = world.back_up()
    begin_over(world, point.id, server)
    with pytest.raises(Conflict):
        begin_over(world, point.id, server)


def test_a_system_of_its_own_at_the_other_site(world: Protected) -> None:
    with_server(world)
    point, captured = world.back_up(), world.contents()
    restore, operation = ended(world, begin_system(world, point.id))
    assert restore.state == "done", operation.error_message
    rows = rows_of(world, CITY)
    name = f"budget-vm1-r{restore.id}"
    made = tuple(restore.made[key]["volume"] for key in ("0", "1"))
    assert servers_of(world, CITY) == [(name, made)]
    assert [world.clouds[CITY].content(one) for one in made] == captured
    assert {row.state for row in rows.values()} == {"active"}
    assert rows[name].addresses["ipv4"][0].startswith("10.")
    world.assert_nothing_over()
    found = sync(world.core, FakeClouds(world.clouds), ADMIN, CITY)
    assert (found["missing"], found["orphaned"], found["drift"], found["quota_drift"]) == ([], [], [], [])
    assert servers_of(world) == [("budget-vm1", tuple(world.volumes))], "what is there stays"


def test_a_system_that_cannot_be_started_leaves_nothing(world: Protected) -> None:
    with_server(world)
    point = world.back_up()
    world.clouds[CITY].fail("create_server", nth=1, error=CloudRejected("no host"), times=99)
    restore, _ = ended(world, begin_system(world, point.id))
    assert restore.state == "failed"
    state = world.clouds[CITY].state
    assert not (state.servers or state.ports or state.volumes)
    assert not rows_of(world, CITY)
    with world.core.store.read() as uow:
        assert not [row for row in uow.all(QuotaRow, QuotaRow.site == CITY) if row.used]


def _limit(world: Protected, gib: int) -> None:
    with world.core.store.write() as uow:
        project = f"{CITY}-budget"
        uow.add(
            QuotaRow(
                scope_kind="project", scope_id=project, site=CITY, kind="volume_gib", limit=gib, guarantee=0
            )
        )


def _used_gib(world: Protected) -> int:
    with world.core.store.read() as uow:
        of_project = (QuotaRow.scope_kind == "project", QuotaRow.scope_id == f"{CITY}-budget")
        [row] = uow.all(QuotaRow, *of_project, QuotaRow.site == CITY, QuotaRow.kind == "volume_gib")
        return row.used


def test_the_quota_is_taken_when_the_restore_is_asked_for_and_given_back_when_it_fails(
    world: Protected,
) -> None:
    point = world.back_up()
    _limit(world, 3)
    row = world.begin_restore(point.id)
    assert _used_gib(world) == 3
    with pytest.raises(OverQuota):
        world.begin_restore(point.id)
    world.clouds[CITY].fail("restore_backup", nth=1, error=CloudRejected("no"), times=99)
    assert world.work(row.operation_id).state == "failed"
    assert _used_gib(world) == 0
    with world.core.store.read() as uow:
        assert {one.state for one in uow.all(Resource, Resource.site_id == CITY)} == {"released"}


def test_a_project_whose_quota_at_the_cloud_is_short_gets_what_the_ledger_says(world: Protected) -> None:
    point = world.back_up()
    cloud = world.clouds[CITY]
    cloud.set_quota(world.external[CITY], Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: 1}))
    restore = world.restore(point.id)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    assert cloud.get_quota(world.external[CITY]) == Amounts({Kind.VOLUMES: 2, Kind.VOLUME_GIB: 3})
    found = sync(world.core, FakeClouds(world.clouds), ADMIN, CITY)
    assert found["quota_drift"] == []
