"""How far each example system has come: stages spread by area, and dates, numbers and gaps that fit them.

All of it is invented. Nothing is left to chance: what differs between systems is read off a hash of the code.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from hashlib import sha256

from tenants.migration.stages import ORDER, Stage
from tenants.register.fields import Value

LAST_DAY = date(2026, 11, 20)  # no event is later
# The event of each stage, in order; days from the event before it, least and most.
EVENTS = (
    ("decision_on", Stage.CLASSIFIED, 0, 0),
    ("assessed_on", Stage.ASSESSED, 15, 60),
    ("agreed_on", Stage.AGREED, 20, 120),
    ("migrating_from", Stage.MIGRATING, 10, 90),
    ("trial_from", Stage.TRIAL, 20, 180),
    ("accepted_on", Stage.ACCEPTED, 31, 110),
    ("done_on", Stage.DONE, 15, 90),
)
# When the newest event of a stage was: some are old, and have stood still since.
WINDOWS = {
    Stage.CLASSIFIED: ("2023-06-01", "2026-09-30"),
    Stage.ASSESSED: ("2024-01-01", "2026-10-31"),
    Stage.PLANNED: ("2024-01-01", "2026-08-31"),
    Stage.AGREED: ("2024-03-01", "2026-10-31"),
    Stage.MIGRATING: ("2025-03-01", "2026-11-10"),
    Stage.TRIAL: ("2026-03-01", "2026-11-18"),
    Stage.ACCEPTED: ("2025-09-01", "2026-11-20"),
    Stage.DONE: ("2022-03-01", "2026-10-31"),
}
PAPER_DAYS = (
    "2016-03-01",
    "2016-10-31",
)  # when the units named in the seed paper, of that year, may have signed


def part(code: str, what: str) -> float:
    """A number from 0 to 1 that belongs to the code and the question, the same on every machine."""
    return int.from_bytes(sha256(f"{code}/{what}".encode()).digest()[:6]) / 2**48


def pick(code: str, what: str, choices: str) -> str:
    """One of the words, by their weights: "own_room=6 colocation=1"."""
    pairs = [(word, int(weight)) for word, weight in (one.split("=") for one in choices.split())]
    at = part(code, what) * sum(weight for _, weight in pairs)
    for word, weight in pairs:
        at -= weight
        if at < 0:
            return word
    return pairs[-1][0]


def spread(codes: Iterable[str], on_cloud_percent: int, rest: Mapping[str, int]) -> dict[str, Stage]:
    """A stage for each code, so that the shares hold as nearly as whole systems can."""
    in_turn = sorted(codes, key=lambda code: part(code, "turn"))
    left = 100 - on_cloud_percent
    shares = {"done": on_cloud_percent * 60, "accepted": on_cloud_percent * 40}
    shares |= {stage: left * percent for stage, percent in rest.items()}
    edges, total = [], 0
    for stage, share in shares.items():
        total += share
        edges.append((Stage(stage), round(len(in_turn) * total / 10_000)))
    stages = {}
    for number, code in enumerate(in_turn):
        stages[code] = next(stage for stage, edge in edges if number < edge)
    return stages


def shown(code: str, stage: Stage, *, is_in_the_paper: bool = False) -> dict[str, Value]:
    """The evidence of every stage up to this one: dates in order, numbers that are seen to be invented."""
    if stage == Stage.REGISTERED:
        return {}
    record: dict[str, Value] = dict(_dates(code, stage, is_in_the_paper))
    decided = record["decision_on"]
    assert isinstance(decided, date)
    record |= {
        "decision_document": _number("定密", decided, code),
        "decision_reviewer": pick(code, "reviewer", "保密办审查员=3 保密工作机构负责人=2 定密责任人=1"),
    }
    if ORDER.index(stage) < ORDER.index(Stage.PLANNED):
        return record
    record |= {"plan_document": _number("迁方", decided, code), "planned_on": _planned(code, record)}
    if isinstance(agreed := record.get("agreed_on"), date):
        record["agreement"] = pick(code, "agreement", "full=4 partial=1")
        record["agreement_document"] = _number("协议", agreed, code)
    if isinstance(accepted := record.get("accepted_on"), date):
        record["report_document"] = _number("迁云确认", accepted, code)
    return record


def old_host(code: str, record: Mapping[str, Value], *, is_known: bool = False) -> dict[str, Value]:
    """When the old machines were switched off; of one in eight that is done it is not on record."""
    ended = record.get("accepted_on") if is_known else record.get("done_on")
    if not isinstance(ended, date) or (not is_known and part(code, "old host") < 1 / 8):
        return {}
    off = min(ended + timedelta(days=round(part(code, "off") * 20)), LAST_DAY)
    return {"old_host_off_on": off, "old_host_document": _number("下线", off, code)}


def commissioned(code: str, record: Mapping[str, Value]) -> date | None:
    """Years before its review; one in nine on the cloud is new and was built there."""
    accepted, decided = record.get("accepted_on"), record.get("decision_on")
    if isinstance(accepted, date) and part(code, "new") < 1 / 9:
        return accepted
    if not isinstance(decided, date):
        return day(code, "commissioned", "2008-01-01", "2026-10-31") if part(code, "known") > 0.2 else None
    return min(decided, date(2025, 12, 31)) - timedelta(days=200 + round(part(code, "age") * 4000))


def day(code: str, what: str, first: str, last: str) -> date:
    """A day from the first to the last."""
    start = date.fromisoformat(first)
    return start + timedelta(days=round(part(code, what) * (date.fromisoformat(last) - start).days))


def _dates(code: str, stage: Stage, is_in_the_paper: bool) -> dict[str, date]:
    """From one known day back to the review, and on to the newest event."""
    reached = [row for row in EVENTS if ORDER.index(row[1]) <= ORDER.index(stage)]
    names = [row[0] for row in reached]
    anchor, at, slowness = len(names) - 1, day(code, "newest", *WINDOWS[stage]), 1
    if is_in_the_paper and "agreed_on" in names:
        anchor, at, slowness = names.index("agreed_on"), day(code, "newest", *PAPER_DAYS), 8
    gaps = [least + round(part(code, name) * (most - least)) for name, _stage, least, most in reached]
    dates = {names[anchor]: at}
    for place in range(anchor, 0, -1):
        dates[names[place - 1]] = dates[names[place]] - timedelta(days=gaps[place])
    for place in range(anchor + 1, len(names)):
        is_counted = names[place] in ("accepted_on", "done_on")
        dates[names[place]] = dates[names[place - 1]] + timedelta(
            days=gaps[place] * (1 if is_counted else slowness)
        )
    return {name: dates[name] for name in names}


def _planned(code: str, record: Mapping[str, Value]) -> date:
    """The day the plan names: some were early or late, and some of those still to come have passed."""
    accepted, decided = record.get("accepted_on"), record.get("decision_on")
    if isinstance(accepted, date):
        return accepted + timedelta(days=round(part(code, "planned") * 90) - 45)
    if isinstance(decided, date) and decided.year < 2020:
        return date(decided.year + 2, 12, 31)  # long overdue
    return day(code, "planned", "2026-03-31", "2027-12-31")


def _number(kind: str, on: date, code: str) -> str:
    return f"示例{kind}〔{on.year}〕{1 + round(part(code, kind) * 998):03d}号"
