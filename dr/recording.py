"""What a restore makes as rows of the project it is in: intended before, counted while it runs, active after.

The rows count in the ledger from the first moment on, so nobody else gets the room; what is undone is counted
out again. A project that is not ours has no rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import Clock, new_id
from cloudctl.lifecycle import ResourceState
from cloudctl.models import PointVolume, Project, RecoveryPoint, Resource, Restore
from cloudctl.store import UnitOfWork
from dr.restore_job import RestoreJob
from dr.restore_plan import BACK, OVER, SYSTEM
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.job import flavor_amounts
from provisioning.sync import catalogue_names, free_name
from tenants import ledger

ROWS = "rows"  # in the plan: position of a volume -> its row
PAIRS = "pairs"  # in the plan: rows whose volumes change places; the row that servers know comes first


def intend(uow: UnitOfWork, clock: Clock, restore: Restore) -> None:
    """Rows for everything that will be made, with their ids in the plan; what they count is taken.

    OverQuota, to be rolled back, unless the plan says that it may go beyond.
    """
    project = _project(uow, restore) if restore.mode != BACK else None
    if project is None:
        return
    point, rows = uow.need(RecoveryPoint, restore.point_id), {}
    for one, asked in _wanted(uow, restore):
        row = _volume(uow, clock, restore, project, one, asked)
        rows[str(one.position)] = row.id
    plan = {**restore.plan, ROWS: rows}
    if restore.mode == SYSTEM:
        plan["servers"] = [
            _server(uow, clock, restore, project, point, one, rows) for one in restore.plan.get("servers", ())
        ]
    if restore.mode == OVER:
        wanted = {str(one["position"]): one.get("original") for one in restore.plan.get("volumes", ())}
        plan[PAIRS] = [[wanted[position], row_id] for position, row_id in rows.items()]
    restore.plan = plan
    uow.flush()
    if restore.plan.get("is_beyond_quota"):
        ledger.count_used(uow, project.id)
    else:
        ledger.grow_used(uow, project.id)


def record_volumes(uow: UnitOfWork, clock: Clock, job: RestoreJob) -> None:
    """The new volumes are there and proved: their rows are active, and made where nobody knew of them before.

    Again changes nothing. It may make levels of the quota `over`: what is there counts.
    """
    project = _project(uow, job.restore)
    if project is None:
        return
    types = catalogue_names(uow, job.site.id, "volume_type")
    intended = job.restore.plan.get(ROWS) or {}
    for position, made in job.made.items():
        row = uow.get(Resource, intended.get(position, ""))
        row = row or _of(uow, job.site.id, made["volume"]) or _late(uow, clock, job, project, made)
        size_gib = int(made["size_gib"])
        if row.external_id is None:
            row.external_id = made["volume"]
            row.spec = {**row.spec, "size_gib": size_gib, "type": types.get(made["type"], made["type"])}
            row.amounts = Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: size_gib}).as_json()
        row.state, row.ended_at, row.active_at = ResourceState.ACTIVE, None, row.active_at or clock.now()
    uow.flush()
    ledger.count_used(uow, project.id)


def release(uow: UnitOfWork, clock: Clock, restore: Restore) -> None:
    """Nothing of it is left: its rows are released, and count no more."""
    project = _project(uow, restore)
    if project is None:
        return
    ids = [*(restore.plan.get(ROWS) or {}).values(), *server_rows(restore)]
    uow.update(Resource, Resource.id.in_(ids), state=ResourceState.RELEASED, ended_at=clock.now())
    uow.flush()
    ledger.count_used(uow, project.id)


def server_rows(restore: Restore) -> list[str]:
    """The rows of the servers that the restore makes, and of their ports."""
    made: Sequence[Mapping[str, Any]] = restore.plan.get("servers", ()) if restore.mode == SYSTEM else ()
    return [row_id for one in made for row_id in (one.get("port_row"), one.get("row")) if row_id]


# -- the pieces


def _project(uow: UnitOfWork, restore: Restore) -> Project | None:
    bound = (Project.site_id == restore.to_site_id, Project.external_id == restore.to_project)
    return uow.first(Project, *bound) if restore.to_project else None


def _wanted(uow: UnitOfWork, restore: Restore) -> list[tuple[PointVolume, Mapping[str, Any]]]:
    """The volumes that were asked for, in order; all of the point where none was named."""
    of_point = PointVolume.point_id == restore.point_id
    asked = {int(one["position"]): one for one in restore.plan.get("volumes", ())}
    rows = uow.all(PointVolume, of_point, order_by=[PointVolume.position])
    return [(row, asked.get(row.position, {})) for row in rows if not asked or row.position in asked]


def _of(uow: UnitOfWork, site_id: str, volume_id: str) -> Resource | None:
    known = (Resource.site_id == site_id, Resource.kind == VOLUME, Resource.external_id == volume_id)
    return uow.first(Resource, *known)


def _volume(
    uow: UnitOfWork,
    clock: Clock,
    restore: Restore,
    project: Project,
    one: PointVolume,
    asked: Mapping[str, Any],
) -> Resource:
    name = asked.get("name") or f"{one.name or one.position}-r{restore.id}"
    amounts = Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: one.size_gib})
    spec = {
        "size_gib": one.size_gib,
        "type": asked.get("type") or one.volume_type,
        "role": "boot" if one.position == 0 else "data",
    }
    return _add(uow, clock, restore, project, VOLUME, name, amounts, spec)


def _late(
    uow: UnitOfWork, clock: Clock, job: RestoreJob, project: Project, made: Mapping[str, Any]
) -> Resource:
    """A row for a volume of a point whose contents nobody knew when the restore began."""
    amounts = Amounts({Kind.VOLUMES: 1, Kind.VOLUME_GIB: int(made["size_gib"])})
    spec = {"size_gib": int(made["size_gib"]), "type": made["type"], "role": "data"}
    return _add(uow, clock, job.restore, project, VOLUME, str(made["name"]), amounts, spec)


def _server(  # what a row is made from
    uow: UnitOfWork,
    clock: Clock,
    restore: Restore,
    project: Project,
    point: RecoveryPoint,
    one: Mapping[str, Any],
    volumes: Mapping[str, str],
) -> dict[str, Any]:
    """Rows of a server and its port; the entry of the plan with their ids and the new name."""
    name, zone = f"{one['name']}-r{restore.id}", one["zone"]
    ports = Amounts({Kind.PORTS: 1})
    port = _add(uow, clock, restore, project, PORT, f"{name}-port", ports, {"zone": zone})
    spec = {
        **{word: one.get(word) for word in ("label", "flavor", "login", "ssh_key", "zone")},
        "port": port.id,
        "boot": volumes[str(one["boot"])],
        "data": [volumes[str(position)] for position in one["data"]],
    }
    amounts = flavor_amounts(uow, one["flavor"]) + Amounts({Kind.INSTANCES: 1})
    server = _add(uow, clock, restore, project, SERVER, name, amounts, spec)
    port.spec = {**port.spec, "server": server.id}
    uow.flush()
    return {**one, "name": name, "row": server.id, "port_row": port.id}


def _add(  # noqa: PLR0913, PLR0917  # the columns of a row
    uow: UnitOfWork,
    clock: Clock,
    restore: Restore,
    project: Project,
    kind: str,
    name: str,
    amounts: Amounts,
    spec: Mapping[str, Any],
) -> Resource:
    row = Resource(
        id=new_id(),
        kind=kind,
        site_id=project.site_id,
        project_id=project.id,
        system_id=project.system_id,
        department_id=project.department_id,
        name=free_name(uow, project.site_id, kind, name, f"r{restore.id}"),
        state=ResourceState.BUILDING,
        origin="made",
        spec={**spec, "restored_from": restore.point_id, "restore": restore.id},
        amounts=amounts.as_json(),
        created_at=clock.now(),
    )
    return uow.add(row)
