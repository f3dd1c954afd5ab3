"""What a system consists of, as was told last where it runs, and what becomes of that at the target."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.errors import Fault
from cloudctl.models import Project, RecoveryPoint, Resource
from cloudctl.store import UnitOfWork
from dr import restore_facts, restore_plan
from dr.failover.job import MoveJob
from dr.plans import portrait
from dr.plans.document import Part
from dr.plans.known import bare, mapping_between
from dr.plans.portrait import Told
from dr.restore_plan import SYSTEM, Plan, Wish


def newest(uow: UnitOfWork, job: MoveJob) -> Told | None:
    """For a planned move, whose own point is not there yet: it will look like the newest."""
    return portrait.newest(uow, job.document.system, job.failover.from_site_id)


def read_facts(uow: UnitOfWork, job: MoveJob, point: RecoveryPoint) -> restore_facts.Facts:
    """The rows of the point, and of the system's project at the target; empty where it has none."""
    bound = (Project.site_id == job.site.id, Project.system_id == job.document.system)
    project = uow.first(Project, *bound, Project.external_id.is_not(None), order_by=[Project.id])
    external = project.external_id if project is not None else None
    return restore_facts.read(uow, point, job.site.id, external, job.site.id)


def draw_parts(
    job: MoveJob, facts: restore_facts.Facts, parts: Sequence[Part], place: restore_plan.Place
) -> Plan:
    """What is made at the target, with all that the plan maps: only the servers of these parts, and no volume
    that comes with another part, by its own way."""
    mapping = mapping_between(job.document, facts.point.site_id, job.site.id)
    names = {name for part in parts for name in part.servers}
    servers = [one for one in facts.servers if any(is_server(one, name) for name in names)]
    wish = Wish(SYSTEM, (), mapping.get("flavors", {}), mapping.get("types", {}), mapping.get("networks", {}))
    others = {name for part in job.document.parts for name in part.names} - names
    elsewhere = {
        position
        for one in facts.servers
        if any(is_server(one, name) for name in others)
        for position in (one.get("boot"), *(one.get("data") or ()))
    }
    volumes = [one for one in facts.volumes if one.position not in elsewhere]
    drawn = restore_plan.draw(wish, volumes, servers, place, ())
    if facts.project:
        return drawn
    fault = Fault("project", "no_project", "{system} has no project at {site}",
                  {"system": job.document.system, "site": job.site.id})  # fmt: skip
    return Plan(drawn.volumes, drawn.servers, drawn.needed, (*drawn.faults, fault), drawn.notes)


def missing_servers(parts: Sequence[Part], there: Sequence[str]) -> list[Fault]:
    """Servers of the plan that the point does not have."""
    template = "the point has no server '{name}'"
    return [
        Fault(f"parts.{part.name}", "no_server", template, {"name": name})
        for part in parts
        for name in part.servers
        if not any(bare(one) == bare(name) for one in there)
    ]


def is_server(server: Mapping[str, Any], name: str) -> bool:
    """Whether a server of the point is the one that the plan calls so: by name or label."""
    return bare(str(server["name"])) == bare(name) or server.get("label") == name


def addresses_of(row: Resource) -> list[str]:
    """What a server was given, IPv4 first."""
    told: Mapping[str, Sequence[str]] = row.addresses or {}
    return [*told.get("ipv4", ()), *told.get("ipv6", ())]
