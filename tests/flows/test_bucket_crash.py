"""A worker dies before or after every call to a store and every commit of a bucket's work; another ends it.

As in test_backup_crash: each story is told once without a death, to count its points, then once for each.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import CloudRejected
from cloudctl.models import PointProof, RecoveryPoint, Restore
from dr import starting
from tests.conftest import make_core
from tests.flows.bucket_scene import CITY, SITES, SOURCE, Kept, keep_bucket
from tests.flows.crashing import Executioner, Killed, MortalStore

CONFIG, TARGET = "config.json", "budget-files-again"
SAMPLE = 2  # of the points of a story in an ordinary run; the soak takes all


@dataclass(frozen=True)
class Story:
    """Something that is worked on, and what must be true afterwards."""

    begin: Callable[[Kept], int | None]
    check: Callable[[Kept], None]
    vaults: tuple[str, ...] = (CITY,)


def _point(world: Kept) -> int | None:
    world.back_up()
    world.write(CONFIG, b"changed")
    world.purge(CONFIG, 0)
    return world.point(world.begin()).operation_id


def _protected(world: Kept) -> None:
    with world.core.store.read() as uow:
        points = uow.all(RecoveryPoint, order_by=[RecoveryPoint.sequence])
    assert [(one.kind, one.state, one.level) for one in points] == [
        ("full", "protected", "L1"), ("incremental", "protected", "L1"),
    ]  # fmt: skip
    for site in world.copies(points[1].id):
        assert len(world.stores.vault_bucket(site).keys("heads/")) == 2
    restore = world.bring_back(points[1].id, bucket=TARGET)
    assert restore.is_verified
    assert world.now_in(world.stores.native_bucket(CITY, TARGET)) == world.now_in(world.files)
    world.assert_clean(TARGET)


def _proof(world: Kept) -> int | None:
    point_id = world.back_up().id
    with world.core.store.write() as uow:
        point = uow.need(RecoveryPoint, point_id)
        return starting.begin_proof(uow, world.clock, point, "L2", CITY, "dave").operation_id


def _proved(world: Kept) -> None:
    with world.core.store.read() as uow:
        [proof] = uow.all(PointProof)
    assert (proof.state, proof.reached) == ("passed", "L2"), proof.details
    assert world.point(proof.point_id).level == "L2"
    world.assert_clean()


def _restore(world: Kept) -> int | None:
    return world.begin_bucket_restore(world.back_up().id, bucket=TARGET).operation_id


def _restored(world: Kept) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "done", world.operation(restore.operation_id).error_message
    made = world.stores.native_bucket(CITY, TARGET)
    assert world.now_in(made) == world.now_in(world.files)
    world.assert_clean(TARGET)


def _refused(world: Kept) -> int | None:
    operation_id = _restore(world)
    world.stores.made_later(CITY, TARGET).fail("put", nth=3, error=CloudRejected("no"), times=99)
    return operation_id


def _nothing(world: Kept) -> None:
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert restore.state == "failed"
    world.assert_clean()


STORIES = {
    "increment": Story(_point, _protected),
    "two vaults": Story(_point, _protected, vaults=SITES),
    "proof": Story(_proof, _proved),
    "restore": Story(_restore, _restored),
    "restore undone": Story(_refused, _nothing),
}


def _tell(home: Path, story: Story, at: int) -> Executioner:
    """One telling: the first worker dies at point `at` (0: never), the second finishes."""
    home.mkdir()
    clock = FrozenClock()
    world = keep_bucket(make_core(home, clock=clock), clock, story.vaults)
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


def _watch(world: Kept, executioner: Executioner | None) -> None:
    """Every call to a bucket, also to one that is made later, is a point at which the worker may die."""
    before = executioner.before if executioner else lambda _call: None
    after = executioner.after if executioner else lambda _call: None
    world.stores.before, world.stores.after = before, after
    for site in (SOURCE, CITY):
        buckets = [world.stores.vault_bucket(site), *world.stores.all_buckets(site)]
        for bucket in buckets:
            bucket.before, bucket.after = before, after


@cache
def _points(name: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return len(_tell(Path(directory) / "home", STORIES[name], 0).points)


@pytest.mark.parametrize("name", STORIES)
def test_a_death_at_some_points_leaves_nothing_twice_and_nothing_over(name: str, tmp_path: Path) -> None:
    total = _points(name)
    assert total > 10
    for at in sorted(random.Random(name).sample(range(1, total + 1), SAMPLE)):
        _tell(tmp_path / f"home-{at}", STORIES[name], at)


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
