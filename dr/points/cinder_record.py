"""Cinder's export record: base64 of JSON, unsigned, checked by nobody but here."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.errors import Fault, NotProved
from dr.points.fields import MAX_BYTES
from dr.points.manifest import bad_name

_WANTED = (
    "id",
    "service_metadata",
    "container",
    "size",
    "display_name",
    "display_description",
    "object_count",
)


@dataclass(frozen=True)
class Record:
    """What the record says about one backup; `content` is all of it."""

    backup_id: str
    parent_id: str | None
    prefix: str  # of all keys
    container: str
    volume_id: str
    size_gib: int
    content: Mapping[str, Any]

    @property
    def is_incremental(self) -> bool:
        return self.parent_id is not None

    @property
    def description(self) -> str:
        """Written last: when it is there, the backup was finished."""
        return f"{self.prefix}_metadata"

    @property
    def hashes(self) -> str:
        return f"{self.prefix}_sha256file"

    def moved_to(self, container: str) -> dict[str, Any]:
        """The content for another site's Cinder: in that bucket, with nothing that rests on it there (Cinder
        refuses to delete what has dependents) and nothing temporary of the first site."""
        left = {"num_dependent_backups": 0, "temp_volume_id": None, "temp_snapshot_id": None}
        return {**self.content, **left, "restore_volume_id": None, "container": container}


def encoded(content: Mapping[str, Any]) -> str:
    """As `backup_url` has it."""
    return base64.b64encode(json.dumps(dict(content), sort_keys=True).encode()).decode()


def read_record(url: str) -> Record:
    """The record in a `backup_url`. NotProved with all faults."""
    try:
        content = json.loads(base64.b64decode(url, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        fault = Fault("record", "bad_record", "this is no record of a backup")
        raise NotProved("the record of the backup cannot be used", faults=[fault])
    template = "the record has no {field}"
    faults = [
        Fault("record", "bad_record", template, {"field": one}) for one in _WANTED if one not in content
    ]
    texts = {name: content.get(name) for name in ("id", "service_metadata", "container")}
    faults += [
        Fault("record", "bad_record", template, {"field": name})
        for name, found in texts.items()
        if name in content and not (isinstance(found, str) and found)
    ]
    size, prefix = content.get("size"), content.get("service_metadata")
    if type(size) is not int or not 0 < size << 30 <= MAX_BYTES:
        faults.append(Fault("record", "bad_record", "the record's size cannot be"))
    fault_of_name = bad_name(prefix, "record") if isinstance(prefix, str) else None
    faults += [fault_of_name] if fault_of_name else []
    if faults:
        raise NotProved("the record of the backup cannot be used", faults=faults)
    parent = content.get("parent_id")
    return Record(
        backup_id=content["id"],
        parent_id=str(parent) if parent else None,
        prefix=content["service_metadata"],
        container=content["container"],
        volume_id=str(content.get("volume_id") or ""),
        size_gib=content["size"],
        content=content,
    )
