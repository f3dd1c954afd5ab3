"""Making the way back ready, as a person asks for it: an operation about the move that led away."""

from typing import Any

from cloudctl import operations
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, Refused
from cloudctl.lifecycle import FailoverState
from cloudctl.models import Failover, Operation
from cloudctl.operations import OPEN
from cloudctl.queries import failovers as reads
from dr.acting import path_of
from dr.failover.job import SUBJECT
from dr.failover.people import record, ring

KIND = "failback"  # of the operation
DEADLINE_S = 7 * 24 * 3600  # a site that burnt is not back tomorrow
_LED_AWAY = (FailoverState.SHIFTED, FailoverState.COMMITTED)


def begin(core: Core, actor: Actor, plan: str, reason: str) -> dict[str, Any]:
    """Begin to make the site ready from which the system came; a planned move back comes after it.

    Needs dr.run there. Refused where no move of the plan led to where it runs now; Conflict while it goes on.
    """
    with core.store.write() as uow:
        row = reads.find_plan(uow, actor, plan)
        last = uow.first(
            Failover,
            Failover.plan_id == row.id,
            Failover.to_site_id == row.active_site_id,
            Failover.state.in_([one.value for one in _LED_AWAY]),
            order_by=[Failover.id.desc()],
        )
        if last is None:
            raise Refused(
                "no move led {plan} to {site}, where it runs", plan=row.name, site=row.active_site_id
            )
        actor.must("dr.run", path_of(uow, row.system_id, last.from_site_id))
        if not reason.strip():
            raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing")])
        subject = (SUBJECT, last.id)
        mine = (Operation.kind == KIND, Operation.subject_id == str(last.id), Operation.state.in_(OPEN))
        if uow.count(Operation, *mine):
            raise Conflict(
                "{site} is being made ready for {plan} already", site=last.from_site_id, plan=row.name
            )
        work = operations.start(uow, core.clock, KIND, subject, last.from_site_id, DEADLINE_S)
        ring(core, uow, work.id)
        record(core, uow, actor, "failback", last, reason=reason.strip())
        return {"id": last.id, "name": row.name, "state": str(work.state), "site": last.from_site_id,
                "operation_id": work.id}  # fmt: skip
