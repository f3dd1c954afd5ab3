"""The catalogue as frozen values: which names are on offer, and what a draft made of them counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudctl.amounts import Amounts, Kind
from cloudctl.models import CatalogueItem
from cloudctl.store import UnitOfWork
from tenants.draft import Disk, Draft


@dataclass(frozen=True)
class Image:
    login: str
    min_disk_gib: int


@dataclass(frozen=True)
class Catalogue:
    """What may be asked for, by name."""

    flavors: Mapping[str, Amounts] = field(default_factory=dict)  # vcpus and ram_mib of one server
    images: Mapping[str, Image] = field(default_factory=dict)
    volume_types: tuple[str, ...] = ()


def read(uow: UnitOfWork) -> Catalogue:
    """Everything on offer; what was retired is not."""
    rows = uow.all(CatalogueItem, CatalogueItem.retired_at.is_(None), order_by=[CatalogueItem.id])
    return Catalogue(
        flavors={
            row.name: Amounts({Kind.VCPUS: row.spec["vcpus"], Kind.RAM_MIB: row.spec["ram_mib"]})
            for row in rows
            if row.kind == "flavor"
        },
        images={
            row.name: Image(row.spec.get("login", ""), row.spec.get("min_disk_gib", 1))
            for row in rows
            if row.kind == "image"
        },
        volume_types=tuple(row.name for row in rows if row.kind == "volume_type"),
    )


def needed(draft: Draft, flavor: Amounts | None = None) -> Amounts:
    """What the draft counts in the ledger; `flavor` is what one server of its flavor counts."""
    if draft.kind == "vm":
        boot = Disk(draft.boot_gib, draft.boot_type)
        server = (flavor or Amounts()) + Amounts({Kind.INSTANCES: 1, Kind.PORTS: 1}) + _volumes((boot,))
        return sum((server + _volumes(disks) for disks in draft.servers), Amounts())
    if draft.kind == "volume":
        return _volumes(draft.volumes)
    return Amounts()


def _volumes(disks: tuple[Disk, ...]) -> Amounts:
    return Amounts({Kind.VOLUMES: len(disks), Kind.VOLUME_GIB: sum(disk.size_gib for disk in disks)})
