"""What every Replication does, run on the one in memory and on the Ceph of two sites of the lab."""

from collections.abc import Iterator

import pytest

from cloudctl.clock import FrozenClock, SystemClock
from cloudctl.errors import StorageBusy, StorageRefused, StorageUnavailable
from cloudctl.ports.replication import Mark, ReplicaState
from provisioning.drivers.fake_replication import FakeReplication
from provisioning.drivers.rbd_replication import RbdReplication
from provisioning.drivers.storage_file import read_storage
from tests.contract.storage_bench import FakeBytes, RealBytes, StorageBench, storage_file

PRIMARY, REPLICA, ABSENT = ReplicaState.PRIMARY, ReplicaState.REPLICA, ReplicaState.ABSENT


@pytest.fixture(scope="module", params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def bench(request: pytest.FixtureRequest) -> Iterator[StorageBench]:
    if request.param == "fake":
        fake = FakeReplication(clock=FrozenClock())
        fake.storage.grip = 2
        made = StorageBench(fake, FakeBytes(fake.storage), "province", "city-1", 0.0)
    else:
        access = read_storage(storage_file())
        real = RbdReplication(access, SystemClock())
        home, other = real.sites()[:2]
        made = StorageBench(real, RealBytes(access), home, other, 0.3)
        made.fill_stock(8)
    yield made
    made.clean()


def image_of(volume_id: str) -> str:
    return f"volume-{volume_id}"


def test_a_volume_is_primary_at_one_site_and_a_copy_at_the_other_and_both_are_one_pair(
    bench: StorageBench,
) -> None:
    one = bench.volume(b"first")
    here, there = bench.replica(bench.home, one), bench.replica(bench.other, one)
    assert (here.state, there.state) == (PRIMARY, REPLICA)
    assert here.id == there.id != ""
    assert (here.image, there.image) == (image_of(one), image_of(one))
    assert bench.replica(bench.other, here.id).image == image_of(one)
    [absent, again] = bench.storage.replicas(bench.other, ("nobody", one))
    assert (absent.state, again.volume_id) == (ABSENT, one)


def test_a_mark_that_has_arrived_proves_what_was_written_before_it(bench: StorageBench) -> None:
    one = bench.volume(b"before")
    assert bench.storage.marked(bench.home, one) == ""
    bench.bytes.write(bench.home, image_of(one), b"the last line")
    bench.storage.mark(bench.home, one, "epoch-7:2026-11-26T08:00:00+08:00")
    bench.arrived(bench.other, one, "epoch-7:2026-11-26T08:00:00+08:00")
    assert bench.bytes.read(bench.other, image_of(one)) == b"the last line"
    with pytest.raises(StorageRefused):
        bench.storage.mark(bench.other, one, "from-the-copy")


def test_nobody_writes_to_a_copy_and_nobody_to_what_was_let_go(bench: StorageBench) -> None:
    one = bench.volume(b"kept")
    with pytest.raises(PermissionError):
        bench.bytes.write(bench.other, image_of(one), b"forged")
    close = bench.bytes.hold(bench.home, image_of(one))
    for act in (bench.storage.must_be_closed, bench.storage.demote):
        with pytest.raises(StorageBusy):
            act(bench.home, one)
    close()
    bench.storage.must_be_closed(bench.home, one)
    bench.storage.demote(bench.home, one)
    bench.storage.demote(bench.home, one)
    with pytest.raises(PermissionError):
        bench.bytes.write(bench.home, image_of(one), b"too late")


def test_who_has_a_volume_open_is_put_out_and_nobody_opens_it_after_that(bench: StorageBench) -> None:
    one = bench.volume(b"kept")
    grip = bench.bytes.hold(bench.home, image_of(one))
    assert grip.writes(b"before")
    with pytest.raises(StorageBusy):
        bench.storage.demote(bench.home, one)
    bench.storage.evict(bench.home, one)
    bench.done(lambda: bench.storage.demote(bench.home, one))
    assert not grip.writes(b"after")
    bench.storage.evict(bench.home, one)
    grip()
    assert bench.replica(bench.home, one).state is not PRIMARY
    with pytest.raises(PermissionError):
        bench.bytes.write(bench.home, image_of(one), b"anew")
    bench.done(lambda: bench.storage.promote(bench.home, one))
    assert bench.bytes.read(bench.home, image_of(one)) == b"before"


def test_a_planned_move_loses_nothing_and_goes_back_the_same_way(bench: StorageBench) -> None:
    one, storage = bench.volume(b"first"), bench.storage
    with pytest.raises(StorageBusy):
        storage.promote(bench.other, one)
    bench.bytes.write(bench.home, image_of(one), b"last before the move")
    storage.demote(bench.home, one)
    bench.done(lambda: storage.promote(bench.other, one))
    storage.promote(bench.other, one)
    assert bench.replica(bench.other, one).state is PRIMARY
    assert bench.bytes.read(bench.other, image_of(one)) == b"last before the move"
    bench.bytes.write(bench.other, image_of(one), b"written over there")
    bench.storage.mark(bench.other, one, "over-there")
    bench.arrived(bench.home, one, "over-there")
    storage.demote(bench.other, one)
    bench.done(lambda: storage.promote(bench.home, one))
    assert bench.bytes.read(bench.home, image_of(one)) == b"written over there"


def test_what_was_promoted_is_written_at_once_and_a_beat_leaves_a_mark_alone(bench: StorageBench) -> None:
    one, storage = bench.volume(b"first"), bench.storage
    storage.mark(bench.home, one, "move-1")
    storage.mark(bench.home, one, "beat:2026-11-26T08:00:00+08:00", Mark.BEAT)
    bench.arrived(bench.other, one, "move-1")
    bench.until(lambda: storage.marked(bench.other, one, Mark.BEAT) or None, "the beat")
    assert storage.marked(bench.other, one) == "move-1"
    storage.demote(bench.home, one)
    bench.done(lambda: storage.promote(bench.other, one))
    storage.mark(bench.other, one, "written")  # no wait: who followed the other site has let go of it
    bench.bytes.write(bench.other, image_of(one), b"written at once")
    assert bench.bytes.read(bench.other, image_of(one)) == b"written at once"


def test_after_a_forced_promotion_the_losing_side_is_kept_whole_and_copied_anew(bench: StorageBench) -> None:
    one, storage, kept = bench.volume(b"common"), bench.storage, bench.name(bench.home)
    with pytest.raises(StorageBusy):
        storage.set_aside(bench.home, one, kept)  # the other site follows it
    bench.done(lambda: storage.promote(bench.other, one, is_forced=True))
    bench.bytes.write(bench.home, image_of(one), b"written at the old side")
    bench.bytes.write(bench.other, image_of(one), b"written at the new side")
    old = bench.replica(bench.home, one)
    assert (old.state, bench.replica(bench.other, one).state) == (PRIMARY, PRIMARY)
    bench.done(lambda: storage.set_aside(bench.home, one, kept))
    storage.set_aside(bench.home, one, kept)
    assert bench.bytes.read(bench.home, kept) == b"written at the old side"
    new = bench.state(bench.home, one, REPLICA)
    assert (new.id, new.copy_id != old.copy_id) == (old.id, True)
    storage.mark(bench.other, one, "reseeded")
    bench.arrived(bench.home, one, "reseeded")
    assert bench.bytes.read(bench.home, image_of(one)) == b"written at the new side"
    storage.drop_copy(bench.home, kept)
    storage.drop_copy(bench.home, kept)
    with pytest.raises(StorageRefused):
        storage.drop_copy(bench.home, image_of(one))


def test_a_copy_that_was_written_to_has_split_and_a_resync_starts_and_ends(bench: StorageBench) -> None:
    one, storage = bench.volume(b"common"), bench.storage
    with pytest.raises(StorageRefused):
        storage.resync(bench.home, one)
    bench.done(lambda: storage.promote(bench.other, one, is_forced=True))
    bench.bytes.write(bench.other, image_of(one), b"wrong side")
    storage.demote(bench.other, one)
    split = bench.state(bench.other, one, ReplicaState.SPLIT_BRAIN)
    storage.resync(bench.other, one)
    bench.until(lambda: bench.replica(bench.other, one).copy_id != split.copy_id or None, "another copy")
    bench.state(bench.other, one, REPLICA)
    storage.mark(bench.home, one, "whole-again")
    bench.arrived(bench.other, one, "whole-again")
    assert bench.bytes.read(bench.other, image_of(one)) == b"common"


def test_a_drill_writes_to_a_copy_of_a_moment_and_the_replica_goes_on(bench: StorageBench) -> None:
    one, storage, copy = bench.volume(b"at the moment"), bench.storage, bench.name(bench.other)
    with pytest.raises(StorageBusy):
        storage.copy_for_drill(bench.other, one, "drill-1", copy)
    storage.moment(bench.home, one, "drill-1")
    storage.moment(bench.home, one, "drill-1")
    bench.bytes.write(bench.home, image_of(one), b"after it")
    bench.done(lambda: storage.copy_for_drill(bench.other, one, "drill-1", copy))
    storage.copy_for_drill(bench.other, one, "drill-1", copy)
    assert bench.bytes.read(bench.other, copy) == b"at the moment"
    storage.mark(bench.home, one, "goes-on")
    bench.arrived(bench.other, one, "goes-on")
    assert bench.bytes.read(bench.other, image_of(one)) == b"after it"
    storage.drop_copy(bench.other, copy)
    storage.drop_copy(bench.other, copy)
    storage.drop_moment(bench.home, one, "drill-1")
    storage.drop_moment(bench.home, one, "drill-1")


def test_a_storage_that_nobody_knows_is_unavailable_and_a_volume_it_has_not_is_refused(
    bench: StorageBench,
) -> None:
    with pytest.raises(StorageUnavailable):
        bench.storage.replicas("nowhere", ("x",))
    with pytest.raises(StorageRefused):
        bench.storage.promote(bench.other, "nobody")
