"""Room that is held for the day a protection plan is carried out: counted in the ledger as holds are."""

from collections.abc import Sequence

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import Clock
from cloudctl.errors import Fault
from cloudctl.models import PlanReserve, Project
from cloudctl.store import UnitOfWork
from tenants.counters import move, project_chain, read_counters
from tenants.ledger_math import Change, places, simulate


def reserve(uow: UnitOfWork, clock: Clock, plan_id: int, project: Project, needed: Amounts) -> None:
    """Make the plan hold exactly these amounts at this project: grow, shrink or move what it holds.

    Again changes nothing. OverQuota, to be rolled back, when growth does not fit.
    """
    changes = _changes(uow, plan_id, project, needed)
    rows = {row.kind: row for row in _rows(uow, plan_id)}
    for kind, row in rows.items():
        if needed[Kind(kind)]:
            row.project_id, row.site_id, row.amount = project.id, project.site_id, needed[Kind(kind)]
        else:
            uow.session.delete(row)
    for kind in needed:
        if kind.value not in rows:
            uow.session.add(
                PlanReserve(
                    plan_id=plan_id,
                    kind=kind.value,
                    project_id=project.id,
                    site_id=project.site_id,
                    amount=needed[kind],
                    created_at=clock.now(),
                )
            )
    uow.flush()
    move(uow, changes, is_grant=True)


def free(uow: UnitOfWork, plan_id: int) -> Amounts:
    """Give back all that the plan holds, exactly once; what that was."""
    rows = _rows(uow, plan_id)
    held = Amounts({Kind(row.kind): row.amount for row in rows})
    changes = _given_back(uow, rows)
    uow.delete(PlanReserve, PlanReserve.plan_id == plan_id)
    uow.flush()
    move(uow, changes, is_grant=False)
    return held


def shortages(uow: UnitOfWork, plan_id: int | None, project: Project, needed: Amounts) -> list[Fault]:
    """Every level at which the reserve would not fit, what the plan holds now given back; writes nothing."""
    changes = _changes(uow, plan_id, project, needed)
    growing = [one for one in changes if one.held > 0]
    asked = {place for one in growing for place in places(one.chain, one.site, [one.kind])}
    return [one.as_fault() for one in simulate(read_counters(uow, asked), growing)[1]]


def held_by(uow: UnitOfWork, plan_id: int) -> Amounts:
    """What the plan holds now."""
    return Amounts({Kind(row.kind): row.amount for row in _rows(uow, plan_id)})


def site_of(uow: UnitOfWork, plan_id: int) -> str | None:
    """Where the plan holds it; None when it holds nothing."""
    return next((row.site_id for row in _rows(uow, plan_id)), None)


def held_at(uow: UnitOfWork, site_id: str, but: int | None = None) -> Amounts:
    """What all plans hold at a site, without that of the plan `but`."""
    here = [PlanReserve.site_id == site_id, *([PlanReserve.plan_id != but] if but is not None else [])]
    rows = uow.all(PlanReserve, *here)
    return sum((Amounts({Kind(row.kind): row.amount}) for row in rows), Amounts())


def _rows(uow: UnitOfWork, plan_id: int | None) -> Sequence[PlanReserve]:
    return [] if plan_id is None else uow.all(PlanReserve, PlanReserve.plan_id == plan_id)


def _changes(uow: UnitOfWork, plan_id: int | None, project: Project, needed: Amounts) -> list[Change]:
    """One change for each kind; where the project stays, only the difference."""
    rows = _rows(uow, plan_id)
    chain = project_chain(uow, project.id, project.department_id)
    here = Amounts({Kind(row.kind): row.amount for row in rows if row.project_id == project.id})
    moved = [row for row in rows if row.project_id != project.id]
    more = needed - here
    return [
        *_given_back(uow, moved),
        *(Change(chain, project.site_id, kind, held=more[kind]) for kind in Kind if more[kind]),
    ]


def _given_back(uow: UnitOfWork, rows: Sequence[PlanReserve]) -> list[Change]:
    changes = []
    for row in rows:
        project = uow.need(Project, row.project_id)
        chain = project_chain(uow, project.id, project.department_id)
        changes.append(Change(chain, row.site_id, Kind(row.kind), held=-row.amount))
    return changes
