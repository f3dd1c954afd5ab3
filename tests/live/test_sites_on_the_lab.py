"""Connect, check, adopt and sync on the lab's real OpenStack."""

import contextlib
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml

from cloudctl.amounts import Amounts
from cloudctl.core import Core
from cloudctl.lifecycle import ResourceState as State
from cloudctl.models import Project, Resource
from cloudctl.ports import TAG_INSTALLATION
from cloudctl.store import UnitOfWork
from provisioning.adopt import adopt
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.sites import check, connect
from provisioning.sync import sync
from tenants import ledger
from tests.builders import a_province, an_actor

pytestmark = pytest.mark.lab

PATIENCE = 120


@pytest.fixture(scope="module")
def clouds_yaml() -> Path:
    path = Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "clouds.yaml"
    assert path.exists(), f"the lab is not up: {path} is missing"
    return path


@pytest.fixture(scope="module")
def admin(clouds_yaml: Path) -> Iterator[Any]:
    """The province as any other client sees it: openstacksdk as administrator."""
    config = openstack.config.OpenStackConfig(config_files=[str(clouds_yaml)], load_envvars=False)
    with contextlib.closing(openstack.connection.Connection(config=config.get_one("province"))) as made:
        yield made


@pytest.fixture
def undo() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def clouds(core: Core, clouds_yaml: Path) -> Iterator[OpenStackClouds]:
    a_province(core)
    made = OpenStackClouds(with_file(core, clouds_yaml), core.store)
    yield made
    made.close()


def with_file(core: Core, path: Path) -> Any:
    return type(core.settings)(home=core.settings.home, installation="adopting", clouds_yaml=str(path))


def an_entry(clouds_yaml: Path, path: Path, **changes: Any) -> Path:
    """A clouds.yaml with one entry `own`, made from the lab's province."""
    entry = yaml.safe_load(clouds_yaml.read_text())["clouds"]["province"]
    auth = {"auth_url": entry["auth"]["auth_url"], **changes.pop("auth")}
    path.write_text(yaml.safe_dump({"clouds": {"own": {**entry, **changes, "auth": auth}}}))
    return path


def missing(report: dict[str, Any]) -> set[str]:
    places = (problem["place"] for problem in report["problems"] if problem["code"] == "right_missing")
    return {place.removeprefix("right ") for place in places}


# -- check and connect


def keep_default_quotas(service: Any, undo: contextlib.ExitStack) -> None:
    """Others use the same lab: its default quotas are afterwards what they were."""
    path = "/os-quota-class-sets/default"
    limits = service.get(path).json()["quota_class_set"]
    limits.pop("id", None)
    undo.callback(service.put, path, json={"quota_class_set": limits})


def test_the_lab_fits_its_topology(
    core: Core, clouds: OpenStackClouds, admin: Any, undo: contextlib.ExitStack
) -> None:
    for service in (admin.compute, admin.block_storage):
        keep_default_quotas(service, undo)
    report = check(core, clouds, an_actor(core, "carol"), "province", zero_default_quotas=True)
    assert {one["name"] for one in report["services"] if one["is_ok"]} == {
        "identity", "compute", "block-storage", "network", "image",
    }  # fmt: skip
    assert report["missing_rights"] == []
    assert report["clock_ahead_s"] == 0.0
    assert (report["state"], report["problems"]) == ("ok", [])
    assert all(one["place"].startswith("default quota network:") for one in report["advice"])
    of_nova_and_cinder = {
        name: limit for name, limit in report["default_quotas"].items() if not name.startswith("network:")
    }
    assert set(of_nova_and_cinder.values()) == {0}


def test_an_application_credential_may_observe_and_not_manage(
    core: Core, clouds_yaml: Path, admin: Any, undo: contextlib.ExitStack, tmp_path: Path
) -> None:
    a_province(core)
    user = admin.current_user_id
    made = admin.identity.create_application_credential(user, f"observe-{uuid.uuid4().hex[:8]}")
    undo.callback(admin.identity.delete_application_credential, user, made)
    auth = {"application_credential_id": made.id, "application_credential_secret": made.secret}
    path = an_entry(clouds_yaml, tmp_path / "own.yaml", auth_type="v3applicationcredential", auth=auth)
    clouds = OpenStackClouds(with_file(core, path), core.store)
    undo.callback(clouds.close)
    assert clouds.entries() == ["own"]
    actor = an_actor(core, "dave")
    assert missing(connect(core, clouds, actor, cloud="own", mode="managed")) == {
        "identity:token_for_project"
    }
    observed = connect(core, clouds, actor, cloud="own", mode="observe")
    assert (observed["state"], observed["problems"]) == ("ok", [])


@pytest.mark.parametrize("role", ["reader", "member", "manager"])
def test_a_lesser_user_is_told_exactly_which_rights_are_missing(
    core: Core, clouds_yaml: Path, admin: Any, undo: contextlib.ExitStack, tmp_path: Path, role: str
) -> None:
    a_province(core)
    name, password = f"lesser-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    project = admin.identity.create_project(name=name, domain_id="default")
    undo.callback(admin.identity.delete_project, project)
    user = admin.identity.create_user(name=name, password=password, domain_id="default")
    undo.callback(admin.identity.delete_user, user)
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role(role))
    auth = {"username": name, "password": password, "project_id": project.id, "user_domain_name": "Default"}
    path = an_entry(clouds_yaml, tmp_path / "own.yaml", auth=auth)
    clouds = OpenStackClouds(with_file(core, path), core.store)
    undo.callback(clouds.close)
    found = missing(connect(core, clouds, an_actor(core, "dave"), cloud="own"))
    assert {"identity:list_projects", "compute:list_all_servers", "volume:list_all_volumes"} <= found
    assert {"identity:create_domain", "compute:update_quota", "network:update_quota"} <= found
    assert "compute:list_flavors" not in found


# -- adopt and sync


class Old:
    """A project that was there before cloudctl, made with the plain client."""

    def __init__(self, admin: Any, undo: contextlib.ExitStack) -> None:
        self.admin = admin
        self.name = f"old-{uuid.uuid4().hex[:8]}"
        self.project = admin.identity.create_project(name=self.name, domain_id="default")
        undo.callback(admin.identity.delete_project, self.project)
        role = admin.identity.find_role("member")
        admin.identity.assign_project_role_to_user(self.project, admin.current_user_id, role)
        admin.compute.update_quota_set(self.project.id, cores=9, ram=20480, instances=5)
        admin.block_storage.update_quota_set(self.project.id, volumes=9, gigabytes=99)
        admin.network.update_quota(self.project.id, ports=9, security_groups=5)
        self.cloud = admin.connect_as_project(self.project)
        undo.callback(self.clean)
        self.data = self.volume("data", 2, "ssd")
        network = admin.network.find_network("zone-dedicated")
        self.port = self.cloud.network.create_port(name=self.name, network_id=network.id)
        boot = self.volume("root", 10, "standard", admin.image.find_image("debian-12").id)
        disk = {"boot_index": 0, "uuid": boot.id, "source_type": "volume", "destination_type": "volume"}
        made = self.cloud.compute.create_server(
            name=self.name,
            flavor_id=admin.compute.find_flavor("gov.small").id,
            networks=[{"port": self.port.id}],
            block_device_mapping=[disk],
        )
        self.server = self.cloud.compute.wait_for_server(made, interval=0.5, wait=PATIENCE)
        self.cloud.compute.create_volume_attachment(self.server, volume_id=self.data.id)
        self.cloud.block_storage.wait_for_status(self.data, "in-use", ["error"], 0.5, PATIENCE)

    def volume(self, name: str, size: int, kind: str, image: str | None = None) -> Any:
        made = self.cloud.block_storage.create_volume(
            name=f"{self.name}-{name}", size=size, volume_type=kind, image_id=image
        )
        return self.cloud.block_storage.wait_for_status(made, "available", ["error"], 0.5, PATIENCE)

    def everything(self) -> dict[str, Any]:
        """All that the cloud says of the project, with every time of change."""
        project = self.project.id
        paths = {
            "servers": (self.admin.compute, f"/servers/detail?all_tenants=1&project_id={project}"),
            "volumes": (self.admin.block_storage, f"/volumes/detail?all_tenants=1&project_id={project}"),
            "ports": (self.admin.network, f"/ports?project_id={project}"),
            "groups": (self.admin.network, f"/security-groups?project_id={project}"),
            "nova": (self.admin.compute, f"/os-quota-sets/{project}"),
            "cinder": (self.admin.block_storage, f"/os-quota-sets/{project}"),
            "neutron": (self.admin.network, f"/quotas/{project}"),
            "project": (self.admin.identity, f"/projects/{project}"),
            "roles": (self.admin.identity, f"/role_assignments?scope.project.id={project}"),
        }
        return {name: in_order(service.get(path).json()) for name, (service, path) in paths.items()}

    def clean(self) -> None:
        compute, storage, network = self.cloud.compute, self.cloud.block_storage, self.cloud.network
        for server in list(compute.servers()):
            compute.delete_server(server)
            compute.wait_for_delete(server, 0.5, PATIENCE)
        for volume in list(storage.volumes()):
            until(lambda v=volume: storage.get_volume(v.id).status == "available")
            storage.delete_volume(volume)
            storage.wait_for_delete(volume, 0.5, PATIENCE)
        for port in list(network.ports(project_id=self.project.id)):
            network.delete_port(port)
        for group in list(self.admin.network.security_groups(project_id=self.project.id)):
            self.admin.network.delete_security_group(group)
        self.cloud.close()


def in_order(answer: Any) -> Any:
    """The same answer with every list sorted: the services give rules and the like in any order."""
    if isinstance(answer, dict):
        return {key: in_order(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return sorted((in_order(one) for one in answer), key=repr)
    return answer


def until(ask: Any) -> None:
    never = threading.Event()
    for _ in range(PATIENCE * 2):
        if ask():
            return
        never.wait(0.5)
    raise AssertionError("waited in vain")


def count(uow: UnitOfWork, project: Project, _more: Amounts) -> None:
    ledger.count_used(uow, project.id)


def test_adopting_changes_nothing_on_the_cloud_and_sync_then_finds_what_others_change(
    core: Core, clouds: OpenStackClouds, admin: Any, undo: contextlib.ExitStack
) -> None:
    old = Old(admin, undo)
    actor = an_actor(core, "carol")
    before = old.everything()
    assert before["servers"]["servers"][0]["updated"]
    assert before["volumes"]["volumes"][0]["updated_at"]
    assert before["ports"]["ports"][0]["revision_number"]
    key = adopt(core, clouds, actor, "province", old.name, "gx-finance-budget", "prod", count)
    assert old.everything() == before

    with core.store.read() as uow:
        project = uow.need(Project, key)
        assert (project.external_id, project.origin) == (old.project.id, "adopted")
        rows = uow.all(Resource, Resource.project_id == key)
        assert sorted(row.kind for row in rows) == ["port", "server", "volume", "volume"]
        assert {row.state for row in rows} == {State.ACTIVE}
        total = sum((Amounts(row.amounts) for row in rows), Amounts())
        assert total.as_json() == {
            "instances": 1, "vcpus": 1, "ram_mib": 1024, "volumes": 2, "volume_gib": 12, "ports": 1,
        }  # fmt: skip
        server = next(row for row in rows if row.kind == "server")
        assert len(server.spec["data"]) == 2
        assert server.external_id == old.server.id

    found = sync(core, clouds, actor, "province", count)
    news = ("missing", "drift", "orphaned", "quota_drift", "projects_gone")
    assert [found[name] for name in news] == [[]] * len(news)
    assert found["counts"]["ours"] == 4
    assert old.everything() == before

    old.cloud.compute.delete_volume_attachment(old.server, old.data.id)
    until(lambda: old.cloud.block_storage.get_volume(old.data.id).status == "available")
    old.cloud.block_storage.extend_volume(old.data, 3)
    until(lambda: old.cloud.block_storage.get_volume(old.data.id).size == 3)
    stray = old.cloud.block_storage.create_volume(
        name=f"{old.name}-stray", size=1, metadata={TAG_INSTALLATION: core.settings.installation}
    )
    admin.compute.update_quota_set(old.project.id, cores=11)
    old.cloud.compute.delete_server(old.server)
    until(lambda: not old.everything()["servers"]["servers"])  # a deleted one is listed a moment longer
    until(lambda: old.cloud.block_storage.get_volume(stray.id).status == "available")
    after = old.everything()
    found = sync(core, clouds, actor, "province", count)
    assert [row["kind"] for row in found["missing"]] == ["server"]
    assert [(row["what"], row["was"], row["is_now"]) for row in found["drift"]] == [("size_gib", 2, 3)]
    assert [row["external_id"] for row in found["orphaned"]] == [stray.id]
    assert [(row["kind"], row["pushed"], row["is_now"]) for row in found["quota_drift"]] == [("vcpus", 9, 11)]
    assert old.everything() == after
