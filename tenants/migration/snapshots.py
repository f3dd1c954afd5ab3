"""Figures of a month, frozen (快照): the list, the rule and the figures under one hash, in a chain.

What was frozen stays. A correction is another snapshot of the month, the next revision, with its reason; and
no month is ever counted again by a newer rule unless somebody says so and why.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from cloudctl.actors import Actor
from cloudctl.clock import end_of_day, local_day
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault
from cloudctl.models import AuditEvent, RateFigure, RateSnapshot, StatisticalRule
from cloudctl.queries import migration as reads
from cloudctl.store import UnitOfWork
from tenants.migration import frozen, rules
from tenants.migration.counting import FIRST_DAY, GROUPS, Day, facts, groups_of, moment
from tenants.migration.forecast import last_day, month_of
from tenants.migration.frozen import GENESIS, Figures, Frozen, Judged
from tenants.migration.rates import Facts, Tally, Verdict, judge
from tenants.migration.rule import Rule, document_sha256

Json = dict[str, Any]
SUBJECT = "rate_snapshot"
TAKEN = "migration.snapshot.take"
MOST_REASON = 500
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIGURE = (
    "snapshot_id", "scope", "group", "registered", "denominator", "numerator_hundredths",
    "verified_hundredths", "unknown", "idle", "excluded",
)  # fmt: skip


def take(core: Core, actor: Actor, month: str, rule: str | None = None, reason: str = "") -> int:
    """Freeze a month; the id of the snapshot. The cut-off is the month's end, or now while it lasts.

    A second snapshot of a month needs a reason and is its next revision. Needs migration.count. BadInput
    for a month that cannot be counted; Conflict when another was taken meanwhile.
    """
    actor.must("migration.count")
    now, reason = core.clock.now(), reason.strip()
    when = _cut_off(month, now)
    with core.store.read() as uow:
        chosen = rules.choose(uow, rule)
        revision = _next_revision(uow, month, chosen.rule.name, reason)
        judged = list(_judged(uow, chosen.rule, when))
        parents = {code: place.parent_code for code, place in reads.places(uow).items()}
    packed = frozen.pack(judged, chosen.rule)
    figures = frozen.figures(_tallied(judged), parents)
    with core.store.write() as uow:
        if _next_revision(uow, month, chosen.rule.name, reason) != revision:
            raise Conflict("another snapshot of {month} was taken meanwhile", month=month)
        rule_id = rules.keep(uow, core, actor, chosen)
        newest = uow.first(RateSnapshot, order_by=[RateSnapshot.id.desc()])
        previous = newest.sha256 if newest else GENESIS
        content = Frozen(
            month, revision, when.at, chosen.label, chosen.sha256, packed, figures, reason, now,
            actor.user_id, previous,
        )  # fmt: skip
        row = uow.add(_row(content, rule_id, chosen.rule.name))
        uow.insert_many(RateFigure, _FIGURE, [_figure(row.id, *item) for item in sorted(figures.items())])
        details = {"month": month, "revision": revision, "rule": chosen.label, "sha256": row.sha256}
        details |= {"reason": reason, "systems": len(judged)}
        core.audit.record(uow, actor.user_id, TAKEN, SUBJECT, row.id, details, actor.trace_id)
        return row.id


def verify(core: Core, actor: Actor) -> list[Fault]:
    """Every place where a snapshot is not what was written; none: all fit. Needs migration.see."""
    actor.must("migration.see", actor.scopes("migration.see"))
    found: list[Fault] = []
    previous = GENESIS
    with core.store.read() as uow:
        witnessed = _witnessed(uow)
        ids = sorted(uow.column(RateSnapshot.id))
    for key in ids:
        with core.store.read() as uow:
            row = uow.need(RateSnapshot, key)
            rule = uow.need(StatisticalRule, row.rule_id)
            content = _frozen(row, rule, figures_of(uow, key))
        found += frozen.faults(content, row.sha256, previous, witnessed.pop(str(key), None))
        previous = row.sha256
    for key in witnessed:
        params = {"id": key}
        found.append(Fault(f"snapshot {key}", "missing", "was taken, and is gone", params))
    return found


def figures_of(uow: UnitOfWork, snapshot_id: int, *conditions: Any) -> Figures:
    """The frozen figures by (scope, group)."""
    columns = [getattr(RateFigure, name) for name in _FIGURE[1:]]
    rows = uow.tuples(columns, RateFigure.snapshot_id == snapshot_id, *conditions)
    return {(scope, group): Tally(*numbers) for scope, group, *numbers in rows}


def _cut_off(month: str, now: datetime) -> Day:
    """The last moment of the month that is known. BadInput with what is wrong with the month."""
    found = _MONTH.fullmatch(month)
    if found is None:
        fault = Fault("month", "bad_form", "'{given}' is no month", {"given": month[:20]}, "write 2026-11")
        raise BadInput("the month cannot be frozen", faults=[fault])
    first, today = date(int(found[1]), int(found[2]), 1), local_day(now)
    params = {"month": month, "today": today, "first": FIRST_DAY}
    if first > today:
        fault = Fault("month", "future_date", "{month} lies ahead; today is {today}", params)
        raise BadInput("the month cannot be frozen", faults=[fault])
    if first < FIRST_DAY:
        fault = Fault("month", "too_early", "{month} lies before {first}", params)
        raise BadInput("the month cannot be frozen", faults=[fault])
    last = last_day(month_of(first))
    if last >= today:
        return Day(today, now)
    return Day(last, end_of_day(last) - timedelta(microseconds=1))


def _next_revision(uow: UnitOfWork, month: str, rule_name: str, reason: str) -> int:
    """1 for the first; BadInput when the month has one and nobody says why it needs another."""
    rows = uow.tuples((RateSnapshot.rule_name, RateSnapshot.revision), RateSnapshot.month == month)
    if len(reason) > MOST_REASON:
        params = {"max_length": MOST_REASON}
        fault = Fault("reason", "too_long", "is too long: at most {max_length} characters", params)
        raise BadInput("the month cannot be frozen", faults=[fault])
    if rows and not reason:
        template = "{month} is frozen; another snapshot of it needs a reason"
        fault = Fault("reason", "missing", template, {"month": month})
        raise BadInput("the month cannot be frozen", faults=[fault])
    return 1 + max((revision for name, revision in rows if name == rule_name), default=0)


def _judged(uow: UnitOfWork, rule: Rule, when: Day) -> Iterator[Judged]:
    """Every system of the moment; each kind is judged once."""
    known: dict[int, tuple[Facts, Verdict]] = {}
    for placed, kind in reads.each(uow, moment(rule, when)):
        if kind not in known:
            one = facts(kind, rule)
            known[kind] = one, judge(one, rule)
        yield Judged(placed.system, placed.department, placed.division, placed.stage, *known[kind])


def _tallied(judged: list[Judged]) -> Mapping[str, Mapping[tuple[str, str], Tally]]:
    """The tallies by group and (division, department)."""
    counts: dict[tuple[str, tuple[str, str]], Counter[Verdict]] = {}
    for one in judged:
        for group in groups_of(one.facts, GROUPS):
            counts.setdefault((group, (one.division, one.department)), Counter())[one.verdict] += 1
    found: dict[str, dict[tuple[str, str], Tally]] = {}
    for (group, place), verdicts in counts.items():
        found.setdefault(group, {})[place] = Tally.counted(verdicts)
    return found


def _row(content: Frozen, rule_id: int, rule_name: str) -> RateSnapshot:
    return RateSnapshot(
        month=content.month,
        revision=content.revision,
        cut_off_at=content.cut_off_at,
        rule_id=rule_id,
        rule_name=rule_name,
        systems=content.systems,
        sha256=frozen.sha256(content),
        previous_sha256=content.previous_sha256,
        reason=content.reason,
        made_at=content.made_at,
        made_by=content.made_by,
    )


def _figure(snapshot_id: int, key: tuple[str, str], tally: Tally) -> tuple[Any, ...]:
    numbers = (tally.registered, tally.denominator, tally.numerator_hundredths, tally.verified_hundredths)
    return (snapshot_id, *key, *numbers, tally.unknown, tally.idle, dict(tally.excluded))


def _frozen(row: RateSnapshot, rule: StatisticalRule, figures: Figures) -> Frozen:
    """The snapshot again from its rows; the rule's hash is counted from its document, not believed."""
    from_document = document_sha256(rule.document)
    return Frozen(
        row.month, row.revision, row.cut_off_at, f"{rule.name}@{rule.version}", from_document, row.systems,
        figures, row.reason, row.made_at, row.made_by, row.previous_sha256,
    )  # fmt: skip


def _witnessed(uow: UnitOfWork) -> dict[str, str]:
    """What the audit chain says each snapshot's hash was, by its id."""
    columns = (AuditEvent.subject_id, AuditEvent.details)
    events = uow.tuples(columns, AuditEvent.action == TAKEN, order_by=[AuditEvent.seq])
    return {key: str(details.get("sha256")) for key, details in events}
