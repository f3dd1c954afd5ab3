"""A plan whose move was cut off with the home: the register is closed, and whoever closed it is gone.

The entry is given back as the move itself would have: open again for the site that was open last, an epoch
later, so that the home's move is lost should the home come back. Nobody writes at this site before an entry
is open for it, so nothing is divided by that; the system is then moved like any other.
"""

from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, Refused, WrongState
from cloudctl.models import Failover
from cloudctl.observing import ALONE
from cloudctl.ports import Register, Witness
from cloudctl.queries import failovers as reads
from cloudctl.store import UnitOfWork
from dr.alone.importing import standby_in
from dr.failover import register

Json = dict[str, Any]


def release(core: Core, actor: Actor, witness: Witness | None, plan: str, reason: str) -> Json:
    """Give back the closed entry of a plan that a move of the home took for this site. The entry after it.

    WrongState unless this site works alone; Refused when the entry is open, is of another site, or of a move
    of this one; WitnessUnavailable. Needs dr.approve at the site.
    """
    if witness is None:
        raise Refused("this installation has no witness.yaml")
    with core.store.read() as uow:
        name = _must_may(uow, actor, plan)
    if not reason.strip():
        raise BadInput("the input has faults", faults=[Fault("reason", "missing", "is missing")])
    entry = witness.read(name)
    with core.store.write() as uow:
        row = standby_in(uow)
        found = reads.find_plan(uow, actor, name)
        if entry is None or not _is_left(uow, entry, row.site_id):
            template = "the register of {plan} is not held by a move of the home to {site}"
            raise Refused(template, plan=name, site=row.site_id)
        after = register.given_back(entry)
        details = {"plan": name, "owner": entry.owner, "epoch": after.epoch, "holder": after.holder,
                   "reason": reason.strip()}  # fmt: skip
        core.audit.record(uow, actor.user_id, "alone.release", "protection_plan", found.id, details,
                          actor.trace_id)  # fmt: skip
    now = witness.swap(entry, after)  # the intent is in the chain; Conflict when somebody was faster
    return {"id": found.id, "name": name, "state": "open" if now.is_open else "closed", "holder": now.holder,
            "epoch": now.epoch}  # fmt: skip


def _must_may(uow: UnitOfWork, actor: Actor, plan: str) -> str:
    row = standby_in(uow)
    actor.must("dr.approve", [("site", row.site_id)])
    if row.state != ALONE:
        raise WrongState("{site} stands by", site=row.site_id)
    return reads.find_plan(uow, actor, plan).name


def _is_left(uow: UnitOfWork, entry: Register, site_id: str) -> bool:
    is_taken = not entry.is_open and entry.holder == site_id and entry.owner != ""
    return is_taken and uow.count(Failover, Failover.owner == entry.owner) == 0
