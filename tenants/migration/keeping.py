"""A system locked for a change of its stage, and the one way by which a stage changes it: row and history."""

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import NotFound
from cloudctl.models import InformationSystem
from cloudctl.store import UnitOfWork
from tenants.register.fields import Record, Value
from tenants.register.history import change_record
from tenants.register.records import REGISTER, Changes, record_of

SUBJECT = "information_system"


def locked(uow: UnitOfWork, system_id: str) -> tuple[InformationSystem, dict[str, Value]]:
    """The system as it is now, locked until the end of the transaction. NotFound when there is none."""
    if uow.get(InformationSystem, system_id) is None:
        raise NotFound("{what} '{key}' does not exist", what="system", key=system_id)
    row = uow.for_update(InformationSystem, system_id)
    return row, record_of(row)


def keep(
    core: Core, uow: UnitOfWork, actor: Actor, row: InformationSystem, after: Record, reason: str
) -> Changes:
    """Make a locked system say what the record says, and write the version of it; what changed.

    Whoever moves a system speaks for the register: the topology file no longer changes it.
    """
    row.origin = REGISTER
    return change_record(uow, core.clock, row, after, actor.user_id, reason)
