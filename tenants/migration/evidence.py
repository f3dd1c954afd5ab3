"""What stands behind a figure: each system with what it counts as, and every piece of evidence with its why.

Figures are for everybody; which systems they are made of, only for who may see those systems.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import BadInput, Fault, NotFound
from cloudctl.models import InformationSystem, SystemVersion
from cloudctl.queries import migration as reads
from cloudctl.queries.migration import Moment, Placed, Stretch
from cloudctl.queries.proved import proved_points
from cloudctl.store import UnitOfWork
from tenants.migration import rules
from tenants.migration.counting import day_of, facts, inside, moment, scope_of
from tenants.migration.rates import Answer, Facts, Reason, Verdict, judge
from tenants.migration.rates import evidence as pieces
from tenants.migration.rule import Rule

Json = dict[str, Any]
Said = tuple[str, dict[str, Any]]  # template and params
_CHUNK = 1000

# Which systems a list is of: what each number of a figure counts.
WHICH: Mapping[str, Callable[[Verdict], bool]] = {
    "registered": lambda one: True,
    "counted": lambda one: one.reason is None,
    "moved": lambda one: one.weight_hundredths > 0,
    "to_move": lambda one: one.reason is None and one.weight_hundredths == 0,
    "verified": lambda one: one.verified == Answer.YES,
    "unverified": lambda one: one.verified == Answer.NO,
    "unknown": lambda one: one.verified == Answer.UNKNOWN,
    "idle": lambda one: one.is_idle,
    "excluded": lambda one: one.reason is not None,
}


@dataclass(frozen=True)
class _Found:
    placed: Placed
    facts: Facts
    verdict: Verdict


@dataclass(frozen=True)
class Listed:
    """Which systems to list: of a scope, of a kind (a key of WHICH), on a day, those after `marker`."""

    scope: str | None = None
    which: str = "registered"
    on: date | None = None
    rule: str | None = None
    limit: int = 100
    marker: str = ""


def evidence(core: Core, actor: Actor, wanted: Listed) -> list[Json]:
    """The systems by id that the actor may see. Needs migration.see anywhere.

    Of each piece of evidence `template` and `params` are the why, said by whoever shows it.
    """
    actor.must("migration.see", actor.scopes("migration.see"))
    if wanted.which not in WHICH:
        params = {"given": wanted.which[:60], "choices": ", ".join(WHICH)}
        fault = Fault("which", "unknown_word", "'{given}' is none of: {choices}", params)
        raise BadInput("the input has faults", faults=[fault])
    with core.store.read() as uow:
        chosen = rules.choose(uow, wanted.rule)
        when = moment(chosen.rule, day_of(core.clock.now(), wanted.on))
        conditions = list(reads.visible(uow, actor))
        if wanted.scope is not None:
            places = reads.places(uow)
            conditions += inside(scope_of(uow, wanted.scope, places), places)
        found = _matching(uow, chosen.rule, when, conditions, wanted)
        return _rows(uow, chosen.rule, when, found, chosen.label)


def of_system(core: Core, actor: Actor, system: str, on: date | None = None, rule: str | None = None) -> Json:
    """One system by id or name. NotFound for one that was not there on the day, or is not seen."""
    actor.must("migration.see", actor.scopes("migration.see"))
    with core.store.read() as uow:
        chosen = rules.choose(uow, rule)
        when = moment(chosen.rule, day_of(core.clock.now(), on))
        conditions = [*reads.visible(uow, actor), SystemVersion.system_id == _id_of(uow, system)]
        found = _matching(uow, chosen.rule, when, conditions, Listed())
        if not found:
            raise NotFound("{what} '{key}' does not exist", what="system", key=system)
        [row] = _rows(uow, chosen.rule, when, found, chosen.label)
        return row


def _id_of(uow: UnitOfWork, key: str) -> str:
    """The id of the system of that id, or else of the only one of that name."""
    if uow.get(InformationSystem, key) is not None:
        return key
    named = uow.column(InformationSystem.id, InformationSystem.name == key)
    return str(named[0]) if len(named) == 1 else key


def _matching(
    uow: UnitOfWork, rule: Rule, when: Moment, conditions: Sequence[Any], wanted: Listed
) -> list[_Found]:
    """A page of the systems that count so, read in pieces: the database does not know what counts how."""
    found: list[_Found] = []
    marker = wanted.marker
    while len(found) < wanted.limit:
        after = SystemVersion.system_id > marker
        piece = reads.each(uow, when, *conditions, after, limit=_CHUNK)
        for placed, kind in piece:
            one = facts(kind, rule)
            verdict = judge(one, rule)
            if WHICH[wanted.which](verdict):
                found.append(_Found(placed, one, verdict))
        if len(piece) < _CHUNK:
            break
        marker = piece[-1][0].system
    return found[: wanted.limit]


def _rows(uow: UnitOfWork, rule: Rule, when: Moment, found: Sequence[_Found], label: str) -> list[Json]:
    ids = [one.placed.system for one in found]
    systems = {row.id: row for row in uow.all(InformationSystem, InformationSystem.id.in_(ids))}
    ran, bound = reads.stretches(uow, when, ids), reads.bound_sites(uow, when, ids)
    seen, proved = reads.seen_sites(uow, when), proved_points(uow, when.at, ids)
    rows = []
    for one in found:
        placed, row = one.placed, systems[one.placed.system]
        unseen = [site for site in bound.get(placed.system, []) if site not in seen]
        said = {
            "live": _live_why(one.facts, ran.get(placed.system, []), unseen, rule, when),
            "old_host_off": _old_host_why(one.facts, placed.old_host_off_on),
            "proved_backup": _backup_why(one.facts, proved.get(placed.system), placed.dr_tier),
        }
        proofs = pieces(one.facts, rule) if one.verdict.weight_hundredths else []
        rows.append(
            {
                "id": placed.system,
                "name": row.name,
                "state": _state(one.verdict),
                "department": placed.department,
                "division": placed.division,
                "stage": placed.stage,
                "reason": one.verdict.reason,
                "ground": _ground(row, placed, one.verdict.reason),
                "weight_hundredths": one.verdict.weight_hundredths,
                "verified": one.verdict.verified,
                "idle": one.verdict.is_idle,
                "evidence": [
                    {"name": name, "value": answer, "template": said[name][0], "params": said[name][1]}
                    for name, answer in proofs
                ],
                "rule": label,
                "on": when.day,
            }
        )
    return rows


def _state(verdict: Verdict) -> str:
    """In one word: excluded, to_move, idle, or what the evidence says."""
    if verdict.reason is not None:
        return "excluded"
    if verdict.verified is None:
        return "to_move"
    if verdict.is_idle:
        return "idle"
    return {Answer.YES: "verified", Answer.NO: "unverified", Answer.UNKNOWN: "unknown"}[verdict.verified]


def _ground(row: InformationSystem, placed: Placed, reason: Reason | None) -> Json | None:
    """The document by which a system is left out, as it is on record now; None where there is none."""
    details = row.details
    documents: dict[Reason, Json] = {
        Reason.CLASSIFIED: {"document": details.get("decision_document"), "day": details.get("decision_on")},
        Reason.EXEMPT: {
            "document": details.get("exempt_document"),
            "clause": details.get("exempt_clause"),
            "until": placed.exempt_until,
        },
        Reason.MERGED: {"merged_into": row.merged_into_id},
    }
    return documents.get(reason) if reason is not None else None


def _live_why(one: Facts, ran: Sequence[Stretch], unseen: Sequence[str], rule: Rule, when: Moment) -> Said:
    """Why a server is known to run, or not known, or known not to."""
    running = [each for each in ran if each.until is None or each.until > when.at]
    long = [each for each in running if each.since <= when.live_since]
    if one.has_run_long:
        sure = [
            each
            for each in long
            if each.last_seen_at >= when.fresh_since and each.longest_gap_s <= when.max_gap_s
        ]
        return "a server has run at {site} since {since}", _params(sure[0], rule)
    if one.may_have_run_long and long[0].last_seen_at < when.fresh_since:
        return "it was last seen running at {site} at {seen}; nobody could look since", _params(long[0], rule)
    if one.may_have_run_long:
        return "between two looks at {site} lay {gap_hours} hours; at most {most_hours} are allowed", _params(
            long[0], rule
        )
    if unseen:
        return "nobody could look at {site} lately", {"site": unseen[0]}
    if running:
        return "it has run at {site} since {since}; {days} days are asked", _params(running[0], rule)
    if ran:
        return "nothing has run at {site} since {until}", _params(ran[0], rule)
    return "no look has found a running server of it", {}


def _params(stretch: Stretch, rule: Rule) -> dict[str, Any]:
    return {
        "site": stretch.site,
        "since": stretch.since,
        "until": stretch.until,
        "seen": stretch.last_seen_at,
        "gap_hours": stretch.longest_gap_s // 3600,
        "most_hours": rule.max_gap_hours,
        "days": rule.live_days,
    }


def _backup_why(one: Facts, proved: tuple[datetime, str] | None, tier: int | None) -> Said:
    if proved is not None:
        params = {"taken": proved[0], "level": proved[1]}
        return "the point of {taken} was restored from another site and proved to {level}", params
    if one.is_backup_known:
        return "no point that is young enough was restored from another site", {"tier": tier}
    return "no restore has been proved yet", {"tier": tier}


def _old_host_why(one: Facts, off_on: date | None) -> Said:
    if not one.is_old_host_off:
        return "no proof that the old host is off", {}
    return "the old host went off on {day}", {"day": off_on}
