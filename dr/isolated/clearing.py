"""Takes away everything that was started in isolation: servers, then ports, networks and groups.

All of it lies in a project that holds nothing else, so whatever is in it goes, also what an answer that got
lost has made twice or left without a tag. Volumes are the business of whoever restored them.
"""

from collections.abc import Callable

from cloudctl.errors import CloudBusy, CloudNotFound
from cloudctl.operations import Run
from cloudctl.ports import Cloud

DEFAULT_GROUP = "default"  # Neutron's own; it goes with the project


def clear(run: Run, cloud: Cloud, project: str) -> int:
    """Ask for the deletion of everything; how much is still there. What is busy waits for the next pass."""
    inside = cloud.in_project(project)
    try:
        servers = inside.list_servers()
        for server in servers:
            _drop(run, lambda one=server.id: inside.delete_server(one))  # type: ignore[misc]
        if servers:
            return len(servers)
        ports, networks = inside.list_ports(), inside.list_own_networks()
        groups = [one for one in inside.list_security_groups() if one.name != DEFAULT_GROUP]
    except CloudNotFound:
        return 0  # the project is gone, and all that was in it before
    for port in ports:
        _drop(run, lambda one=port.id: inside.delete_port(one))  # type: ignore[misc]
    busy = sum(_drop(run, lambda one=row.id: inside.delete_network(one)) for row in networks)  # type: ignore[misc]
    busy += sum(_drop(run, lambda one=row.id: inside.delete_security_group(one)) for row in groups)  # type: ignore[misc]
    return busy


def _drop(run: Run, delete: Callable[[], None]) -> int:
    """1 when it is still in use."""
    run.must_hold()
    try:
        delete()
    except CloudBusy:
        return 1
    return 0
