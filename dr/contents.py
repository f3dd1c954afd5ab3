"""What is in the points of a vault, out of their manifests: volumes by name, and the system's topology."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudctl.errors import Fault, NotProved, ObjectMissing, SealBroken
from cloudctl.escrow import EscrowKey
from cloudctl.models import PointVolume, RecoveryPoint
from cloudctl.ports import ObjectStore
from cloudctl.store import UnitOfWork
from dr.points.cinder_record import read_record
from dr.points.head import Head, manifest_key
from dr.points.manifest import CINDER, Part
from dr.points.parallel import each
from dr.points.reading import open_manifest, unlocked

_THREADS = 16


@dataclass(frozen=True)
class Content:
    """Of one point: its volumes and its topology, or why they are not known."""

    point: str
    volumes: tuple[Mapping[str, Any], ...] = ()  # columns of PointVolume
    topology: Mapping[str, Any] = field(default_factory=dict)
    is_closed: bool = False  # no key that opens it is here
    fault: Fault | None = None


def read_contents(
    vault: ObjectStore, heads: Iterable[Head], escrow: Mapping[str, EscrowKey]
) -> dict[str, Content]:
    """The contents by point, read side by side; what is wrong with one is said there. CloudUnavailable."""
    return {one.point: one for one in each(list(heads), lambda head: _read(vault, head, escrow), _THREADS)}


def faults_of(contents: Mapping[str, Content]) -> list[Fault]:
    """What is wrong with manifests."""
    return [one.fault for one in contents.values() if one.fault is not None]


def notes_of(contents: Mapping[str, Content], site_id: str) -> list[Fault]:
    """That some could not be opened, in one line."""
    count = sum(one.is_closed for one in contents.values())
    template = "no escrow key that opens {count} points is here: what is in them is not known"
    return [Fault(site_id, "no_key", template, {"count": count})] if count else []


def write_contents(uow: UnitOfWork, found: Iterable[Content]) -> None:
    """Rows of the volumes and the topology, where there are none; their backups are not looked after here."""
    for content in found:
        uow.insert_missing(PointVolume, [dict(one) for one in content.volumes])
        point = uow.need(RecoveryPoint, content.point)
        point.topology = point.topology or dict(content.topology)
    uow.flush()


def _read(vault: ObjectStore, head: Head, escrow: Mapping[str, EscrowKey]) -> Content:
    key = next((one for one in escrow.values() if one.id in head.keys), None)
    if key is None:
        return Content(head.point, is_closed=True)
    try:
        manifest = open_manifest(vault, head, unlocked(head, key))
        volumes = tuple(_volume(head.point, part) for part in manifest.parts if part.format == CINDER)
    except (NotProved, ObjectMissing, SealBroken) as error:
        fault = Fault(manifest_key(head), "unreadable", "{error}", {"error": error.text()})
        return Content(head.point, fault=fault)
    return Content(head.point, volumes, manifest.topology)


def _volume(point_id: str, part: Part) -> dict[str, Any]:
    return {
        "point_id": point_id,
        "position": part.position,
        "name": part.name,
        "volume_id": part.volume_id,
        "size_gib": size_gib(part),
        "volume_type": part.volume_type,
        "is_incremental": part.is_incremental,
        "state": "released",
        "backup_id": part.backup_id,
        "parent_backup_id": part.parent_backup_id,
        "record": {},
        "root_sha256": part.root_sha256,
        "spec": {},
    }


def size_gib(part: Part) -> int:
    """How large a volume has to be that takes the part, as Cinder's record says. NotProved."""
    return max(1, int(read_record(part.url).content["size"]))
