"""Everything but the city's vault and its keys is gone: the points are found again, and restored."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.escrow import EscrowKey
from cloudctl.models import PointCopy, RecoveryPoint, Site
from dr.rebuild import rebuild
from dr.starting import begin_restore
from tests.conftest import make_core
from tests.flows.protecting import CITY, SOURCE, Protected, protect

pytestmark = pytest.mark.usefixtures("small_gib")
ADMIN = Actor("dave", "dave", None, frozenset({Grant(Role.PROVINCE_ADMIN, INSTALLATION)}))


def _empty(world: Protected, home: Path) -> Protected:
    """Another installation that has the keys, and a database that knows the city and nothing else."""
    home.mkdir()
    core = make_core(home, clock=world.clock)
    with core.store.write() as uow:
        uow.add(Site(id=CITY, title=CITY, role="city", cloud=CITY, division_code="450100"))
    world.stores.destroy(SOURCE)
    del world.clouds[SOURCE]
    return Protected(
        core, world.clock, world.clouds, world.stores, world.keyring, world.volumes, external=world.external
    )


def test_from_the_citys_vault_alone_the_same_bytes_come_back(
    core: Core, clock: FrozenClock, tmp_path: Path
) -> None:
    world = protect(core, clock)
    world.back_up()
    world.scribble(0)
    last = world.back_up()
    captured = world.contents()
    other = _empty(world, tmp_path / "other")
    found = rebuild(other.core, ADMIN, other.stores, other.keyring, CITY)
    assert (found.points, found.new, found.faults) == (2, 2, ())
    again = rebuild(other.core, ADMIN, other.stores, other.keyring, CITY)
    assert (again.points, again.new) == (2, 0)
    point = other.point(last.id)
    assert (point.state, point.level, point.kind) == ("sealed", None, "incremental")
    assert point.taken_at == last.taken_at
    assert [(row.name, row.size_gib, row.is_incremental) for row in other.parts(last.id)] == [
        ("budget-boot", 2, True), ("budget-data1", 1, True),
    ]  # fmt: skip
    assert point.topology == last.topology
    with other.core.store.write() as uow:
        row = begin_restore(
            uow, clock, uow.need(RecoveryPoint, last.id), CITY, CITY, other.external[CITY], "dave"
        )
        restore_id, operation_id = row.id, row.operation_id
    operation = other.work(operation_id)
    assert operation.state == "done", operation.error_message
    with other.core.store.read() as uow:
        restore = uow.need(type(row), restore_id)
    other.assert_restored(restore, captured)
    assert other.prove(last.id, "L1").state == "passed"
    assert other.point(last.id).state == "protected"
    other.core.store.close()


def test_without_the_key_points_are_found_and_what_is_in_them_is_not(
    core: Core, clock: FrozenClock, tmp_path: Path
) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1])
    point = world.back_up()
    other = _empty(world, tmp_path / "other")
    elsewhere = {SOURCE: _a_key(tmp_path, world)}
    found = rebuild(other.core, ADMIN, other.stores, replace(world.keyring, escrow=lambda: elsewhere), CITY)
    assert [note["code"] for note in found.notes] == ["no_key"]
    assert not other.parts(point.id)
    again = rebuild(other.core, ADMIN, other.stores, other.keyring, CITY)
    assert (again.new, again.notes) == (0, ())
    assert [row.name for row in other.parts(point.id)] == ["budget-boot"]
    other.core.store.close()


def _a_key(folder: Path, world: Protected) -> EscrowKey:
    """A key to which nothing was wrapped, that trusts the same signer."""
    return EscrowKey.make(
        folder / "x.json", "other", SOURCE, (world.keyring.signer.public,), world.clock.now()
    )


def test_a_manifest_that_was_altered_is_named(core: Core, clock: FrozenClock, tmp_path: Path) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1])
    point = world.back_up()
    [key] = [one for one in world.stores.vault_bucket(CITY).keys("data/") if one.endswith("manifest")]
    world.stores.vault_bucket(CITY).flip_bit(key, at=50)
    other = _empty(world, tmp_path / "other")
    found = rebuild(other.core, ADMIN, other.stores, other.keyring, CITY)
    assert [(fault["place"], fault["code"]) for fault in found.faults] == [(key, "unreadable")]
    assert other.point(point.id).state == "sealed"
    other.core.store.close()


def test_a_missing_head_is_a_gap_and_its_increment_cannot_be_restored(
    core: Core, clock: FrozenClock, tmp_path: Path
) -> None:
    world = protect(core, clock, [CITY], sizes_gib=[1])
    first, second = world.back_up(), world.back_up()
    bucket = world.stores.vault_bucket(CITY)
    [key] = [one for one in bucket.keys("heads/") if first.id in one]
    bucket.drop(key)
    other = _empty(world, tmp_path / "other")
    found = rebuild(other.core, ADMIN, other.stores, other.keyring, CITY)
    assert [fault["code"] for fault in found.faults] == ["gap"]
    assert other.point(second.id).state == "lost"
    with other.core.store.read() as uow:
        assert uow.count(PointCopy) == 1
    other.core.store.close()
