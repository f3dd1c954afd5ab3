"""The register of plans whose move has ended: an entry that such a move left closed goes back.

A worker that was away between its last question and the act may take the register after another one has
given the move back. Nothing was promoted under that entry, and while it is closed nobody may write at all.
So whoever looks next gives it back, as the move itself would have.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from cloudctl.actors import SYSTEM
from cloudctl.core import Core
from cloudctl.errors import Conflict, WitnessUnavailable
from cloudctl.lifecycle import FailoverState, PlanState
from cloudctl.models import Failover, ProtectionPlan
from cloudctl.ports import Register, Witness
from dr.alarm import raise_alarm
from dr.failover import register
from dr.failover.job import SUBJECT

_LEFT = "the move {id} of {plan} had ended and held the register: {site} may write again"


def left_by(entry: Register | None, ended: Sequence[Failover]) -> Failover | None:
    """Pure: the move that holds the entry closed though it was given back; None where none does.

    One that was on its way to promote is for people.
    """
    if entry is None or entry.is_open:
        return None
    for row in ended:
        is_its = register.is_mine(entry, row.base_epoch, row.to_site_id, row.owner)
        if is_its and FailoverState.PROMOTING not in (row.times or {}):
            return row
    return None


def give_back_left(core: Core, witness: Witness) -> list[str]:
    """Give back what moves that have ended hold; the plans whose entry was given back.

    Again changes nothing. A witness that does not answer is asked by the next look.
    """
    given = []
    for plan, ended in _ended(core).items():
        with suppress(WitnessUnavailable, Conflict):
            entry = witness.read(plan)
            row = left_by(entry, ended)
            if entry is None or row is None:
                continue
            after = register.given_back(entry)
            _tell(core, row, plan, after)
            witness.swap(entry, after)
            given.append(plan)
    return given


def _ended(core: Core) -> Mapping[str, Sequence[Failover]]:
    """The moves that were given back, by the names of their plans; the newest first."""
    with core.store.read() as uow:
        names = {
            row.id: row.name
            for row in uow.all(ProtectionPlan, ProtectionPlan.state != PlanState.RETIRED.value)
        }
        gone = uow.all(Failover, Failover.state == FailoverState.ABORTED.value, order_by=[Failover.id.desc()])
        found: dict[str, list[Failover]] = {}
        for row in gone:
            if row.plan_id in names:
                found.setdefault(names[row.plan_id], []).append(row)
        return found


def _tell(core: Core, row: Failover, plan: str, after: Register) -> None:
    """Into the audit chain and to the administrators, before it is done: afterwards it could be lost."""
    with core.store.write() as uow:
        details = {"plan": plan, "holder": after.holder, "epoch": after.epoch}
        core.audit.record(uow, SYSTEM.user_id, "failover.give_back_left", SUBJECT, row.id, details)
        params = {"id": row.id, "plan": plan, "site": after.holder}
        raise_alarm(uow, core.clock, after.holder, _LEFT, params, (SUBJECT, row.id))
