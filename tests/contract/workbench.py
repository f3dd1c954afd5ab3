"""A cloud with a project of its own, and what the contract tests ask of it again and again."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import (
    CloudBusy,
)
from cloudctl.ports import (
    TAG_INSTALLATION,
    TAG_RESOURCE,
    Cloud,
    CloudInProject,
    Named,
    NewServer,
    NewVolume,
    ObjectStore,
    Server,
    Volume,
)

T = TypeVar("T")

PATIENCE_S = 120.0

_PAUSE = threading.Event()  # never set: real clouds are asked again after a while

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl contract"

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtIPLfHwpO3TXXFqGnZNl1oKQv8s1nzeBp1M2oVn0x1 other"

ROOM = Amounts(
    {
        Kind.INSTANCES: 3,
        Kind.VCPUS: 6,
        Kind.RAM_MIB: 12288,
        Kind.VOLUMES: 6,
        Kind.VOLUME_GIB: 60,
        Kind.PORTS: 5,
    }
)


@dataclass
class Bench:
    """A cloud with a project of its own, and what the tests need to know of the site."""

    cloud: Cloud
    project_id: str
    pause_s: float
    native: ObjectStore  # where the site's cinder-backup writes
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def inside(self) -> CloudInProject:
        return self.cloud.in_project(self.project_id)

    def until(self, ask: Callable[[], T | None], what: str) -> T:
        """Ask again until there is an answer, as the flows do: by listing."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = ask()
            if found is not None:
                return found
            assert time.monotonic() < deadline, f"waited in vain for: {what}"
            _PAUSE.wait(self.pause_s)

    def volume(self, volume_id: str, *states: str) -> Volume:
        return self.until(lambda: _one(self.inside.list_volumes(), volume_id, states), f"volume {states}")

    def server(self, server_id: str, *states: str) -> Server:
        return self.until(lambda: _one(self.inside.list_servers(), server_id, states), f"server {states}")

    def gone(self, rows: Callable[[], list[Volume]] | Callable[[], list[Server]], one_id: str) -> None:
        self.until(lambda: None if any(r.id == one_id for r in rows()) else True, f"{one_id} gone")

    def tags(self) -> dict[str, str]:
        return {TAG_INSTALLATION: "contract", TAG_RESOURCE: uuid.uuid4().hex}

    def new_volume(self, name: str, size_gib: int = 1, image: str | None = None) -> NewVolume:
        image_id = named(self.cloud.list_images(), image).id if image else None
        return NewVolume(f"{name}-{self.run}", size_gib, "standard", self.tags(), image_id)

    def new_server(self, name: str, flavor_id: str, boot: str, port: str) -> NewServer:
        tags, key = self.tags(), None
        return NewServer(f"{name}-{self.run}", flavor_id, boot, (), (port,), key, tags, has_config_drive=True)

    def clean(self) -> None:
        for server in self.inside.list_servers():
            self.inside.delete_server(server.id)
        self.until(lambda: None if self.inside.list_servers() else True, "no servers")
        self.until(self._no_backups, "no backups")
        self.until(self._no_snapshots, "no snapshots")
        for volume in self.inside.list_volumes():
            self.until(lambda v=volume: self._deleted(v.id), "volume deletable")  # type: ignore[misc]
        for port in self.inside.list_ports():
            self.inside.delete_port(port.id)
        for network in self.inside.list_own_networks():
            self.inside.delete_network(network.id)
        for group in self.inside.list_security_groups():
            if group.name != "default":
                self.inside.delete_security_group(group.id)
        self.until(lambda: None if self.inside.list_volumes() else True, "no volumes")

    def _no_backups(self) -> bool | None:
        """Increments first: a backup that others rest on cannot be deleted."""
        left = self.inside.list_backups()
        for backup in left:
            with suppress(CloudBusy):
                self.inside.delete_backup(backup.id)
        return None if left else True

    def _no_snapshots(self) -> bool | None:
        left = self.inside.list_snapshots()
        for snapshot in left:
            with suppress(CloudBusy):
                self.inside.delete_snapshot(snapshot.id)
        return None if left else True

    def _deleted(self, volume_id: str) -> bool | None:
        try:
            self.inside.delete_volume(volume_id)
        except CloudBusy:
            return None
        return True


def _one(rows: list[T], one_id: str, states: tuple[str, ...]) -> T | None:
    return next((r for r in rows if r.id == one_id and r.status in states), None)  # type: ignore[attr-defined]


def named(rows: list[Named], name: str) -> Named:
    return next(row for row in rows if row.name == name)
