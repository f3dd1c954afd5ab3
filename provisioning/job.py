"""What one pass of a flow works on: the rows of one operation, read in one short transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.lifecycle import OperationState
from cloudctl.models import (
    ANY_SITE,
    CatalogueItem,
    InformationSystem,
    Operation,
    Project,
    QuotaRow,
    Resource,
    ServiceRequest,
    Site,
    SiteZone,
)
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from provisioning import naming
from provisioning.reconcile import Row


@dataclass(frozen=True)
class Job:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    request: ServiceRequest
    system: InformationSystem
    project: Project
    site: Site
    resources: tuple[Resource, ...]

    @property
    def scratch(self) -> Mapping[str, Any]:
        return self.operation.scratch or {}

    @property
    def is_undoing(self) -> bool:
        return self.operation.state == OperationState.UNDOING

    @property
    def external_project(self) -> str:
        """The project's id at the site; only asked for once it is bound."""
        assert self.project.external_id is not None
        return self.project.external_id

    def rows(self) -> list[Row]:
        """The resource rows as the decisions want them."""
        return [as_row(resource) for resource in self.resources]

    def tags(self, resource_id: str | None = None) -> dict[str, str]:
        return naming.tags(self.installation, self.system.id, self.request.id, resource_id)


def as_row(resource: Resource) -> Row:
    return Row(
        resource.id, resource.kind, resource.name, resource.state, resource.external_id, resource.spec or {}
    )


def load(run: Run, installation: str) -> Job:
    """Read everything the operation is about."""
    with run.store.read() as uow:
        operation = uow.need(Operation, run.operation_id)
        request = uow.need(ServiceRequest, int(run.subject_id))
        project = uow.need(Project, request.project_id)
        return Job(
            installation,
            operation,
            request,
            uow.need(InformationSystem, request.system_id),
            project,
            uow.need(Site, request.site_id),
            tuple(
                uow.all(
                    Resource,
                    Resource.request_id == request.id,
                    order_by=[Resource.kind, Resource.name],
                )
            ),
        )


def site_name(uow: UnitOfWork, site_id: str, kind: str, name: str) -> str:
    """What the catalogue's name is called at the site."""
    item = uow.first(CatalogueItem, CatalogueItem.kind == kind, CatalogueItem.name == name)
    return str((item.site_names or {}).get(site_id, name)) if item else name


def flavor_amounts(uow: UnitOfWork, name: str | None) -> Amounts:
    """What one server of the flavor counts in the ledger, itself left out."""
    item = uow.first(CatalogueItem, CatalogueItem.kind == "flavor", CatalogueItem.name == name)
    spec = item.spec if item else {}
    return Amounts({Kind.VCPUS: spec.get("vcpus", 0), Kind.RAM_MIB: spec.get("ram_mib", 0)})


def zone_network(uow: UnitOfWork, site_id: str, zone: str | None) -> str | None:
    """Name or id of the zone's network at the site."""
    found = uow.first(
        SiteZone, SiteZone.site_id == site_id, SiteZone.zone == zone, SiteZone.retired_at.is_(None)
    )
    return found.network if found else None


def ledger_limits(uow: UnitOfWork, project: Project) -> Amounts:
    """What the cloud's own quota of the project has to be.

    The limit where one is set, never less than what is granted; else exactly what is granted.
    """
    rows = uow.all(
        QuotaRow,
        QuotaRow.scope_kind == "project",
        QuotaRow.scope_id == project.id,
        QuotaRow.site.in_((project.site_id, ANY_SITE)),
    )
    wanted: dict[Kind, int] = {}
    for kind in Kind:
        of_kind = [row for row in rows if row.kind == kind.value]
        granted = max((row.held + row.used for row in of_kind), default=0)
        limits = [row.limit for row in of_kind if row.limit is not None]
        wanted[kind] = max(granted, min(limits)) if limits else granted
    return Amounts(wanted)


def write_rows(uow: UnitOfWork, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Set columns of resource rows; `spec` is merged into what is there."""
    if not changes:
        return
    for row in uow.all(Resource, Resource.id.in_(list(changes))):
        for column, value in changes[row.id].items():
            setattr(row, column, {**(row.spec or {}), **value} if column == "spec" else value)
    uow.flush()
