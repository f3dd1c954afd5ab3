"""The yardstick: the shortest asynchronous script that builds what a request asks for, and records nothing.

It speaks raw HTTP, keeps no rows, holds no lease, undoes nothing. Same calls, same number of calls side by
side (`--slots`) and same time between two looks (`--poll`) as cloudctl. Prints one JSON line:
{"seconds": ..., "calls": {"POST /servers": 3, ...}, "total_calls": ..., "servers": [...]}.

    python -m bench.bare_openstack --clouds clouds.yaml --cloud province --vms 3
"""

import argparse
import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

NOVA_VERSION = {"OpenStack-API-Version": "compute 2.96", "X-OpenStack-Nova-API-Version": "2.96"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEmaYkCvKEUtvNj4DfcAIbW1YbU8De5G4kboVjHGH/RS bench"
RULES: list[dict[str, Any]] = [
    {
        "ethertype": "IPv6" if ":" in remote else "IPv4",
        "protocol": protocol,
        "remote_ip_prefix": remote,
        **({"port_range_min": port, "port_range_max": port} if port else {}),
    }
    for protocol, port, remotes in (
        ("tcp", 22, ("10.0.0.0/8", "fd00::/8")),
        ("tcp", 80, ("10.0.0.0/8", "fd00::/8")),
        ("tcp", 443, ("10.0.0.0/8", "fd00::/8")),
        ("icmp", None, ("10.0.0.0/8",)),
        ("ipv6-icmp", None, ("::/0",)),
    )
    for remote in remotes
]
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Wanted:
    """What is built: the same in every column of the table."""

    name: str
    vms: int
    flavor: str = "gov.small"
    image: str = "debian-12"
    network: str = "zone-public"
    volume_type: str = "standard"
    boot_gib: int = 10
    data_gib: tuple[int, ...] = (10, 10)

    @property
    def tags(self) -> dict[str, str]:
        return {"bench:run": self.name}


@dataclass
class Api:
    """One session: token, catalogue, slots and a count of the calls."""

    cloud: dict[str, Any]
    client: httpx.AsyncClient
    slots: asyncio.Semaphore
    calls: Counter[str] = field(default_factory=Counter)
    token: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    user_id: str = ""

    async def sign_in(self, project_id: str | None = None) -> "Api":
        """A token for the credential's own project, or for another."""
        auth = self.cloud["auth"]
        user = {
            "name": auth["username"],
            "password": auth["password"],
            "domain": {"name": auth["user_domain_name"]},
        }
        own = {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"id": project_id} if project_id else own},
            }
        }
        self.calls["POST /auth/tokens"] += 1
        async with self.slots:
            answer = await self.client.post(auth["auth_url"] + "/auth/tokens", json=body)
        answer.raise_for_status()
        token = answer.json()["token"]
        urls = {
            service["type"]: next(e["url"] for e in service["endpoints"] if e["interface"] == "public")
            for service in token["catalog"]
            if service["endpoints"]
        }
        urls["identity"] = auth["auth_url"]
        made = Api(self.cloud, self.client, self.slots, self.calls, answer.headers["X-Subject-Token"], urls)
        made.user_id = token["user"]["id"]
        return made

    def url(self, service: str, path: str) -> str:
        for name in (service, {"block-storage": "volumev3"}.get(service, service)):
            if name in self.urls:
                base = self.urls[name].rstrip("/")
                break
        else:
            raise KeyError(service)
        if service == "network" and not base.endswith("/v2.0"):
            base += "/v2.0"
        if service == "image" and not base.endswith("/v2"):
            base += "/v2"
        return base + path

    async def ask(self, method: str, service: str, path: str, body: Any = None) -> Any:
        """One call; its answer as data."""
        self.calls[f"{method} {ID.sub('*', path.split('?', maxsplit=1)[0])}"] += 1
        headers = {"X-Auth-Token": self.token, **(NOVA_VERSION if service == "compute" else {})}
        async with self.slots:
            answer = await self.client.request(method, self.url(service, path), json=body, headers=headers)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else {}


async def make_project(admin: Api, wanted: Wanted) -> str:
    """Domain, project, own access and quotas, read back."""
    found = (await admin.ask("GET", "identity", f"/domains?name={wanted.name}"))["domains"]
    if found:
        domain = found[0]
    else:
        domain = (await admin.ask("POST", "identity", "/domains", {"domain": {"name": wanted.name}}))[
            "domain"
        ]
    await admin.ask("GET", "identity", f"/projects?domain_id={domain['id']}")
    body = {"project": {"name": wanted.name, "domain_id": domain["id"], "tags": [wanted.name]}}
    project_id: str = (await admin.ask("POST", "identity", "/projects", body))["project"]["id"]
    role = (await admin.ask("GET", "identity", "/roles?name=admin"))["roles"][0]
    await admin.ask("PUT", "identity", f"/projects/{project_id}/users/{admin.user_id}/roles/{role['id']}")
    await push_quota(admin, wanted, project_id)
    return project_id


async def push_quota(admin: Api, wanted: Wanted, project_id: str) -> None:
    """The three services, side by side, and what they say afterwards."""
    # twice the ports: counting several at a time Neutron refuses what would just fit, and this gives up
    n, disks = wanted.vms, 1 + len(wanted.data_gib)
    nova = {"instances": n, "cores": 8 * n, "ram": 16384 * n}
    cinder = {"volumes": disks * n, "gigabytes": (wanted.boot_gib + sum(wanted.data_gib)) * n}
    neutron = {"port": 2 * n, "security_group": 10, "security_group_rule": 100}
    await asyncio.gather(
        admin.ask("PUT", "compute", f"/os-quota-sets/{project_id}", {"quota_set": nova}),
        admin.ask("PUT", "block-storage", f"/os-quota-sets/{project_id}", {"quota_set": cinder}),
        admin.ask("PUT", "network", f"/quotas/{project_id}", {"quota": neutron}),
    )
    await asyncio.gather(
        admin.ask("GET", "compute", f"/os-quota-sets/{project_id}"),
        admin.ask("GET", "block-storage", f"/os-quota-sets/{project_id}"),
        admin.ask("GET", "network", f"/quotas/{project_id}"),
    )


async def make_group(api: Api, wanted: Wanted) -> str:
    """A security group with the rules of a zone, made in one call."""
    body = {"security_group": {"name": wanted.name, "description": "bench"}}
    group: str = (await api.ask("POST", "network", "/security-groups", body))["security_group"]["id"]
    rules = [{"security_group_id": group, "direction": "ingress", **rule} for rule in RULES]
    await api.ask("POST", "network", "/security-group-rules", {"security_group_rules": rules})
    return group


async def find_ids(api: Api, wanted: Wanted) -> dict[str, str]:
    """Flavor, image, type and network by listing."""
    flavors, images, types, networks = await asyncio.gather(
        api.ask("GET", "compute", "/flavors/detail"),
        api.ask("GET", "image", "/images"),
        api.ask("GET", "block-storage", "/types"),
        api.ask("GET", "network", "/networks"),
    )

    def pick(rows: list[dict[str, Any]], name: str) -> str:
        return next(str(row["id"]) for row in rows if row["name"] == name)

    return {
        "flavor": pick(flavors["flavors"], wanted.flavor),
        "image": pick(images["images"], wanted.image),
        "type": pick(types["volume_types"], wanted.volume_type),
        "network": pick(networks["networks"], wanted.network),
    }


async def make_volume(api: Api, wanted: Wanted, name: str, gib: int, image: str | None) -> str:
    body = {"name": name, "size": gib, "volume_type": wanted.volume_type, "metadata": wanted.tags}
    if image:
        body["imageRef"] = image
    volume: str = (await api.ask("POST", "block-storage", "/volumes", {"volume": body}))["volume"]["id"]
    return volume


async def make_port(api: Api, wanted: Wanted, name: str, network: str, group: str) -> str:
    body = {"name": name, "network_id": network, "security_groups": [group]}
    port: str = (await api.ask("POST", "network", "/ports", {"port": body}))["port"]["id"]
    await api.ask("PUT", "network", f"/ports/{port}/tags", {"tags": [wanted.name]})
    return port


async def make_server(api: Api, wanted: Wanted, name: str, flavor: str, port: str, disks: list[str]) -> None:
    mapping = [
        {
            "uuid": disk,
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0 if n == 0 else -1,
            "delete_on_termination": False,
        }
        for n, disk in enumerate(disks)
    ]
    server = {
        "name": name,
        "flavorRef": flavor,
        "networks": [{"port": port}],
        "key_name": wanted.name,
        "block_device_mapping_v2": mapping,
        "metadata": wanted.tags,
    }
    await api.ask("POST", "compute", "/servers", {"server": server})


async def build(api: Api, wanted: Wanted, poll_s: float) -> list[str]:
    """Ports and volumes at once; each server as soon as its own are ready; then until all are ACTIVE."""
    key = {"keypair": {"name": wanted.name, "public_key": PUBLIC_KEY}}
    ids, group, _ = await asyncio.gather(
        find_ids(api, wanted), make_group(api, wanted), api.ask("POST", "compute", "/os-keypairs", key)
    )
    names = [f"{wanted.name}-vm{n + 1}" for n in range(wanted.vms)]

    async def prepare(name: str) -> tuple[str, list[str]]:
        port, *disks = await asyncio.gather(
            make_port(api, wanted, name, ids["network"], group),
            make_volume(api, wanted, f"{name}-boot", wanted.boot_gib, ids["image"]),
            *(
                make_volume(api, wanted, f"{name}-data{n}", gib, None)
                for n, gib in enumerate(wanted.data_gib)
            ),
        )
        return port, disks

    prepared = dict(zip(names, await asyncio.gather(*map(prepare, names)), strict=True))
    waiting = set(names)
    while True:
        if waiting:
            volumes = (await api.ask("GET", "block-storage", "/volumes/detail"))["volumes"]
            ready = {volume["id"] for volume in volumes if volume["status"] == "available"}
            startable = [name for name in sorted(waiting) if ready.issuperset(prepared[name][1])]
            await asyncio.gather(
                *(make_server(api, wanted, name, ids["flavor"], *prepared[name]) for name in startable)
            )
            waiting -= set(startable)
        if len(waiting) < wanted.vms:
            servers = (await api.ask("GET", "compute", "/servers/detail"))["servers"]
            if any(server["status"] == "ERROR" for server in servers):
                broken = [server for server in servers if server["status"] == "ERROR"]
                raise RuntimeError(f"{broken[0]['name']} is in ERROR: {broken[0].get('fault')}")
            active = [server["name"] for server in servers if server["status"] == "ACTIVE"]
            if len(active) == wanted.vms:
                break
        await asyncio.sleep(poll_s)
    await asyncio.gather(  # the last look: exactly these
        api.ask("GET", "block-storage", "/volumes/detail"), api.ask("GET", "network", "/ports")
    )
    return active


async def run(entry: dict[str, Any], wanted: Wanted, slots: int, poll_s: float) -> dict[str, Any]:
    """Build everything and measure from the first call to the last answer."""
    async with httpx.AsyncClient(timeout=60) as client:
        start = time.monotonic()
        admin = await Api(entry, client, asyncio.Semaphore(slots)).sign_in()
        project_id = await make_project(admin, wanted)
        api = await admin.sign_in(project_id)
        servers = await build(api, wanted, poll_s)
        seconds = time.monotonic() - start
    return {
        "seconds": round(seconds, 2),
        "total_calls": sum(admin.calls.values()),
        "calls": dict(sorted(admin.calls.items())),
        "servers": sorted(servers),
        "project": project_id,
    }


def entry_of(clouds: Path, cloud: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(clouds.read_text())["clouds"][cloud]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Build VMs on an OpenStack with nothing in between.")
    parser.add_argument("--clouds", type=Path, required=True)
    parser.add_argument("--cloud", default="province")
    parser.add_argument("--name", default=f"bare-{int(time.time())}")
    parser.add_argument("--vms", type=int, default=1)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--poll", type=float, default=1.0)
    given = parser.parse_args()
    entry, wanted = entry_of(given.clouds, given.cloud), Wanted(given.name, given.vms)
    print(json.dumps(asyncio.run(run(entry, wanted, given.slots, given.poll))))


if __name__ == "__main__":
    main()
