"""The way from the machine to the guests: the site's cable, then a router of Neutron."""

from lab.commands import run
from lab.errors import LabError
from lab.layout import Layout
from lab.processes import wait_until
from lab.sites import Site, external_network, zone_networks

_BRIDGE = "br-ex"


def open_way(layout: Layout, plan: Site) -> None:
    """Makes the site's end of the external network and the routes on both ends of the cable; repeatable."""
    log, external = layout.site(plan).setup_log, external_network(plan)
    inside = ["ip", "-n", plan.namespace]
    if not wait_until(lambda: _BRIDGE in run([*inside, "-o", "link"], log=log), timeout_s=30):
        raise LabError(f"{plan.name} has no {_BRIDGE}; log: {layout.site(plan).log}/ovs-vswitchd.log")
    run([*inside, "address", "replace", f"{external.gateway}/24", "dev", _BRIDGE], log=log)
    run([*inside, "link", "set", _BRIDGE, "up"], log=log)
    for zone in zone_networks(plan):
        run([*inside, "route", "replace", zone.cidr_v4, "via", external.router], log=log)
    run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"], log=log, namespace=plan.namespace)
    add_routes(layout, plan)


def add_routes(layout: Layout, plan: Site) -> None:
    """The machine's own routes, which it forgets whenever the cable is cut."""
    for cidr in (external_network(plan).cidr, *(zone.cidr_v4 for zone in zone_networks(plan))):
        run(["ip", "route", "replace", cidr, "via", plan.address], log=layout.log / "setup.log")
