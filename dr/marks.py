"""Names and tags of what a point makes at a cloud: what lets a second worker find what the first one made."""

import uuid
from collections.abc import Mapping

from cloudctl import ports
from cloudctl.ports import TAG_INSTALLATION, TAG_SYSTEM

TAG_POINT = "cloudctl:point"
TAG_POSITION = "cloudctl:position"
TAG_RESTORE = ports.TAG_RESTORE
TAG_DRILL = "cloudctl:drill"
TAG_REHEARSAL = "cloudctl:rehearsal"  # on servers cut off from everything; their agents look for it

_NAMESPACE = uuid.UUID("6a0f4c1e-8b0d-5d7e-9a41-0d8e3f5b7c22")


def of_point(installation: str, system_id: str, point_id: str, position: int) -> dict[str, str]:
    """What is written on the snapshot and the backup of one volume of a point."""
    return {
        TAG_INSTALLATION: installation,
        TAG_SYSTEM: system_id,
        TAG_POINT: point_id,
        TAG_POSITION: str(position),
    }


def name_of_point(point_id: str, position: int) -> str:
    return f"point-{point_id[:12]}-{position}"


def of_restore(installation: str, system_id: str, restore_id: int, position: int) -> dict[str, str]:
    """What is written on the new volume of a restore, and on the backup by which it is verified."""
    return {
        TAG_INSTALLATION: installation,
        TAG_SYSTEM: system_id,
        TAG_RESTORE: str(restore_id),
        TAG_POSITION: str(position),
    }


def of_drill(installation: str, system_id: str, drill_id: int) -> dict[str, str]:
    """What is written on everything that a drill makes: nothing without it is ever changed by one."""
    return {TAG_INSTALLATION: installation, TAG_SYSTEM: system_id, TAG_DRILL: str(drill_id)}


def name_of_restore(restore_id: int, position: int) -> str:
    return f"restore-{restore_id}-{position}"


def staged_backup_id(installation: str, restore_id: int, backup_id: str) -> str:
    """The id under which a restore makes a backup known: its own, so that no two restores, and no restore at
    the site that still has the backup, are in each other's way."""
    return str(uuid.uuid5(_NAMESPACE, f"{installation}/{restore_id}/{backup_id}"))


def is_of(found: Mapping[str, str], installation: str, tag: str, value: object) -> bool:
    """Whether a thing with these tags was made by this installation for that point or restore."""
    return found.get(TAG_INSTALLATION) == installation and found.get(tag) == str(value)


def position_of(found: Mapping[str, str]) -> int | None:
    """Of which volume of the point it is."""
    word = found.get(TAG_POSITION, "")
    return int(word) if word.isdecimal() else None
