"""One project of an OpenStack cloud, seen with a token for it: what is made here belongs to it."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace

from cloudctl.errors import CloudConflict, CloudNotFound, CloudRejected
from cloudctl.ports import Named, NewPort, NewServer, NewVolume, Port, Rule, Server, Tags, Volume
from provisioning.drivers import openstack_json as parse
from provisioning.drivers.openstack_adoption import Administration, OpenStackAdoption
from provisioning.drivers.openstack_backup_room import BackupRoom
from provisioning.drivers.openstack_backups import OpenStackProjectBackups
from provisioning.drivers.openstack_errors import as_busy
from provisioning.drivers.openstack_http import Caller, Json, Params
from provisioning.drivers.openstack_isolation import NetworkRoom, OpenStackNetworks
from provisioning.drivers.openstack_listing import SiteFacts, ports, servers, volumes
from provisioning.drivers.openstack_stopping import OpenStackStopping

_VOLUMES = "block-storage"
# Neutron takes tags in the body of a create only where this extension driver is loaded; elsewhere it
# answers 400 "Attribute 'tags' not allowed in POST".
_TAGS_AT_CREATE = "tag-ports-during-bulk-creation"


class OpenStackProject(OpenStackAdoption, OpenStackNetworks, OpenStackProjectBackups, OpenStackStopping):
    """Implements CloudInProject."""

    def __init__(
        self,
        caller: Caller,
        site: SiteFacts,
        room: BackupRoom,
        networks: NetworkRoom,
        administration: Administration,
    ) -> None:
        self._call = caller
        self._site = site
        self._room = room
        self._networks = networks
        self._administration = administration

    @property
    def _id(self) -> str:
        return self._call.project_id or ""

    # -- listing

    def list_volumes(self) -> list[Volume]:
        return volumes(self._call, {}, self._id)

    def list_servers(self) -> list[Server]:
        return servers(self._call, self._site, {})

    def list_ports(self) -> list[Port]:
        return ports(self._call, {"project_id": self._id})

    def list_security_groups(self) -> list[Named]:
        query: Params = {"project_id": self._id, "fields": ["id", "name"]}
        rows = self._call.pages(
            "network", "/security-groups", "security_groups", "list security groups", query
        )
        return [Named(row["id"], row["name"]) for row in rows]

    # -- making

    def create_volume(self, new: NewVolume) -> Volume:
        body: Json = {
            "name": new.name,
            "size": new.size_gib,
            "volume_type": new.type,
            "metadata": {**new.tags},
        }
        if new.image_id:
            body["imageRef"] = new.image_id
        answer = self._call.post(_VOLUMES, "/volumes", f"make volume {new.name}", {"volume": body})
        return parse.volume(answer["volume"], self._id)

    def create_port(self, new: NewPort) -> Port:
        body: Json = {
            "name": new.name,
            "network_id": new.network_id,
            "security_groups": list(new.security_group_ids),
        }
        if new.addresses:
            body["fixed_ips"] = [{"ip_address": address} for address in new.addresses]
        if _TAGS_AT_CREATE in self._site.network_extensions():
            body["tags"] = parse.tag_strings(new.tags)
        answer = self._call.post("network", "/ports", f"make port {new.name}", {"port": body})
        return parse.port(answer["port"])

    def tag_port(self, port_id: str, tags: Tags) -> None:
        words = {"tags": parse.tag_strings(tags)}
        self._call.put("network", f"/ports/{port_id}/tags", f"tag port {port_id}", words)

    def create_server(self, new: NewServer) -> Server:
        disks = [(new.boot_volume_id, 0), *((volume_id, -1) for volume_id in new.data_volume_ids)]
        body: Json = {
            "name": new.name,
            "flavorRef": new.flavor_id,
            "networks": [{"port": port_id} for port_id in new.port_ids],
            "metadata": {**new.tags},
            "block_device_mapping_v2": [
                {
                    "boot_index": index,
                    "uuid": volume_id,
                    "source_type": "volume",
                    "destination_type": "volume",
                    "delete_on_termination": False,
                }
                for volume_id, index in disks
            ],
        }
        if new.key_name:
            body["key_name"] = new.key_name
        if new.has_config_drive:
            body["config_drive"] = True
        if new.zone:
            body["availability_zone"] = new.zone
        if new.user_data:
            body["user_data"] = b64encode(new.user_data.encode()).decode()
        if self._call.service("compute").knows(2, 52):
            body["tags"] = parse.tag_strings(new.tags)
        answer = self._call.post("compute", "/servers", f"make server {new.name}", {"server": body})
        volume_ids = (new.boot_volume_id, *new.data_volume_ids)
        made = Server(answer["server"]["id"], new.name, "BUILD", self._id, new.flavor_id, dict(new.tags))
        return replace(made, volume_ids=volume_ids)

    def ensure_key(self, name: str, public_key: str) -> None:
        try:
            body = {"keypair": {"name": name, "public_key": public_key}}
            self._call.post("compute", "/os-keypairs", f"store key {name}", body)
        except CloudConflict:
            there = self._call.get("compute", f"/os-keypairs/{name}", f"show key {name}")["keypair"]
            if there["public_key"].split()[:2] != public_key.split()[:2]:
                raise  # somebody's key is not ours to replace

    def ensure_security_group(self, name: str, description: str, rules: Sequence[Rule]) -> str:
        query = {"name": name, "project_id": self._id}
        found = self._call.pages(
            "network", "/security-groups", "security_groups", f"find security group {name}", query
        )
        if found:  # names are not unique in Neutron: of several made in a race all agree on the first id
            group = min(found, key=lambda row: str(row["id"]))
        else:
            body = {"security_group": {"name": name, "description": description}}
            answer = self._call.post("network", "/security-groups", f"make security group {name}", body)
            group = answer["security_group"]
        self._ensure_rules(group, rules)
        return str(group["id"])

    def _ensure_rules(self, group: Json, rules: Sequence[Rule]) -> None:
        group_id, name = str(group["id"]), group["name"]
        wanted = {replace(r, protocol=parse.protocol_word(r.protocol, r.family)) for r in rules}
        there = {row["id"]: parse.rule_of(row, group_id) for row in group.get("security_group_rules") or ()}
        missing = [parse.rule_body(rule, group_id) for rule in rules_in_order(wanted - {*there.values()})]
        if missing:
            self._add_rules(name, missing)
        kept: set[Rule] = set()
        for rule_id, rule in there.items():
            if rule is None or rule not in wanted or rule in kept:
                what = f"remove a rule of {name}"
                self._forgive_gone("network", f"/security-group-rules/{rule_id}", what)
            else:
                kept.add(rule)

    def _add_rules(self, name: str, bodies: list[dict[str, object]]) -> None:
        what = f"make the rules of {name}"
        try:
            self._call.post("network", "/security-group-rules", what, {"security_group_rules": bodies})
        except CloudConflict:  # another worker made some of them meanwhile: one by one
            for body in bodies:
                try:
                    self._call.post("network", "/security-group-rules", what, {"security_group_rule": body})
                except CloudConflict:
                    continue

    # -- attaching

    def attach_volume(self, server_id: str, volume_id: str) -> None:
        path = f"/servers/{server_id}/os-volume_attachments"
        body = {"volumeAttachment": {"volumeId": volume_id}}
        try:
            self._call.post("compute", path, f"attach volume {volume_id}", body)
        except (CloudConflict, CloudRejected) as error:  # 400 or 409, by release, when it is attached there
            if isinstance(error, CloudNotFound) or not self._is_attached(server_id, volume_id):
                raise

    def _is_attached(self, server_id: str, volume_id: str) -> bool:
        path = f"/servers/{server_id}/os-volume_attachments"
        answer = self._call.get("compute", path, f"list the volumes of server {server_id}")
        return any(row["volumeId"] == volume_id for row in answer["volumeAttachments"])

    def detach_volume(self, server_id: str, volume_id: str) -> None:
        path = f"/servers/{server_id}/os-volume_attachments/{volume_id}"
        self._forgive_gone("compute", path, f"detach volume {volume_id}")

    def rename_volume(self, volume_id: str, name: str) -> None:
        body = {"volume": {"name": name}}
        self._call.put(_VOLUMES, f"/volumes/{volume_id}", f"rename volume {volume_id}", body)

    # -- deleting

    def delete_server(self, server_id: str) -> None:
        self._forgive_gone("compute", f"/servers/{server_id}", f"delete server {server_id}")

    def delete_volume(self, volume_id: str) -> None:
        what = f"delete volume {volume_id}"
        response = self._call.respond(_VOLUMES, "DELETE", f"/volumes/{volume_id}", what)
        # 400 "Invalid volume: Volume status must be available or error or ... and must not be migrating,
        # attached, belong to a group, have snapshots, ..."
        if response.status_code == 400:
            raise as_busy(self._call.error(response, _VOLUMES, what))
        if response.status_code >= 400 and response.status_code != 404:
            raise self._call.error(response, _VOLUMES, what)

    def delete_port(self, port_id: str) -> None:
        self._forgive_gone("network", f"/ports/{port_id}", f"delete port {port_id}")

    def delete_security_group(self, group_id: str) -> None:
        try:
            self._forgive_gone("network", f"/security-groups/{group_id}", f"delete security group {group_id}")
        except CloudConflict as error:  # 409 "Security Group ... in use."
            raise as_busy(error) from error

    def _forgive_gone(self, service: str, path: str, what: str) -> None:
        try:
            self._call.delete(service, path, what)
        except CloudNotFound:
            return


def rules_in_order(rules: set[Rule]) -> list[Rule]:
    """The same order each time, so that a log of calls can be compared."""
    return sorted(
        rules, key=lambda r: (r.direction, r.family, str(r.protocol), r.port_min or 0, str(r.remote))
    )
