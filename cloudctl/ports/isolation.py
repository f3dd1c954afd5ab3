"""Networks that lead nowhere, and what a server in one says on its console: what proofs and drills need.

Errors and habits are those of `cloudctl.ports.cloud`. Nothing is ever let into such a network or out of it:
what happens inside is told by the console of a server that is in it.
"""

from __future__ import annotations  # Tags are the cloud's, which takes these in

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cloudctl.ports.cloud import Tags


@dataclass(frozen=True)
class NewSubnet:
    """A range of addresses with DHCP. `pool` (first, last) is what the cloud may give away by itself; other
    addresses of the range are had by asking for them. `gateway` is what servers are told, and nobody has it:
    some clouds have no DHCP without one, and what wants to get out shows that it cannot."""

    cidr: str
    pool: tuple[str, str]
    gateway: str | None = None


@dataclass(frozen=True)
class NewIsolatedNetwork:
    """A network of the project's own; no router is ever made for it."""

    name: str
    subnets: tuple[NewSubnet, ...]
    tags: Tags


@dataclass(frozen=True)
class OwnNetwork:
    """A network that belongs to the project, and everything that leads out of it (empty: nothing does)."""

    id: str
    name: str
    subnets: tuple[str, ...]  # CIDRs
    tags: Tags
    ways_out: tuple[str, ...] = ()  # "router <id>", "external", "shared"


class NetworksInProject(Protocol):
    """Networks of one project, and the consoles of its servers."""

    def list_own_networks(self) -> list[OwnNetwork]:
        """Every network that belongs to the project, each with what leads out of it."""

    def ensure_isolated_network(self, new: NewIsolatedNetwork) -> OwnNetwork:
        """The network of that name with these subnets, room for it in the quota included. Again changes
        nothing, and adds the subnets that a crash left out."""

    def delete_network(self, network_id: str) -> None:
        """Delete with its subnets; gone already is fine. CloudBusy while a server's port is on it."""

    def make_bootable(self, volume_id: str) -> None:
        """Servers may boot from the volume: one made empty and written by a restore is data to the cloud.
        Again changes nothing."""

    def console_output(self, server_id: str, lines: int = 200) -> str:
        """The last lines the server has written to its console; empty while there are none.
        CloudNotFound when there is no such server."""
