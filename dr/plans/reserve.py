"""Room at the other site that is really held for a plan: in the ledger, and against what the site can hold.

Held when the plan is complete, made again after an edit or a move, given back when it is retired. A failover
spends it: it gives the room back in the very transaction that begins to use it.
"""

from dataclasses import replace

from cloudctl.amounts import Amounts
from cloudctl.clock import Clock
from cloudctl.models import Project, ProtectionPlan, Site
from cloudctl.store import UnitOfWork
from dr.plans.document import Document
from dr.plans.known import Known, needed
from dr.plans.readiness import room_short
from tenants import reserves


def hold(uow: UnitOfWork, clock: Clock, plan: ProtectionPlan, document: Document, known: Known) -> Known:
    """Hold what a move to the target needs, in the caller's transaction; what is known with that.

    Again changes nothing. What was held before stays where the new amount does not fit, and what is short is
    in the facts. OverQuota, to be rolled back, when somebody was faster between the look and the change.
    """
    plan_id = plan.id
    wanted = needed(document, known)
    project = uow.get(Project, known.project) if known.project else None
    if project is None or not wanted:
        reserves.free(uow, plan_id)
        return replace(known, reserved=Amounts())
    if reserves.held_by(uow, plan_id) == wanted and reserves.site_of(uow, plan_id) == project.site_id:
        return replace(known, reserved=wanted, quota=())
    uow.for_update(Site, known.target)  # two plans that come at once would both find the same room
    now = replace(known, reserved_by_others=reserves.held_at(uow, known.target, plan_id))
    short = reserves.shortages(uow, plan_id, project, wanted)
    if not short and not room_short(document, now):
        reserves.reserve(uow, clock, plan_id, project, wanted)
    return replace(now, reserved=reserves.held_by(uow, plan_id), quota=tuple(short))


def spend(uow: UnitOfWork, plan_id: int) -> Amounts:
    """Give the room back because it is used now, or never will be; what it was. Again gives nothing."""
    return reserves.free(uow, plan_id)
