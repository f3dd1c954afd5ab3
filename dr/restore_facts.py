"""What the plan of a restore is made from: rows of the point and of the place, and what the cloud has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import CloudctlError, Fault
from cloudctl.lifecycle import ResourceState
from cloudctl.models import CatalogueItem, PointVolume, Project, RecoveryPoint, Resource, SiteZone
from cloudctl.ports import Clouds
from cloudctl.store import UnitOfWork
from dr.restore_plan import Place, PointVolumeFacts, Standing
from provisioning.desired import SERVER, VOLUME


@dataclass(frozen=True)
class Facts:
    """All of it. `project` is the row's id, `external` its id at the site; empty where there is none."""

    point: RecoveryPoint
    vault: str
    project: str
    external: str
    place: Place
    volumes: Sequence[PointVolumeFacts]
    servers: Sequence[Mapping[str, Any]]  # of the point's topology
    standing: Sequence[Standing]


def read(uow: UnitOfWork, point: RecoveryPoint, site: str, external: str | None, vault: str) -> Facts:
    """The rows, in the caller's transaction. `external` is the project's id at the site, if there is one."""
    bound = (Project.site_id == site, Project.external_id == external)
    project = uow.first(Project, *bound) if external else None
    used = _used(uow, point, project.id if project is not None else "")
    return Facts(
        point,
        vault,
        project.id if project is not None else "",
        external or "",
        _place(uow, site),
        _volumes(uow, point, used),
        tuple((point.topology or {}).get("servers", ())),
        _standing(uow, used),
    )


def ask(clouds: Clouds, place: Place) -> tuple[Place, list[Fault]]:
    """The place with what its cloud has; a cloud that does not tell is a fault."""
    try:
        cloud = clouds.at(place.site)
        flavors, types, networks = cloud.list_flavors(), cloud.list_volume_types(), cloud.list_networks()
    except CloudctlError as error:
        params = {"site": place.site, "reason": error.text()}
        return place, [Fault("site", "no_answer", "{site} does not tell what it has: {reason}", params)]
    return replace(
        place,
        types_there=tuple(one.name for one in types),
        flavors_there=tuple(word for one in flavors for word in (one.name, one.id)),
        networks_there=tuple(word for one in networks for word in (one.name, one.id)),
    ), []


def _place(uow: UnitOfWork, site: str) -> Place:
    items = uow.all(CatalogueItem)
    zones = uow.all(SiteZone, SiteZone.site_id == site, SiteZone.retired_at.is_(None))
    counted = {
        row.name: Amounts({Kind.VCPUS: row.spec.get("vcpus", 0), Kind.RAM_MIB: row.spec.get("ram_mib", 0)})
        for row in items
        if row.kind == "flavor"
    }
    names = {(row.kind, row.name): str((row.site_names or {}).get(site, row.name)) for row in items}
    return Place(site, names, {row.zone: row.network for row in zones}, counted)


def _used(uow: UnitOfWork, point: RecoveryPoint, project_id: str) -> dict[str, Resource]:
    """What stands of the system in the project where the data was, by id."""
    here = (Resource.site_id == point.site_id, Resource.system_id == point.system_id)
    active = Resource.state == ResourceState.ACTIVE
    return {row.id: row for row in uow.all(Resource, *here, active, Resource.project_id == project_id)}


def _volumes(uow: UnitOfWork, point: RecoveryPoint, used: Mapping[str, Resource]) -> list[PointVolumeFacts]:
    """The volumes; each with the row that has its name now, else its bytes: after an exchange names stay."""
    rows = [row for row in used.values() if row.kind == VOLUME]
    originals = {row.external_id: row.id for row in rows} | {row.name: row.id for row in rows}
    of_point = PointVolume.point_id == point.id
    return [
        PointVolumeFacts(
            one.position,
            one.name,
            one.size_gib,
            one.volume_type,
            originals.get(one.name) or originals.get(one.volume_id),
        )
        for one in uow.all(PointVolume, of_point, order_by=[PointVolume.position])
    ]


def _standing(uow: UnitOfWork, used: Mapping[str, Resource]) -> list[Standing]:
    later: dict[str, list[str]] = {}
    for row in used.values():
        if row.kind == VOLUME and row.spec.get("attach_to"):
            later.setdefault(str(row.spec["attach_to"]), []).append(row.id)
    found = []
    for row in sorted(used.values(), key=lambda one: one.name):
        if row.kind != SERVER:
            continue
        port = uow.get(Resource, str(row.spec.get("port") or ""))
        boot = row.spec.get("boot")
        found.append(
            Standing(
                row.id,
                row.name,
                boot if boot in used else None,
                (*row.spec.get("data", ()), *later.get(row.id, ())),
                port is not None and port.external_id is not None,
                str(row.spec.get("flavor") or ""),
            )
        )
    return found
