"""The storage of sites that copy volumes to each other, in memory: every image is the story of its writes.

A copy is right as far as its story is the beginning of the primary's; one that is not has split.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One thing that was written: `kind` is data, mark, beat, moment, no_moment, name, promoted, demoted."""

    kind: str
    word: str = ""
    data: bytes = b""


@dataclass
class FakeImage:
    """One image at one site."""

    name: str
    pair_id: str = ""  # empty: follows nobody
    is_primary: bool = False
    is_open: bool = False
    is_syncing: bool = False
    story: tuple[Event, ...] = ()
    copy_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    looks: int = 0  # how often the news of the primary has been waited for
    held: int = 0  # so often one still finds it read-only: what followed the other site has it open
    size_gib: int = 1

    @property
    def data(self) -> bytes:
        """What was written last."""
        return next((one.data for one in reversed(self.story) if one.kind == "data"), b"")

    def mark(self, kind: str) -> str:
        """The word that was written last as that kind of event; empty: none."""
        return next((one.word for one in reversed(self.story) if one.kind == kind), "")

    @property
    def moments(self) -> dict[str, bytes]:
        """The data as it was at each moment that is still there."""
        found: dict[str, bytes] = {}
        data = b""
        for one in self.story:
            if one.kind == "data":
                data = one.data
            elif one.kind == "moment":
                found.setdefault(one.word, data)
            elif one.kind == "no_moment":
                found.pop(one.word, None)
        return found


class FakeStorage:
    """Images of all sites. `delay` is how often one has to look until news of the primary has arrived, and
    `grip` how often until a promoted image is let go by what followed."""

    def __init__(self, sites: tuple[str, ...] = ("province", "city-1"), delay: int = 1) -> None:
        self.images: dict[str, dict[str, FakeImage]] = {site: {} for site in sites}
        self.cut: set[str] = set()  # sites whose storage nobody reaches
        self.delay = delay
        self.grip = 0

    # -- for tests

    def make(self, site: str, volume_id: str, data: bytes = b"") -> FakeImage:
        """A volume of a replicated type, primary at the site; its copies are there and equal."""
        pair = str(uuid.uuid5(uuid.NAMESPACE_URL, volume_id))
        story = (Event("data", data=data),)
        for one in self.images:
            image = FakeImage(image_of(volume_id), pair, is_primary=one == site, story=story)
            self.images[one][image.name] = image
        return self.images[site][image_of(volume_id)]

    def write(self, site: str, volume_id: str, data: bytes) -> None:
        """As a server writes; PermissionError where the image is not primary."""
        image = self.find(site, volume_id)
        if image is None or not image.is_primary:
            raise PermissionError(f"{volume_id} is read-only at {site}")
        self.append(image, Event("data", data=data))

    def read(self, site: str, name_or_id: str) -> bytes:
        """The bytes of an image, by its name or by whatever names the volume."""
        image = self.images[site].get(name_or_id) or self.find(site, name_or_id)
        assert image is not None, f"{site} has no {name_or_id}"
        return image.data

    # -- what a site's Cinder does with images (see fake_state.StorageImages)

    def size_gib(self, site: str, image: str) -> int | None:
        """None: there is no such image."""
        found = self.images[site].get(image)
        return found.size_gib if found else None

    def is_writable(self, site: str, image: str) -> bool:
        """Whether one may write to it, and rename it, now."""
        found = self.images[site][image]
        if found.held:
            found.held -= 1
            return False
        return True

    def rename(self, site: str, image: str, name: str) -> None:
        """The image gets another name; the copies of a primary get it too, with what was written before."""
        found = self.images[site].pop(image)
        found.name = name
        self.images[site][name] = found
        if found.pair_id and found.is_primary:
            self.append(found, Event("name", name))

    def remove(self, site: str, image: str) -> None:
        """The image goes; the copies of a primary follow."""
        found = self.images[site].pop(image, None)
        if found is not None and found.pair_id and found.is_primary:
            for there in self.images.values():
                for one in [one for one in there.values() if one.pair_id == found.pair_id]:
                    del there[one.name]

    # -- for the driver

    def find(self, site: str, volume_id: str) -> FakeImage | None:
        """The image of a volume by Cinder's id or by that of the pair."""
        there = self.images[site]
        paired = (one for one in there.values() if one.pair_id and one.pair_id == volume_id)
        return there.get(image_of(volume_id)) or next(paired, None)

    def append(self, image: FakeImage, event: Event) -> None:
        image.story = (*image.story, event)

    def arrive(self, site: str) -> None:
        """What has come from the primaries by now, as one more look at the site finds it."""
        for other in self._reachable_from(site):
            for primary in [one for one in other.values() if one.pair_id and one.is_primary]:
                self._follow(site, primary)
            for demoted in [one for one in other.values() if one.pair_id and not one.is_primary]:
                self._follow(site, demoted)

    def has_split(self, site: str, image: FakeImage) -> bool:
        """True if what is here was never at the primary that can be reached."""
        return any(not _begins(image.story, other.story) for other in self._primaries(site, image))

    def has_other_primary(self, site: str, image: FakeImage) -> bool:
        """True if another site that can be reached has the image as primary."""
        return any(True for _ in self._primaries(site, image))

    def _primaries(self, site: str, image: FakeImage) -> Iterator[FakeImage]:
        for there in self._reachable_from(site):
            yield from (one for one in there.values() if one.pair_id == image.pair_id and one.is_primary)

    def _reachable_from(self, site: str) -> Iterator[dict[str, FakeImage]]:
        if site not in self.cut:
            for other, images in self.images.items():
                if other != site and other not in self.cut:
                    yield images

    def _follow(self, site: str, source: FakeImage) -> None:
        image = next((one for one in self.images[site].values() if one.pair_id == source.pair_id), None)
        if image is None:
            if source.is_primary:
                made = FakeImage(source.name, source.pair_id, is_syncing=True, size_gib=source.size_gib)
                self.images[site][source.name] = made
            return
        if (
            image.is_primary
            or len(source.story) <= len(image.story)
            or not _begins(image.story, source.story)
        ):
            return
        image.looks += 1
        if image.looks > self.delay:
            image.story, image.is_syncing, image.looks = source.story, False, 0
            if (name := image.mark("name")) and name != image.name:
                self.images[site][name] = self.images[site].pop(image.name)
                image.name = name


def image_of(volume_id: str) -> str:
    """The name Cinder gives the image of a volume."""
    return f"volume-{volume_id}"


def _begins(short: tuple[Event, ...], story: tuple[Event, ...]) -> bool:
    return story[: len(short)] == short
