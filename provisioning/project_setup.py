"""The ground a build stands on: domain, project, own access, quotas, security group and key.

Everything here may be done again at any time; what is there already is kept or put right.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cloudctl.amounts import Amounts
from cloudctl.errors import CloudBusy, CloudConflict, CloudQuotaExceeded, CloudRejected
from cloudctl.models import Project
from cloudctl.operations import Run
from cloudctl.ports import TAG_INSTALLATION, TAG_SYSTEM, Cloud, CloudInProject, CloudProject, Named
from provisioning import naming, zone_rules
from provisioning.job import Job, ledger_limits, site_name, zone_network

REMOVING = "removing"  # Project.state while the undo of the request that made it takes it away
_PUSHES = 5
_TRIES = 3


@dataclass(frozen=True)
class Found:
    """Ids at the site of what the build refers to."""

    flavor: str | None = None
    image: str | None = None
    network: str | None = None
    types: tuple[tuple[str, str], ...] = ()  # catalogue name, name at the site

    def as_json(self) -> dict[str, Any]:
        return {
            "flavor": self.flavor,
            "image": self.image,
            "network": self.network,
            "types": dict(self.types),
        }


# -- domain and project -----------------------------------------------------------------------------


def ensure_project(cloud: Cloud, job: Job) -> CloudProject:
    """The project at the site: bound, found by name and tag, or made.

    Where somebody else's project has the name already, ours is made under a second, equally fixed name: a
    project is bound by its id, and the name is only a label. CloudBusy while it is being taken away.
    """
    project = job.project
    if project.state == REMOVING:
        raise CloudBusy("the project is just being removed; it is made again afterwards")
    if project.external_id is not None:
        return CloudProject(project.external_id, project.name, project.external_domain_id or "")
    domain = _ensure_domain(cloud, job)
    for _ in range(_TRIES):
        taken = cloud.list_projects(domain.id)
        found = _ours(job, taken)
        if found is not None:
            return found
        names = {one.name for one in taken}
        name = next(
            (one for one in naming.projects(project.name, job.installation) if one not in names), None
        )
        if name is None:
            break
        try:
            return cloud.create_project(domain.id, name, job.system.name, sorted(naming.labels(job.tags())))
        except CloudConflict:
            continue  # another request of the system, or somebody else, was faster: look again
    raise CloudConflict(
        "domain '{domain}' has projects of others by both names for '{name}'",
        domain=domain.name,
        name=project.name,
        hint="bind one with: cloudctl project adopt; or rename it",
    )


def existing(cloud: Cloud, job: Job) -> CloudProject | None:
    """The project that was made and never written down, if there is one; makes nothing."""
    single = job.site.domain_policy == "single"
    name = (job.site.domain_name or "Default") if single else job.project.department_id
    domain = cloud.find_domain(name)
    if domain is None:
        return None
    return _ours(job, cloud.list_projects(domain.id))


def _ensure_domain(cloud: Cloud, job: Job) -> Named:
    if job.site.domain_policy == "single":
        name = job.site.domain_name or "Default"
        domain = cloud.find_domain(name)
        if domain is None:
            raise CloudRejected(
                "the site has no domain '{domain}'",
                domain=name,
                hint="create it, or change 'domain' of the site in the topology",
            )
        return domain
    name = job.project.department_id
    domain = cloud.find_domain(name)
    if domain is not None:
        return domain
    try:
        return cloud.create_domain(name, f"cloudctl {job.installation}")
    except CloudConflict:
        domain = cloud.find_domain(name)
        if domain is None:
            raise
        return domain


def _ours(job: Job, projects: Iterable[CloudProject]) -> CloudProject | None:
    """The project that this installation made for the system and environment: by name, proved by tags."""
    marks = naming.labels({TAG_INSTALLATION: job.installation, TAG_SYSTEM: job.system.id})
    names = naming.projects(job.project.name, job.installation)
    return next((one for one in projects if one.name in names and marks <= one.tags), None)


def bind(run: Run, job: Job, found: CloudProject) -> None:
    """Write the id of the project down, unless somebody has done so."""
    with run.write() as (uow, _operation):
        uow.update(
            Project,
            Project.id == job.project.id,
            Project.external_id.is_(None),
            external_id=found.id,
            external_domain_id=found.domain_id,
            state="active",
        )
        run.journal(uow, "project", "done", f"{found.name} {found.id}")


# -- quota ------------------------------------------------------------------------------------------


def push_quota(run: Run, cloud: Cloud, project: Project, external_id: str) -> Amounts:
    """Bring the cloud's quotas in line with the ledger; what was pushed.

    Two requests of one project may push at the same time: whoever finds the ledger changed after its
    push pushes again, so that the last word is the newest.
    """
    for _ in range(_PUSHES):
        limits = _limits(run, project)
        cloud.set_quota(external_id, limits)
        if _limits(run, project) == limits:
            return limits
    raise CloudBusy("the ledger of the project keeps moving")


def _limits(run: Run, project: Project) -> Amounts:
    with run.store.read() as uow:
        return ledger_limits(uow, project)


def read_back(run: Run, cloud: Cloud, job: Job, pushed: Amounts) -> bool:
    """Ask the cloud what it holds now, and store that.

    When it holds less, somebody may have lowered it since: CloudQuotaExceeded, so that it is pushed again;
    a cloud that keeps less the second time as well will not have it: CloudRejected.
    """
    project = job.project
    assert project.external_id is not None
    held = cloud.get_quota(project.external_id)
    with run.write() as (uow, _operation):
        values = {"quota_pushed": held.as_json(), "quota_pushed_at": run.clock.now()}
        uow.update(Project, Project.id == project.id, **values)
        run.journal(uow, "quota", "done", repr(held))
    short = [kind for kind in held if held[kind] < pushed[kind]]
    if short:
        error = CloudRejected if job.scratch.get("quota_again") else CloudQuotaExceeded
        raise error(
            "the site kept a lower quota for {kinds} than was pushed",
            kinds=", ".join(kind.value for kind in short),
        )
    return True


def has_room(cloud: Cloud, job: Job) -> bool:
    """Whether by the cloud's own numbers all that is not made yet still fits."""
    held, used = cloud.get_quota(job.external_project), cloud.usage(job.external_project)
    missing = [row for row in job.resources if row.external_id is None]
    needed = sum((Amounts(row.amounts) for row in missing), Amounts())
    return all(used[kind] + needed[kind] <= held[kind] for kind in needed)


# -- what the build refers to -----------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """What things of the catalogue are called at the site."""

    flavor: str | None
    image: str | None
    network: str | None
    types: tuple[tuple[str, str], ...]


def names_at_site(run: Run, job: Job) -> Names:
    """Read the catalogue and the zones for what the draft names."""
    draft, site = job.request.draft, job.site.id
    with run.store.read() as uow:
        types = tuple(
            (name, site_name(uow, site, "volume_type", name))
            for name in sorted({row.spec["type"] for row in job.resources if "type" in row.spec})
        )
        if job.request.kind != "vm":
            return Names(None, None, None, types)
        network = zone_network(uow, site, job.request.zone)
        if network is None:
            raise CloudRejected("the site has no network for zone '{zone}'", zone=job.request.zone)
        return Names(
            site_name(uow, site, "flavor", draft["flavor"]),
            site_name(uow, site, "image", draft["image"]),
            network,
            types,
        )


def lookups(cloud: Cloud, names: Names) -> list[Callable[[], tuple[str, list[Named]]]]:
    """The listings that are needed, to be asked for side by side."""
    asks: list[Callable[[], tuple[str, list[Named]]]] = []
    if names.flavor:
        asks.append(lambda: ("flavor", cloud.list_flavors()))
    if names.image:
        asks.append(lambda: ("image", cloud.list_images()))
    if names.network:
        asks.append(lambda: ("network", cloud.list_networks()))
    if names.types:
        asks.append(lambda: ("volume type", cloud.list_volume_types()))
    return asks


def resolve(names: Names, listings: dict[str, list[Named]], site_id: str) -> Found:
    """From names to ids. CloudRejected names what the site does not have."""

    def pick(kind: str, name: str) -> str:
        fitting = [one for one in listings[kind] if name in (one.name, one.id)]
        usable = [one for one in fitting if one.details.get("status", "active") == "active"]
        if not usable:
            raise CloudRejected("site {site} has no {kind} '{name}'", site=site_id, kind=kind, name=name)
        return usable[0].id

    for _, at_site in names.types:
        pick("volume type", at_site)
    return Found(
        pick("flavor", names.flavor) if names.flavor else None,
        pick("image", names.image) if names.image else None,
        pick("network", names.network) if names.network else None,
        names.types,
    )


def ensure_group(inside: CloudInProject, zone: str, mlps_level: int) -> str:
    """The zone's security group in the project; its id."""
    description = f"cloudctl: zone {zone}, MLPS level {mlps_level}"
    rules = zone_rules.rules(zone, mlps_level)
    return inside.ensure_security_group(naming.security_group(zone), description, rules)


def ensure_key(inside: CloudInProject, public_key: str | None) -> str | None:
    """The key pair of that key; its name."""
    if not public_key:
        return None
    name = naming.key_pair(public_key)
    inside.ensure_key(name, public_key)
    return name
