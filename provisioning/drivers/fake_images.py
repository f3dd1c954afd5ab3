"""The images that lie in the storage of a fake cloud, whoever put them there: what its Cinder can adopt."""

from dataclasses import dataclass, field
from typing import Protocol

from provisioning.drivers.fake_storage import FakeStorage


class StorageImages(Protocol):
    """The images that lie in the storage of one site."""

    def size_gib(self, image: str) -> int | None:
        """None: there is no such image."""

    def is_writable(self, image: str) -> bool:
        """Whether it may be renamed now."""

    def rename(self, image: str, name: str) -> None: ...

    def remove(self, image: str) -> None:
        """As a deleted volume's; one that is not there changes nothing."""


@dataclass
class PlainImages:
    """A storage that nothing is known of but names and sizes."""

    sizes_gib: dict[str, int] = field(default_factory=dict)

    def size_gib(self, image: str) -> int | None:
        return self.sizes_gib.get(image)

    def is_writable(self, image: str) -> bool:
        return True

    def rename(self, image: str, name: str) -> None:
        self.sizes_gib[name] = self.sizes_gib.pop(image)

    def remove(self, image: str) -> None:
        self.sizes_gib.pop(image, None)


@dataclass
class SiteImages:
    """One site of a FakeStorage."""

    storage: FakeStorage
    site: str

    def size_gib(self, image: str) -> int | None:
        return self.storage.size_gib(self.site, image)

    def is_writable(self, image: str) -> bool:
        return self.storage.is_writable(self.site, image)

    def rename(self, image: str, name: str) -> None:
        self.storage.rename(self.site, image, name)

    def remove(self, image: str) -> None:
        self.storage.remove(self.site, image)
