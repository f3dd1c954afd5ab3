"""Room for one snapshot or backup in a project whose quota has none: it is opened for that one alone.

People have no snapshots and backups of their own (their quota is zero, and a snapshot counts against the
GiB of the volumes as well). What cloudctl makes for them must fit all the same; the next push of the
project's quota takes away what is not used.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from cloudctl.errors import CloudQuotaExceeded
from provisioning.drivers.openstack_http import Caller

T = TypeVar("T")

_VOLUMES = "block-storage"
_TRIES = 3  # others may take the room that was just opened
_UNLIMITED = -1


class BackupRoom:
    """Opens room with the administrator's token; one project at a time."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller
        self._lock = threading.Lock()

    def enough(self, project_id: str, volume_id: str, make: Callable[[], T]) -> T:
        """What `make` gives; when the project's quota is in the way, after room was made for it."""
        try:
            return make()
        except CloudQuotaExceeded:
            with self._lock:  # what is opened here is for this one, and several are made side by side
                for _ in range(_TRIES - 1):
                    self._open(project_id, volume_id)
                    with suppress(CloudQuotaExceeded):
                        return make()
                self._open(project_id, volume_id)
                return make()

    def _open(self, project_id: str, volume_id: str) -> None:
        what = f"make room for a backup in project {project_id}"
        size = int(self._call.get(_VOLUMES, f"/volumes/{volume_id}", what)["volume"]["size"])
        path = f"/os-quota-sets/{project_id}"
        rows = self._call.get(_VOLUMES, path, what, {"usage": "True"})["quota_set"]
        more = {"snapshots": 1, "backups": 1, "backup_gigabytes": size, "gigabytes": size}
        wanted = {}
        for word, n in more.items():
            row = rows[word]
            needed = int(row["in_use"]) + int(row.get("reserved") or 0) + n
            if row["limit"] != _UNLIMITED and int(row["limit"]) < needed:
                wanted[word] = needed
        if wanted:  # else somebody else's has become free meanwhile, and Cinder refuses an empty set
            self._call.put(_VOLUMES, path, what, {"quota_set": wanted})
