"""What a checked request asks for, as frozen values and as the JSON that provisioning reads. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Disk:
    """A volume that is asked for."""

    size_gib: int
    type: str

    def as_json(self) -> dict[str, Any]:
        return {"size_gib": self.size_gib, "type": self.type}


@dataclass(frozen=True)
class Draft:
    """The technical part of a request; names are those of the catalogue."""

    kind: str  # project, vm, volume, backup, release
    servers: tuple[tuple[Disk, ...], ...] = ()  # the data volumes of each VM
    flavor: str = ""
    image: str = ""
    boot_gib: int = 0
    boot_type: str = ""
    ssh_key: str = ""
    login: str = ""
    volumes: tuple[Disk, ...] = ()
    attach_to: str | None = None
    resources: tuple[str, ...] = ()
    with_volumes: bool = False
    tier: str = ""  # of a backup: T1 to T4

    @property
    def data_gib(self) -> int:
        """The size of all data volumes together."""
        return sum(disk.size_gib for server in (*self.servers, self.volumes) for disk in server)

    def as_json(self) -> dict[str, Any]:
        """The draft as it is stored."""
        if self.kind == "vm":
            return {
                "servers": [
                    {"name": f"vm{number}", "data_volumes": [disk.as_json() for disk in disks]}
                    for number, disks in enumerate(self.servers, 1)
                ],
                "flavor": self.flavor,
                "image": self.image,
                "boot_gib": self.boot_gib,
                "boot_type": self.boot_type,
                "ssh_key": self.ssh_key,
                "login": self.login,
            }
        if self.kind == "volume":
            return {"volumes": [disk.as_json() for disk in self.volumes], "attach_to": self.attach_to}
        if self.kind == "backup":
            return {"tier": self.tier}
        if self.kind == "release":
            return {"resources": list(self.resources), "with_volumes": self.with_volumes}
        return {}

    @classmethod
    def from_json(cls, kind: str, stored: Mapping[str, Any]) -> "Draft":
        """What was stored, read again."""
        return cls(
            kind=kind,
            servers=tuple(_disks(server["data_volumes"]) for server in stored.get("servers", ())),
            flavor=stored.get("flavor", ""),
            image=stored.get("image", ""),
            boot_gib=stored.get("boot_gib", 0),
            boot_type=stored.get("boot_type", ""),
            ssh_key=stored.get("ssh_key", ""),
            login=stored.get("login", ""),
            volumes=_disks(stored.get("volumes", ())),
            attach_to=stored.get("attach_to"),
            resources=tuple(stored.get("resources", ())),
            with_volumes=bool(stored.get("with_volumes")),
            tier=stored.get("tier", ""),
        )


def _disks(stored: Any) -> tuple[Disk, ...]:
    return tuple(Disk(disk["size_gib"], disk["type"]) for disk in stored)


@dataclass(frozen=True)
class Ask:
    """A form as read: the draft, and for whom, where and on what grounds."""

    draft: Draft
    system: str | None = None
    environment: str = "prod"
    site: str | None = None
    zone: str | None = None
    approval_number: str | None = None
    payer: str | None = None
    reason: str | None = None
