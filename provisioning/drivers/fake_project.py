"""The fake cloud seen from inside one project; as strict as the real ones about order, state and quota."""

from collections.abc import Sequence
from dataclasses import replace

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import (
    CloudBusy,
    CloudConflict,
    CloudForbidden,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRejected,
)
from cloudctl.ports import Named, NewPort, NewServer, NewVolume, Port, Rule, Server, Tags, Volume
from provisioning.drivers.fake_adoption import FakeAdoption
from provisioning.drivers.fake_isolation import FakeNetworks
from provisioning.drivers.fake_snapshots import FakeProjectBackups
from provisioning.drivers.fake_state import FakeState, Group
from provisioning.drivers.fake_stopping import FakeStopping
from provisioning.drivers.fake_storage import image_of

_DELETABLE = ("available", "error", "error_deleting", "error_restoring", "error_managing")


class FakeProject(FakeAdoption, FakeNetworks, FakeProjectBackups, FakeStopping):
    """Implements CloudInProject over a FakeState."""

    def __init__(self, state: FakeState, project_id: str) -> None:
        self._state = state
        self._id = project_id

    # -- listing

    def list_volumes(self) -> list[Volume]:
        with self._state.call("list_volumes", self._id):
            self._check_access()
            self._state.move([v.id for v in self._state.volumes.values() if v.project_id == self._id])
            return [v for v in self._state.volumes.values() if v.project_id == self._id]

    def list_servers(self) -> list[Server]:
        with self._state.call("list_servers", self._id):
            self._check_access()
            self._state.move([s.id for s in self._state.servers.values() if s.project_id == self._id])
            return [s for s in self._state.servers.values() if s.project_id == self._id]

    def list_ports(self) -> list[Port]:
        with self._state.call("list_ports", self._id):
            self._check_access()
            return [p for p in self._state.ports.values() if p.project_id == self._id]

    def list_security_groups(self) -> list[Named]:
        with self._state.call("list_security_groups", self._id):
            self._check_access()
            return [Named(g.id, g.name) for g in self._state.groups.values() if g.project_id == self._id]

    # -- creating

    def create_volume(self, new: NewVolume) -> Volume:
        state = self._state
        with state.call("create_volume", self._id, new.name):
            self._check_access()
            if new.type not in {t.name for t in state.volume_types.values()} | set(state.volume_types):
                self._reject("volume type '{name}' does not exist", new.type)
            if new.image_id is not None and new.image_id not in state.images:
                self._reject(
                    "invalid image identifier or unable to access requested image: {name}", new.image_id
                )
            self._check_quota(Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: new.size_gib}))
            status = "downloading" if new.image_id else "creating"
            volume = Volume(
                state.new_id("volume"), new.name, status, new.size_gib, self._id, new.type, dict(new.tags)
            )
            state.volumes[volume.id] = volume
            state.begin(volume.id, lambda: self._volume_made(volume.id, new.image_id))
            return volume

    def _volume_made(self, volume_id: str, image_id: str | None) -> None:
        if image_id is not None and image_id not in self._state.images:
            why = "image vanished while it was copied"
            self._change_volume(volume_id, status="error", error=why)
        else:
            if image_id is not None:
                self._state.bootable.add(volume_id)
            self._change_volume(volume_id, status="available")

    def create_port(self, new: NewPort) -> Port:
        state = self._state
        with state.call("create_port", self._id, new.name):
            self._check_access()
            own = state.own_networks.get(new.network_id)
            network = state.networks.get(new.network_id) if own is None else None
            if network is None and own is None:
                raise CloudNotFound("network {id} not found", id=new.network_id, cloud_request_id=self._req())
            for group_id in new.security_group_ids:
                if group_id not in state.groups:
                    self._reject("security group {name} does not exist", group_id)
            self._check_quota(Amounts({Kind.PORTS: 1}))
            tags = {} if state.split_tagging else dict(new.tags)
            addresses = self._addresses_on(own, new.addresses) if own else self._addresses(network)
            port = Port(state.new_id("port"), new.name, "DOWN", self._id, new.network_id, addresses, tags)
            state.ports[port.id] = port
            return port

    def _addresses(self, network: Named | None) -> tuple[str, ...]:
        """The next address of each subnet of a shared network, counted over all ports ever made."""
        assert network is not None
        subnets = network.details.get("subnets", ())
        assert isinstance(subnets, list | tuple)
        n = 10 + self._state.made
        addresses = []
        for subnet in subnets:
            start = str(subnet).split("/")[0]
            if ":" in start:
                addresses.append(f"{start}{n:x}")
            else:
                a, b, c, _ = start.split(".")
                addresses.append(f"{a}.{b}.{int(c) + n // 250}.{n % 250 + 1}")
        return tuple(addresses)

    def tag_port(self, port_id: str, tags: Tags) -> None:
        with self._state.call("tag_port", self._id, port_id):
            self._check_access()
            port = self._state.ports.get(port_id)
            if port is None:
                raise CloudNotFound("port {id} not found", id=port_id, cloud_request_id=self._req())
            self._state.ports[port_id] = replace(port, tags={**port.tags, **tags})

    def create_server(self, new: NewServer) -> Server:
        state = self._state
        with state.call("create_server", self._id, new.name):
            self._check_access()
            flavor = state.flavors.get(new.flavor_id)
            if flavor is None:
                raise CloudNotFound("flavor {id} not found", id=new.flavor_id, cloud_request_id=self._req())
            if new.key_name is not None and new.key_name not in state.keys:
                self._reject("invalid key_name provided: {name}", new.key_name)
            volume_ids = (new.boot_volume_id, *new.data_volume_ids)
            for volume_id in volume_ids:
                volume = state.volumes.get(volume_id)
                if volume is None or volume.status != "available":
                    self._reject("volume {name} is not available", volume_id)
            if new.boot_volume_id not in state.bootable:
                self._reject("Block Device {name} is not bootable.", new.boot_volume_id)
            for port_id in new.port_ids:
                self._check_port(port_id)
            vcpus, ram_mib = _number(flavor, "vcpus"), _number(flavor, "ram_mib")
            self._check_quota(Amounts({Kind.INSTANCES: 1, Kind.VCPUS: vcpus, Kind.RAM_MIB: ram_mib}))
            server = Server(
                state.new_id("server"), new.name, "BUILD", self._id, flavor.name, dict(new.tags),
                (), volume_ids, None, vcpus, ram_mib,
            )  # fmt: skip
            state.servers[server.id] = server
            state.user_data[server.id] = new.user_data
            for volume_id in volume_ids:
                self._change_volume(volume_id, status="reserved")
            for port_id in new.port_ids:
                state.ports[port_id] = replace(state.ports[port_id], device_id=server.id)
            state.begin(server.id, lambda: self._server_made(server.id, new.port_ids))
            return server

    def _check_port(self, port_id: str) -> None:
        port = self._state.ports.get(port_id)
        if port is None:
            self._reject("port {name} not found", port_id)
        elif port.device_id:
            raise CloudConflict("port {id} is in use", id=port_id, cloud_request_id=self._req())

    def _server_made(self, server_id: str, port_ids: tuple[str, ...]) -> None:
        state = self._state
        server = state.servers[server_id]
        if state.broken_servers[server.name] > 0:
            state.broken_servers[server.name] -= 1
            error = "No valid host was found. There are not enough hosts available."
            state.servers[server_id] = replace(server, status="ERROR", error=error)
            return
        addresses = tuple(a for port_id in port_ids for a in state.ports[port_id].addresses)
        state.servers[server_id] = replace(server, status="ACTIVE", addresses=addresses)
        for volume_id in server.volume_ids:
            self._change_volume(volume_id, status="in-use", server_ids=(server_id,))
        for port_id in port_ids:
            state.ports[port_id] = replace(state.ports[port_id], status="ACTIVE")

    def ensure_key(self, name: str, public_key: str) -> None:
        with self._state.call("ensure_key", self._id, name):
            self._check_access()
            if self._state.keys.setdefault(name, public_key) != public_key:
                raise CloudConflict(
                    "key pair '{name}' exists with another key", name=name, cloud_request_id=self._req()
                )

    def ensure_security_group(self, name: str, description: str, rules: Sequence[Rule]) -> str:
        with self._state.call("ensure_security_group", self._id, name):
            self._check_access()
            for group in self._state.groups.values():
                if (group.project_id, group.name) == (self._id, name):
                    group.rules = tuple(rules)
                    return group.id
            group = Group(self._state.new_id("group"), name, self._id, tuple(rules))
            self._state.groups[group.id] = group
            return group.id

    # -- changing

    def attach_volume(self, server_id: str, volume_id: str) -> None:
        state = self._state
        with state.call("attach_volume", self._id, volume_id):
            self._check_access()
            server, volume = self._server(server_id), self._volume(volume_id)
            if volume_id in server.volume_ids:
                return
            if volume.status != "available":
                self._reject("volume {name} is not available", volume_id)
            state.servers[server_id] = replace(server, volume_ids=(*server.volume_ids, volume_id))
            self._change_volume(volume_id, status="attaching")
            state.begin(
                volume_id,
                lambda: self._change_volume(volume_id, status="in-use", server_ids=(server_id,)),
            )

    def detach_volume(self, server_id: str, volume_id: str) -> None:
        state = self._state
        with state.call("detach_volume", self._id, volume_id):
            self._check_access()
            server = state.servers.get(server_id)
            if server is None or volume_id not in server.volume_ids:
                return
            left = tuple(one for one in server.volume_ids if one != volume_id)
            state.servers[server_id] = replace(server, volume_ids=left)
            self._change_volume(volume_id, status="detaching")
            state.begin(volume_id, lambda: self._change_volume(volume_id, status="available", server_ids=()))

    def rename_volume(self, volume_id: str, name: str) -> None:
        with self._state.call("rename_volume", self._id, volume_id):
            self._check_access()
            self._change_volume(self._volume(volume_id).id, name=name)

    # -- deleting

    def delete_server(self, server_id: str) -> None:
        state = self._state
        with state.call("delete_server", self._id, server_id):
            self._check_access()
            if server_id in state.servers and server_id not in state.going:
                state.going.add(server_id)
                state.begin(server_id, lambda: self._server_gone(server_id))

    def _server_gone(self, server_id: str) -> None:
        state = self._state
        state.going.discard(server_id)
        for volume_id in state.servers.pop(server_id).volume_ids:
            if volume_id in state.volumes:
                self._change_volume(volume_id, status="available", server_ids=())
        for port in list(state.ports.values()):
            if port.device_id == server_id:
                state.ports[port.id] = replace(port, device_id="", status="DOWN")

    def delete_volume(self, volume_id: str) -> None:
        state = self._state
        with state.call("delete_volume", self._id, volume_id):
            self._check_access()
            volume = state.volumes.get(volume_id)
            if volume is None or volume.status == "deleting":
                return
            if volume.status not in _DELETABLE:
                raise CloudBusy(
                    "volume {id} is {status}",
                    id=volume_id,
                    status=volume.status,
                    cloud_request_id=self._req(),
                )
            if any(one.seen.volume_id == volume_id for one in state.cinder.snapshots.values()):
                raise CloudBusy("volume {id} has snapshots", id=volume_id, cloud_request_id=self._req())
            self._change_volume(volume_id, status="deleting")
            state.begin(volume_id, lambda: self._volume_gone(volume_id))

    def _volume_gone(self, volume_id: str) -> None:
        self._state.volumes.pop(volume_id, None)
        self._state.cinder.contents.pop(volume_id, None)
        self._state.images_in_storage.remove(image_of(volume_id))

    def delete_port(self, port_id: str) -> None:
        with self._state.call("delete_port", self._id, port_id):
            self._check_access()
            self._state.ports.pop(port_id, None)

    def delete_security_group(self, group_id: str) -> None:
        with self._state.call("delete_security_group", self._id, group_id):
            self._check_access()
            if any(port.project_id == self._id for port in self._state.ports.values()):
                raise CloudBusy("group {id} is in use", id=group_id, cloud_request_id=self._req())
            self._state.groups.pop(group_id, None)

    # -- the pieces

    def _req(self) -> str:
        return self._state.request_id()

    def _reject(self, template: str, name: str) -> None:
        raise CloudRejected(template, name=name, cloud_request_id=self._req())

    def _check_access(self) -> None:
        if self._id not in self._state.projects:
            raise CloudNotFound("project {id} not found", id=self._id, cloud_request_id=self._req())
        if self._id not in self._state.access:
            raise CloudForbidden(
                "no role in project {id}: ensure_own_access comes first",
                id=self._id,
                cloud_request_id=self._req(),
            )

    def _check_quota(self, more: Amounts) -> None:
        limits = self._state.quotas.get(self._id, self._state.default_quota)
        used = self._state.used(self._id)
        for kind in more:
            if used[kind] + more[kind] > limits[kind]:
                raise CloudQuotaExceeded(
                    "Quota exceeded for {kind}: requested {more}, used {used} of {limit}",
                    kind=kind.value, more=more[kind], used=used[kind], limit=limits[kind],
                    cloud_request_id=self._req(),
                )  # fmt: skip

    def _server(self, server_id: str) -> Server:
        server = self._state.servers.get(server_id)
        if server is None:
            raise CloudNotFound("server {id} not found", id=server_id, cloud_request_id=self._req())
        return server

    def _volume(self, volume_id: str) -> Volume:
        volume = self._state.volumes.get(volume_id)
        if volume is None:
            raise CloudNotFound("volume {id} not found", id=volume_id, cloud_request_id=self._req())
        return volume

    def _change_volume(self, volume_id: str, **changes: object) -> None:
        self._state.volumes[volume_id] = replace(self._state.volumes[volume_id], **changes)  # type: ignore[arg-type]


def _number(named: Named, key: str) -> int:
    value = named.details.get(key, 0)
    assert isinstance(value, int)
    return value
