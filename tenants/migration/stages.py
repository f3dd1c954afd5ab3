"""What a system has to show for each stage of its migration, as data, and the check of it. Pure.

Source: the rules that ask for a classification review, an agreement, a trial run of at least 30 days and a
signed confirmation of the migration (迁云工作确认报告). The numbers are ours to change here and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

from cloudctl.errors import Fault
from cloudctl.lifecycle import MIGRATION, MigrationStage
from tenants.register.fields import BY_NAME, FIELDS, STAGES, FieldKind, Record

TRIAL_DAYS = 30
MOST_YEARS = 3  # of an exemption, from the day it is asked for

Stage = MigrationStage
ORDER: tuple[Stage, ...] = (
    Stage.REGISTERED,
    Stage.CLASSIFIED,
    Stage.ASSESSED,
    Stage.PLANNED,
    Stage.AGREED,
    Stage.MIGRATING,
    Stage.TRIAL,
    Stage.ACCEPTED,
    Stage.DONE,
)
# What a stage adds to what the stages before it have shown.
SHOWS: dict[Stage, tuple[str, ...]] = {
    Stage.REGISTERED: (),
    Stage.CLASSIFIED: ("decision_document", "decision_on", "decision_reviewer"),
    Stage.ASSESSED: ("assessed_on",),
    Stage.PLANNED: ("plan_document", "planned_on"),
    Stage.AGREED: ("agreement", "agreement_document", "agreed_on"),
    Stage.MIGRATING: ("migrating_from",),
    Stage.TRIAL: ("trial_from",),
    Stage.ACCEPTED: ("accepted_on", "report_document"),
    Stage.DONE: ("done_on",),
    Stage.EXEMPT: ("exempt_clause", "exempt_document", "exempt_until"),
    Stage.RETIRED: (),
    Stage.MERGED: ("merged_into",),
}
# Dates that cannot come one before the other, in this order. `planned_on` lies ahead and is not among them.
DATES = (
    "decision_on",
    "assessed_on",
    "agreed_on",
    "migrating_from",
    "trial_from",
    "accepted_on",
    "done_on",
)
MAY_LIE_AHEAD = frozenset({"planned_on", "mlps_next_on", "exempt_until"})
_PAST = tuple(
    field.name for field in FIELDS if field.kind is FieldKind.DATE and field.name not in MAY_LIE_AHEAD
)
ON_CLOUD = (Stage.ACCEPTED, Stage.DONE)
_ENDED = ("retired", "merged")


@dataclass(frozen=True)
class Asked:
    """What an event of the stage table asks to be told, and where it leads."""

    event: str
    target: Stage
    shows: tuple[str, ...]


@cache
def needed(stage: Stage) -> tuple[str, ...]:
    """Every field that a system in this stage has to show, those of the stages before it included."""
    if stage not in ORDER:
        return SHOWS[stage]
    return tuple(name for one in ORDER[: ORDER.index(stage) + 1] for name in SHOWS[one])


def events_from(stage: Stage) -> list[Asked]:
    """What can be done from here, with what has to be shown for it."""
    return [Asked(row.event, row.target, SHOWS[row.target]) for row in MIGRATION if row.source == stage]


def stage_faults(record: Record, today: date) -> Iterator[Fault]:
    """Everything that does not fit the stage of the record, or the order of its dates."""
    stage = Stage(str(record.get("stage") or Stage.REGISTERED))
    for name in [name for name in needed(stage) if not record.get(name)]:
        params = {"stage": STAGES[stage], "field": BY_NAME[name].title}
        yield Fault(name, "missing_evidence", "the stage {stage} has to show {field}", params)
    if stage in ON_CLOUD:
        yield from _on_cloud_faults(record)
    yield from _life_faults(stage, record)
    yield from _date_faults(record, today)


def _on_cloud_faults(record: Record) -> Iterator[Fault]:
    if record.get("hosting") != "gov_cloud":
        hint = "set the hosting to the government cloud, or the stage back"
        yield Fault("hosting", "not_on_cloud", "an accepted system runs on the government cloud", hint=hint)
    start, accepted = record.get("trial_from"), record.get("accepted_on")
    if isinstance(start, date) and isinstance(accepted, date):
        if start <= accepted < start + timedelta(days=TRIAL_DAYS):
            params = {"days": (accepted - start).days, "least": TRIAL_DAYS}
            template = "the trial run lasted {days} days; at least {least} are asked"
            yield Fault("accepted_on", "trial_too_short", template, params)


def _life_faults(stage: Stage, record: Record) -> Iterator[Fault]:
    """Retired and merged are said twice, by stage and by life state: both must say the same."""
    life = record.get("life_state")
    if (stage.value if stage.value in _ENDED else life if life not in _ENDED else None) != life:
        params = {"stage": STAGES[stage], "life": BY_NAME["life_state"].choices.get(str(life), str(life))}
        template = "the stage {stage} and the life state {life} contradict each other"
        yield Fault("stage", "contradiction", template, params)


def _date_faults(record: Record, today: date) -> Iterator[Fault]:
    known = [(name, value) for name in DATES if isinstance(value := record.get(name), date)]
    for (before, earlier), (after, later) in pairwise(known):
        if later < earlier:
            params = {"field": BY_NAME[after].title, "before": BY_NAME[before].title, "day": earlier}
            yield Fault(after, "date_order", "{field} cannot lie before {before} ({day})", params)
    past = [(name, value) for name in _PAST if isinstance(value := record.get(name), date)]
    for name, value in past:
        if value > today:
            params = {"day": value, "today": today}
            yield Fault(name, "future_date", "{day} lies ahead; today is {today}", params)
