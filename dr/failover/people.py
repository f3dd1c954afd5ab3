"""Who decides about a move, and what every word of theirs does to its rows; in the caller's transaction."""

from typing import Any

from cloudctl import operations
from cloudctl.actors import RIGHTS, Actor, Role
from cloudctl.core import Core
from cloudctl.errors import WrongState
from cloudctl.lifecycle import FailoverState
from cloudctl.models import Failover, Operation, ProtectionPlan, User
from cloudctl.notices import settle
from cloudctl.queries import failovers as reads
from cloudctl.store import UnitOfWork
from dr.acting import path_of
from dr.failover.job import ABORT, KIND, SUBJECT, go
from provisioning import administrators

Json = dict[str, Any]
DEADLINE_S = 24 * 3600  # until it is given back, or goes on if it cannot be
MIN_REASON, MOST_TEXT = 10, 1000


def told(row: Failover) -> Json:
    """The row as answers show it; the whole of it: cloudctl/queries/failovers.py."""
    return {"id": row.id, "name": row.plan.get("name"), "state": str(row.state), "kind": row.kind,
            "from_site": row.from_site_id, "site": row.to_site_id, "plan_sha256": row.plan_sha256,
            "operation_id": row.operation_id}  # fmt: skip


def begin(core: Core, uow: UnitOfWork, row: Failover) -> None:
    """The flow takes it from here; the people who had to decide need not any more."""
    go(row, "approve", core.clock.now().isoformat())
    work_on(core, uow, row)
    settle(uow, core.clock, (SUBJECT, row.id))


def work_on(core: Core, uow: UnitOfWork, row: Failover) -> Operation:
    """A worker takes it on from where it stands."""
    made = operations.start(uow, core.clock, KIND, (SUBJECT, row.id), row.to_site_id, DEADLINE_S)
    row.operation_id = made.id
    ring(core, uow, made.id)
    return made


def end_unbegun(core: Core, uow: UnitOfWork, row: Failover) -> None:
    """Nothing was touched yet: given back in one breath."""
    for event in (ABORT, "return"):
        go(row, event, core.clock.now().isoformat())
    row.ended_at = core.clock.now()
    settle(uow, core.clock, (SUBJECT, row.id))


def to_decide(
    uow: UnitOfWork, actor: Actor, failover_id: int, *also: FailoverState
) -> tuple[Failover, ProtectionPlan]:
    """The move, locked, and its plan. NotFound, NotAllowed; WrongState when it is decided."""
    reads.show(uow, actor, failover_id)
    row = uow.for_update(Failover, failover_id)
    plan = uow.need(ProtectionPlan, row.plan_id)
    actor.must("dr.approve", path_of(uow, plan.system_id, row.to_site_id))
    must_be(row, FailoverState.REQUESTED, *also)
    return row, plan


def mine_to_run(uow: UnitOfWork, actor: Actor, failover_id: int) -> Failover:
    """The move, for somebody who may run it. NotFound, NotAllowed."""
    reads.show(uow, actor, failover_id)
    row = uow.need(Failover, failover_id)
    plan = uow.need(ProtectionPlan, row.plan_id)
    actor.must("dr.run", path_of(uow, plan.system_id, row.to_site_id))
    return row


def must_be(row: Failover, *states: FailoverState) -> None:
    """WrongState unless it is in one of these states."""
    if row.state not in states:
        raise WrongState("the move {id} is {state}", id=row.id, state=str(row.state))


def roles_of(actor: Actor, right: str, uow: UnitOfWork, row: Failover, plan: ProtectionPlan) -> list[Role]:
    """The roles in which somebody has the right here."""
    path = path_of(uow, plan.system_id, row.to_site_id)
    return [role for role in sorted(RIGHTS[right]) if actor.has(role, path)]


def deciders(uow: UnitOfWork, plan: ProtectionPlan, site: str, but: str) -> list[str]:
    """Those who administer one of the two sites, but for the one who asks."""
    people = {*administrators.of_site(uow, site), *administrators.of_site(uow, plan.active_site_id)}
    return [one for one in people if one != but and uow.get(User, one) is not None]


def ring(core: Core, uow: UnitOfWork, operation_id: int | None) -> None:
    """Wake a worker after the commit."""
    if operation_id is not None:
        uow.after_commit(lambda: core.bell.ring(operation_id))


def record(core: Core, uow: UnitOfWork, actor: Actor, act: str, row: Failover, **details: object) -> None:
    """Into the audit chain, with what every entry of a move says."""
    more = {"plan": row.plan.get("name"), "from": row.from_site_id, "to": row.to_site_id, "kind": row.kind}
    core.audit.record(uow, actor.user_id, f"failover.{act}", SUBJECT, row.id, {**more, **details},
                      actor.trace_id)  # fmt: skip
