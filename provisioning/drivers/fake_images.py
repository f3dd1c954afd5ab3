"""The images that lie in the storage of a fake cloud, whoever put them there: what its Cinder can adopt."""

from dataclasses import dataclass, field
from typing import Protocol

from provisioning.drivers.fake_storage import FakeStorage


class StorageImages(Protocol):
    """The images that lie in the storage of one site."""

    def size_gib(self, image: str) -> int | None:
        """None: there is no such image."""

    def rename(self, image: str, name: str) -> None: ...


@dataclass
class PlainImages:
    """A storage that nothing is known of but names and sizes."""

    sizes_gib: dict[str, int] = field(default_factory=dict)

    def size_gib(self, image: str) -> int | None:
        return self.sizes_gib.get(image)

    def rename(self, image: str, name: str) -> None:
        self.sizes_gib[name] = self.sizes_gib.pop(image)


@dataclass
class SiteImages:
    """One site of a FakeStorage."""

    storage: FakeStorage
    site: str

    def size_gib(self, image: str) -> int | None:
        return self.storage.size_gib(self.site, image)

    def rename(self, image: str, name: str) -> None:
        self.storage.rename(self.site, image, name)
