"""Images that are in a site's storage already and become volumes of a project, and the way back.

Errors and habits are those of `cloudctl.ports.cloud`.
"""

from __future__ import annotations  # Tags and Volume are the cloud's, which takes these in

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cloudctl.ports.cloud import Tags, Volume


@dataclass(frozen=True)
class NewAdoption:
    """A volume to be, out of an image that the storage has."""

    name: str
    image: str  # its name in the storage of the site
    type: str  # its backend is the one that is searched for the image
    tags: Tags
    is_bootable: bool = False


class AdoptionInProject(Protocol):
    """Adopting and releasing within one project."""

    def adopt_volume(self, new: NewAdoption) -> Volume:
        """Start making the image a volume of the project: nothing is copied, the image gets the volume's
        name, the tags are on it from the first moment. Not `available` but `error` or `error_managing` when
        there is no such image."""

    def release_volume(self, volume_id: str) -> None:
        """Start forgetting a volume: its image stays as it is in the storage. Gone already is fine. CloudBusy
        while it is attached or has snapshots."""
