"""The plan of `up`: what has to be done before what, for all sites at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lab import (
    ceph,
    databases,
    environment,
    extra_steps,
    extras,
    guest_image,
    keystone,
    machines,
    mirroring,
    namespaces,
    ovn,
    packages,
    readiness,
    rendering,
    resources,
    vaults,
)
from lab.compute import Compute
from lab.credentials import Credentials, write_private
from lab.daemons import Daemons
from lab.layout import Layout
from lab.sites import Site
from lab.steps import Step


@dataclass(frozen=True)
class Blueprint:
    """What a lab is made from."""

    layout: Layout
    sites: tuple[Site, ...]
    credentials: Credentials
    compute: Compute
    extras: tuple[str, ...] = ()

    def values(self, plan: Site) -> dict[str, str]:
        return rendering.site_values(self.layout, plan, self.credentials.of(plan), self.compute)


def render(blueprint: Blueprint) -> None:
    """Writes every configuration file, clouds.yaml and stores.yaml."""
    values = [blueprint.values(plan) for plan in blueprint.sites]
    for plan, site_values in zip(blueprint.sites, values, strict=True):
        rendering.render_site(blueprint.layout, plan, site_values)
    rendering.render_sudo(blueprint.layout)
    write_private(blueprint.layout.clouds_yaml, rendering.render_clouds(values))
    write_private(blueprint.layout.stores_yaml, rendering.render_stores(values))


def machine_steps(blueprint: Blueprint) -> list[Step]:
    """What the machine must have; on a machine that has it these cost nothing."""
    layout = blueprint.layout
    log = layout.log / "setup.log"
    wanted = packages.missing(
        (*packages.PACKAGES, *blueprint.compute.packages, *extras.packages(blueprint.extras))
    )
    current = environment.is_current(layout)

    def finish_environment() -> None:
        if not current:
            environment.finish(layout)
        blueprint.compute.install(layout)
        if "replication" in blueprint.extras:
            mirroring.install_driver(layout)

    steps = [
        Step("packages", partial(packages.install, wanted, log) if wanted else _nothing),
        Step("download", _nothing if current else partial(environment.create, layout, log)),
        Step("environment", finish_environment, ("packages", "download")),
    ]
    if blueprint.compute.is_real:
        steps.append(Step(machines.IMAGE, partial(guest_image.build, layout, log), ("packages",)))
    return steps


def site_steps(blueprint: Blueprint, plan: Site) -> list[Step]:
    """The steps of one site; names carry the site's."""
    layout, secret = blueprint.layout, blueprint.credentials.of(plan)
    site, daemons = layout.site(plan), Daemons(blueprint.layout, plan)
    is_real = blueprint.compute.is_real
    before_guests, before_ready = (machines.BEFORE_GUESTS, machines.BEFORE_READY) if is_real else ((), ())
    steps = machines.site_steps(layout, plan, secret) if is_real else []

    def add(name: str, run: Callable[[], object], *needs: str) -> None:
        named = tuple(need if need in _SHARED or "/" in need else f"{plan.name}/{need}" for need in needs)
        steps.append(Step(f"{plan.name}/{name}", run, named))

    def database() -> None:
        databases.create_data_directory(site)
        daemons.start("mariadb")
        databases.create_users(site, secret.passwords["database"])

    def network() -> None:
        ovn.create_databases(site)
        daemons.start("ovn-nb", "ovn-sb", "ovs-db")
        ovn.configure(plan, site)
        daemons.start_layer("network")

    def storage() -> None:
        ceph.create_monitor(layout, plan)
        ceph.publish_keyring(plan, site)
        daemons.start("ceph-mon")
        ceph.wait_for_monitor(site)
        daemons.start("ceph-mgr")
        ceph.create_osd(layout, plan)
        daemons.start("ceph-osd")
        ceph.wait_for_osd(site)
        ceph.create_pools(layout, plan)
        if "replication" in blueprint.extras and mirroring.is_partner(plan):
            mirroring.create_pool(layout, plan)  # Cinder must find it

    def identity() -> None:
        keystone.create_keys(site)
        keystone.bootstrap(layout, plan, secret)
        daemons.start("keystone")
        keystone.register(layout, plan, secret)

    add("cable", partial(namespaces.create, plan, site.setup_log), "packages")
    add("database", database, "cable")
    add("messages", partial(daemons.start, "epmd", "rabbitmq"), "cable")
    add("cache", partial(daemons.start_layer, "cache"), "cable")
    add("network", network, "cable")
    add("storage", storage, "cable")
    for group in databases.GROUPS:
        add(
            f"tables-{group.name}",
            partial(databases.load, layout, plan, group),
            "database",
            f"template/{group.name}",
        )
    add("identity", identity, "environment", "tables-keystone", "cache")
    add("objects", partial(daemons.start, "radosgw"), "storage")
    add("vault", partial(vaults.create, layout, plan, secret), "objects", "identity")
    add(
        "control", partial(daemons.start_layer, "control"),
        "identity", "messages", "network", "storage", *(f"tables-{group.name}" for group in databases.GROUPS),
    )  # fmt: skip
    # Started beside the conductor, nova-compute calls it too early, and then waits 10 s for the lost answer.
    add("guests", partial(daemons.start_layer, "guests"), "control", *before_guests)
    add("resources", partial(resources.create, layout, plan, secret), "control")
    add(
        "ready", partial(readiness.wait_until_ready, layout, plan, secret),
        "resources", "guests", "vault", *before_ready,
    )  # fmt: skip
    return steps


def template_steps(blueprint: Blueprint, builder: Site) -> list[Step]:
    """The migrations, done at one site only and skipped when the lab has kept their result."""
    return [
        Step(
            f"template/{group.name}",
            partial(databases.build_template, blueprint.layout, builder, group),
            ("environment", f"{builder.name}/database"),
        )
        for group in databases.GROUPS
    ]


def all_steps(blueprint: Blueprint, sites: Sequence[Site]) -> list[Step]:
    """Everything that brings these sites to work; the third place may be among them."""
    clouds = [plan for plan in sites if plan.is_cloud]
    steps = [*machine_steps(blueprint), *(template_steps(blueprint, clouds[0]) if clouds else ())]
    for plan in clouds:
        steps.extend(site_steps(blueprint, plan))
    return [*steps, *extra_steps.steps(blueprint.layout, sites, blueprint.extras)]


_SHARED = ("packages", "environment")


def _nothing() -> None:
    """A step that has nothing left to do."""
