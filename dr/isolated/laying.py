"""Makes what a plan says inside a project of its own: looked for by name first, so that it may be made again.

Nothing here waits and nothing is remembered: every pass lists the project, adopts what is there, and asks for
what comes next. The caller keeps the ids of networks and groups, and puts the pauses in between.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloudctl.errors import BuildFailed
from cloudctl.operations import Run
from cloudctl.ports import (
    Cloud,
    NewIsolatedNetwork,
    NewPort,
    NewServer,
    NewVolume,
    Port,
    Rule,
    Server,
    Tags,
)
from dr.isolated import probe
from dr.isolated.checks import Check
from dr.isolated.plan import Plan, StartedServer
from dr.isolated.probe import Errand, Target
from dr.marks import TAG_REHEARSAL

PREFIX, EYE = "isolated", "cloudctl-probe"
#: Does several things, side by side or not, and raises when one of them goes wrong.
Together = Callable[[Sequence[Callable[[], None]]], object]
_DESCRIPTION = "made by cloudctl; goes with its project"
#: Whoever has this group lets in whoever else has it. On the way out nothing is forbidden: that there is no
#: way is to be shown by the network, not by a rule, and a server must be able to ask for its address.
_AMONG = (
    *(
        Rule("egress", family, None, remote=anywhere)
        for family, anywhere in (("IPv4", "0.0.0.0/0"), ("IPv6", "::/0"))
    ),
    *(Rule("ingress", family, None) for family in ("IPv4", "IPv6")),
)


@dataclass(frozen=True)
class Place:
    """Where it is made: a project that has nothing else in it, and the restored volumes by position."""

    project: str
    tags: Tags
    volumes: Mapping[int, str]
    probe_type: str = ""  # of the probe's volume; empty: that of the restored ones


@dataclass(frozen=True)
class Ids:
    """The ids of networks and groups by zone; `probe` is the group that servers and probe share."""

    networks: Mapping[str, str]
    groups: Mapping[str, str]
    probe: str


@dataclass(frozen=True)
class Started:
    """Everything is ACTIVE: the probe, and what it was told to look at."""

    probe_id: str
    errand: Errand
    lost: tuple[Check, ...]  # checks of servers that are not in the point


def one_by_one(jobs: Sequence[Callable[[], None]]) -> None:
    """One after the other."""
    for job in jobs:
        job()


def lay_networks(run: Run, cloud: Cloud, place: Place, plan: Plan) -> Ids:
    """Networks that lead nowhere, and the groups; again changes nothing."""
    inside = cloud.in_project(place.project)
    networks, groups = {}, {}
    for zone, subnets in plan.networks.items():
        run.must_hold()
        new = NewIsolatedNetwork(f"{PREFIX}-{zone}", subnets, place.tags)
        networks[zone] = inside.ensure_isolated_network(new).id
        run.must_hold()
        rules = plan.groups[zone]
        groups[zone] = inside.ensure_security_group(f"{PREFIX}-{zone}", _DESCRIPTION, rules)
    run.must_hold()
    return Ids(networks, groups, inside.ensure_security_group(EYE, _DESCRIPTION, _AMONG))


def start(
    run: Run, cloud: Cloud, place: Place, plan: Plan, ids: Ids, checks: Sequence[Check], nonce: str
) -> Started | str:
    """Ports, then the probe and the servers, one after the other; what it waits for, if it does.

    BuildFailed when a server or the probe's volume ends in error.
    """
    inside = cloud.in_project(place.project)
    ports = lay_ports(run, cloud, place, plan, ids)
    servers = {one.name: one for one in inside.list_servers()}
    targets = targets_of(plan, ports)
    questions, lost = probe.questions(checks, targets)
    errand = Errand(tuple(targets), tuple(questions), plan.forbidden)
    waits = lay_eye(run, cloud, place, plan, ports, servers, probe.user_data(errand, nonce))
    for one in plan.servers:
        found = servers.get(one.name)
        if found is None:
            make_bootable(run, cloud, place, one)
            boot(run, cloud, place, one, ports[one.name].id)
        if found is None or is_coming(found):
            return f"{one.name} to start"
    return waits or Started(servers[EYE].id, errand, tuple(lost))


def lay_ports(
    run: Run, cloud: Cloud, place: Place, plan: Plan, ids: Ids, together: Together = one_by_one
) -> dict[str, Port]:
    """A port by name: of each server with the addresses it had, and one of the probe on each network."""
    inside = cloud.in_project(place.project)
    there = {one.name: one for one in inside.list_ports()}
    wanted = [
        NewPort(one.name, ids.networks[one.nic.network], (ids.groups[one.nic.network], ids.probe), place.tags,
                one.nic.addresses)
        for one in plan.servers
    ]  # fmt: skip
    wanted += [
        NewPort(f"{EYE}-{zone}", ids.networks[zone], (ids.probe,), place.tags) for zone in plan.networks
    ]

    def lay(new: NewPort) -> None:
        port = there.get(new.name)
        if port is None:
            run.must_hold()
            port = there[new.name] = inside.create_port(new)
        if not place.tags.items() <= port.tags.items():
            run.must_hold()
            inside.tag_port(port.id, place.tags)

    together([partial(lay, new) for new in wanted])
    return there


def targets_of(plan: Plan, ports: Mapping[str, Port]) -> list[Target]:
    """Every server as the probe looks for it."""
    return [_target(one, ports[one.name]) for one in plan.servers]


def lay_eye(
    run: Run,
    cloud: Cloud,
    place: Place,
    plan: Plan,
    ports: Mapping[str, Port],
    servers: Mapping[str, Server],
    user_data: str,
) -> str:
    """The probe, from a volume of its image; what it waits for, or nothing. BuildFailed."""
    inside = cloud.in_project(place.project)
    if EYE in servers:
        return f"{EYE} to start" if is_coming(servers[EYE]) else ""
    there = inside.list_volumes()
    volume = next((one for one in there if one.name == EYE), None)
    if volume is None:
        run.must_hold()
        kind = place.probe_type or next(one.type for one in there if one.id in place.volumes.values())
        inside.create_volume(NewVolume(EYE, plan.probe.size_gib, kind, place.tags, plan.probe.image.id))
    elif volume.status.startswith("error"):
        raise BuildFailed("volume {name} went to {status}", name=EYE, status=volume.error or volume.status)
    elif volume.status == "available":
        run.must_hold()
        own = tuple(ports[f"{EYE}-{zone}"].id for zone in plan.networks)
        inside.create_server(
            NewServer(EYE, plan.probe.flavor.id, volume.id, (), own, None, place.tags, user_data=user_data,
                      has_config_drive=True)
        )  # fmt: skip
    return f"{EYE} to start"


def make_bootable(run: Run, cloud: Cloud, place: Place, one: StartedServer) -> None:
    """Its boot volume may be started from; again changes nothing."""
    run.must_hold()
    cloud.in_project(place.project).make_bootable(place.volumes[one.boot])


def boot(run: Run, cloud: Cloud, place: Place, one: StartedServer, port_id: str) -> None:
    """Start a server from its volumes; it must not be there yet."""
    inside = cloud.in_project(place.project)
    run.must_hold()
    data = tuple(place.volumes[position] for position in one.data)
    tags = {**place.tags, TAG_REHEARSAL: "yes"}
    inside.create_server(
        NewServer(one.name, one.flavor.id, place.volumes[one.boot], data, (port_id,), None, tags,
                  has_config_drive=True)
    )  # fmt: skip


def is_coming(server: Server) -> bool:
    """Whether it is still on its way; BuildFailed when it ended in error."""
    if server.status == "ERROR":
        raise BuildFailed(
            "{name} could not be started: {reason}", name=server.name, reason=server.error or "-"
        )
    return server.status != "ACTIVE"


def _target(one: StartedServer, port: Port) -> Target:
    """IPv4 first: without a router nobody tells a server that there is IPv6."""
    found = sorted(port.addresses, key=lambda address: ":" in address)
    return Target(one.name, one.label, found[0])
