"""A worker dies before or after every call to a cloud or store and every commit; a second one finishes.

Each story is told once without a death, to count its points, then once for each point. What must hold at the
end is the same every time: what was asked for, or nothing at all, and nothing beside it.
"""

import random
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudRejected
from cloudctl.models import PointProof, RecoveryPoint, Restore
from cloudctl.ports import NoQuiescing
from dr import starting
from dr.starting import begin_expiry, begin_proof
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_state import Call
from tests.conftest import make_core
from tests.flows import proving_ground
from tests.flows.crashing import Executioner, Killed, MortalStore
from tests.flows.protecting import CITY, SITES, SOURCE, Protected, protect
from tests.flows.restoring import begin_over, begin_system, rows_of, servers_of, with_server

SMALL = Layout(gib_bytes=96 << 10, object_bytes=64 << 10, block_bytes=32 << 10)


@dataclass(frozen=True)
class Story:
    """Something that is worked on, and what must be true afterwards."""

    begin: Callable[[Protected], int | None]  # the operation that is then run
    check: Callable[[Protected], None]
    vaults: tuple[str, ...] = (CITY,)
    sizes_gib: tuple[int, ...] = (1, 1)


def _last_point(world: Protected) -> str:
    with world.core.store.read() as uow:
        rows = uow.all(RecoveryPoint, order_by=[RecoveryPoint.sequence.desc()])
    return rows[0].id


def _full(world: Protected) -> int | None:
    return world.point(world.begin()).operation_id


def _protected(world: Protected) -> None:
    point = world.point(_last_point(world))
    operation = world.operation(point.operation_id)
    assert operation.state == "done", operation.error_message
    assert (point.state, point.level) == ("protected", "L1")
    assert {row.state for row in world.copies(point.id).values()} == {"sealed"}
    for site in world.copies(point.id):
        keys = world.stores.vault_bucket(site).keys("heads/")
        assert len(keys) == point.sequence
    world.assert_nothing_over()


def _increment(world: Protected) -> int | None:
    world.back_up()
    world.scribble(0)
    return world.point(world.begin()).operation_id


def _is_increment(world: Protected) -> None:
    point = world.point(_last_point(world))
    assert (point.kind, [row.is_incremental for row in world.parts(point.id)]) == (
        "incremental",
        [True, True],
    )
    _protected(world)


def _refused(world: Protected) -> int | None:
    error = CloudRejected("no", cloud_request_id="req-1")
    world.source.fail("create_backup", nth=2, error=error, times=99)
    return _full(world)


def _undone(world: Protected) -> None:
    point = world.point(_last_point(world))
    operation = world.operation(point.operation_id)
    assert (point.state, operation.state) == ("failed", "failed")
    assert (operation.error_code, operation.cloud_request_id) == ("cloud_rejected", "req-1")
    assert not world.stores.vault_bucket(CITY).keys("heads/")
    world.assert_nothing_over()


def _restore(world: Protected) -> int | None:
    world.back_up()
    world.scribble(1)
    return world.begin_restore(world.back_up().id).operation_id


def _restored(world: Protected) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    world.assert_restored(restore, world.contents())
    world.assert_nothing_over()


def _restore_refused(world: Protected) -> int | None:
    operation_id = _restore(world)
    world.clouds[CITY].fail("restore_backup", nth=1, error=CloudRejected("no"), times=99)
    return operation_id


def _nothing_restored(world: Protected) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "failed"
    assert not world.clouds[CITY].state.volumes
    world.assert_nothing_over()


def _proof(world: Protected) -> int | None:
    point_id = world.back_up().id
    with world.core.store.write() as uow:
        point = uow.need(RecoveryPoint, point_id)
        return begin_proof(uow, world.clock, point, "L2", CITY, "dave").operation_id


def _proved(world: Protected) -> None:
    with world.core.store.read() as uow:
        [proof] = uow.all(PointProof)
    assert (proof.state, proof.reached) == ("passed", "L2"), proof.details
    assert proof.signature
    assert world.point(proof.point_id).level == "L2"
    assert not world.clouds[CITY].state.volumes
    world.assert_nothing_over()


def _running_proof(world: Protected) -> int | None:
    proving_ground.make_startable(world, proving_ground.HEALTHY)
    return proving_ground.begin(world, world.back_up().id, "L4")


def _answered(world: Protected) -> None:
    proof = proving_ground.last_proof(world)
    assert (proof.state, proof.reached) == ("passed", "L4"), proof.details
    assert proof.signature
    assert world.point(proof.point_id).level == "L4"
    proving_ground.assert_swept(world)
    world.assert_nothing_over()


def _broken_proof(world: Protected) -> int | None:
    world.clouds[CITY].break_server("budget-vm1", times=99)
    return _running_proof(world)


def _swept(world: Protected) -> None:
    proof = proving_ground.last_proof(world)
    assert (proof.state, proof.reached) == ("inconclusive", "L2"), proof.details
    assert world.point(proof.point_id).level == "L2"
    proving_ground.assert_swept(world)
    world.assert_nothing_over()


def _expiry(world: Protected) -> int | None:
    world.back_up()
    child = world.back_up()
    world.back_up(starting.FULL)
    world.clock.advance(2 * 86400)
    with world.core.store.write() as uow:
        return begin_expiry(uow, world.clock, uow.need(RecoveryPoint, child.id)).id


def _expired(world: Protected) -> None:
    with world.core.store.read() as uow:
        [row] = uow.all(RecoveryPoint, RecoveryPoint.sequence == 2)
    assert row.state == "expired"
    assert not world.stores.vault_bucket(CITY).keys(f"data/test-installation/{row.id}/")
    assert len(world.source.cinder.backups) == 4
    world.assert_nothing_over()


def _over(world: Protected) -> int | None:
    server = with_server(world)
    point = world.back_up()
    world.scribble(0)
    return begin_over(world, point.id, server).operation_id


def _is_over(world: Protected) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    rows = rows_of(world)
    used = tuple(str(rows[name].external_id) for name in ("budget-boot", "budget-data1"))
    assert used == tuple(restore.made[key]["volume"] for key in ("0", "1"))
    assert servers_of(world) == [("budget-vm1", used)]
    assert set(world.source.state.volumes) == {*world.volumes, *used}
    assert world.source.content(used[1]) == world.contents()[1]
    world.assert_nothing_over()


def _over_refused(world: Protected) -> int | None:
    operation_id = _over(world)
    world.source.state.broken_servers["budget-vm1"] = 2
    return operation_id


def _is_as_before(world: Protected) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "failed"
    assert servers_of(world) == [("budget-vm1", tuple(world.volumes))]
    assert set(world.source.state.volumes) == set(world.volumes)
    rows = rows_of(world)
    assert [rows[name].external_id for name in ("budget-boot", "budget-data1")] == world.volumes
    world.assert_nothing_over()


def _system(world: Protected) -> int | None:
    with_server(world)
    return begin_system(world, world.back_up().id).operation_id


def _is_system(world: Protected) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    made = tuple(restore.made[key]["volume"] for key in ("0", "1"))
    state = world.clouds[CITY].state
    assert servers_of(world, CITY) == [(f"budget-vm1-r{restore.id}", made)]
    assert (len(state.servers), len(state.ports), set(state.volumes)) == (1, 1, set(made))
    world.assert_nothing_over()


STORIES = {
    "over": Story(_over, _is_over),
    "over undone": Story(_over_refused, _is_as_before),
    "system": Story(_system, _is_system),
    "full": Story(_full, _protected),
    "two vaults": Story(_full, _protected, vaults=SITES, sizes_gib=(1,)),
    "increment": Story(_increment, _is_increment),
    "undo": Story(_refused, _undone),
    "restore": Story(_restore, _restored),
    "restore undone": Story(_restore_refused, _nothing_restored),
    "proof": Story(_proof, _proved),
    "proof by running": Story(_running_proof, _answered),
    "proof by running, broken": Story(_broken_proof, _swept, sizes_gib=(1,)),
    "expiry": Story(_expiry, _expired),
}
SAMPLE = 2  # of the points of a story in an ordinary run; the soak takes all


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    home.mkdir()
    clock = FrozenClock()
    world = protect(make_core(home, clock=clock), clock, story.vaults, story.sizes_gib, layout=SMALL)
    operation_id = story.begin(world)
    executioner = Executioner(at)
    store = MortalStore(world.core.settings.database_url, executioner)
    _watch(world, executioner)
    try:
        replace(world, core=replace(world.core, store=store)).work(operation_id)
    except Killed:
        pass
    finally:
        store.close()
    _watch(world, None)
    if executioner.is_dead and world.operation(operation_id).ended_at is None:
        clock.advance(world.core.settings.lease_s + 1)
        world.work(operation_id)
    story.check(world)
    world.core.store.close()
    return executioner


def _watch(world: Protected, executioner: Executioner | None) -> None:
    """Every call to a cloud or a bucket is a point at which the worker may die; None ends that.

    What Cinder itself does in its bucket, in the middle of a call to the cloud, is no point: it is another
    process, which lives on.
    """
    before = executioner.before if executioner else lambda _call: None
    after = executioner.after if executioner else lambda _call: None
    at_cinder = threading.local()

    def enter(call: Call) -> None:
        before(call)
        at_cinder.is_there = True

    def leave(call: Call) -> None:
        at_cinder.is_there = False
        after(call)

    def unless_cinder(hook: Callable[[Call], None]) -> Callable[[Call], None]:
        return lambda call: None if getattr(at_cinder, "is_there", False) else hook(call)

    for cloud in world.clouds.values():
        cloud.state.before, cloud.state.after = enter, leave
    for site in (SOURCE, CITY):
        vault, native = world.stores.vault_bucket(site), world.stores.native_bucket(site)
        vault.before, vault.after = before, after
        native.before, native.after = unless_cinder(before), unless_cinder(after)


@pytest.fixture(autouse=True)
def tiny_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_without_a_death(name: str) -> None:
    assert _points(name) > 10


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_points_leaves_nothing_twice_and_nothing_over(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in sorted(random.Random(name).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


class _Fatal(NoQuiescing):
    """The worker dies once, while it holds what writes."""

    has_killed = False

    def freeze(self, site_id: str, server_ids: Sequence[str], point_id: str, hold_s: float) -> bool:
        if not self.has_killed:
            self.has_killed = True
            raise Killed("in the freeze")
        return False


def test_a_point_whose_worker_died_in_the_freeze_goes_on(tmp_path: Path) -> None:
    clock = FrozenClock()
    core = make_core(tmp_path, clock=clock)
    world = protect(core, clock, (CITY,), (1,), layout=SMALL, quiescing=_Fatal())
    operation_id = _full(world)
    with pytest.raises(Killed):
        world.work(operation_id)
    clock.advance(core.settings.lease_s + 1)
    world.work(operation_id)
    _protected(world)
    core.store.close()


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_every_point_leaves_nothing_twice_and_nothing_over(name: str, tmp_path: Path) -> None:
    total = _points(name)
    for at in range(1, total + 1):
        try:
            _tell(tmp_path / f"home-{at}", STORIES[name], at)
        except AssertionError as error:
            raise AssertionError(f"{name}, point {at} of {total}") from error
    print(f"{name}: {total} deaths")
