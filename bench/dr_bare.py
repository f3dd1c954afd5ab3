"""The yardstick of drills on the lab: servers started along a graph with nothing in between.

It speaks raw HTTP, records nothing and gives up at the first error. Ports and volumes are there before.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.bare_openstack import (
    PUBLIC_KEY,
    Api,
    Wanted,
    find_ids,
    make_group,
    make_port,
    make_project,
    make_server,
    make_volume,
)
from bench.cleaning import clean, forget_key
from bench.dr_orchestration import Machine
from dr import graph

POLL_S = 1.0


@dataclass
class Bare:
    """A project with ports and volumes for the servers, and nothing else."""

    entry: dict[str, Any]
    wanted: Wanted
    machines: Sequence[Machine]
    slots: int
    project: str = ""
    ports: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    async def prepare(self, admin: Api) -> tuple[Api, str]:
        """Everything but the servers; the session of the project, and the flavor's id."""
        self.project = await make_project(admin, self.wanted)
        api = await admin.sign_in(self.project)
        key = {"keypair": {"name": self.wanted.name, "public_key": PUBLIC_KEY}}
        ids, group, _ = await asyncio.gather(
            find_ids(api, self.wanted), make_group(api, self.wanted),
            api.ask("POST", "compute", "/os-keypairs", key),
        )  # fmt: skip
        names = [one.name for one in self.machines]
        ports = await asyncio.gather(
            *(make_port(api, self.wanted, name, ids["network"], group) for name in names)
        )
        volumes = await asyncio.gather(
            *(make_volume(api, self.wanted, name, self.wanted.boot_gib, None) for name in names)
        )
        self.ports, self.volumes = (
            dict(zip(names, ports, strict=True)),
            dict(zip(names, volumes, strict=True)),
        )
        while await self._coming(api):
            await asyncio.sleep(POLL_S)
        for one in volumes:
            body = {"os-set_bootable": {"bootable": True}}
            await api.ask("POST", "block-storage", f"/volumes/{one}/action", body)
        return api, ids["flavor"]

    async def _coming(self, api: Api) -> bool:
        rows = (await api.ask("GET", "block-storage", "/volumes/detail"))["volumes"]
        return any(row["status"] != "available" for row in rows)

    async def start(self) -> float:
        """Along the graph, with at most `slots` servers being made; seconds to the last that is ACTIVE."""
        async with httpx.AsyncClient(timeout=60) as client:
            admin = await Api(self.entry, client, asyncio.Semaphore(self.slots)).sign_in()
            api, flavor = await self.prepare(admin)
            needs = {one.name: one.needs for one in self.machines}
            began, begun, done = time.monotonic(), dict[str, float](), set[str]()
            while len(done) < len(needs):
                ready = graph.ready(needs, begun, done, (), self.slots)
                begun.update(dict.fromkeys(ready, time.monotonic()))
                await asyncio.gather(
                    *(
                        make_server(api, self.wanted, name, flavor, self.ports[name], [self.volumes[name]])
                        for name in ready
                    )
                )
                rows = (await api.ask("GET", "compute", "/servers/detail"))["servers"]
                if broken := [row["name"] for row in rows if row["status"] == "ERROR"]:
                    raise RuntimeError(f"{broken[0]} is in ERROR")
                new = {row["name"] for row in rows if row["status"] == "ACTIVE"} - done
                self.took.update({name: time.monotonic() - begun[name] for name in new})
                done |= new
                if not new:
                    await asyncio.sleep(POLL_S)
            return time.monotonic() - began

    async def prepare_only(self) -> None:
        """For a column that starts the servers by itself."""
        async with httpx.AsyncClient(timeout=60) as client:
            await self.prepare(await Api(self.entry, client, asyncio.Semaphore(self.slots)).sign_in())

    @property
    def in_order(self) -> list[dict[str, str]]:
        """The servers as a runbook lists them, each after those that it needs."""
        return [
            {"name": one.name, "volume": self.volumes[one.name], "port": self.ports[one.name]}
            for one in sorted(self.machines, key=lambda one: one.tier)
        ]

    def clean(self) -> None:
        """Nothing of it stays."""
        if self.project:
            asyncio.run(clean(self.entry, self.project, self.wanted.name))
        asyncio.run(forget_key(self.entry, self.wanted.name))

    @property
    def least_s(self) -> float:
        """What nobody does it faster than, with calls that take as long."""
        needs: Mapping[str, Sequence[str]] = {one.name: one.needs for one in self.machines}
        return graph.bound(needs, self.took, self.slots)
