"""Replication between the sites of a FakeStorage; as strict as Ceph's mirroring in journal mode."""

import uuid
from collections.abc import Callable
from datetime import datetime

from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import StorageBusy, StorageRefused, StorageUnavailable
from cloudctl.ports.replication import Mark, Replica, ReplicaState
from provisioning.drivers.fake_storage import Event, FakeImage, FakeStorage

#: The events, and the names of the calls, by which marks are written.
_MARKS = {Mark.MOVE: "mark", Mark.BEAT: "beat"}


def _nothing(_name: str, _site: str, _subject: str) -> None:
    """The hook that is there before a test puts its own."""


class FakeReplication:
    """Implements Replication. `before` and `after` are called with name, site and subject of each call."""

    def __init__(self, storage: FakeStorage | None = None, clock: Clock | None = None) -> None:
        self.storage = storage or FakeStorage()
        self.clock = clock or SystemClock()
        self.before: Callable[[str, str, str], None] = _nothing
        self.after: Callable[[str, str, str], None] = _nothing
        self.calls: list[tuple[str, str, str]] = []

    def sites(self) -> tuple[str, ...]:
        return tuple(self.storage.images)

    def replicas(self, site: str, volume_ids: tuple[str, ...]) -> list[Replica]:
        self._enter("replicas", site, ",".join(volume_ids))
        self.storage.arrive(site)
        now = self.clock.now()
        found = [self._replica(site, volume_id, now) for volume_id in volume_ids]
        self.after("replicas", site, ",".join(volume_ids))
        return found

    def mark(self, site: str, volume_id: str, word: str, kind: Mark = Mark.MOVE) -> None:
        call = _MARKS[kind]
        image = self._primary(call, site, volume_id)
        self.storage.append(image, Event(call, word))
        self.after(call, site, volume_id)

    def marked(self, site: str, volume_id: str, kind: Mark = Mark.MOVE) -> str:
        image = self._image("marked", site, volume_id)
        self.storage.arrive(site)
        return image.mark(_MARKS[kind])

    def must_be_closed(self, site: str, volume_id: str) -> None:
        self._check_closed(site, self._image("must_be_closed", site, volume_id))

    def demote(self, site: str, volume_id: str) -> None:
        image = self._image("demote", site, volume_id)
        if image.is_primary:
            self._check_closed(site, image)
            image.is_primary = False
            self.storage.append(image, Event("demoted", uuid.uuid4().hex))
        self.after("demote", site, volume_id)

    def evict(self, site: str, volume_id: str) -> None:
        image = self._image("evict", site, volume_id)
        image.is_open, image.held = False, 0
        self.after("evict", site, volume_id)

    def promote(self, site: str, volume_id: str, *, is_forced: bool = False) -> None:
        image = self._image("promote", site, volume_id)
        self.storage.arrive(site)
        if not image.is_primary:
            if image.is_syncing:
                raise StorageRefused("{site}: {image} is half a copy", site=site, image=image.name)
            is_let_go = bool(image.story) and image.story[-1].kind == "demoted"
            if not is_forced and not is_let_go:
                raise StorageBusy(
                    "{site}: {image} is primary at the other site, or its demotion has not arrived",
                    site=site, image=image.name,
                )  # fmt: skip
            image.is_primary, image.held = True, self.storage.grip
            self.storage.append(image, Event("promoted", uuid.uuid4().hex))
        self.after("promote", site, volume_id)
        if not self.storage.is_writable(site, image.name):
            raise StorageBusy("{site}: {image} is still read-only", site=site, image=image.name)

    def resync(self, site: str, volume_id: str) -> None:
        image = self._image("resync", site, volume_id)
        if image.is_primary:
            raise StorageRefused("{site}: {image} is the primary", site=site, image=image.name)
        image.story, image.is_syncing, image.looks = (), True, 0
        image.copy_id = uuid.uuid4().hex[:12]
        self.after("resync", site, volume_id)

    def set_aside(self, site: str, volume_id: str, name: str) -> None:
        self._enter("set_aside", site, volume_id)
        if name not in self.storage.images[site]:
            image = self._found(site, volume_id)
            self._check_closed(site, image)
            if not self.storage.has_other_primary(site, image):
                raise StorageBusy(
                    "{site}: the other site does not say that it has {image} as primary",
                    site=site, image=image.name,
                )  # fmt: skip
            self.storage.rename(site, image.name, name)
            image.pair_id, image.is_primary = "", True
        self.after("set_aside", site, volume_id)

    def moment(self, site: str, volume_id: str, name: str) -> None:
        image = self._primary("moment", site, volume_id)
        if name not in image.moments:
            self.storage.append(image, Event("moment", name))
        self.after("moment", site, volume_id)

    def drop_moment(self, site: str, volume_id: str, name: str) -> None:
        image = self._primary("drop_moment", site, volume_id)
        if name in image.moments:
            self.storage.append(image, Event("no_moment", name))
        self.after("drop_moment", site, volume_id)

    def copy_for_drill(self, site: str, volume_id: str, moment: str, name: str) -> None:
        image = self._image("copy_for_drill", site, volume_id)
        self.storage.arrive(site)
        if name not in self.storage.images[site]:
            if moment not in image.moments:
                raise StorageBusy(
                    "{site}: the moment {moment} of {image} has not arrived",
                    site=site, moment=moment, image=image.name,
                )  # fmt: skip
            story = (Event("data", data=image.moments[moment]),)
            self.storage.images[site][name] = FakeImage(
                name, is_primary=True, story=story, size_gib=image.size_gib
            )
        self.after("copy_for_drill", site, volume_id)

    def drop_copy(self, site: str, name: str) -> None:
        self._enter("drop_copy", site, name)
        image = self.storage.images[site].get(name)
        if image is not None:
            if image.pair_id:
                raise StorageRefused("{site}: {image} is part of a pair", site=site, image=name)
            self._check_closed(site, image)
            del self.storage.images[site][name]
        self.after("drop_copy", site, name)

    # -- the pieces

    def _enter(self, name: str, site: str, subject: str) -> None:
        self.calls.append((name, site, subject))
        self.before(name, site, subject)
        if site not in self.storage.images or site in self.storage.cut:
            raise StorageUnavailable("the storage of {site} does not answer", site=site)

    def _image(self, name: str, site: str, volume_id: str) -> FakeImage:
        self._enter(name, site, volume_id)
        return self._found(site, volume_id)

    def _found(self, site: str, volume_id: str) -> FakeImage:
        image = self.storage.find(site, volume_id)
        if image is None:
            raise StorageRefused("{site}: there is no image of volume {volume}", site=site, volume=volume_id)
        return image

    def _primary(self, name: str, site: str, volume_id: str) -> FakeImage:
        image = self._image(name, site, volume_id)
        if not image.is_primary:
            raise StorageRefused("{site}: {image} is not the primary", site=site, image=image.name)
        return image

    def _check_closed(self, site: str, image: FakeImage) -> None:
        if image.is_open:
            raise StorageBusy("{site}: {image} is open", site=site, image=image.name)

    def _replica(self, site: str, volume_id: str, now: datetime) -> Replica:
        image = self.storage.find(site, volume_id)
        if image is None:
            return Replica(volume_id, site, ReplicaState.ABSENT, seen_at=now)
        state = self._state(site, image)
        behind = 0.0 if state is ReplicaState.REPLICA and image.looks == 0 else None
        return Replica(
            volume_id, site, state, image.name, behind, now, id=image.pair_id, copy_id=image.copy_id
        )

    def _state(self, site: str, image: FakeImage) -> ReplicaState:
        if image.is_primary:
            return ReplicaState.PRIMARY
        if image.is_syncing:
            return ReplicaState.SYNCING
        if self.storage.has_split(site, image):
            return ReplicaState.SPLIT_BRAIN
        others = {other for other in self.storage.images if other != site}
        return ReplicaState.STOPPED if others <= self.storage.cut else ReplicaState.REPLICA
