"""A project of its own for what is started in isolation: made, found again by its tags, removed."""

from dataclasses import dataclass

from cloudctl.errors import CloudConflict
from cloudctl.operations import Run
from cloudctl.ports import Cloud, CloudProject


@dataclass(frozen=True)
class Plot:
    """Where it is: a domain of cloudctl's own, a name in it, and the tags by which it is known."""

    domain: str
    name: str
    description: str
    labels: frozenset[str]


def find(cloud: Cloud, plot: Plot) -> CloudProject | None:
    """The project with all the tags; None when there is none."""
    domain = cloud.find_domain(plot.domain)
    if domain is None:
        return None
    return next((one for one in cloud.list_projects(domain.id) if plot.labels <= one.tags), None)


def ensure(run: Run, cloud: Cloud, plot: Plot) -> CloudProject:
    """The project, made where there is none; its domain as well. Again gives the same."""
    found = find(cloud, plot)
    if found is not None:
        return found
    run.must_hold()
    domain = cloud.find_domain(plot.domain) or cloud.create_domain(plot.domain, plot.description)
    try:
        return cloud.create_project(domain.id, plot.name, plot.description, plot.labels)
    except CloudConflict:
        found = find(cloud, plot)  # an answer that got lost, or another worker
        if found is None:
            raise
        return found


def remove(run: Run, cloud: Cloud, plot: Plot) -> None:
    """The project goes, also one whose id never was written down; gone already is fine."""
    found = find(cloud, plot)
    if found is not None:
        run.must_hold()
        cloud.delete_project(found.id)
