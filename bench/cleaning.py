"""Takes away all that a run made in its project, the project included; by plain HTTP, whoever made it."""

import asyncio
from typing import Any

import httpx

from bench.bare_openstack import Api

PATIENCE_S = 300


async def clean(entry: dict[str, Any], project_id: str, domain: str | None = None) -> None:
    """Servers, then volumes, ports and groups, then the project; the domain too when it is named."""
    async with httpx.AsyncClient(timeout=60) as client:
        admin = await Api(entry, client, asyncio.Semaphore(8)).sign_in()
        role = (await admin.ask("GET", "identity", "/roles?name=admin"))["roles"][0]["id"]
        path = f"/projects/{project_id}/users/{admin.user_id}/roles/{role}"
        await admin.ask("PUT", "identity", path)
        api = await admin.sign_in(project_id)
        for service, path in (("compute", "/servers"), ("block-storage", "/volumes")):
            await _drain(api, service, path)
        for path, kind in (("/ports", "ports"), ("/security-groups", "security_groups")):
            rows = (await admin.ask("GET", "network", f"{path}?project_id={project_id}"))[kind]
            for row in rows:
                await _delete(admin, "network", f"{path}/{row['id']}")
        await _delete(admin, "identity", f"/projects/{project_id}")
        if domain is not None:
            for row in (await admin.ask("GET", "identity", f"/domains?name={domain}"))["domains"]:
                await admin.ask("PATCH", "identity", f"/domains/{row['id']}", {"domain": {"enabled": False}})
                await _delete(admin, "identity", f"/domains/{row['id']}")


async def project_named(entry: dict[str, Any], name: str) -> str | None:
    """The id of the project of that name, in whatever domain."""
    async with httpx.AsyncClient(timeout=60) as client:
        admin = await Api(entry, client, asyncio.Semaphore(8)).sign_in()
        rows = (await admin.ask("GET", "identity", f"/projects?name={name}"))["projects"]
        return str(rows[0]["id"]) if rows else None


async def forget_key(entry: dict[str, Any], name: str) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        admin = await Api(entry, client, asyncio.Semaphore(8)).sign_in()
        await _delete(admin, "compute", f"/os-keypairs/{name}")


async def _drain(api: Api, service: str, path: str) -> None:
    """Delete all of a kind and wait until they are gone."""
    kind = path.strip("/")
    asked: set[str] = set()
    for _ in range(PATIENCE_S):
        rows = (await api.ask("GET", service, path))[kind]
        if not rows:
            return
        for row in rows:
            if row["id"] not in asked and await _delete(api, service, f"{path}/{row['id']}"):
                asked.add(row["id"])
        await asyncio.sleep(1)
    raise RuntimeError(f"{kind} do not go away")


async def _delete(api: Api, service: str, path: str) -> bool:
    try:
        await api.ask("DELETE", service, path)
    except (RuntimeError, ValueError):
        return False
    return True
