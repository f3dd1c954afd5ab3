"""Systems that need not move (不宜上云): asked for by one person, decided by another, and never for ever."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from cloudctl import notices
from cloudctl.actors import INSTALLATION, Actor, Role
from cloudctl.clock import local_day
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, NotAllowed, NotFound, SecondPersonNeeded, WrongState
from cloudctl.lifecycle import MIGRATION, MigrationStage, move
from cloudctl.models import Exemption, InformationSystem
from cloudctl.queries import requests as people
from cloudctl.queries.register import find_system
from cloudctl.store import UnitOfWork
from tenants.migration import moves
from tenants.migration.course import system_path
from tenants.migration.keeping import keep, locked
from tenants.migration.stages import MOST_YEARS
from tenants.register.dates import read_date

SUBJECT = "exemption"
OPEN = ("asked", "approved")
_MOST_TEXT = {"clause": 200, "document": 200, "reason": 1000, "opinion": 1000}


def ask(core: Core, actor: Actor, system_id: str, clause: str, document: str, until: str, reason: str) -> int:
    """The id of the asked exemption, told to those who decide; of one that is exempt already, a renewal.

    BadInput with all faults; WrongState for a system that has moved or ended; Conflict when one is asked.
    """
    with core.store.write() as uow:
        row = find_system(uow, actor, system_id)
        actor.must("migration.exempt", system_path(uow, row))
        row, record = locked(uow, row.id)
        day, faults = _read(clause, document, until, reason, local_day(core.clock.now()))
        if row.is_classified:
            template = "a classified system is left out by its decision and needs no exemption"
            faults.append(Fault("system", "classified", template))
        if faults:
            raise BadInput("the exemption cannot be asked for", faults=faults)
        if moves.stage_of(record) != MigrationStage.EXEMPT:
            move(MIGRATION, moves.stage_of(record), "exempt")
        if uow.count(Exemption, Exemption.system_id == row.id, Exemption.state == "asked"):
            raise Conflict("an exemption of {system} waits for a decision already", system=row.id)
        assert day is not None
        texts = {"clause": clause.strip(), "document": document.strip(), "reason": reason.strip()}
        made = uow.add(
            Exemption(
                system_id=row.id, state="asked", until=day, asked_by=actor.user_id,
                asked_at=core.clock.now(), **texts,
            )
        )  # fmt: skip
        _tell_deciders(core, uow, made, row, actor)
        _record(core, uow, actor, "ask", made, until=day.isoformat(), **texts)
        return made.id


def approve(core: Core, actor: Actor, exemption_id: int, opinion: str = "") -> None:
    """The system need not move until that day. SecondPersonNeeded for whoever asked, in whatever role."""
    with core.store.write() as uow:
        exemption = _to_decide(core, uow, actor, exemption_id, opinion, is_opinion_needed=False)
        today = local_day(core.clock.now())
        if exemption.until < today:
            raise WrongState("the exemption would have ended on {day}", day=exemption.until.isoformat())
        row, record = locked(uow, exemption.system_id)
        if row.is_classified:
            raise WrongState("a classified system is left out by its decision and needs no exemption")
        shown = {
            "exempt_clause": exemption.clause,
            "exempt_document": exemption.document,
            "exempt_until": exemption.until,
        }
        after = {**record, **shown}
        if moves.stage_of(record) != MigrationStage.EXEMPT:
            after = moves.moved(record, "exempt", shown)
        earlier = (Exemption.system_id == row.id, Exemption.state == "approved")
        uow.update(Exemption, *earlier, state="ended")
        _decide(core, uow, actor, exemption, "approved", opinion)
        keep(core, uow, actor, row, after, f"exemption:{exemption_id}")
        _tell_asker(core, uow, exemption, "{system_name} need not move until {day}")


def reject(core: Core, actor: Actor, exemption_id: int, opinion: str) -> None:
    """The system has to move. An opinion is required; SecondPersonNeeded for whoever asked."""
    with core.store.write() as uow:
        exemption = _to_decide(core, uow, actor, exemption_id, opinion, is_opinion_needed=True)
        _decide(core, uow, actor, exemption, "rejected", opinion)
        template = "the exemption of {system_name} was rejected by {who}: {opinion}"
        _tell_asker(core, uow, exemption, template, who=actor.name, opinion=opinion.strip())


def withdraw(core: Core, actor: Actor, exemption_id: int) -> None:
    """Take back what one has asked for oneself, before it is decided."""
    with core.store.write() as uow:
        exemption = _seen(uow, actor, exemption_id)
        if exemption.asked_by != actor.user_id:
            raise NotAllowed("only {requester} may take exemption {id} back",
                             requester=exemption.asked_by, id=exemption_id)  # fmt: skip
        _move(uow, exemption, "asked", state="withdrawn", decided_at=core.clock.now())
        notices.settle(uow, core.clock, (SUBJECT, exemption_id))
        _record(core, uow, actor, "withdraw", exemption)


def revoke(core: Core, actor: Actor, exemption_id: int, reason: str) -> None:
    """End an approved exemption before its day, and say why; the system has to move again."""
    with core.store.write() as uow:
        exemption = _seen(uow, actor, exemption_id)
        actor.must("migration.decide", system_path(uow, uow.need(InformationSystem, exemption.system_id)))
        _check_texts(needed=("opinion",), opinion=reason)
        end(core, uow, actor, exemption, "revoked", reason.strip())
        template = "the exemption of {system_name} was revoked by {who}: {opinion}"
        _tell_asker(core, uow, exemption, template, who=actor.name, opinion=reason.strip())


def end(
    core: Core, uow: UnitOfWork, actor: Actor, exemption: Exemption, state: str, opinion: str = ""
) -> None:
    """An approved exemption holds no longer; its system, if it is still exempt by it, has to move again."""
    now = core.clock.now()
    _move(uow, exemption, "approved", state=state, opinion=opinion or exemption.opinion, decided_at=now)
    row, record = locked(uow, exemption.system_id)
    if moves.stage_of(record) == MigrationStage.EXEMPT:
        after = moves.moved(record, "end_exemption", {})
        keep(core, uow, actor, row, after, f"exemption:{exemption.id}")
    action = "revoke" if state == "revoked" else "end"
    _record(core, uow, actor, action, exemption, reason=opinion)


def owners(uow: UnitOfWork, exemption: Exemption) -> set[str]:
    """Who has to know: whoever asked, and those who answer for the department."""
    row = uow.need(InformationSystem, exemption.system_id)
    approvers = people.people_for(uow, Role.DEPARTMENT_APPROVER, ("department", row.department_id))
    return {exemption.asked_by, *(one.id for one in approvers)}


# -- the pieces ---------------------------------------------------------------------------------


def _read(
    clause: str, document: str, until: str, reason: str, today: date
) -> tuple[date | None, list[Fault]]:
    faults = _text_faults(("clause", "document", "reason"), clause=clause, document=document, reason=reason)
    if not until.strip():
        hint = "an exemption ends; at most {years} years ahead"
        return None, [*faults, Fault("until", "missing", "is missing", {"years": MOST_YEARS}, hint)]
    day = read_date(until)
    if isinstance(day, Fault):
        return None, [*faults, replace(day, place="until")]
    params = {"day": day.isoformat(), "today": today.isoformat(), "years": MOST_YEARS}
    if day <= today:
        faults.append(Fault("until", "past_date", "{day} does not lie ahead; today is {today}", params))
    if day > _years_after(today, MOST_YEARS):
        faults.append(Fault("until", "too_far", "{day} is more than {years} years ahead", params))
    return day, faults


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28) + timedelta(days=1)


def _text_faults(needed: tuple[str, ...], **texts: str) -> list[Fault]:
    faults = []
    for name, text in texts.items():
        most = _MOST_TEXT[name]
        if name in needed and not text.strip():
            faults.append(Fault(name, "missing", "is missing"))
        if len(text) > most:
            faults.append(Fault(name, "too_long", "has at most {most} characters", {"most": most}))
    return faults


def _check_texts(needed: tuple[str, ...], **texts: str) -> None:
    faults = _text_faults(needed, **texts)
    if faults:
        raise BadInput("the exemption cannot be decided", faults=faults)


def _seen(uow: UnitOfWork, actor: Actor, exemption_id: int) -> Exemption:
    found = uow.get(Exemption, exemption_id)
    if found is not None:
        path = system_path(uow, uow.need(InformationSystem, found.system_id))
        if found.asked_by == actor.user_id or actor.may("system.see", path):
            return found
    raise NotFound("exemption {id} does not exist", id=exemption_id)


def _to_decide(
    core: Core, uow: UnitOfWork, actor: Actor, exemption_id: int, opinion: str, is_opinion_needed: bool
) -> Exemption:
    exemption = _seen(uow, actor, exemption_id)
    actor.must("migration.decide", system_path(uow, uow.need(InformationSystem, exemption.system_id)))
    if exemption.asked_by == actor.user_id:
        raise SecondPersonNeeded("{who} asked for exemption {id}: another person has to decide",
                                 who=actor.user_id, id=exemption_id)  # fmt: skip
    if exemption.state != "asked":
        raise _wrong_state(exemption)
    _check_texts(("opinion",) if is_opinion_needed else (), opinion=opinion)
    return exemption


def _decide(
    core: Core, uow: UnitOfWork, actor: Actor, exemption: Exemption, state: str, opinion: str
) -> None:
    decided = {"decided_by": actor.user_id, "decided_at": core.clock.now(), "opinion": opinion.strip()}
    _move(uow, exemption, "asked", state=state, **decided)
    notices.settle(uow, core.clock, (SUBJECT, exemption.id))
    _record(core, uow, actor, "approve" if state == "approved" else "reject", exemption, opinion=opinion)


def _move(uow: UnitOfWork, exemption: Exemption, source: str, **values: Any) -> None:
    """Compare-and-set from one state; WrongState when it is in another by now."""
    if not uow.update(Exemption, Exemption.id == exemption.id, Exemption.state == source, **values):
        raise _wrong_state(exemption)


def _wrong_state(exemption: Exemption) -> WrongState:
    return WrongState("exemption {id} is {state}", id=exemption.id, state=exemption.state)


def _tell_deciders(
    core: Core, uow: UnitOfWork, exemption: Exemption, row: InformationSystem, actor: Actor
) -> None:
    deciders = people.people_for(uow, Role.PROVINCE_ADMIN, INSTALLATION, but=[actor.user_id])
    template = "{who} asks that {system_name} need not move until {day}"
    params = {"who": actor.name, "system_name": row.name, "day": exemption.until.isoformat()}
    subject = (SUBJECT, exemption.id)
    notices.tell(uow, core.clock, [one.id for one in deciders], template, params, subject, needs_action=True)


def _tell_asker(core: Core, uow: UnitOfWork, exemption: Exemption, template: str, **params: object) -> None:
    row = uow.need(InformationSystem, exemption.system_id)
    words = {"system_name": row.name, "day": exemption.until.isoformat(), **params}
    notices.tell(uow, core.clock, owners(uow, exemption), template, words, (SUBJECT, exemption.id))


def _record(
    core: Core, uow: UnitOfWork, actor: Actor, what: str, exemption: Exemption, **details: object
) -> None:
    known = {"system": exemption.system_id, **details}
    action = f"exemption.{what}"
    core.audit.record(uow, actor.user_id, action, SUBJECT, exemption.id, known, actor.trace_id)
