"""The quota ledger: hold an amount at every level, then free or convert it exactly once; limits."""

from collections.abc import Iterable

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import Clock
from cloudctl.errors import Fault
from cloudctl.lifecycle import HoldState
from cloudctl.models import Hold, Project
from cloudctl.queries import quota
from cloudctl.store import UnitOfWork
from tenants.counters import ensure_rows, move, project_chain, read_counters
from tenants.ledger_math import Chain, Change, places, simulate
from tenants.limits import LimitChange, drift, explain, repair, set_limit, set_limits
from tenants.recount import recount

__all__ = [
    "LimitChange", "change_holds", "count", "count_used", "drift", "end_holds", "ensure_rows", "explain",
    "grow_used", "hold", "recount", "repair", "set_limit", "set_limits", "settle_project", "shortages",
]  # fmt: skip


def hold(uow: UnitOfWork, clock: Clock, request_id: int, project: Project, needed: Amounts) -> None:
    """Reserve the amounts for the request at every level, or OverQuota naming each level and kind short."""
    change_holds(uow, clock, request_id, project, needed)


def change_holds(uow: UnitOfWork, clock: Clock, request_id: int, project: Project, needed: Amounts) -> None:
    """Make the request hold exactly these amounts at this project: grow, shrink or move what it holds.

    OverQuota, to be rolled back, when growth does not fit.
    """
    project_id, site_id, department_id = project.id, project.site_id, project.department_id
    chain = project_chain(uow, project_id, department_id)
    changes = [Change(chain, site_id, kind, held=needed[kind]) for kind in needed]
    now = clock.now()
    rows = {row.kind: row for row in uow.all(Hold, Hold.request_id == request_id)}
    for row in rows.values():
        if row.state == HoldState.HELD:
            changes.append(_freed(uow, row))
    for kind, row in rows.items():
        row.project_id, row.site_id = project_id, site_id
        is_needed = bool(needed[Kind(kind)])
        row.amount = needed[Kind(kind)] or row.amount
        row.state = HoldState.HELD if is_needed else HoldState.FREED
        row.ended_at = None if is_needed else row.ended_at or now
    for kind in needed:
        if kind.value not in rows:
            uow.session.add(
                Hold(
                    request_id=request_id,
                    project_id=project_id,
                    site_id=site_id,
                    kind=kind.value,
                    amount=needed[kind],
                    state=HoldState.HELD,
                    created_at=now,
                )
            )
    uow.flush()
    move(uow, _net(changes), is_grant=True)


def end_holds(uow: UnitOfWork, clock: Clock, request_id: int, to: HoldState) -> Amounts:
    """Free or convert what the request still holds, exactly once; what that was.

    Converting also counts what the project uses now: what was held is there.
    """
    changes = _end(uow, clock, request_id, to)
    move(uow, changes, is_grant=False)
    return sum((Amounts({change.kind: -change.held}) for change in changes), Amounts())


def settle_project(uow: UnitOfWork, clock: Clock, request_id: int, project_id: str, to: HoldState) -> Amounts:
    """End the request's holds and count the project's resources, in one walk up the tree; what was held.

    The request's new state must be written before: what an open request makes is not counted as used.
    """
    changes = _end(uow, clock, request_id, to)
    held = sum((Amounts({change.kind: -change.held}) for change in changes), Amounts())
    move(uow, _net([*changes, *_used_changes(uow, project_id)]), is_grant=False)
    return held


def count_used(uow: UnitOfWork, project_id: str) -> None:
    """Bring what the project uses in line with its resources; again changes nothing.

    For what was adopted, released or changed outside: it may make levels `over`.
    """
    move(uow, _used_changes(uow, project_id), is_grant=False)


def grow_used(uow: UnitOfWork, project_id: str) -> None:
    """The same for what is new and has to fit: OverQuota, to be rolled back, naming each level short."""
    move(uow, _used_changes(uow, project_id), is_grant=True)


def shortages(uow: UnitOfWork, project: Project, needed: Amounts) -> list[Fault]:
    """Every level at which so much more of the project would not fit; writes nothing."""
    chain = project_chain(uow, project.id, project.department_id)
    changes = [Change(chain, project.site_id, kind, used=needed[kind]) for kind in needed]
    counters = read_counters(uow, places(chain, project.site_id, needed))
    return [one.as_fault() for one in simulate(counters, changes)[1]]


def count(uow: UnitOfWork, project: Project, _more: Amounts) -> None:
    """What adopting and syncing call for each project whose resources have changed; see `count_used`.

    May be called for many projects in one transaction: the first call locks the whole ledger.
    """
    if not uow.pending.setdefault("ledger", []):
        quota.lock_counters(uow)
        uow.pending["ledger"].append("locked")
    uow.flush()
    count_used(uow, project.id)


def _end(uow: UnitOfWork, clock: Clock, request_id: int, to: HoldState) -> list[Change]:
    changes = []
    for row in uow.all(Hold, Hold.request_id == request_id, Hold.state == HoldState.HELD):
        change, row_id = _freed(uow, row), row.id
        mine = uow.update(
            Hold, Hold.id == row_id, Hold.state == HoldState.HELD, state=to, ended_at=clock.now()
        )
        if mine:
            changes.append(change)
    return changes


def _freed(uow: UnitOfWork, row: Hold) -> Change:
    project = uow.need(Project, row.project_id)
    chain = project_chain(uow, project.id, project.department_id)
    return Change(chain, row.site_id, Kind(row.kind), held=-row.amount)


def _used_changes(uow: UnitOfWork, project_id: str) -> list[Change]:
    project = uow.need(Project, project_id)
    site = project.site_id
    chain = project_chain(uow, project_id, project.department_id)
    leaves = places(chain[:1], site, Kind)
    ids = ensure_rows(uow, places(chain, site, Kind))
    uow.flush()
    quota.lock_rows(uow, [ids[place] for place in leaves])
    used = quota.used_amounts(uow, project_id).get((project_id, site), Amounts())
    counted = {place.kind: counter.used for place, counter in read_counters(uow, leaves).items()}
    return [
        Change(chain, site, kind, used=used[kind] - counted[kind])
        for kind in Kind
        if used[kind] != counted[kind]
    ]


def _net(changes: Iterable[Change]) -> list[Change]:
    """One change for each leaf and kind."""
    sums: dict[tuple[Chain, str, Kind], tuple[int, int]] = {}
    for change in changes:
        key = (change.chain, change.site, change.kind)
        held, used = sums.get(key, (0, 0))
        sums[key] = (held + change.held, used + change.used)
    return [Change(*key, held=held, used=used) for key, (held, used) in sums.items() if held or used]
