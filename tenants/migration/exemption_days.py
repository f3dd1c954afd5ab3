"""What the calendar does to exemptions: owners are warned before the day; after it the system has to move."""

from datetime import date, timedelta

from cloudctl import notices
from cloudctl.actors import SYSTEM
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import Conflict
from cloudctl.lifecycle import MigrationStage
from cloudctl.models import Exemption, InformationSystem, Notice
from cloudctl.store import UnitOfWork
from tenants.migration import moves
from tenants.migration.exemptions import SUBJECT, end, owners
from tenants.migration.keeping import keep, locked

WARN_DAYS = 30
_WARNING = "the exemption of {system_name} ends on {day}: let it move, or ask for another"
_ENDED = "the exemption of {system_name} has ended on {day}: it has to move"


def end_due(core: Core) -> int:
    """End every exemption past its day and warn of those that end soon; how many ended.

    An exemption holds on its last day. Again changes nothing, and nobody is warned twice.
    """
    today = local_day(core.clock.now())
    with core.store.read() as uow:
        over = uow.column(Exemption.id, Exemption.state == "approved", Exemption.until < today)
        to_warn = _not_warned(uow, today)
        bare = uow.column(InformationSystem.id, *_past(today))
    for exemption_id in to_warn:
        with core.store.write() as uow:
            _tell(core, uow, uow.need(Exemption, exemption_id), _WARNING)
    ended = sum(_end(core, one) for one in over)
    return ended + sum(_end_bare(core, one, today) for one in bare)


def _not_warned(uow: UnitOfWork, today: date) -> list[int]:
    """The exemptions that end soon and of which nobody was told yet."""
    soon = (Exemption.until >= today, Exemption.until <= today + timedelta(days=WARN_DAYS))
    ids = uow.column(Exemption.id, Exemption.state == "approved", *soon)
    if not ids:
        return []
    about = (Notice.subject_kind == SUBJECT, Notice.subject_id.in_([str(one) for one in ids]))
    warned = set(uow.column(Notice.subject_id, *about, Notice.template == _WARNING))
    return [one for one in ids if str(one) not in warned]


def _past(today: date) -> tuple[object, ...]:
    """Systems that say they are exempt until a day that is over."""
    return (
        InformationSystem.stage == MigrationStage.EXEMPT,
        InformationSystem.exempt_until < today,
    )


def _end(core: Core, exemption_id: int) -> bool:
    try:
        with core.store.write() as uow:
            exemption = uow.need(Exemption, exemption_id)
            end(core, uow, SYSTEM, exemption, "ended")
            _tell(core, uow, exemption, _ENDED)
    except Conflict:
        return False  # somebody has just revoked or renewed it
    return True


def _end_bare(core: Core, system_id: str, today: date) -> bool:
    """A system whose stage came with an import, without an exemption of its own: its day is over as well."""
    with core.store.write() as uow:
        row, record = locked(uow, system_id)
        if row.stage != MigrationStage.EXEMPT or row.exempt_until is None or row.exempt_until >= today:
            return False
        keep(core, uow, SYSTEM, row, moves.moved(record, "end_exemption", {}), "exemption")
        details = {"system": system_id, "until": str(record["exempt_until"])}
        core.audit.record(uow, SYSTEM.user_id, "exemption.end", "information_system", system_id, details)
    return True


def _tell(core: Core, uow: UnitOfWork, exemption: Exemption, template: str) -> None:
    row = uow.need(InformationSystem, exemption.system_id)
    params = {"system_name": row.name, "day": exemption.until.isoformat()}
    notices.tell(uow, core.clock, owners(uow, exemption), template, params, (SUBJECT, exemption.id))
