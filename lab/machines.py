"""The steps a site has more when its guests are real machines."""

from functools import partial

from lab import guest_resources, hypervisor, reach
from lab.credentials import SiteCredentials
from lab.daemons import Daemons
from lab.layout import Layout
from lab.sites import Site
from lab.steps import Step

#: What must be there before Nova may run guests, and what belongs to a site that is ready.
BEFORE_GUESTS = ("machines", "way")
BEFORE_READY = ("guest-resources",)
#: The step that all sites share.
IMAGE = "guest-image"


def site_steps(layout: Layout, plan: Site, secret: SiteCredentials) -> list[Step]:
    """libvirt, the way to the guests, and what they are made from; names carry the site's."""
    site, daemons = layout.site(plan), Daemons(layout, plan)

    def libvirt() -> None:
        hypervisor.write_secret(plan, site)
        daemons.start("libvirtd")

    resources = partial(guest_resources.create, layout, plan, secret)
    return [
        Step(f"{plan.name}/machines", libvirt, (f"{plan.name}/storage",)),
        Step(f"{plan.name}/way", partial(reach.open_way, layout, plan), (f"{plan.name}/network",)),
        Step(f"{plan.name}/guest-resources", resources, (f"{plan.name}/resources", IMAGE)),
    ]
