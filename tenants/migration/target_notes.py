"""What is said about a target: urged (催办), reported (报送), each with the figures of its moment."""

from typing import Any

from cloudctl import notices
from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault
from cloudctl.models import Target, TargetNote
from cloudctl.queries import targets as reads
from cloudctl.store import UnitOfWork
from tenants.migration.rates import percent_text
from tenants.migration.target_rows import figure_now
from tenants.migration.targeting import SUBJECT, need_open, record

MOST_TEXT = 1000


def urge(core: Core, actor: Actor, target_id: int, text: str) -> list[str]:
    """Tell the people of the scope that the target is behind; who was told. Needs migration.target there."""
    with core.store.write() as uow:
        target = need_open(uow, target_id)
        actor.must("migration.target", reads.path_of(uow, target.scope))
        words, figures = _note(core, uow, actor, target, "urged", text)
        people = reads.people_of(uow, target.scope) - {actor.user_id}
        template = "{who} urges: {name} ({target} % by {day}), now {rate} %, {behind} behind: {text}"
        params = {"who": actor.name, "text": words, **figures}
        subject = (SUBJECT, target_id)
        notices.tell(uow, core.clock, people, template, params, subject, needs_action=True)
        record(core, uow, actor, "urge", target_id, text=words, told=sorted(people))
        return sorted(people)


def report(core: Core, actor: Actor, target_id: int, text: str) -> list[str]:
    """Say how it goes; whoever set the target or urged is told. For those who move systems in the scope."""
    with core.store.write() as uow:
        target = need_open(uow, target_id)
        actor.must("migration.move", reads.path_of(uow, target.scope))
        words, figures = _note(core, uow, actor, target, "reported", text)
        urged = (TargetNote.target_id == target_id, TargetNote.kind == "urged")
        people = {target.created_by, *uow.column(TargetNote.by, *urged)} - {actor.user_id}
        notices.settle(uow, core.clock, (SUBJECT, target_id))
        template = "{who} reports on {name}: now {rate} %, {behind} behind: {text}"
        params = {"who": actor.name, "text": words, **figures}
        notices.tell(uow, core.clock, people, template, params, (SUBJECT, target_id))
        record(core, uow, actor, "report", target_id, text=words, told=sorted(people))
        return sorted(people)


def _note(
    core: Core, uow: UnitOfWork, actor: Actor, target: Target, kind: str, text: str
) -> tuple[str, dict[str, Any]]:
    """Write the note; its text, and the target's figures as notices say them."""
    words = text.strip()
    if not words or len(words) > MOST_TEXT:
        fault = Fault("text", "missing", "say what there is to say")
        if words:
            fault = Fault("text", "too_long", "has at most {most} characters", {"most": MOST_TEXT})
        raise BadInput("the note cannot be written", faults=[fault])
    figure, stands = figure_now(uow, core.clock.now(), target)
    counted = {
        "rate": figure.percent or "—",
        "numerator_hundredths": figure.numerator_hundredths,
        "denominator": figure.denominator,
        "behind": stands.behind or 0,
        "state": stands.state,
    }
    uow.add(
        TargetNote(
            target_id=target.id, kind=kind, text=words, figures=counted,
            at=core.clock.now(), by=actor.user_id,
        )
    )  # fmt: skip
    about = {"name": target.name, "target": percent_text(target.value), "day": target.due_on.isoformat()}
    return words, {**about, "rate": counted["rate"], "behind": counted["behind"]}
