"""A register drawn by chance, and what each of its systems counts as, worked out one by one."""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from cloudctl.core import Core
from cloudctl.models import (
    FOREVER,
    Department,
    InformationSystem,
    Project,
    RunningSpan,
    SiteLook,
    SystemVersion,
)
from tenants.migration.counting import Day
from tenants.migration.rates import Facts, Verdict, judge
from tenants.migration.rule import Rule
from tests.counted_register import BEGINNING, a_look

SITES = ("province", "city-1")


def draw(core: Core, systems: int, seed: int) -> None:
    """Systems with up to three versions each, stretches of running, projects; one site goes out of sight."""
    chance, now = random.Random(seed), core.clock.now()
    with core.store.write() as uow:
        for days in range(1, 400, 3):  # somebody looked every third day, and gave up at one site
            for site in SITES if days > 60 else SITES[:1]:
                a_look(uow, site, now - timedelta(days=days, hours=chance.uniform(0, 20)))
        departments = [(row.id, row.division_code) for row in uow.all(Department)]
        for number in range(systems):
            key = f"r{number:05d}"
            department, division = chance.choice(departments)
            uow.session.add(InformationSystem(id=key, name=key, department_id=department))
            uow.flush()
            turns = sorted(chance.uniform(0, 400) for _ in range(chance.randrange(3)))
            moments = [BEGINNING, *(now - timedelta(days=400 - turn) for turn in turns), FOREVER]
            for since, until in pairwise(moments):
                uow.session.add(
                    SystemVersion(
                        system_id=key,
                        department_id=department,
                        division_code=division,
                        valid_from=since,
                        valid_to=until,
                        changed_by="chance",
                        **_facts(chance, now),
                    )
                )
            for _ in range(chance.randrange(3)):
                uow.session.add(_span(chance, key, now))
            if chance.random() < 0.4:
                site = chance.choice(SITES)
                external = f"x-{key}" if chance.random() < 0.8 else None
                created = now - timedelta(days=chance.uniform(0, 100))
                uow.session.add(
                    Project(
                        id=f"{key}@{site}",
                        name=key,
                        system_id=key,
                        department_id=department,
                        site_id=site,
                        external_id=external,
                        created_at=created,
                    )
                )


def verdicts(core: Core, rule: Rule, when: Day) -> dict[str, Verdict]:
    """What every system of the moment counts as, from its own rows; looks far enough back see `*`."""
    with core.store.read() as uow:
        at = (SystemVersion.valid_from <= when.at, SystemVersion.valid_to > when.at)
        versions = uow.all(SystemVersion, *at)
        spans, projects, looks = uow.all(RunningSpan), uow.all(Project), uow.all(SiteLook)
        fresh, idle = when.at - timedelta(hours=rule.fresh_hours), when.at - timedelta(days=rule.idle_days)
        seen = {one.site_id for one in looks if one.first_at <= when.at and one.last_at >= fresh}
        seen |= {"*"} if any(one.first_at <= idle for one in looks) else set()
        return {one.system_id: judge(_of(one, spans, projects, seen, rule, when), rule) for one in versions}


def _of(
    one: SystemVersion,
    spans: Sequence[RunningSpan],
    projects: Sequence[Project],
    seen: set[str],
    rule: Rule,
    when: Day,
) -> Facts:
    mine = [span for span in spans if span.system_id == one.system_id and span.since <= when.at]
    running = [span for span in mine if span.until is None or span.until > when.at]
    old = [span for span in running if span.since <= when.at - timedelta(days=rule.live_days)]
    idle_since = when.at - timedelta(days=rule.idle_days)
    sure = [span for span in old if _is_sure(span, rule, when)]
    bound = [
        one_project.site_id
        for one_project in projects
        if one_project.system_id == one.system_id
        and one_project.external_id
        and one_project.created_at <= when.at
    ]
    is_unseen = bool(set(bound) - seen)
    has_run_lately = any(span.until is None or span.until > idle_since for span in mine)
    return Facts(
        level=one.level,
        life_state=one.life_state,
        mlps_level=one.mlps_level,
        is_new=rule.new_since is not None and (one.commissioned_on or date.min) >= rule.new_since,
        is_classified=one.is_classified,
        has_decision=one.has_decision,
        is_centrally_built=one.is_centrally_built,
        is_exempt=one.stage == "exempt" and (one.exempt_until or date.min) >= when.day,
        stage=one.stage,
        hosting=one.hosting,
        is_partial=one.agreement == "partial",
        wants_backup=(one.dr_tier or 0) >= 2,
        is_old_host_off=(one.old_host_off_on or date.max) <= when.day,
        has_run_long=bool(sure),
        may_have_run_long=len(sure) < len(old),
        is_unseen=is_unseen,
        has_stood_still="*" in seen and not has_run_lately and not is_unseen,
    )


def _is_sure(span: RunningSpan, rule: Rule, when: Day) -> bool:
    is_fresh = span.last_seen_at >= when.at - timedelta(hours=rule.fresh_hours)
    return is_fresh and span.longest_gap_s <= rule.max_gap_hours * 3600


def _facts(chance: random.Random, now: datetime) -> dict[str, Any]:
    def day(least: int, most: int) -> date | None:
        return (now + timedelta(days=chance.randint(least, most))).date() if chance.random() < 0.6 else None

    def often(share: float) -> bool:
        return chance.random() < share

    has_moved = often(0.6)
    return {
        "level": chance.choice(["province", "city", "city", "county", "national"]),
        "life_state": chance.choice(["in_use"] * 8 + ["planned", "suspended", "retired", "merged"]),
        "is_classified": often(0.1),
        "has_decision": often(0.5),
        "mlps_level": chance.choice([2, 2, 3, 4]),
        "dr_tier": chance.choice([None, 0, 1, 2, 4]),
        "hosting": chance.choice(["gov_cloud"] * 4 + ["industry_cloud"]) if has_moved else "own_room",
        "ipv6_state": "none",
        "is_centrally_built": often(0.05),
        "commissioned_on": day(-900, 0),
        "stage": chance.choice(["accepted", "done", "trial"])
        if has_moved
        else chance.choice(["agreed", "exempt"]),
        "agreement": chance.choice([None, "full", "partial"]),
        "exempt_until": day(-200, 200),
        "old_host_off_on": day(-200, 20),
    }


def _span(chance: random.Random, key: str, now: datetime) -> RunningSpan:
    since = now - timedelta(days=chance.uniform(0, 330))
    seen = min(now, since + timedelta(days=chance.uniform(0, 130)))
    is_over = chance.random() < 0.5
    until = min(now, seen + timedelta(hours=chance.uniform(0, 100))) if is_over else None
    site = "province" if chance.random() < 0.9 else "city-1"
    gap = int(chance.choice([0, 600, 3600 * 24 * 8]))
    return RunningSpan(
        system_id=key, site_id=site, since=since, last_seen_at=seen, until=until, longest_gap_s=gap
    )
