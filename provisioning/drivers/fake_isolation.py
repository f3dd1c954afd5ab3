"""The fake cloud's networks of one project and the consoles of its servers; as strict as Neutron and Nova."""

import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from cloudctl.errors import CloudBusy, CloudConflict, CloudNotFound, CloudRejected
from cloudctl.ports import NewIsolatedNetwork, OwnNetwork
from provisioning.drivers.fake_state import FakeNetwork, FakeState


class FakeNetworks:
    """Implements NetworksInProject over a FakeState."""

    _state: FakeState
    _id: str

    def _check_access(self) -> None:
        """As for every other call inside a project."""
        raise NotImplementedError

    def list_own_networks(self) -> list[OwnNetwork]:
        with self._state.call("list_own_networks", self._id):
            self._check_access()
            return [one.seen for one in self._state.own_networks.values() if one.project_id == self._id]

    def ensure_isolated_network(self, new: NewIsolatedNetwork) -> OwnNetwork:
        state = self._state
        with state.call("ensure_isolated_network", self._id, new.name):
            self._check_access()
            for one in state.own_networks.values():
                if (one.project_id, one.seen.name) == (self._id, new.name):
                    return one.seen
            for subnet in new.subnets:
                inside = ipaddress.ip_network(subnet.cidr)
                if not all(ipaddress.ip_address(word) in inside for word in subnet.pool):
                    raise CloudRejected(
                        "the pool of {cidr} is not in it",
                        cidr=subnet.cidr,
                        cloud_request_id=state.request_id(),
                    )
            cidrs = tuple(sorted(one.cidr for one in new.subnets))
            made = OwnNetwork(state.new_id("network"), new.name, cidrs, dict(new.tags))
            pools = {one.cidr: one.pool[0] for one in new.subnets}
            state.own_networks[made.id] = FakeNetwork(self._id, made, pools)
            return made

    def delete_network(self, network_id: str) -> None:
        state = self._state
        with state.call("delete_network", self._id, network_id):
            self._check_access()
            if any(port.network_id == network_id for port in state.ports.values()):
                raise CloudBusy("network {id} is in use", id=network_id, cloud_request_id=state.request_id())
            state.own_networks.pop(network_id, None)

    def make_bootable(self, volume_id: str) -> None:
        state = self._state
        with state.call("make_bootable", self._id, volume_id):
            self._check_access()
            if volume_id not in state.volumes:
                raise CloudNotFound(
                    "volume {id} not found", id=volume_id, cloud_request_id=state.request_id()
                )
            state.bootable.add(volume_id)

    def console_output(self, server_id: str, lines: int = 200) -> str:
        state = self._state
        with state.call("console_output", self._id, server_id):
            self._check_access()
            server = state.servers.get(server_id)
            if server is None:
                raise CloudNotFound(
                    "server {id} not found", id=server_id, cloud_request_id=state.request_id()
                )
            text = state.console(server) if server.status == "ACTIVE" else ""
            return "\n".join(text.splitlines()[-lines:])

    # -- for the calls that make ports

    def _addresses_on(self, network: FakeNetwork, wanted: Sequence[str]) -> tuple[str, ...]:
        """The addresses asked for, or the next of each pool; CloudConflict for one that is taken."""
        mine = [port for port in self._state.ports.values() if port.network_id == network.seen.id]
        taken = {address for port in mine for address in port.addresses}
        if clash := taken & set(wanted):
            raise CloudConflict(
                "address {address} is in use", address=min(clash), cloud_request_id=self._state.request_id()
            )
        if wanted:
            return tuple(wanted)
        return tuple(_next(first, taken) for first in network.pools.values())

    def add_router(self, network_id: str, router: str) -> None:
        """For tests: somebody joins the network to a router."""
        one = self._state.own_networks[network_id]
        one.seen = replace(one.seen, ways_out=(*one.seen.ways_out, f"router {router}"))


def _next(first: str, taken: set[str]) -> str:
    address = ipaddress.ip_address(first)
    while str(address) in taken:
        address += 1
    return str(address)
