"""Does it rely on the government cloud (是否依托政务云)? The verdict, its reasons, how long it holds. Pure.

Offices that approve projects and pay for them ask this. `relies`: it runs there now. `committed`: an
agreement, a wave or an approved request binds it to, by a day that lies ahead. `exempt`: somebody has
approved that it need not. All else is `does_not_rely`. A stage that was reached on paper is no evidence.
"""

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from cloudctl.errors import Fault
from cloudctl.lifecycle import MigrationStage
from tenants.migration.wave_plan import MOVED

MONTHS = 6
_BOUND = (MigrationStage.AGREED, MigrationStage.MIGRATING)


class GateVerdict(StrEnum):
    """The answer. JSON contract, stored: never rename one."""

    RELIES = "relies"
    COMMITTED = "committed"
    EXEMPT = "exempt"
    DOES_NOT_RELY = "does_not_rely"


@dataclass(frozen=True)
class GateFacts:
    """What the verdict looks at. `servers` are those that run, by site; `waves` end on a day each."""

    stage: MigrationStage
    life_state: str = "in_use"
    hosting: str = "own_room"
    servers: Mapping[str, int] = field(default_factory=dict)
    agreement: str | None = None
    agreement_document: str | None = None
    agreed_on: date | None = None
    planned_on: date | None = None
    accepted_on: date | None = None
    report_document: str | None = None
    trial_from: date | None = None
    waves: Mapping[str, date] = field(default_factory=dict)
    building: Mapping[int, str] = field(default_factory=dict)  # approved requests under way, and their site
    exempt_clause: str | None = None
    exempt_document: str | None = None
    exempt_until: date | None = None


@dataclass(frozen=True)
class Answer:
    """The verdict with its reasons, and the last day on which it may be relied on."""

    verdict: GateVerdict
    reasons: tuple[Fault, ...]
    valid_until: date


def answer(facts: GateFacts, today: date) -> Answer:
    """What is to be certified today."""
    last = months_after(today, MONTHS)
    if facts.life_state in ("retired", "merged"):
        return Answer(GateVerdict.DOES_NOT_RELY, (_why("ended", "it is no longer in use"),), last)
    if facts.servers and (facts.hosting == "gov_cloud" or facts.stage in MOVED):
        return Answer(GateVerdict.RELIES, (*_running(facts), *_accepted(facts)), last)
    if facts.stage == MigrationStage.EXEMPT and facts.exempt_until and facts.exempt_until >= today:
        return Answer(GateVerdict.EXEMPT, (_exempt(facts),), min(last, facts.exempt_until))
    bound = list(_bound(facts, today))
    if bound:
        reasons = tuple(reason for reason, _ in bound)
        return Answer(GateVerdict.COMMITTED, reasons, min(last, max(day for _, day in bound)))
    return Answer(GateVerdict.DOES_NOT_RELY, tuple(_against(facts, today)), last)


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last one of a month that is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _why(code: str, template: str, **params: object) -> Fault:
    return Fault("", code, template, params)


def _running(facts: GateFacts) -> Iterator[Fault]:
    for site, count in facts.servers.items():
        yield _why("running", "{count} servers of it run on the cloud {site}", count=count, site=site)


def _accepted(facts: GateFacts) -> Iterator[Fault]:
    if facts.accepted_on and facts.report_document:
        template = "its migration was accepted on {day} ({document})"
        yield _why("accepted", template, day=_iso(facts.accepted_on), document=facts.report_document)
    elif facts.trial_from:
        yield _why("trial", "it is in its trial run since {day}", day=_iso(facts.trial_from))


def _exempt(facts: GateFacts) -> Fault:
    return _why(
        "exempt", "by {clause} it need not move until {day} ({document})",
        clause=facts.exempt_clause, document=facts.exempt_document, day=_iso(facts.exempt_until),
    )  # fmt: skip


def _bound(facts: GateFacts, today: date) -> Iterator[tuple[Fault, date]]:
    """What binds it to move, each with the day by which."""
    if facts.stage in _BOUND and facts.agreement and facts.planned_on and facts.planned_on >= today:
        template = "it is agreed to move wholly by {day} ({document})"
        if facts.agreement == "partial":
            template = "it is agreed to move in part by {day} ({document})"
        day = _iso(facts.planned_on)
        yield _why("agreement", template, day=day, document=facts.agreement_document), facts.planned_on
    for name, ends_on in facts.waves.items():
        if ends_on >= today:
            yield (
                _why("wave", "it moves with the wave {wave} by {day}", wave=name, day=_iso(ends_on)),
                ends_on,
            )
    for number, site in facts.building.items():
        template = "request {id} for it is approved and being made on the cloud {site}"
        yield _why("request", template, id=number, site=site), months_after(today, MONTHS)


def _against(facts: GateFacts, today: date) -> Iterator[Fault]:
    if facts.servers:
        template = "servers of it run on a cloud, but it is registered as hosted elsewhere"
        yield _why("hosted_elsewhere", template)
    else:
        yield _why("nothing_runs", "no server of it runs on a government cloud")
    if facts.stage in (MigrationStage.ACCEPTED, MigrationStage.DONE):
        yield _why("on_paper", "it was accepted, and nothing of it is to be found")
    if facts.planned_on and facts.planned_on < today and facts.stage not in MOVED:
        yield _why("overdue", "the day by which it was to move is over: {day}", day=_iso(facts.planned_on))
    if facts.stage == MigrationStage.EXEMPT and facts.exempt_until:
        yield _why("exemption_over", "its exemption ended on {day}", day=_iso(facts.exempt_until))
    if not facts.agreement:
        yield _why("no_agreement", "there is no agreement to move it")


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
