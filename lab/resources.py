"""What an installation expects to find at a site: flavors, an image, volume types, networks."""

from typing import Any

from lab.credentials import SiteCredentials
from lab.keystone import connection
from lab.layout import Layout
from lab.sites import Site, zone_networks

_FLAVORS = {
    "gov.micro": (1, 256, 2),
    "gov.small": (1, 1024, 10),
    "gov.medium": (2, 4096, 20),
    "gov.large": (4, 8192, 40),
}
_VOLUME_TYPES = ("standard", "ssd")
IMAGE = "debian-12"
_IMAGE_BYTES = 4 << 20
EXTERNAL = "external"


def create(layout: Layout, plan: Site, secret: SiteCredentials) -> None:
    """Makes them, once; the site is ready. Finds what an earlier try has made."""
    stamp = layout.site(plan).stamp("resources")
    if stamp.exists():
        return
    with connection(plan, secret) as cloud:
        make_flavors(cloud.compute)
        _volume_types(cloud.block_storage)
        _image(cloud.image)
        _networks(cloud.network, plan)
        _unlimited_quota(cloud)
    stamp.touch()


def make_flavors(compute: Any) -> None:
    """Makes the flavors that are not there yet: vCPUs, MiB, GiB."""
    known = {flavor.name for flavor in compute.flavors()}
    for name, (vcpus, ram_mib, disk_gib) in _FLAVORS.items():
        if name not in known:
            compute.create_flavor(name=name, vcpus=vcpus, ram=ram_mib, disk=disk_gib)


def _volume_types(block_storage: Any) -> None:
    known = {kind.name for kind in block_storage.types()}
    for name in _VOLUME_TYPES:
        if name not in known:
            kind = block_storage.create_type(name=name)
            block_storage.update_type_extra_specs(kind, volume_backend_name="rbd")


def _image(image: Any) -> None:
    """An image that boots nothing, for guests that are rows; lab.guest_resources brings a real one."""
    found = image.find_image(IMAGE)
    if found is not None and found.status == "active":
        return
    if found is not None:
        image.delete_image(found)
    image.create_image(
        IMAGE, data=b"lab".ljust(_IMAGE_BYTES, b"\0"), disk_format="raw", container_format="bare",
        visibility="public", os_distro="debian", os_version="12", os_admin_user="debian",
        validate_checksum=False,
    )  # fmt: skip


def _networks(network: Any, plan: Site) -> None:
    known = {found.name: found for found in network.networks()}
    subnets = {subnet.name for subnet in network.subnets()}
    for zone in zone_networks(plan):
        made = known.get(zone.name) or network.create_network(name=zone.name, is_shared=True)
        for version, cidr in ((4, zone.cidr_v4), (6, zone.cidr_v6)):
            name = f"{zone.name}-v{version}"
            if name not in subnets:
                modes = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
                network.create_subnet(
                    network_id=made.id,
                    name=name,
                    ip_version=version,
                    cidr=cidr,
                    **(modes if version == 6 else {}),
                )
    external = known.get(EXTERNAL) or network.create_network(
        name=EXTERNAL,
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="external",
    )
    if f"{EXTERNAL}-v4" not in subnets:
        cidr = f"172.24.{plan.number}.0/24"
        network.create_subnet(
            network_id=external.id, name=f"{EXTERNAL}-v4", ip_version=4, cidr=cidr, is_dhcp_enabled=False
        )


def _unlimited_quota(cloud: Any) -> None:
    """Lifts the limits of the administrator's project; everybody else keeps OpenStack's defaults."""
    project = cloud.current_project_id
    compute = (
        "instances",
        "cores",
        "ram",
        "key_pairs",
        "server_groups",
        "server_group_members",
        "metadata_items",
    )
    volumes = (
        "volumes",
        "snapshots",
        "gigabytes",
        "backups",
        "backup_gigabytes",
        "groups",
        "per_volume_gigabytes",
    )
    networks = (
        "networks", "subnets", "ports", "routers", "floating_ips", "security_groups", "security_group_rules",
    )  # fmt: skip
    cloud.compute.update_quota_set(project, **dict.fromkeys(compute, -1))
    cloud.block_storage.update_quota_set(project, **dict.fromkeys(volumes, -1))
    cloud.network.update_quota(project, **dict.fromkeys(networks, -1))
