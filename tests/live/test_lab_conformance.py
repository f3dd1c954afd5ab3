"""The lab is OpenStack: the plain client, openstacksdk and boto3 do the whole life of a project on it."""

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import openstack
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.lab

PROVINCE, CITY = "province", "city-1"


@pytest.fixture(scope="module")
def clouds_yaml() -> Path:
    path = Path(os.environ["CLOUDCTL_HOME"]) / "lab" / "clouds.yaml"
    assert path.exists(), f"the lab is not up: {path} is missing"
    return path


@pytest.fixture(scope="module")
def clouds(clouds_yaml: Path) -> Iterator[dict[str, Any]]:
    """Both clouds as their administrator, read from the clouds.yaml that the lab has written."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(contextlib.closing(_connect(clouds_yaml, name)))
            for name in (PROVINCE, CITY)
        }


@pytest.fixture
def tag() -> str:
    return f"conformance-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("name", [PROVINCE, CITY])
def test_each_site_has_every_service_of_its_own(clouds: dict[str, Any], name: str) -> None:
    cloud = clouds[name]
    kinds = {service.type for service in cloud.identity.services()}
    assert kinds >= {"identity", "compute", "image", "placement", "network", "block-storage", "object-store"}
    assert {s.binary: s.state for s in cloud.compute.services()} == dict.fromkeys(
        ("nova-conductor", "nova-scheduler", "nova-compute"), "up"
    )
    assert {s.binary: s.state for s in cloud.block_storage.services()} == dict.fromkeys(
        ("cinder-scheduler", "cinder-volume", "cinder-backup"), "up"
    )
    agents = list(cloud.network.agents())
    assert agents and all(agent.is_alive for agent in agents)


def test_the_sites_know_nothing_of_each_other(clouds: dict[str, Any], tag: str) -> None:
    province, city = clouds[PROVINCE].identity, clouds[CITY].identity
    project = province.create_project(name=tag, domain_id="default")
    try:
        assert city.find_project(tag) is None
    finally:
        province.delete_project(project)


@pytest.mark.parametrize("name", [PROVINCE, CITY])
def test_what_an_installation_expects_is_there(clouds: dict[str, Any], name: str) -> None:
    cloud = clouds[name]
    flavors = {f.name: (f.vcpus, f.ram, f.disk) for f in cloud.compute.flavors()}
    assert flavors["gov.small"] == (1, 1024, 10)
    assert flavors["gov.medium"] == (2, 4096, 20)
    assert flavors["gov.large"] == (4, 8192, 40)
    assert cloud.image.find_image("debian-12").status == "active"
    assert {kind.name for kind in cloud.block_storage.types()} >= {"standard", "ssd"}
    for zone in ("zone-public", "zone-dedicated", "zone-internet"):
        network = cloud.network.find_network(zone)
        versions = sorted(cloud.network.get_subnet(subnet).ip_version for subnet in network.subnet_ids)
        assert (network.is_shared, versions) == (True, [4, 6])


def test_the_sdk_does_the_whole_life_of_a_project(  # noqa: PLR0915  # one life, one story
    clouds: dict[str, Any], tag: str
) -> None:
    admin = clouds[PROVINCE]
    with contextlib.ExitStack() as undo:
        project = admin.identity.create_project(name=tag, domain_id="default")
        undo.callback(admin.identity.delete_project, project)
        password = uuid.uuid4().hex
        user = admin.identity.create_user(name=tag, password=password, domain_id="default")
        undo.callback(admin.identity.delete_user, user)
        admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("member"))
        admin.compute.update_quota_set(project.id, cores=4, ram=8192, instances=2)
        room = {"volumes": 9, "gigabytes": 99, "snapshots": 9, "backups": 9, "backup_gigabytes": 99}
        admin.block_storage.update_quota_set(project.id, **room)  # the site's defaults may be zero
        cloud = undo.enter_context(contextlib.closing(admin.connect_as(
            username=tag, password=password, project_id=project.id, user_domain_id="default"
        )))  # fmt: skip

        group = cloud.network.create_security_group(name=tag)
        undo.callback(_retried, cloud.network.delete_security_group, group)
        cloud.network.create_security_group_rule(
            security_group_id=group.id,
            direction="ingress",
            protocol="tcp",
            port_range_min=22,
            port_range_max=22,
        )
        network = cloud.network.create_network(name=tag)
        undo.callback(cloud.network.delete_network, network)
        subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="192.168.77.0/24")
        router = cloud.network.create_router(
            name=tag, external_gateway_info={"network_id": cloud.network.find_network("external").id}
        )
        undo.callback(cloud.network.delete_router, router)
        cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
        undo.callback(cloud.network.remove_interface_from_router, router, subnet_id=subnet.id)
        port = cloud.network.create_port(network_id=network.id, security_group_ids=[group.id])
        undo.callback(cloud.network.delete_port, port)
        address = cloud.network.create_ip(
            floating_network_id=cloud.network.find_network("external").id, port_id=port.id
        )
        undo.callback(cloud.network.delete_ip, address)

        image = cloud.image.find_image("debian-12")
        flavor = cloud.compute.find_flavor("gov.small")
        server = cloud.compute.create_server(
            name=tag, image_id=image.id, flavor_id=flavor.id, networks=[{"port": port.id}]
        )
        undo.callback(_delete_server, cloud, server)
        server = cloud.compute.wait_for_server(server, interval=0.3, wait=60)
        assert address.floating_ip_address in str(cloud.compute.get_server(server.id).addresses)
        assert admin.network.get_port(port.id).binding_vif_type == "ovs"
        over_quota = pytest.raises(openstack.exceptions.HttpException, match="Quota exceeded")
        with over_quota:
            cloud.compute.create_server(
                name=tag,
                image_id=image.id,
                flavor_id=cloud.compute.find_flavor("gov.large").id,
                networks="none",
            )

        volume = cloud.block_storage.create_volume(name=tag, size=1, image_id=image.id)
        undo.callback(_delete_volume, cloud, volume)
        _reach(cloud, volume, "available")
        cloud.compute.create_volume_attachment(server, volume_id=volume.id)
        _reach(cloud, volume, "in-use")
        snapshot = cloud.block_storage.create_snapshot(name=tag, volume_id=volume.id, is_forced=True)
        cloud.block_storage.wait_for_status(snapshot, "available", ["error"], 0.3, 60)
        cloud.block_storage.delete_snapshot(snapshot)
        cloud.block_storage.wait_for_delete(snapshot, 0.3, 60)
        cloud.compute.stop_server(server)
        cloud.compute.wait_for_server(server, "SHUTOFF", interval=0.3, wait=60)
        cloud.compute.delete_volume_attachment(server, volume.id)
        _reach(cloud, volume, "available")
        usage = cloud.compute.get_limits().absolute
        assert (usage.instances_used, usage.total_cores_used) == (1, 1)


def test_a_backup_goes_to_the_sites_own_object_store_and_comes_back(clouds: dict[str, Any], tag: str) -> None:
    cinder = clouds[PROVINCE].block_storage
    with contextlib.ExitStack() as undo:
        volume = cinder.create_volume(name=tag, size=1)
        undo.callback(_delete_volume, clouds[PROVINCE], volume)
        _reach(clouds[PROVINCE], volume, "available")
        backup = cinder.create_backup(name=tag, volume_id=volume.id)
        undo.callback(cinder.delete_backup, backup, ignore_missing=True)
        cinder.wait_for_status(backup, "available", ["error"], 0.5, 60)
        record = cinder.get(f"/backups/{backup.id}/export_record").json()["backup-record"]
        assert record["backup_service"].endswith("S3BackupDriver")
        asked = cinder.post(f"/backups/{backup.id}/restore", json={"restore": {"name": tag}})
        restored = cinder.get_volume(asked.json()["restore"]["volume_id"])
        undo.callback(_delete_volume, clouds[PROVINCE], restored)
        _reach(clouds[PROVINCE], restored, "available", wait_s=60)


def test_terabytes_of_thin_volumes_fit(clouds: dict[str, Any], tag: str) -> None:
    cloud = clouds[CITY]
    with contextlib.ExitStack() as undo:
        volumes = [cloud.block_storage.create_volume(name=tag, size=10 * 1024) for _ in range(2)]
        for volume in volumes:
            undo.callback(_delete_volume, cloud, volume)
        for volume in volumes:
            _reach(cloud, volume, "available")


def test_the_plain_client_works(clouds_yaml: Path, tag: str) -> None:
    def client(*argv: str) -> Any:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "openstack"), *argv, "-f", "json"],
            env={"PATH": os.environ["PATH"], "OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "OS_CLOUD": CITY},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    server = client(
        "server",
        "create",
        tag,
        "--image",
        "debian-12",
        "--flavor",
        "gov.small",
        "--network",
        "zone-public",
        "--wait",
    )
    assert server["status"] == "ACTIVE"
    volume = client("volume", "create", tag, "--size", "1")
    assert client("server", "add", "volume", server["id"], volume["id"])["Volume ID"] == volume["id"]
    assert tag in {row["Name"] for row in client("server", "list")}
    subprocess.run(
        [str(Path(sys.executable).parent / "openstack"), "server", "delete", "--wait", server["id"]],
        env={"PATH": os.environ["PATH"], "OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "OS_CLOUD": CITY},
        check=True,
    )  # fmt: skip
    with contextlib.closing(_connect(clouds_yaml, CITY)) as cloud:
        _delete_volume(cloud, cloud.block_storage.get_volume(volume["id"]))


def test_object_lock_keeps_what_it_locks(clouds: dict[str, Any], tag: str) -> None:
    cloud = clouds[CITY]
    path = f"/users/{cloud.current_user_id}/credentials/OS-EC2"
    key = cloud.identity.post(path, json={"tenant_id": cloud.current_project_id}).json()["credential"]
    s3 = boto3.client(
        "s3", endpoint_url=cloud.session.get_endpoint(service_type="s3", interface="public"),
        aws_access_key_id=key["access"], aws_secret_access_key=key["secret"], region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )  # fmt: skip
    s3.create_bucket(Bucket=tag, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(minutes=1)
    version = s3.put_object(
        Bucket=tag,
        Key="record",
        Body=b"evidence",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
    )["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=tag, Key="record", VersionId=version)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object_retention(
            Bucket=tag, Key="record", VersionId=version,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(seconds=50)},
        )  # fmt: skip
    assert s3.get_object(Bucket=tag, Key="record", VersionId=version)["Body"].read() == b"evidence"


def _connect(clouds_yaml: Path, name: str) -> Any:
    config = openstack.config.OpenStackConfig(config_files=[str(clouds_yaml)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(name))


def _reach(cloud: Any, volume: Any, status: str, wait_s: int = 60) -> None:
    cloud.block_storage.wait_for_status(volume, status, ["error", "error_restoring"], 0.3, wait_s)


def _delete_volume(cloud: Any, volume: Any) -> None:
    _reach(cloud, volume, "available")
    cloud.block_storage.delete_volume(volume)
    cloud.block_storage.wait_for_delete(volume, 0.3, 60)


def _delete_server(cloud: Any, server: Any) -> None:
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, 0.3, 60)


def _retried(delete: Any, what: Any) -> None:
    """Neutron frees a security group a moment after its last port has gone."""
    with contextlib.suppress(openstack.exceptions.ConflictException):
        delete(what)
        return
    delete(what)
