"""Moves and rehearsals of replicated volumes on two storages in memory, crashed between any two calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import FrozenClock
from cloudctl.errors import BuildFailed, StorageBusy, StorageRefused, StorageUnavailable
from cloudctl.lifecycle import Later
from cloudctl.ports import TAG_INSTALLATION, TAG_RESOURCE, CloudInProject
from cloudctl.ports.replication import ReplicaState
from dr.ways import replication as way
from dr.ways.pairs import Pair, worst
from provisioning.drivers.fake_cloud import FakeCloud
from provisioning.drivers.fake_images import SiteImages
from provisioning.drivers.fake_replication import FakeReplication
from provisioning.drivers.fake_state import Call
from provisioning.drivers.fake_storage import image_of

T = TypeVar("T")

OLD, NEW = "province", "city-1"
VOLUMES = ("vol-app", "vol-db")
WORD = "epoch-2:move-1"


def _held() -> None:
    """Nobody else moves the volumes in a test."""


class Crash(Exception):
    """The worker is gone."""


@dataclass
class Scene:
    """Two volumes at the province, their copies at the city, and the city's project."""

    clock: FrozenClock = field(default_factory=FrozenClock)
    tried: dict[str, int] = field(default_factory=dict)  # vain adoptions by row

    def __post_init__(self) -> None:
        self.replication = FakeReplication(clock=self.clock)
        self.storage = self.replication.storage
        for one in VOLUMES:
            self.storage.make(OLD, one, b"first")
        self.ids = list(way.ids_of(self.replication, OLD, VOLUMES).values())
        cloud = FakeCloud(NEW, self.clock)
        cloud.state.images_in_storage = SiteImages(self.storage, NEW)
        domain = cloud.find_domain("Default")
        assert domain is not None
        project = cloud.create_project(domain.id, "app", "", [])
        cloud.set_quota(project.id, Amounts({Kind.VOLUMES: 9, Kind.VOLUME_GIB: 90}))
        cloud.ensure_own_access(project.id)
        self.inside: CloudInProject = cloud.in_project(project.id)
        self.pairs = [
            Pair(pair, f"row-{name}", name, "standard") for pair, name in zip(self.ids, VOLUMES, strict=True)
        ]

    def adopt(self) -> dict[str, str] | Later:
        """Once; again after any crash."""
        return way.adopt(self.adopter, self.pairs, _held)

    @property
    def adopter(self) -> way.Adopter:
        return way.Adopter(
            self.inside, NEW, self._image, self.tags, self.inside.release_volume, self._may_try_again
        )

    def _image(self, pair: Pair) -> str:
        [found] = self.replication.replicas(NEW, (pair.id,))
        return found.image

    def _may_try_again(self, pair: Pair) -> bool:
        self.tried[pair.row] = self.tried.get(pair.row, 0) + 1
        return self.tried[pair.row] < 3

    def tags(self, pair: Pair) -> dict[str, str]:
        return {TAG_INSTALLATION: "test", TAG_RESOURCE: pair.row}

    def until(self, act: Callable[[], T | Later]) -> T:
        for _ in range(30):
            found = act()
            if not isinstance(found, Later):
                return found
        raise AssertionError(f"never done: {found.why}")

    def planned(self) -> dict[str, str]:
        """A planned move from first to last; may be called again at any time."""
        ids, replication = self.ids, self.replication
        self.until(lambda: way.final_sync(replication, OLD, NEW, ids, WORD, self.clock.now(), _held))
        self.until(lambda: way.promote(replication, NEW, ids, _held, is_forced=False))
        return self.until(self.adopt)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_planned_move_brings_the_last_write_and_the_recovery_site_adopts_the_images(scene: Scene) -> None:
    for one in VOLUMES:
        scene.storage.write(OLD, one, b"the last line")
    adopted = scene.planned()
    assert set(adopted) == {"row-vol-app", "row-vol-db"}
    for volume_id in adopted.values():
        assert scene.storage.read(NEW, image_of(volume_id)) == b"the last line"
    with pytest.raises(PermissionError):
        scene.storage.write(OLD, VOLUMES[0], b"too late")


def test_a_volume_that_is_still_open_holds_the_final_copy_up(scene: Scene) -> None:
    held = scene.storage.images[OLD][image_of(VOLUMES[1])]
    held.is_open = True
    found = way.final_sync(scene.replication, OLD, NEW, scene.ids, WORD, scene.clock.now(), _held)
    assert isinstance(found, Later)
    assert "open" in found.why
    assert scene.replication.marked(OLD, scene.ids[1]) == ""  # what is written from now on is behind no mark
    held.is_open = False
    scene.storage.delay = 3
    marker = scene.until(
        lambda: way.final_sync(scene.replication, OLD, NEW, scene.ids, WORD, scene.clock.now(), _held)
    )
    assert (marker["word"], marker["volumes"], marker["site"]) == (WORD, 2, NEW)


def test_without_the_demotion_nothing_is_promoted_and_a_planned_move_is_given_back(scene: Scene) -> None:
    assert isinstance(way.promote(scene.replication, NEW, scene.ids, _held, is_forced=False), Later)
    scene.until(
        lambda: way.final_sync(scene.replication, OLD, NEW, scene.ids, WORD, scene.clock.now(), _held)
    )
    scene.until(lambda: way.give_back(scene.replication, OLD, scene.ids, _held))
    scene.storage.write(OLD, VOLUMES[0], b"goes on here")
    assert isinstance(way.promote(scene.replication, NEW, scene.ids, _held, is_forced=False), Later)


def test_with_the_old_site_gone_the_copies_are_promoted_by_force_and_its_writes_are_kept(
    scene: Scene,
) -> None:
    scene.storage.write(OLD, VOLUMES[0], b"lost in the fire")
    scene.storage.cut.add(OLD)
    assert isinstance(way.promote(scene.replication, NEW, scene.ids, _held, is_forced=False), Later)
    assert way.promote(scene.replication, NEW, scene.ids, _held, is_forced=True) is None
    scene.until(scene.adopt)
    kept: dict[str, str] = {}

    def keep(ids: Sequence[str]) -> dict[str, str]:
        kept.update({one: f"kept-{one}" for one in ids})
        return kept

    def back() -> Later | None:
        return way.reprotect(scene.replication, OLD, NEW, scene.ids, "back-1", keep, _held)

    with pytest.raises(StorageUnavailable):
        back()
    scene.storage.cut.clear()
    scene.until(back)
    assert set(kept) == set(scene.ids)
    assert scene.storage.read(OLD, f"kept-{scene.ids[0]}") == b"lost in the fire"
    states = {one.state for one in scene.replication.replicas(OLD, tuple(scene.ids))}
    assert states == {ReplicaState.REPLICA}
    assert {scene.replication.marked(OLD, one) for one in scene.ids} == {"back-1"}


def test_after_a_planned_move_the_old_side_follows_and_nothing_is_set_aside(scene: Scene) -> None:
    scene.planned()
    asked: list[str] = []

    def keep(ids: Sequence[str]) -> dict[str, str]:
        asked.extend(ids)
        return {}

    scene.until(lambda: way.reprotect(scene.replication, OLD, NEW, scene.ids, "back-1", keep, _held))
    assert asked == []
    assert {one.state for one in scene.replication.replicas(OLD, tuple(scene.ids))} == {ReplicaState.REPLICA}


def test_all_are_promoted_while_one_is_held_and_only_by_force_is_anybody_put_out(scene: Scene) -> None:
    scene.storage.grip, asked = 1, []

    def is_over(pair_id: str) -> bool:
        asked.append(pair_id)
        return True

    for is_forced in (False, True):
        found = way.promote(scene.replication, NEW, scene.ids, _held, is_forced=is_forced, is_over=is_over)
        assert isinstance(found, Later)
        assert "2 of 2" in found.why
        assert ("was put out" in found.why) is is_forced
    assert asked == scene.ids
    assert way.promote(scene.replication, NEW, scene.ids, _held, is_forced=True) is None
    assert [one[0] for one in scene.replication.calls].count("evict") == len(scene.ids)


def test_who_may_not_be_put_out_is_waited_for_and_it_is_said_why(scene: Scene) -> None:
    scene.storage.grip = 1

    def refuse(name: str, _site: str, _subject: str) -> None:
        if name == "evict":
            raise StorageRefused("the key may not make an entry")

    scene.replication.before = refuse
    found = way.promote(
        scene.replication, NEW, scene.ids, _held, is_forced=True, is_over=lambda _pair: True
    )  # fmt: skip
    assert isinstance(found, Later)
    assert "may not make an entry" in found.why
    assert way.promote(scene.replication, NEW, scene.ids, _held, is_forced=True) is None


def test_an_image_that_cannot_be_adopted_is_told_of(scene: Scene) -> None:
    scene.until(
        lambda: way.final_sync(scene.replication, OLD, NEW, scene.ids, WORD, scene.clock.now(), _held)
    )
    scene.until(lambda: way.promote(scene.replication, NEW, scene.ids, _held, is_forced=False))
    del scene.storage.images[NEW][image_of(VOLUMES[0])]
    with pytest.raises(BuildFailed):
        scene.until(scene.adopt)
    assert scene.tried["row-vol-app"] == 3


def test_what_cinder_found_read_only_is_released_and_adopted_anew(scene: Scene) -> None:
    """The daemon takes the image once more right after it had let go of it."""
    scene.storage.grip = 2
    image = scene.storage.images[NEW][image_of(VOLUMES[1])]
    seized = [1, 1]

    def seize(call: Call) -> None:
        if call.name == "adopt_volume" and call.subject == VOLUMES[1]:
            image.held = seized.pop() if seized else 0

    scene.inside._state.after = seize  # type: ignore[attr-defined]
    for one in VOLUMES:
        scene.storage.write(OLD, one, b"the last line")
    adopted = scene.planned()
    assert scene.tried == {"row-vol-db": 2}
    assert len(scene.inside.list_volumes()) == len(VOLUMES)
    for volume_id in adopted.values():
        assert scene.storage.read(NEW, image_of(volume_id)) == b"the last line"
    calls = [one.name for one in scene.inside._state.calls]  # type: ignore[attr-defined]
    assert calls.count("release_volume") == 2
    assert "delete_volume" not in calls, "it would take the image with it"


def test_a_beat_tells_the_lag_also_when_the_source_is_gone(scene: Scene) -> None:
    assert worst(way.lags(scene.replication, NEW, scene.ids, scene.clock.now())) == 0.0
    way.beat(scene.replication, OLD, scene.ids, scene.clock.now())
    way.lags(scene.replication, NEW, scene.ids, scene.clock.now())
    way.lags(scene.replication, NEW, scene.ids, scene.clock.now())
    scene.storage.cut.add(OLD)
    scene.clock.advance(40)
    assert worst(way.lags(scene.replication, NEW, scene.ids, scene.clock.now())) == 40.0
    assert worst([]) is None


def test_a_rehearsal_writes_to_copies_and_leaves_nothing(scene: Scene) -> None:
    def name(pair: str) -> str:
        return f"drill-1-{pair}"

    way.moments(scene.replication, OLD, scene.ids, "drill-1", _held)
    for one in VOLUMES:
        scene.storage.write(OLD, one, b"after the moment")
    scene.until(lambda: way.copies(scene.replication, NEW, scene.ids, "drill-1", name, _held))
    for pair in scene.ids:
        assert scene.storage.read(NEW, name(pair)) == b"first"
    scene.storage.cut.add(OLD)
    assert way.drop(scene.replication, OLD, NEW, scene.ids, "drill-1", name, _held) == 2
    scene.storage.cut.clear()
    assert way.drop(scene.replication, OLD, NEW, scene.ids, "drill-1", name, _held) == 0
    assert all("drill" not in image for image in scene.storage.images[NEW])
    assert not any(scene.storage.images[OLD][image_of(one)].moments for one in VOLUMES)


CALLS = ("mark", "demote", "promote", "adopt_volume")


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("is_after", [False, True])
def test_a_crash_at_any_change_loses_nothing_and_adopts_nothing_twice(at: int, is_after: bool) -> None:
    scene = Scene()
    for one in VOLUMES:
        scene.storage.write(OLD, one, b"the last line")
    count = 0

    def maybe(name: str) -> None:
        nonlocal count
        if name in CALLS:
            count += 1
            if count == at + 1:
                raise Crash

    hook = "after" if is_after else "before"
    setattr(scene.replication, hook, lambda name, _site, _subject: maybe(name))
    setattr(scene.inside._state, hook, lambda call: maybe(call.name))  # type: ignore[attr-defined]
    with pytest.raises(Crash):
        scene.planned()
    adopted = scene.planned()
    assert len(scene.inside.list_volumes()) == len(VOLUMES)
    for volume_id in adopted.values():
        assert scene.storage.read(NEW, image_of(volume_id)) == b"the last line"
        assert scene.storage.images[NEW][image_of(volume_id)].is_primary
    assert not any(one.is_primary for one in scene.storage.images[OLD].values())


def test_nobody_resyncs_a_primary_nor_sets_aside_what_the_other_site_follows(scene: Scene) -> None:
    with pytest.raises(StorageRefused):
        scene.replication.resync(OLD, scene.ids[0])
    with pytest.raises(StorageBusy):
        scene.replication.set_aside(OLD, scene.ids[0], "kept")
