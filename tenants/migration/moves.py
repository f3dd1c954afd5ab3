"""What an event of the stage table makes of a record: what it asks, what it clears, what is wrong. Pure.

Going back clears what the stages behind it had shown, but never the classification decision: that stays
true. History keeps what was there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from cloudctl.errors import Fault
from cloudctl.lifecycle import MIGRATION, MigrationStage, move
from tenants.migration.stages import ORDER, SHOWS, needed, stage_faults
from tenants.register.fields import BY_NAME, Field, Record, Value
from tenants.register.parsing import Known, read_value

Stage = MigrationStage
MOST_REASON = 500
NEEDS_REASON = frozenset({"roll_back", "revoke", "retire", "restore"})
# An exemption takes two people, and its end is not a matter of evidence: other doors lead there.
ELSEWHERE = frozenset({"exempt", "end_exemption"})
# What may be told with an event besides what its stage has to show.
MAY_SHOW: Mapping[str, tuple[str, ...]] = {
    "classify": ("network",),
    "plan": ("leader", "unit", "person"),
    "accept": ("hosting", "old_host_off_on", "old_host_document"),
    "finish": ("old_host_off_on", "old_host_document"),
}
_ENDS = {Stage.RETIRED: "retired", Stage.MERGED: "merged"}
_KEPT = frozenset(SHOWS[Stage.CLASSIFIED])
_NO_PLACES = Known({}, {})  # no event asks for a department or a division


@dataclass(frozen=True)
class Question:
    """A field that an event asks for: what the record says now, and whether it has to be told."""

    field: Field
    value: Value
    is_required: bool


def stage_of(record: Record) -> MigrationStage:
    """The stage a record says it is in."""
    return MigrationStage(str(record.get("stage") or Stage.REGISTERED))


def questions(record: Record, event: str) -> list[Question]:
    """The fields an event asks for; WrongState when the table has no such event from here.

    Also what an earlier stage should have shown and the record lacks: a stage may have been imported.
    """
    target = move(MIGRATION, stage_of(record), event)
    lacking = [name for name in needed(target) if record.get(name) in (None, "")]
    asked = dict.fromkeys((*lacking, *SHOWS[target]))
    optional = [name for name in MAY_SHOW.get(event, ()) if name not in asked]
    return [
        *(Question(BY_NAME[name], record.get(name), name in lacking) for name in asked),
        *(Question(BY_NAME[name], record.get(name), False) for name in optional),
    ]


def read_shown(record: Record, event: str, shown: Mapping[str, str]) -> tuple[dict[str, Value], list[Fault]]:
    """The values of what is shown, and everything about them that cannot be read or was not asked for."""
    known = {one.field.name: one.field for one in questions(record, event)}
    values: dict[str, Value] = {}
    faults: list[Fault] = []
    for name, text in shown.items():
        if name not in known:
            params = {"event": event, "known": ", ".join(known)}
            faults.append(
                Fault(name, "not_asked", "{event} does not ask for this", params, "it asks for: {known}")
            )
            continue
        value = read_value(known[name], text, _NO_PLACES)
        if isinstance(value, Fault):
            faults.append(replace(value, place=name))
        else:
            values[name] = value
    return values, faults


def moved(record: Record, event: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The record after the event, with these values told; WrongState when it is not possible from here."""
    source = stage_of(record)
    target = move(MIGRATION, source, event)
    after = {**record, **dict.fromkeys(_cleared(source, target)), **values, "stage": target.value}
    if target in _ENDS:
        after["life_state"] = _ENDS[target]
    elif source in _ENDS:
        after["life_state"] = "in_use"
    return after


def move_faults(record: Record, event: str, after: Record, today: date, reason: str = "") -> Iterator[Fault]:
    """Everything that forbids the event: of the system, of what is shown, of the reason."""
    if event in NEEDS_REASON and not reason.strip():
        yield Fault("reason", "missing", "say why", hint="the reason is kept with the history")
    if len(reason) > MOST_REASON:
        yield Fault("reason", "too_long", "has at most {most} characters", {"most": MOST_REASON})
    if record.get("is_classified") and _has_content(stage_of(after)):
        yield Fault("event", "classified", "a classified system is counted and never moves onto the cloud")
        return
    yield from stage_faults(after, today)


def merge_fault(system: str, into: Record | None, into_id: str) -> Fault | None:
    """Why this system cannot be merged into that one; two can never be merged into each other."""
    params: dict[str, object] = {"system": system, "into": into_id}
    if into is None:
        return Fault("merged_into", "unknown_system", "there is no system '{into}' to merge into", params)
    if into_id == system:
        return Fault("merged_into", "into_itself", "a system cannot be merged into itself")
    if into.get("merged_into") == system:
        template = "{into} was merged into {system}: two systems cannot be merged into each other"
        return Fault("merged_into", "into_each_other", template, params)
    if stage_of(into) in _ENDS:
        return Fault(
            "merged_into", "ended", "{into} is no longer in use itself", params, "name the one that is"
        )
    return None


def _cleared(source: Stage, target: Stage) -> list[str]:
    """What is no longer shown after the move: all beyond the target, and what the source alone showed."""
    gone = [*SHOWS[source]] if source not in ORDER else []
    if target in ORDER and (source not in ORDER or ORDER.index(target) < ORDER.index(source)):
        gone += [name for stage in ORDER[ORDER.index(target) + 1 :] for name in SHOWS[stage]]
    return [name for name in gone if name not in _KEPT]


def _has_content(stage: Stage) -> bool:
    return any(BY_NAME[name].is_content for name in needed(stage))
