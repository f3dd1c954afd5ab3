"""When a site is ready: every service has reported since it was started, and hears what it is told."""

import time
from datetime import UTC, datetime
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException

from lab import messages
from lab.credentials import SiteCredentials
from lab.errors import LabError
from lab.keystone import connection
from lab.layout import Layout
from lab.processes import is_alive, read_record
from lab.sites import Site

_COMPUTE = ("nova-conductor", "nova-scheduler", "nova-compute")
_VOLUME = ("cinder-scheduler", "cinder-volume", "cinder-backup")
#: cinder-backup tells the schedulers of itself when loaded and every 10 s; nothing shows whether they have
#: heard.
_BACKUP_KNOWN_S = 20


def wait_until_ready(layout: Layout, plan: Site, secret: SiteCredentials, timeout_s: float = 180) -> None:
    """Returns when the site can take every kind of work; else raises a LabError with what is missing."""
    deadline = time.monotonic() + timeout_s
    last: list[str] = []
    with connection(plan, secret) as cloud:
        while missing := _missing(cloud, _start_times(layout, plan)) or _deaf(layout, plan):
            if missing != last:
                _note(layout, plan, last := missing)
            _check_alive(layout, plan)
            if time.monotonic() > deadline:
                raise LabError(f"not ready after {timeout_s:.0f} s: {'; '.join(missing)}")
            time.sleep(0.5)


def _note(layout: Layout, plan: Site, missing: list[str]) -> None:
    """Leaves a trace of what a slow start has waited for."""
    with layout.site(plan).setup_log.open("a") as file:
        file.write(f"{datetime.now():%H:%M:%S} waiting: {'; '.join(missing)}\n")


def _check_alive(layout: Layout, plan: Site) -> None:
    """A daemon that has ended will not report, however long one waits."""
    site = layout.site(plan)
    for name in (*_COMPUTE, *_VOLUME):
        if not is_alive(read_record(site.record(name))):
            raise LabError(f"{name} has ended; log: {site.log / name}.log")


def _missing(cloud: Any, since: dict[str, float]) -> list[str]:
    """What keeps the site from being ready, in words; the cheap questions come first."""
    try:
        missing = [
            *_not_reported(cloud.compute.services(), _COMPUTE, since),
            *_not_reported(cloud.block_storage.services(), _VOLUME, since),
        ]
        if missing:
            return missing
        # A host that is not mapped to its cell yet has no hypervisor to show.
        if not list(cloud.compute.hypervisors()):
            missing.append("no compute host is mapped to a cell")
        agents = list(cloud.network.agents())
        if not agents or not all(agent.is_alive for agent in agents):
            missing.append("the network has no live chassis")
    except (SDKException, ClientException, OSError) as error:
        return [str(error).splitlines()[0][:200]]
    since_backup = time.time() - max(since["cinder-backup"], since["cinder-scheduler"])
    if since_backup < _BACKUP_KNOWN_S:
        missing.append("cinder-scheduler may not know cinder-backup yet")
    return missing


def _deaf(layout: Layout, plan: Site) -> list[str]:
    """Daemons older than the broker may not have found back to it yet, though they do report."""
    broker = read_record(layout.site(plan).record("rabbitmq"))
    records = [read_record(layout.site(plan).record(name)) for name in messages.QUEUES]
    if broker is None or all(record and broker.started_at < record.started_at for record in records):
        return []
    return [f"{name} does not listen to its queue" for name in messages.deaf(plan, layout.site(plan))]


def _not_reported(services: Any, wanted: tuple[str, ...], since: dict[str, float]) -> list[str]:
    """The services that are down or have not reported since then: an old report lies for a while."""
    reported: dict[str, float] = {}
    for service in services:
        if service.state == "up" and service.updated_at:
            seen = datetime.fromisoformat(service.updated_at).replace(tzinfo=UTC).timestamp()
            reported[service.binary] = max(seen, reported.get(service.binary, 0))
    return [f"{name} has not reported" for name in wanted if reported.get(name, 0) < since[name]]


def _start_times(layout: Layout, plan: Site) -> dict[str, float]:
    """When the last of what a service reports through was started: a report before that says nothing."""
    site = layout.site(plan)

    def last_start(*names: str) -> float:
        records = [read_record(site.record(name)) for name in names]
        return max(record.started_at if record else float("inf") for record in records)

    base = ("mariadb", "rabbitmq")
    times = {name: last_start(name, *base) for name in (*_COMPUTE, *_VOLUME)}
    return times | {"nova-compute": last_start("nova-compute", "nova-conductor", *base)}
