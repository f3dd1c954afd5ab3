"""What people do with the databases of a plan: have them follow each other, see how far behind they are."""

from typing import Any

from cloudctl import operations
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import Conflict, Refused
from cloudctl.models import Operation
from cloudctl.operations import OPEN
from cloudctl.queries import plans as reads
from dr.failover.people import ring
from dr.plans import databases as in_plans
from dr.plans.document import of_json
from dr.ways import measuring
from dr.ways.database_flow import ANEW, DEADLINE_S, KIND, SUBJECT

Json = dict[str, Any]


def set_up(core: Core, actor: Actor, key: str, *, is_anew: bool = False) -> Json:
    """Begin to make the database at the other site follow the one where the system runs.

    Again changes nothing. Whatever the other server had is kept beside the copy that takes its place; where
    it was a database of the same data that writes, only with `is_anew`. Needs dr.plan at both sites. Refused
    where the plan has no database, Conflict while it is moved or set up.
    """
    with core.store.write() as uow:
        plan = reads.find_plan(uow, actor, key)
        for site in (plan.home_site_id, plan.recovery_site_id):
            actor.must("dr.plan", [("site", site)])
        if not in_plans.of(of_json(plan.document)):
            raise Refused("no part of {plan} has a database", plan=plan.name)
        mine = (Operation.kind == KIND, Operation.subject_id == str(plan.id), Operation.state.in_(OPEN))
        if uow.count(Operation, *mine) or reads.is_moving(uow, plan.id):
            raise Conflict("the databases of {plan} are being turned already", plan=plan.name)
        work = operations.start(uow, core.clock, KIND, (SUBJECT, plan.id), plan.active_site_id, DEADLINE_S)
        work.scratch = {ANEW: is_anew}
        ring(core, uow, work.id)
        core.audit.record(uow, actor.user_id, "dr.database.setup", SUBJECT, plan.id,
                          {"plan": plan.name, ANEW: is_anew}, actor.trace_id)  # fmt: skip
        return {"id": plan.id, "name": plan.name, "state": str(work.state), "operation_id": work.id}


def lag(core: Core, actor: Actor, key: str) -> list[Json]:
    """How far behind each database of the plan was when it was looked at last. NotFound."""
    with core.store.read() as uow:
        return measuring.rows(reads.find_plan(uow, actor, key), core)
