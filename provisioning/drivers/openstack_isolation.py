"""Networks without a way out and the consoles of servers, over Neutron's, Cinder's and Nova's REST APIs.

A network is made with a token for its project, so that it belongs to it; room for it in the project's quota,
which has none, and what leads out of it, whoever made that, are the administrator's to open and to see.
"""

import socket
import threading
from ipaddress import ip_network
from urllib.parse import urlsplit

from cloudctl.errors import CloudConflict, CloudNotFound
from cloudctl.ports import NewIsolatedNetwork, NewSubnet, OwnNetwork
from provisioning.drivers import openstack_json as parse
from provisioning.drivers.openstack_errors import as_busy
from provisioning.drivers.openstack_http import Caller, Json, Params

_APIS = ("identity", "compute", "block-storage", "network", "image")
_PORT_OF = {"http": 80, "https": 443}
_ROUTER = "network:router"  # the beginning of the owner of every port of a router, of whatever kind
_NO_CONSOLE = (404, 409)  # Nova: "Instance ... is not ready", "Unable to get console for instance"


class NetworkRoom:
    """Opens room for networks in projects whose quota has none; with the administrator's token."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller
        self._lock = threading.Lock()

    def open(self, project_id: str, subnets: int) -> None:
        """Room for one network more, with so many subnets; the next push of the quota closes it again."""
        what = f"make room for an isolated network in project {project_id}"
        with self._lock:
            used = self._call.get("network", f"/quotas/{project_id}/details.json", what)["quota"]
            wanted = {"network": _counted(used["network"]) + 1, "subnet": _counted(used["subnet"]) + subnets}
            self._call.put("network", f"/quotas/{project_id}", what, {"quota": wanted})

    def ways_out(self, row: Json) -> tuple[str, ...]:
        """Everything that leads out of a network, as its row and the ports on it tell."""
        query: Params = {"network_id": str(row["id"]), "fields": ["id", "device_owner", "device_id"]}
        ports = self._call.pages("network", "/ports", "ports", "list the ports of a network", query)
        routers = {
            f"router {one.get('device_id') or one['id']}"
            for one in ports
            if str(one.get("device_owner") or "").startswith(_ROUTER)
        }
        external = ("external",) if row.get("router:external") else ()
        return (*sorted(routers), *external, *(("shared",) if row.get("shared") else ()))


class OpenStackNetworks:
    """Implements NetworksInProject."""

    _call: Caller
    _networks: NetworkRoom

    def list_own_networks(self) -> list[OwnNetwork]:
        rows = self._own_networks({})
        subnets = self._subnets() if rows else []
        return [self._network(row, subnets) for row in rows]

    def ensure_isolated_network(self, new: NewIsolatedNetwork) -> OwnNetwork:
        there = self._own_networks({"name": new.name})
        if there:  # names are not unique in Neutron: of several all agree on the first id
            network = min(there, key=lambda row: str(row["id"]))
        else:
            self._networks.open(self._project, len(new.subnets))
            body: Json = {"name": new.name, "shared": False, "port_security_enabled": True}
            what = f"make network {new.name}"
            network = self._call.post("network", "/networks", what, {"network": body})["network"]
        words = {"tags": parse.tag_strings(new.tags)}
        self._call.put("network", f"/networks/{network['id']}/tags", f"tag network {new.name}", words)
        known = {row["cidr"] for row in self._subnets() if row["network_id"] == network["id"]}
        for subnet in new.subnets:
            if subnet.cidr not in known:
                self._make_subnet(str(network["id"]), new.name, subnet)
        return self._network({**network, **words}, self._subnets())

    def _make_subnet(self, network_id: str, name: str, subnet: NewSubnet) -> None:
        version = ip_network(subnet.cidr).version
        body: Json = {
            "network_id": network_id,
            "name": f"{name}-v{version}",
            "ip_version": version,
            "cidr": subnet.cidr,
            "gateway_ip": subnet.gateway,
            "enable_dhcp": True,
            "allocation_pools": [{"start": subnet.pool[0], "end": subnet.pool[1]}],
        }
        if version == 6:
            body |= {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
        self._call.post("network", "/subnets", f"make subnet {subnet.cidr}", {"subnet": body})

    def delete_network(self, network_id: str) -> None:
        try:
            self._call.delete("network", f"/networks/{network_id}", f"delete network {network_id}")
        except CloudNotFound:
            return
        except CloudConflict as error:  # 409 "There are one or more ports still in use on the network"
            raise as_busy(error) from error

    def make_bootable(self, volume_id: str) -> None:
        body = {"os-set_bootable": {"bootable": True}}
        what = f"make volume {volume_id} bootable"
        self._call.post("block-storage", f"/volumes/{volume_id}/action", what, body)

    def console_output(self, server_id: str, lines: int = 200) -> str:
        what = f"read the console of server {server_id}"
        path, body = f"/servers/{server_id}/action", {"os-getConsoleOutput": {"length": lines}}
        response = self._call.respond("compute", "POST", path, what, body=body)
        if response.status_code in _NO_CONSOLE:
            self._call.get("compute", f"/servers/{server_id}", what)  # CloudNotFound where it is gone
            return ""
        if response.status_code >= 400:
            raise self._call.error(response, "compute", what)
        return str(response.json().get("output") or "")

    # -- the pieces

    @property
    def _project(self) -> str:
        return self._call.project_id or ""

    def _own_networks(self, query: Params) -> list[Json]:
        asked = {"project_id": self._project, **query}
        return self._call.pages("network", "/networks", "networks", "list own networks", asked)

    def _subnets(self) -> list[Json]:
        query: Params = {"project_id": self._project, "fields": ["network_id", "cidr"]}
        return self._call.pages("network", "/subnets", "subnets", "list own subnets", query)

    def _network(self, row: Json, subnets: list[Json]) -> OwnNetwork:
        cidrs = sorted(one["cidr"] for one in subnets if one["network_id"] == row["id"])
        tags = parse.tags_of(row.get("tags") or ())
        return OwnNetwork(
            str(row["id"]), row.get("name") or "", tuple(cidrs), tags, self._networks.ways_out(row)
        )


def api_addresses(call: Caller) -> list[str]:
    """`address:port` of each API as this machine reaches it; a name that nobody knows is left as it is."""
    found: dict[str, None] = {}
    for service in _APIS:
        url = urlsplit(call.service(service).url.replace("{project}", ""))
        port = url.port or _PORT_OF.get(url.scheme, 443)
        for address in _resolved(url.hostname or "", port):
            found[f"[{address}]:{port}" if ":" in address else f"{address}:{port}"] = None
    return list(found)


def _resolved(host: str, port: int) -> list[str]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return [host]
    return sorted({str(row[4][0]) for row in rows})


def _counted(row: Json) -> int:
    return int(row.get("used") or 0) + int(row.get("reserved") or 0)
