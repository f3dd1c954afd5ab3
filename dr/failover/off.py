"""The rung of compute: the servers of the old site are off, as its own cloud says.

For systems without agents, and for when those say nothing. cloudctl stops nothing here: somebody who stops a
server on purpose knows better than a rule whether it may be stopped, and leaves it off.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from cloudctl.errors import CloudNotFound
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Resource
from cloudctl.operations import Run
from cloudctl.ports import Clouds
from dr.failover.described import is_server
from dr.failover.job import MoveJob
from dr.failover.protocols import Proof, Waiting
from dr.plans.document import Document, Serving

COMPUTE = "compute"
_LOOK_S = 5.0
_OFF = ("SHUTOFF", "SHELVED", "SHELVED_OFFLOADED", "DELETED", "SOFT_DELETED")


class ServersOff:
    """Reads back, server by server, that what could write at the old site is off."""

    rung = COMPUTE
    is_positive = True

    def __init__(self, clouds: Clouds) -> None:
        self._clouds = clouds

    def prove(self, run: Run, job: MoveJob) -> Proof | Waiting | None:
        """None where cloudctl knows of no server there. Errors of the old cloud: it proves nothing."""
        site = job.failover.from_site_id
        known = servers_of(run, job.document, site)
        if not known:
            return None
        running = still_on(self._clouds, site, known)
        if running:
            return Waiting(f"{', '.join(running)} to be stopped at {site}", _LOOK_S)
        return Proof(COMPUTE, {"off": sorted(known.values())})

    def forget(self, run: Run, job: MoveJob) -> None:
        """It keeps nothing."""


def servers_of(run: Run, document: Document, site: str, without: Collection[str] = ()) -> dict[str, str]:
    """What can write for the system at a site: names by their ids there.

    Left out are parts that keep nothing, and what `without` names.
    """
    idle = {name for part in document.parts if part.serving is Serving.STATELESS for name in part.servers}
    idle |= set(without)
    return {
        row.external_id: row.name
        for said, row in _told(run, document, site)
        if row.external_id and not any(is_server(said, name) for name in idle)
    }


def servers_named(run: Run, document: Document, site: str, names: Collection[str]) -> dict[str, str]:
    """Those of the system's servers at a site that the plan calls so: names by their ids there."""
    return {
        row.external_id: row.name
        for said, row in _told(run, document, site)
        if row.external_id and any(is_server(said, name) for name in names)
    }


def without_agent(run: Run, document: Document, site: str, enrolled: Sequence[str]) -> list[str]:
    """Those of them whose agent the witness has never heard of, by their names: nothing speaks for these.

    An agent goes by the name of its server, or by its label.
    """
    writers = servers_of(run, document, site)
    return sorted(
        row.name
        for said, row in _told(run, document, site)
        if row.external_id in writers and not any(is_server(said, name) for name in enrolled)
    )


def _told(run: Run, document: Document, site: str) -> list[tuple[dict[str, Any], Resource]]:
    """The rows of the system's servers there, each with what it is called."""
    with run.store.read() as uow:
        here = (Resource.site_id == site, Resource.system_id == document.system, Resource.kind == "server")
        rows = uow.all(Resource, *here, Resource.state != ResourceState.RELEASED)
        return [({"name": row.name, "label": (row.spec or {}).get("label")}, row) for row in rows]


def still_on(clouds: Clouds, site: str, known: dict[str, str]) -> list[str]:
    """Those of them that are not off. One that is not listed is asked for by its id: a list leaves out what
    its cloud cannot reach, and only that there is none by that id shows that it is gone."""
    cloud = clouds.at(site)
    there = {one.id: one.status for one in cloud.list_all_servers() if one.id in known}
    for server_id in known.keys() - there.keys():
        with suppress(CloudNotFound):
            there[server_id] = cloud.get_server(server_id).status
    return sorted(known[one] for one, status in there.items() if status not in _OFF)
