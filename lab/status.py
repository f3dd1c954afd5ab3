"""What runs, as a person or a script sees it."""

from collections import defaultdict
from dataclasses import dataclass

from lab import extras, namespaces, probes, processes
from lab.layout import Layout
from lab.sites import Site


@dataclass(frozen=True)
class ServiceStatus:
    """One daemon: up, starting (does not answer yet), failed (was started and has ended) or down."""

    site: str
    service: str
    state: str
    pid: int | None
    port: int | None
    memory_mib: int


def of_site(layout: Layout, plan: Site) -> list[ServiceStatus]:
    """The daemons of a site, and its cable as the first of them (`up`, `cut` or `down`)."""
    cable = "down" if not namespaces.exists(plan) else "up" if namespaces.is_joined(plan) else "cut"
    rows = [ServiceStatus(plan.name, "cable", cable, None, None, 0)]
    sessions = defaultdict(list)
    for stat in processes.all_processes():
        sessions[stat.session].append(stat)
    for service in extras.daemons_at(layout, plan):
        record = processes.read_record(layout.site(plan).record(service.name))
        if record is None or not processes.is_alive(record):
            rows.append(
                ServiceStatus(
                    plan.name, service.name, "down" if record is None else "failed", None, service.port, 0
                )
            )
            continue
        pid = record.identity.pid
        state = "up" if probes.answers(service, plan) else "starting"
        memory = processes.memory_mib(processes.session_of(record, sessions[pid]))
        rows.append(ServiceStatus(plan.name, service.name, state, pid, service.port, memory))
    return rows
