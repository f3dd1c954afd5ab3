"""OpenStack as the Cloud of a site, and all sites as Clouds, out of the user's own clouds.yaml."""

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from cloudctl.amounts import Amounts, Kind
from cloudctl.config import Settings
from cloudctl.errors import CloudForbidden, CloudNotFound, CloudRejected, Misconfigured
from cloudctl.models import Site
from cloudctl.ports import (
    Cloud,
    CloudInProject,
    CloudProject,
    Inspection,
    Named,
    Port,
    Right,
    Room,
    Server,
    Volume,
)
from cloudctl.store import Store
from provisioning.drivers import openstack_capacity, openstack_inspect, openstack_rights
from provisioning.drivers import openstack_json as parse
from provisioning.drivers import openstack_listing as listing
from provisioning.drivers import openstack_quota as quota
from provisioning.drivers.limited import Slots
from provisioning.drivers.openstack_adoption import Administration
from provisioning.drivers.openstack_auth import ProjectAuth, entries, is_application_credential, region_of
from provisioning.drivers.openstack_backup_room import BackupRoom
from provisioning.drivers.openstack_backups import OpenStackBackups
from provisioning.drivers.openstack_http import Caller, Line
from provisioning.drivers.openstack_isolation import NetworkRoom, api_addresses
from provisioning.drivers.openstack_project import OpenStackProject

_MEMBER_ROLES = ("member", "_member_", "Member")  # what the role of an ordinary user is called, newest first
_KEPT_PROJECTS = 256
_EVERYWHERE = {"all_tenants": "1"}


class OpenStackCloud(OpenStackBackups):
    """Implements Cloud over the REST APIs of one site; may be used by many threads at once."""

    def __init__(self, line: Line) -> None:
        self.site = line.site
        self._line = line
        self._call = Caller(line)
        self._facts = listing.SiteFacts(self._call)
        self._room = BackupRoom(self._call)
        self._networks = NetworkRoom(self._call)
        self._administration = Administration(line, self._call, self._facts)
        self._projects: dict[str, OpenStackProject] = {}

    def close(self) -> None:
        self._line.close()

    # -- identity

    def rights(self) -> list[Right]:
        return openstack_rights.rights(self._call)

    def inspect(self) -> Inspection:
        return openstack_inspect.inspect(self._call, self._facts)

    def api_addresses(self) -> list[str]:
        return api_addresses(self._call)

    def find_domain(self, name: str) -> Named | None:
        rows = self._call.get("identity", "/domains", f"find domain {name}", {"name": name})["domains"]
        return next((Named(row["id"], row["name"]) for row in rows if row["name"] == name), None)

    def create_domain(self, name: str, description: str) -> Named:
        body = {"domain": {"name": name, "description": description}}
        row = self._call.post("identity", "/domains", f"make domain {name}", body)["domain"]
        return Named(row["id"], row["name"])

    def list_projects(self, domain_id: str | None = None) -> list[CloudProject]:
        query = {"domain_id": domain_id} if domain_id else {}
        rows = self._call.pages("identity", "/projects", "projects", "list projects", query)
        return [parse.project(row) for row in rows]

    def get_project(self, project_id: str) -> CloudProject:
        answer = self._call.get("identity", f"/projects/{project_id}", f"show project {project_id}")
        return parse.project(answer["project"])

    def create_project(
        self, domain_id: str, name: str, description: str, tags: Iterable[str]
    ) -> CloudProject:
        body = {
            "project": {
                "name": name,
                "domain_id": domain_id,
                "description": description,
                "tags": sorted(set(tags)),
            }
        }
        return parse.project(
            self._call.post("identity", "/projects", f"make project {name}", body)["project"]
        )

    def delete_project(self, project_id: str) -> None:
        self._projects.pop(project_id, None)
        try:
            self._call.delete("identity", f"/projects/{project_id}", f"delete project {project_id}")
        except CloudNotFound:
            return
        self._delete_default_group(project_id)

    def _delete_default_group(self, project_id: str) -> None:
        """Neutron makes one for every project and leaves it behind; only an administrator can delete it."""
        what = f"delete the default security group of project {project_id}"
        mine = {"project_id": project_id, "name": "default"}
        with suppress(CloudRejected):  # a group nobody can use is no reason to fail
            for group in self._call.get("network", "/security-groups", what, mine)["security_groups"]:
                self._call.delete("network", f"/security-groups/{group['id']}", what)

    def ensure_own_access(self, project_id: str) -> None:
        roles = self._facts.roles()
        role_id = next((roles[name] for name in _MEMBER_ROLES if name in roles), None)
        if role_id is None:
            raise CloudForbidden(
                "{site}: the cloud has none of the roles {roles}; cloudctl needs one to work inside projects",
                site=self.site,
                roles=", ".join(_MEMBER_ROLES),
            )
        path = f"/projects/{project_id}/users/{self._own_user_id()}/roles/{role_id}"
        self._call.put("identity", path, f"give cloudctl access to project {project_id}")

    def _own_user_id(self) -> str:
        return openstack_rights.token_of(self._call).user_id or ""

    def in_project(self, project_id: str) -> CloudInProject:
        found = self._projects.get(project_id)
        if found is None:
            if is_application_credential(self._line.auth):
                raise CloudForbidden(
                    "{site}: an application credential is for one project: the cloud can only be observed",
                    hint="use a user with a password in clouds.yaml to manage it",
                    site=self.site,
                )
            caller = Caller(self._line, ProjectAuth(self._line.auth, project_id), project_id)
            made = OpenStackProject(caller, self._facts, self._room, self._networks, self._administration)
            found = self._projects.setdefault(project_id, made)
            self._forget_oldest()
        return found

    def _forget_oldest(self) -> None:
        """A province has thousands of projects; the token of one not used of late is soon got again."""
        for project_id in list(self._projects)[:-_KEPT_PROJECTS]:
            self._projects.pop(project_id, None)

    # -- quota

    def get_quota(self, project_id: str) -> Amounts:
        return quota.get(self._call, project_id)

    def set_quota(self, project_id: str, limits: Amounts) -> None:
        quota.push(self._call, self._facts, project_id, limits)

    def zero_default_quotas(self) -> list[str]:
        return quota.zero_defaults(self._call, self._facts)

    def usage(self, project_id: str) -> Amounts:
        return quota.usage(self._call, project_id)

    def capacity(self) -> Mapping[Kind, Room]:
        return openstack_capacity.capacity(self._call)

    # -- what is on offer

    def list_flavors(self) -> list[Named]:
        return listing.flavors(self._call)

    def list_images(self) -> list[Named]:
        return listing.images(self._call)

    def list_volume_types(self) -> list[Named]:
        return listing.volume_types(self._call)

    def list_networks(self) -> list[Named]:
        return listing.networks(self._call)

    # -- everything there is

    def list_all_servers(self) -> list[Server]:
        return listing.servers(self._call, self._facts, _EVERYWHERE)

    def get_server(self, server_id: str) -> Server:
        return listing.server(self._call, self._facts, server_id)

    def list_all_volumes(self) -> list[Volume]:
        return listing.volumes(self._call, _EVERYWHERE)

    def list_all_ports(self) -> list[Port]:
        return listing.ports(self._call, {})


@dataclass
class _Held:
    """A connected cloud and what it was made from; made anew when that changes."""

    made_from: tuple[object, ...]
    cloud: OpenStackCloud


class OpenStackClouds:
    """Implements Clouds. Sites come from rows, or from `sites` (site id to entry of clouds.yaml).

    Connections are kept, and made anew when the entry, its file or the slots of the site changed.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store | None = None,
        sites: Mapping[str, str] | None = None,
        slots: int = 8,
    ) -> None:
        self._settings = settings
        self._store = store
        self._sites = dict(sites or {})
        self._default_slots = slots
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def at(self, site_id: str) -> Cloud:
        entry, slots = self._site(site_id)
        return self._connected(site_id, entry, slots)

    def entries(self) -> list[str]:
        """The names in clouds.yaml, for whoever connects a cloud of their own."""
        return entries(self._settings.clouds_file)

    def of_entry(self, entry: str) -> Cloud:
        """A cloud by its entry of clouds.yaml, before it is a site. Misconfigured says what is wrong."""
        return self._connected(f"entry {entry}", entry, self._default_slots)

    def close(self) -> None:
        with self._lock:
            held, self._held = self._held, {}
        for one in held.values():
            one.cloud.close()

    def _site(self, site_id: str) -> tuple[str, int]:
        if site_id in self._sites:
            return self._sites[site_id], self._default_slots
        if self._store is None:
            raise Misconfigured("clouds.yaml has no entry for site '{site}'", site=site_id)
        with self._store.read() as uow:
            site = uow.need(Site, site_id)
            return site.cloud, site.slots

    def _connected(self, name: str, entry: str, slots: int) -> Cloud:
        made_from = (entry, slots, *self._stamp())
        held = self._held.get(name)
        if held is not None and held.made_from == made_from:
            return held.cloud
        with self._lock:
            held = self._held.get(name)
            if held is None or held.made_from != made_from:
                region = region_of(entry, self._settings.clouds_file)
                site = name.removeprefix("entry ")
                line = Line(site, region, Slots(site, slots), self._settings.cloud_timeout_s)
                held = self._held[name] = _Held(made_from, OpenStackCloud(line))
            return held.cloud

    def _stamp(self) -> tuple[object, ...]:
        """What tells that clouds.yaml was changed: a rotated password must not need a restart."""
        path = self._settings.clouds_file
        if path is None:
            return ()
        stat = path.stat()
        return str(path), stat.st_mtime_ns, stat.st_ino
