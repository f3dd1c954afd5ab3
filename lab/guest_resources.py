"""What a site with real guests has besides the rest: an image that boots, a way into the zone networks."""

from typing import Any

from lab import guest_image, resources
from lab.credentials import SiteCredentials
from lab.keystone import connection
from lab.layout import Layout
from lab.resources import EXTERNAL, IMAGE
from lab.sites import Site, external_network, zone_networks

_ROUTER = "zones"


def create(layout: Layout, plan: Site, secret: SiteCredentials) -> None:
    """Makes them, once per recipe of the image; the site's APIs answer and the image is built."""
    stamp = layout.site(plan).stamp(f"guests-{guest_image.digest()}")
    if stamp.exists():
        return
    with connection(plan, secret) as cloud:
        resources.make_flavors(cloud.compute)
        _image(cloud, layout)
        _router(cloud.network, plan)
    stamp.touch()


def _image(cloud: Any, layout: Layout) -> None:
    """The image under the catalogue's name; an older one is put aside, since volumes may hang on it."""
    recipe = guest_image.digest()
    for found in list(cloud.image.images(name=IMAGE)):
        if found.properties.get("lab_recipe") == recipe and found.status == "active":
            return
        cloud.image.update_image(found, name=f"{IMAGE}-before-{found.id[:8]}", is_hidden=True)
    cloud.image.create_image(
        IMAGE, filename=str(guest_image.path(layout)), disk_format="raw", container_format="bare",
        visibility="public", min_disk=1, min_ram=128, validate_checksum=False, lab_recipe=recipe,
        os_distro="debian", os_version="12", os_admin_user="debian",
        hw_disk_bus="virtio", hw_vif_model="virtio", hw_rng_model="virtio",
    )  # fmt: skip


def _router(network: Any, plan: Site) -> None:
    """A router without address translation: a guest is reached under the address the network gave it."""
    external = network.find_network(EXTERNAL, ignore_missing=False)
    router = network.find_router(_ROUTER) or network.create_router(
        name=_ROUTER,
        external_gateway_info={
            "network_id": external.id,
            "enable_snat": False,
            "external_fixed_ips": [{"ip_address": external_network(plan).router}],
        },
    )
    joined = {
        address["subnet_id"] for port in network.ports(device_id=router.id) for address in port.fixed_ips
    }
    for zone in zone_networks(plan):
        subnet = network.find_subnet(f"{zone.name}-v4", ignore_missing=False)
        if subnet.id not in joined:
            network.add_interface_to_router(router, subnet_id=subnet.id)
