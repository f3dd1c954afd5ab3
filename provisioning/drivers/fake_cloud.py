"""A cloud in memory: the states, refusals and quotas of the real one, and hooks to break it at any call.

For tests, and for trying cloudctl without a cloud. It passes the contract suite that the real driver passes.

    cloud = FakeCloud("province", clock)                 # with the catalogue and networks of the examples
    cloud.state.before = hook                            # called with a Call; may raise anything
    cloud.fail("create_server", nth=2, error=CloudUnavailable("500"))        # nothing happened there
    cloud.fail("create_volume", nth=1, error=..., is_after=True)             # done, and the answer was lost
    cloud.break_server("gx-finance-budget-r1-vm1")       # goes to ERROR
    cloud.count("create_server")
"""

from collections.abc import Iterable, Mapping

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import CloudConflict, CloudctlError, CloudForbidden, CloudNotFound, Misconfigured
from cloudctl.ports import (
    Cloud,
    CloudInProject,
    CloudProject,
    Inspection,
    Named,
    ObjectStore,
    Port,
    Right,
    Room,
    Server,
    ServiceState,
    Volume,
)
from provisioning.drivers.fake_backups import FakeCloudBackups
from provisioning.drivers.fake_bucket import FakeBucket
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_cinder import FakeCinder
from provisioning.drivers.fake_objects import NATIVE_BUCKET, FakeObjectStore
from provisioning.drivers.fake_project import FakeProject
from provisioning.drivers.fake_state import FakeState, Pace, PlannedFailure

RIGHTS: tuple[tuple[str, str, str], ...] = (
    ("identity:list_projects", "to find and bind projects", "observe"),
    ("compute:list_all_servers", "to see what exists", "observe"),
    ("volume:list_all_volumes", "to see what exists", "observe"),
    ("network:list_all_ports", "to see what exists", "observe"),
    ("identity:create_project", "to make projects", "manage"),
    ("identity:create_grant", "to work inside projects", "manage"),
    ("compute:update_quota", "to push quotas", "manage"),
    ("volume:update_quota", "to push quotas", "manage"),
    ("network:update_quota", "to push quotas", "manage"),
    ("backup:export-import", "to make the backups of one site known at another", "backup"),
    ("volume_extension:volume_manage", "to make a replicated volume one of the recovery site", "recover"),
)
_FLAVORS = {"gov.small": (1, 1024), "gov.medium": (2, 4096), "gov.large": (4, 8192)}
_ZONES = ("public", "dedicated", "internet")


class FakeCloud(FakeCloudBackups):
    """Implements Cloud. `state` is open to tests: what is there, hooks, pace, counts.

    `native` is the bucket of its cinder-backup (one of its own by default); `layout` its sizes.
    """

    def __init__(
        self,
        site: str = "province",
        clock: Clock | None = None,
        *,
        split_tagging: bool = False,
        pace: Pace = Pace(),  # noqa: B008  # frozen
        site_number: int = 1,
        native: ObjectStore | None = None,
        layout: Layout = Layout(),  # noqa: B008  # frozen
    ) -> None:
        self.site = site
        clock = clock or SystemClock()
        native = native or FakeObjectStore(FakeBucket(NATIVE_BUCKET, clock, is_versioned=False))
        self.state = FakeState(site, FakeCinder(native, layout), clock, pace, split_tagging)
        self._offer(site_number)

    def _offer(self, site_number: int) -> None:
        state = self.state
        for name, (vcpus, ram_mib) in _FLAVORS.items():
            flavor = Named(state.new_id("flavor"), name, {"vcpus": vcpus, "ram_mib": ram_mib, "disk_gib": 0})
            state.flavors[flavor.id] = flavor
        self.add_image("debian-12")
        for name in ("standard", "ssd"):
            self.add_volume_type(name)
        for n, zone in enumerate(_ZONES):
            subnets = [f"10.{19 + site_number}.{16 * n}.0/20", f"fd00:{site_number}:{n + 1}::/64"]
            network = Named(state.new_id("network"), f"zone-{zone}", {"subnets": subnets, "is_shared": True})
            state.networks[network.id] = network
        self.create_domain("Default", "")

    # -- for tests

    def add_volume_type(self, name: str, backend: str = "volumes", *, is_replicated: bool = False) -> None:
        """Of a backend; the storage copies volumes of a replicated one to the other site."""
        details = {"backend": backend, "is_replicated": is_replicated}
        found = Named(self.state.new_id("type"), name, details)
        self.state.volume_types[found.id] = found

    def add_image(self, name: str, min_disk_gib: int = 10) -> str:
        image = Named(self.state.new_id("image"), name, {"min_disk_gib": min_disk_gib, "status": "active"})
        self.state.images[image.id] = image
        return image.id

    def remove_image(self, name: str) -> None:
        """The image is deleted by somebody; volumes that are being copied from it end in error."""
        for image in [image for image in self.state.images.values() if image.name == name]:
            del self.state.images[image.id]

    def break_server(self, name: str, times: int = 1) -> None:
        """Servers made with that name go to ERROR, so often."""
        self.state.broken_servers[name] += times

    def fail(
        self, name: str, nth: int, error: CloudctlError, *, is_after: bool = False, times: int = 1
    ) -> None:
        """The nth call of that name from now on (and times-1 more) raises `error`."""
        self.state.failures.append(PlannedFailure(name, nth, error, is_after, times))

    def count(self, name: str | None = None) -> int:
        """Calls so far, all or of one name."""
        return sum(name in (None, call.name) for call in self.state.calls)

    def counts(self) -> dict[str, int]:
        names = [call.name for call in self.state.calls]
        return {name: names.count(name) for name in sorted(set(names))}

    # -- identity

    def rights(self) -> list[Right]:
        with self.state.call("rights"):
            missing = self.state.missing_rights
            return [Right(name, why, name not in missing, needed) for name, why, needed in RIGHTS]

    def inspect(self) -> Inspection:
        with self.state.call("inspect"):
            services = ("identity", "compute", "block-storage", "network", "image")
            defaults = {f"fake:{kind.value}": n for kind, n in self.state.default_quota.items()}
            states = tuple(ServiceState(name, True) for name in services)
            return Inspection("cloudctl", ("admin",), states, 0.0, defaults)

    def api_addresses(self) -> list[str]:
        with self.state.call("api_addresses"):
            return list(self.state.api_addresses)

    def find_domain(self, name: str) -> Named | None:
        with self.state.call("find_domain", subject=name):
            return next((d for d in self.state.domains.values() if d.name == name), None)

    def create_domain(self, name: str, description: str) -> Named:
        with self.state.call("create_domain", subject=name):
            if any(domain.name == name for domain in self.state.domains.values()):
                raise CloudConflict("domain '{name}' exists", name=name, cloud_request_id=self._req())
            domain = Named(self.state.new_id("domain").replace("-", ""), name, {"description": description})
            self.state.domains[domain.id] = domain
            return domain

    def list_projects(self, domain_id: str | None = None) -> list[CloudProject]:
        with self.state.call("list_projects", subject=domain_id or ""):
            return [p for p in self.state.projects.values() if domain_id in (None, p.domain_id)]

    def get_project(self, project_id: str) -> CloudProject:
        with self.state.call("get_project", project_id):
            return self._project(project_id)

    def create_project(
        self, domain_id: str, name: str, description: str, tags: Iterable[str]
    ) -> CloudProject:
        with self.state.call("create_project", subject=name):
            if "identity:create_project" in self.state.missing_rights:
                raise CloudForbidden("not allowed: create_project", cloud_request_id=self._req())
            if any(p.name == name and p.domain_id == domain_id for p in self.state.projects.values()):
                raise CloudConflict(
                    "the domain has a project '{name}'", name=name, cloud_request_id=self._req()
                )
            project_id = self.state.new_id("project").replace("-", "")
            project = CloudProject(project_id, name, domain_id, frozenset(tags))
            self.state.projects[project.id] = project
            return project

    def delete_project(self, project_id: str) -> None:
        with self.state.call("delete_project", project_id):
            self.state.projects.pop(project_id, None)
            self.state.quotas.pop(project_id, None)
            self.state.access.discard(project_id)

    def ensure_own_access(self, project_id: str) -> None:
        with self.state.call("ensure_own_access", project_id):
            self.state.access.add(self._project(project_id).id)

    def in_project(self, project_id: str) -> CloudInProject:
        return FakeProject(self.state, project_id)

    # -- quota

    def get_quota(self, project_id: str) -> Amounts:
        with self.state.call("get_quota", project_id):
            self._project(project_id)
            return self.state.quotas.get(project_id, self.state.default_quota)

    def set_quota(self, project_id: str, limits: Amounts) -> None:
        with self.state.call("set_quota", project_id):
            self._project(project_id)
            self.state.quotas[project_id] = limits

    def zero_default_quotas(self) -> list[str]:
        with self.state.call("zero_default_quotas"):
            self.state.default_quota = Amounts()
            return []

    def usage(self, project_id: str) -> Amounts:
        with self.state.call("usage", project_id):
            self._project(project_id)
            return self.state.used(project_id)

    def capacity(self) -> Mapping[Kind, Room]:
        with self.state.call("capacity"):
            used = [self.state.used(project_id) for project_id in self.state.projects]
            return {
                kind: Room(total, sum(one[kind] for one in used))
                for kind, total in self.state.capacity.items()
            }

    # -- what is on offer

    def list_flavors(self) -> list[Named]:
        with self.state.call("list_flavors"):
            return list(self.state.flavors.values())

    def list_images(self) -> list[Named]:
        with self.state.call("list_images"):
            return list(self.state.images.values())

    def list_volume_types(self) -> list[Named]:
        with self.state.call("list_volume_types"):
            return list(self.state.volume_types.values())

    def list_networks(self) -> list[Named]:
        with self.state.call("list_networks"):
            return list(self.state.networks.values())

    # -- everything there is

    def list_all_servers(self) -> list[Server]:
        with self.state.call("list_all_servers"):
            self.state.move(list(self.state.servers))
            return list(self.state.servers.values())

    def get_server(self, server_id: str) -> Server:
        with self.state.call("get_server", server_id):
            self.state.move([server_id])
            found = self.state.servers.get(server_id)
            if found is None:
                raise CloudNotFound("server {id} not found", id=server_id, cloud_request_id=self._req())
            return found

    def list_all_volumes(self) -> list[Volume]:
        with self.state.call("list_all_volumes"):
            self.state.move(list(self.state.volumes))
            return list(self.state.volumes.values())

    def list_all_ports(self) -> list[Port]:
        with self.state.call("list_all_ports"):
            return list(self.state.ports.values())

    # -- the pieces

    def _req(self) -> str:
        return self.state.request_id()

    def _project(self, project_id: str) -> CloudProject:
        project = self.state.projects.get(project_id)
        if project is None:
            raise CloudNotFound("project {id} not found", id=project_id, cloud_request_id=self._req())
        return project


class FakeClouds:
    """Implements Clouds over fakes."""

    def __init__(self, clouds: Mapping[str, Cloud]) -> None:
        self._clouds = dict(clouds)

    def at(self, site_id: str) -> Cloud:
        cloud = self._clouds.get(site_id)
        if cloud is None:
            raise Misconfigured("clouds.yaml has no entry for site '{site}'", site=site_id)
        return cloud

    def entries(self) -> list[str]:
        return sorted(self._clouds)

    def of_entry(self, entry: str) -> Cloud:
        return self.at(entry)
