"""Adopting and releasing volumes in the fake cloud: Cinder's `manage` and `unmanage`."""

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import CloudBusy, CloudRejected
from cloudctl.ports import NewAdoption, Volume
from provisioning.drivers.fake_images import PlainImages
from provisioning.drivers.fake_state import FakeState
from provisioning.drivers.fake_storage import image_of


class FakeAdoption:
    """Implements AdoptionInProject over a FakeState, whose `images` is the site's storage."""

    _state: FakeState
    _id: str

    def _check_access(self) -> None:
        """As for every other call inside a project."""
        raise NotImplementedError

    def _check_quota(self, more: Amounts) -> None:
        """As for every volume."""
        raise NotImplementedError

    def _change_volume(self, volume_id: str, **changes: object) -> None:
        raise NotImplementedError

    def adopt_volume(self, new: NewAdoption) -> Volume:
        state = self._state
        with state.call("adopt_volume", self._id, new.name):
            self._check_access()
            if new.type not in {one.name for one in state.volume_types.values()}:
                raise CloudRejected(
                    "volume type '{name}' does not exist", name=new.type, cloud_request_id=state.request_id()
                )
            size_gib = state.images_in_storage.size_gib(new.image)
            self._check_quota(Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: size_gib or 0}))
            volume = Volume(
                state.new_id("volume"),
                new.name,
                "managing",
                size_gib or 0,
                self._id,
                new.type,
                dict(new.tags),
            )
            state.volumes[volume.id] = volume
            if new.is_bootable:
                state.bootable.add(volume.id)
            state.begin(volume.id, lambda: self._adopted(volume.id, new.image))
            return volume

    def _adopted(self, volume_id: str, image: str) -> None:
        images = self._state.images_in_storage
        if images.size_gib(image) is None or not images.is_writable(image):
            self._change_volume(volume_id, status="error_managing")
            return
        images.rename(image, image_of(volume_id))
        self._change_volume(volume_id, status="available")

    def release_volume(self, volume_id: str) -> None:
        state = self._state
        with state.call("release_volume", self._id, volume_id):
            self._check_access()
            volume = state.volumes.get(volume_id)
            if volume is None or volume.status == "unmanaging":
                return
            has_snapshots = any(one.seen.volume_id == volume_id for one in state.cinder.snapshots.values())
            if volume.status not in ("available", "error", "error_managing") or has_snapshots:
                raise CloudBusy(
                    "volume {id} is {status}",
                    id=volume_id, status=volume.status, cloud_request_id=state.request_id(),
                )  # fmt: skip
            self._change_volume(volume_id, status="unmanaging")
            state.begin(volume_id, lambda: self._released(volume_id))

    def _released(self, volume_id: str) -> None:
        """An image that was made by Cinder is one of the storage from now on."""
        state = self._state
        volume = state.volumes.pop(volume_id)
        if isinstance(state.images_in_storage, PlainImages):
            state.images_in_storage.sizes_gib.setdefault(image_of(volume_id), volume.size_gib)
