"""Bringing agents to servers that cloudctl comes into: which those are, and what came of it.

A server is named as its plan names it, by its name or its label, whatever a restore has put behind that. What
its agent starts and stops is what the plan says of the part: `writers`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import ResourceState
from cloudctl.models import Resource
from cloudctl.ports import Host, Plays
from cloudctl.store import UnitOfWork
from dr.agents.installing import COMMANDS, Papers, Wish, install
from dr.plans.document import Document, Part
from dr.plans.known import bare
from provisioning.guest_access import USER, first_address

UNREACHED = "SSH does not answer, or does not let cloudctl in"


class Bringing:
    """Runs the play of the agent, one server at a time."""

    def __init__(self, plays: Plays, papers: Callable[[], Papers]) -> None:
        self._plays = plays
        self._papers = papers

    def bring(
        self, document: Document, part: Part, row: Resource, is_stopped: Callable[[], bool] = lambda: False
    ) -> str:
        """Why there is no agent now; empty: there is one. Again changes nothing. Misconfigured where this
        installation has no witness, or can run no play."""
        host, wish = host_of(row), wish_of(document, part, row)
        papers = self._papers()
        if host is None:
            return "no address is known"
        if not self._plays.reaches(host):
            return UNREACHED
        try:
            result = install(self._plays, host, wish, papers, is_stopped)
        except CloudctlError as error:
            return error.text()
        if result.is_fine:
            return ""
        told = [f"{one.task}: {one.message}" for one in result.hosts.values() if not one.is_fine]
        return "; ".join(told) or result.message or result.ending.value


def servers_at(uow: UnitOfWork, system: str, site: str) -> Sequence[Resource]:
    """The rows of the system's servers there."""
    here = (Resource.site_id == site, Resource.system_id == system, Resource.kind == "server")
    return uow.all(Resource, *here, Resource.state == ResourceState.ACTIVE, order_by=[Resource.name])


def is_called(row: Resource, name: str) -> bool:
    """Whether the plan, or an agent, means this server by that name."""
    return bare(row.name) == bare(name) or (row.spec or {}).get("label") == name


def part_of(document: Document, row: Resource) -> Part | None:
    """The part to which a server belongs; None: to none."""
    return next((part for part in document.parts if any(is_called(row, one) for one in part.servers)), None)


def has_agent(row: Resource, enrolled: Iterable[str]) -> bool:
    """Whether the witness has heard of its agent."""
    return any(is_called(row, one) for one in enrolled)


def host_of(row: Resource) -> Host | None:
    """The server as a play wants it; None while nobody knows an address."""
    addresses: Mapping[str, Sequence[str]] = row.addresses or {}
    address = first_address(addresses)
    if address is None or row.external_id is None:
        return None
    return Host(row.name, address, row.external_id, USER)


def wish_of(document: Document, part: Part, row: Resource) -> Wish:
    """The agent of that server, as the plan says."""
    program = next((one for one in part.writers if one.startswith("/")), None)
    commands = {word: f"{program} {word}" for word in COMMANDS} if program else {}
    units = () if program else part.writers
    return Wish(document.name, row.site_id, row.name, float(document.lease_s), units, commands)
