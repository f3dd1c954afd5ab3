"""The bare column of the backups: Cinder's own calls by plain HTTP, a look each second, nothing recorded."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from bench.bare_openstack import Api

T = TypeVar("T")
POLL_S = 1.0
_VOLUMES = "block-storage"


@dataclass(frozen=True)
class Bare:
    """Cinder inside one project. A call returns when Cinder has done it; RuntimeError when it failed."""

    entry: dict[str, Any]
    project_id: str

    def back_up(self, volume_id: str, is_incremental: bool = False) -> tuple[str, float]:
        """`cinder backup-create`: the backup's id, and the seconds it took."""
        body = {"volume_id": volume_id, "incremental": is_incremental, "force": True}

        async def make(api: Api) -> str:
            made = await api.ask("POST", _VOLUMES, "/backups", {"backup": body})
            backup_id = str(made["backup"]["id"])
            await _until(api, f"/backups/{backup_id}", "backup")
            return backup_id

        return self._timed(make)

    def make_room(self) -> None:
        """Quota for backups, of which a project of cloudctl's has none to begin with."""

        async def push(api: Api) -> None:
            body = {"quota_set": {"backups": 100, "backup_gigabytes": 1000}}
            await api.ask("PUT", _VOLUMES, f"/os-quota-sets/{self.project_id}", body)

        self._timed(push, is_inside=False)

    def restore(self, backup_id: str, volume_id: str) -> float:
        """`cinder backup-restore` onto a volume; the seconds it took."""

        async def bring(api: Api) -> None:
            body = {"restore": {"volume_id": volume_id}}
            await api.ask("POST", _VOLUMES, f"/backups/{backup_id}/restore", body)
            await _until(api, f"/volumes/{volume_id}", "volume")

        return self._timed(bring)[1]

    def _timed(self, work: Callable[[Api], Awaitable[T]], is_inside: bool = True) -> tuple[T, float]:
        async def run() -> tuple[T, float]:
            async with httpx.AsyncClient(timeout=60) as client:
                admin = await Api(self.entry, client, asyncio.Semaphore(8)).sign_in()
                api = await admin.sign_in(self.project_id) if is_inside else admin
                begun = time.monotonic()
                found = await work(api)
                return found, time.monotonic() - begun

        return asyncio.run(run())


async def _until(api: Api, path: str, kind: str) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        row = (await api.ask("GET", _VOLUMES, path))[kind]
        if row["status"] == "available":
            return
        if row["status"].startswith("error"):
            raise RuntimeError(f"{kind} is {row['status']}: {row.get('fail_reason') or '-'}")
