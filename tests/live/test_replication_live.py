"""A volume of Cinder's that Ceph copies to the other site of the lab: moved, adopted there, and back in step.

About two minutes in all. The lab must have been brought up `--with replication`.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import SystemClock
from cloudctl.errors import StorageUnavailable
from cloudctl.lifecycle import Later
from cloudctl.ports import TAG_INSTALLATION, TAG_RESOURCE, Cloud, CloudInProject, NewVolume
from cloudctl.ports.replication import ReplicaState
from dr.ways import replication as way
from dr.ways.moving import LETS_GO, MOST_ADOPTIONS
from dr.ways.pairs import Pair, rehearsal_type, worst
from lab import Lab
from provisioning.drivers.fake_storage import image_of
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.drivers.rbd_replication import RbdReplication
from provisioning.drivers.storage_file import read_storage
from tests.contract.conftest import lab_settings
from tests.contract.storage_bench import Content, RealBytes, storage_file

pytestmark = pytest.mark.lab

T = TypeVar("T")

HOME, OTHER = "province", "city-1"
PATIENCE_S = 180.0
MANY = 8  # volumes; from six on the daemon was found waiting in every try, with fewer by chance
ROOM = Amounts({Kind.VOLUMES: 4, Kind.VOLUME_GIB: 8})
_PAUSE = threading.Event()  # never set: real storage is asked again after a while


@dataclass
class Pairing:
    """A project at each site, the storage of both, and what servers would do with a volume."""

    storage: RbdReplication
    bytes: RealBytes
    clouds: dict[str, Cloud]
    projects: dict[str, str]
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    times_s: dict[str, float] = field(default_factory=dict)
    tried: int = 0  # vain adoptions

    def inside(self, site: str) -> CloudInProject:
        return self.clouds[site].in_project(self.projects[site])

    def volume(self, data: Content) -> str:
        """A volume of the replicated type with these bytes, and its copy at the other site; Cinder's id."""
        tags = {TAG_INSTALLATION: "live", TAG_RESOURCE: uuid.uuid4().hex}
        made = self.inside(HOME).create_volume(NewVolume(f"live-{self.run}", 1, "replicated", tags))
        self.until(lambda: self._is_there(made.id), "the volume")
        self.bytes.write(HOME, image_of(made.id), data)
        self.until(lambda: self.follows(made.id), "its copy", "seeded")
        return made.id

    def pair(self, volume_id: str) -> Pair:
        [pair_id] = way.ids_of(self.storage, OTHER, [volume_id]).values()
        return Pair(pair_id, uuid.uuid4().hex, f"moved-{self.run}", "replicated")

    def adopted(self, pair: Pair) -> str:
        def tags(one: Pair) -> dict[str, str]:
            return {TAG_INSTALLATION: "live", TAG_RESOURCE: one.row}

        def image(one: Pair) -> str:
            [found] = self.storage.replicas(OTHER, (one.id,))
            return found.image

        def may_try_again(one: Pair) -> bool:
            self.tried += 1
            return self.tried < MOST_ADOPTIONS

        inside = self.inside(OTHER)
        adopter = way.Adopter(inside, OTHER, image, tags, inside.release_volume, may_try_again)
        [volume_id] = self.done(lambda: way.adopt(adopter, [pair], _held), "adopted").values()
        return volume_id

    def done(self, act: Callable[[], T | Later], what: str) -> T:
        """Asked again as the flows do; how long it took is kept."""
        began = time.monotonic()
        while True:
            found: T | Later
            try:
                found = act()
            except StorageUnavailable as error:
                found = Later(1.0, error.text())
            if not isinstance(found, Later):
                self.times_s[what] = time.monotonic() - began
                return found
            assert time.monotonic() - began < PATIENCE_S, f"waited in vain for {what}: {found.why}"
            _PAUSE.wait(0.3)

    def forced(self, pair_ids: list[str]) -> set[str]:
        """Promoted by force as a move does it; those whose copy somebody had to be put out of."""
        began, put_out = time.monotonic(), set()

        def is_over(pair_id: str) -> bool:
            if time.monotonic() - began < LETS_GO.total_seconds():
                return False
            put_out.add(pair_id)
            return True

        def once() -> bool | Later:
            return way.promote(self.storage, OTHER, pair_ids, _held, is_forced=True, is_over=is_over) or True

        self.done(once, "forced")
        return put_out

    def until(self, ask: Callable[[], T | None], what: str, word: str = "") -> None:
        self.done(lambda: True if ask() else Later(0.3, what), word or what)

    def _is_there(self, volume_id: str) -> bool:
        found = self.inside(HOME).list_volumes()
        return any(one.id == volume_id and one.status == "available" for one in found)

    def follows(self, volume_id: str) -> bool | None:
        """True, or None: not yet."""
        return self._state(OTHER, volume_id) is ReplicaState.REPLICA or None

    def _state(self, site: str, volume_id: str) -> ReplicaState:
        [found] = self.storage.replicas(site, (volume_id,))
        return found.state

    def clean(self) -> None:
        """Volumes go where they are primary; their copies follow."""
        for site in (OTHER, HOME):
            inside = self.inside(site)
            for one in inside.list_volumes():
                inside.delete_volume(one.id)
            self.until(lambda i=inside: not i.list_volumes() or None, "no volumes")  # type: ignore[misc]
            self.clouds[site].delete_project(self.projects[site])


@pytest.fixture
def pairing() -> Iterator[Pairing]:
    access = read_storage(storage_file())
    clouds = OpenStackClouds(lab_settings(), sites={HOME: HOME, OTHER: OTHER})
    at = {site: clouds.at(site) for site in (HOME, OTHER)}
    projects = {}
    for site, cloud in at.items():
        domain = cloud.find_domain("Default")
        assert domain is not None
        name = f"replication-{uuid.uuid4().hex[:8]}"
        projects[site] = cloud.create_project(domain.id, name, "of a live test", []).id
        cloud.set_quota(projects[site], ROOM)
        cloud.ensure_own_access(projects[site])
    made = Pairing(RbdReplication(access, SystemClock()), RealBytes(access), at, projects)
    yield made
    print({what: round(took, 1) for what, took in made.times_s.items()}, "vain adoptions:", made.tried)
    made.clean()


def test_a_planned_move_brings_the_last_write_and_the_citys_cinder_adopts_it(pairing: Pairing) -> None:
    volume_id = pairing.volume(b"first")
    pair, storage, now = pairing.pair(volume_id), pairing.storage, SystemClock().now
    way.beat(storage, HOME, [pair.id], now())
    pairing.until(lambda: worst(way.lags(storage, OTHER, [pair.id], now())) is not None, "a beat")
    pairing.bytes.write(HOME, image_of(volume_id), b"the last line before the move")
    word = f"epoch-2:{pairing.run}"
    marker = pairing.done(
        lambda: way.final_sync(storage, HOME, OTHER, [pair.id], word, now(), _held), "final copy"
    )  # fmt: skip
    assert marker["word"].startswith(word)
    pairing.done(lambda: way.promote(storage, OTHER, [pair.id], _held, is_forced=False) or True, "promoted")
    adopted = pairing.adopted(pair)
    assert pairing.bytes.read(OTHER, image_of(adopted)) == b"the last line before the move"
    with pytest.raises(PermissionError):
        pairing.bytes.write(HOME, image_of(volume_id), b"too late")
    pairing.inside(HOME).release_volume(volume_id)
    pairing.done(
        lambda: way.reprotect(storage, HOME, OTHER, [pair.id], "back", _nothing, _held) or True,
        "in step again",
    )
    pairing.bytes.write(OTHER, image_of(adopted), b"written at the city")
    storage.mark(OTHER, pair.id, "city")
    pairing.until(lambda: storage.marked(HOME, pair.id) == "city" or None, "the city's write")
    [back] = storage.replicas(HOME, (pair.id,))
    assert pairing.bytes.read(HOME, back.image) == b"written at the city"
    assert back.image == image_of(adopted), "a name is written like data, and is copied like data"
    assert storage.replicas(HOME, (adopted,))[0].id == pair.id


def test_with_the_provinces_site_cut_off_its_copy_is_promoted_by_force_and_its_writes_are_kept(
    pairing: Pairing,
) -> None:
    volume_id = pairing.volume(b"common")
    pair, storage = pairing.pair(volume_id), pairing.storage
    kept: dict[str, str] = {}
    lab = Lab(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    pairing.bytes.write(HOME, image_of(volume_id), b"lost in the fire")
    lab.site_cut(HOME)
    try:
        pairing.forced([pair.id])
        adopted = pairing.adopted(pair)
        pairing.bytes.write(OTHER, image_of(adopted), b"goes on at the city")
    finally:
        lab.site_join(HOME)
    pairing.done(lambda: _released(pairing, volume_id), "released")
    aside = f"kept-{pairing.run}"

    def keep(ids: Sequence[str]) -> dict[str, str]:
        kept.update(dict.fromkeys(ids, aside))
        return kept

    pairing.done(
        lambda: way.reprotect(storage, HOME, OTHER, [pair.id], f"back-{pairing.run}", keep, _held) or True,
        "copied anew",
    )
    assert kept == {pair.id: aside}
    assert pairing.bytes.read(HOME, aside) == b"lost in the fire"
    [copy] = storage.replicas(HOME, (pair.id,))
    assert pairing.bytes.read(HOME, copy.image) == b"goes on at the city"
    storage.drop_copy(HOME, aside)


@pytest.mark.timeout(400)
def test_a_daemon_that_waits_for_the_site_that_is_gone_keeps_no_copy_and_follows_again_when_it_is_back(
    pairing: Pairing,
) -> None:
    """It waits for ever where many volumes were just opened anew: none of their copies could be written."""
    many = [str(uuid.uuid4()) for _ in range(MANY)]
    lab = Lab(Path(os.environ["CLOUDCTL_HOME"]) / "lab")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: pairing.bytes.make(HOME, one, b"common"), many))
        for one in many:
            pairing.until(partial(pairing.follows, one), "the copies")
        pairs = list(way.ids_of(pairing.storage, OTHER, many).values())
        list(pool.map(lambda one: pairing.bytes.write(HOME, image_of(one), b"opened anew"), many))
    lab.site_cut(HOME)
    try:
        put_out = pairing.forced(pairs)
        for one in many:
            pairing.bytes.write(OTHER, image_of(one), b"goes on at the city")
    finally:
        lab.site_join(HOME)
    print(f"{len(put_out)} of {MANY} had to be put out of")
    later = str(uuid.uuid4())
    pairing.bytes.make(HOME, later, b"after it")
    pairing.until(partial(pairing.follows, later), "a copy of what is made later")
    pairing.bytes.forget(HOME, image_of(later))
    for one in many:
        for site in (OTHER, HOME):
            pairing.bytes.forget(site, image_of(one))


def _nothing(ids: Sequence[str]) -> dict[str, str]:
    assert not ids, "nothing was to be set aside"
    return {}


def _held() -> None:
    """Nobody else moves the volume in a test."""


def _released(pairing: Pairing, volume_id: str) -> bool | Later:
    """The province's cloud answers again a while after the line is there."""
    inside = pairing.inside(HOME)
    inside.release_volume(volume_id)
    there = any(one.id == volume_id for one in inside.list_volumes())
    return Later(0.5, "the province's Cinder") if there else True


def test_a_copy_of_a_moment_is_adopted_for_a_drill_is_not_replicated_and_goes_with_its_volume(
    pairing: Pairing,
) -> None:
    volume_id = pairing.volume(b"at the moment")
    pair, storage, prefix = pairing.pair(volume_id), pairing.storage, f"drill-live-{pairing.run}-"
    kind = rehearsal_type(pairing.clouds[OTHER].list_volume_types(), "replicated")
    assert kind is not None
    way.moments(storage, HOME, [pair.id], f"{prefix}moment", _held)
    pairing.bytes.write(HOME, image_of(volume_id), b"after it")

    def name(pair_id: str) -> str:
        return f"{prefix}{pair_id}"

    def copy() -> bool | Later:
        return way.copies(storage, OTHER, [pair.id], f"{prefix}moment", name, _held) or True

    pairing.done(copy, "moment arrived")
    inside = pairing.inside(OTHER)
    mine = replace(pair, name=f"{prefix}0", type=kind)
    adopter = way.Adopter(
        inside, OTHER, lambda one: name(one.id),
        lambda one: {TAG_INSTALLATION: "live", TAG_RESOURCE: one.row},
        inside.delete_volume, lambda _one: False,
    )  # fmt: skip
    [adopted] = pairing.done(lambda: way.adopt(adopter, [mine], _held), "copy adopted").values()
    image = image_of(adopted)
    assert pairing.bytes.read(OTHER, image) == b"at the moment"
    pairing.bytes.write(OTHER, image, b"written by a rehearsal")
    [replica] = storage.replicas(OTHER, (adopted,))
    assert replica.state is ReplicaState.ABSENT, "it is in no pair"
    inside.delete_volume(adopted)
    pairing.until(lambda: not inside.list_volumes() or None, "the rehearsal's volume gone")
    assert way.drop(storage, HOME, OTHER, [pair.id], f"{prefix}moment", name, _held) == 0
    storage.mark(HOME, pair.id, "goes-on")
    pairing.until(lambda: storage.marked(OTHER, pair.id) == "goes-on" or None, "the replica goes on")
    [replica] = storage.replicas(OTHER, (pair.id,))
    assert pairing.bytes.read(OTHER, replica.image) == b"after it"
