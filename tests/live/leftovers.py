"""Takes away what an installation left on a lab's clouds, whatever a test did in between."""

import sys
import time
from pathlib import Path

import openstack
from openstack.config import OpenStackConfig
from openstack.connection import Connection


def remove(clouds_yaml: Path, cloud: str, installation: str) -> None:
    """Delete every project of the installation with all that is in it, then its empty domains."""
    config = OpenStackConfig(config_files=[str(clouds_yaml)]).get_one(cloud)
    connection = Connection(config=config)
    mark = f"cloudctl:installation={installation}"
    for project in list(connection.identity.projects(tags=mark)):
        _empty(connection, project.id)
        connection.identity.delete_project(project.id)
    for domain in list(connection.identity.domains()):
        ours = (domain.description or "") == f"cloudctl {installation}"
        if ours and not list(connection.identity.projects(domain_id=domain.id)):
            connection.identity.update_domain(domain.id, is_enabled=False)
            connection.identity.delete_domain(domain.id)
    connection.close()


def _empty(connection: Connection, project_id: str) -> None:
    until = time.monotonic() + 120
    while _something_left(connection, project_id):
        if time.monotonic() > until:
            raise TimeoutError(f"project {project_id} does not get empty")
        time.sleep(0.5)
    for port in list(connection.network.ports(project_id=project_id)):
        connection.network.delete_port(port.id)
    for group in list(connection.network.security_groups(project_id=project_id)):
        if group.name != "default":
            connection.network.delete_security_group(group.id)


def _something_left(connection: Connection, project_id: str) -> bool:
    """Start deleting what can be deleted now; whether anything was there."""
    servers = list(connection.compute.servers(all_projects=True, project_id=project_id))
    volumes = list(connection.block_storage.volumes(all_projects=True, project_id=project_id))
    for server in servers:
        connection.compute.delete_server(server.id)
    for volume in volumes:
        if volume.status in ("available", "error"):
            connection.block_storage.delete_volume(volume.id)
    return bool(servers or volumes)


if __name__ == "__main__":
    openstack.enable_logging(debug=False)
    remove(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
