"""A register of any size with ten years of history, written straight into the tables of an installation.

A province of 14 cities and 111 counties; on average ten versions of each system, moved ones with a project
and stretches of running, looks at every site each day, and 120 frozen months of figures.
"""

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg

from cloudctl.models import FOREVER
from tenants.migration.rule import DEFAULT, as_document, sha256
from tenants.migration.stages import ORDER

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
YEARS = 10
BEGINNING = NOW - timedelta(days=365 * YEARS)
CITIES, COUNTIES, MONTHS = 14, 111, 12 * YEARS
_STAGES = tuple(stage.value for stage in ORDER)
Rows = Iterator[Sequence[Any]]


@dataclass
class Drawn:
    """The places of the province, and chance."""

    systems: int
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    divisions: list[tuple[str, str, str | None]] = field(default_factory=list)  # code, level, parent
    departments: list[tuple[str, str, str]] = field(default_factory=list)  # id, division, level

    def __post_init__(self) -> None:
        self.divisions.append(("450000", "province", None))
        cities = [f"45{number:02d}00" for number in range(1, CITIES + 1)]
        self.divisions += [(code, "city", "450000") for code in cities]
        for number in range(COUNTIES):
            city = cities[number % CITIES]
            self.divisions.append((f"{city[:4]}{number // CITIES + 2:02d}", "county", city))
        each = {"province": 126, "city": 50, "county": 12}
        for code, level, _ in self.divisions:
            self.departments += [(f"d{code}-{n:03d}", code, level) for n in range(each[level])]

    def site_of(self, division: str) -> str:
        return "s4500" if division == "450000" else f"s{division[:4]}"


def write(url: str, drawn: Drawn) -> None:
    """Fill an installation's empty, migrated database."""
    tables = list(_tables(drawn))
    if url.startswith("sqlite"):
        _into_sqlite(url.removeprefix("sqlite:///"), tables)
    else:
        _into_postgres(url.replace("postgresql+psycopg", "postgresql"), tables)


def _tables(drawn: Drawn) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """Table, columns and rows, in the order in which they refer to each other."""
    yield (
        "division",
        ("code", "name", "level", "parent_code", "served_by"),
        ((code, f"区划{code}", level, parent, "[]") for code, level, parent in drawn.divisions),
    )
    sites = {drawn.site_of(code): code for code, level, _ in drawn.divisions if level != "county"}
    yield (
        "site",
        ("id", "title", "role", "cloud", "division_code", "domain_policy", "mode", "slots", "state", "check"),
        (
            (site, site, "city", site, code, "single", "observe", 8, "ok", "{}")
            for site, code in sorted(sites.items())
        ),
    )
    yield (
        "department",
        ("id", "name", "kind", "division_code"),
        ((key, f"单位{key}", "政府", code) for key, code, _ in drawn.departments),
    )
    systems, versions, spans, projects = _systems(drawn)
    yield (
        "information_system",
        (
            "id", "name", "department_id", "life_state", "is_classified", "has_decision", "mlps_level",
            "is_key_application", "has_key_data", "hosting", "ipv6_state", "is_centrally_built", "stage",
            "details", "origin",
        ),
        iter(systems),
    )  # fmt: skip
    yield "system_version", _VERSION, iter(versions)
    yield (
        "running_span",
        ("id", "system_id", "site_id", "since", "last_seen_at", "longest_gap_s", "until"),
        iter(spans),
    )
    yield (
        "project",
        (
            "id", "name", "system_id", "department_id", "environment", "site_id", "external_id", "state",
            "origin", "quota_pushed", "created_at",
        ),
        iter(projects),
    )  # fmt: skip
    yield "site_look", ("site_id", "day", "first_at", "last_at"), _looks(sorted(sites))
    yield from _frozen(drawn)


_VERSION = (
    "id", "system_id", "valid_from", "valid_to", "department_id", "division_code", "level", "life_state",
    "is_classified", "has_decision", "mlps_level", "dr_tier", "hosting", "ipv6_state", "is_centrally_built",
    "commissioned_on", "stage", "agreement", "exempt_until", "old_host_off_on", "changes", "changed_by",
    "reason",
)  # fmt: skip


def _systems(drawn: Drawn) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    chance = drawn.chance
    systems: list[Any] = []
    versions: list[Any] = []
    spans: list[Any] = []
    projects: list[Any] = []
    for number in range(drawn.systems):
        key = f"sys-{number:06d}"
        department, division, level = chance.choice(drawn.departments)
        turns = sorted(chance.random() for _ in range(chance.randint(5, 13)))
        moments = [BEGINNING + (NOW - BEGINNING) * turn for turn in (chance.random() * turns[0], *turns)]
        facts = _first_facts(chance, level)
        for since, until in pairwise([*moments, FOREVER]):
            _step(chance, facts, since)
            row = (len(versions) + 1, key, since, until, department, division)
            versions.append((*row, *facts.values(), "{}", "bench", "draw"))
        site = drawn.site_of(division)
        if facts["hosting"] == "gov_cloud":
            began = moments[-2]
            projects.append(
                (
                    f"{key}@{site}",
                    key,
                    key,
                    department,
                    "prod",
                    site,
                    f"x-{key}",
                    "active",
                    "made",
                    "{}",
                    began,
                )
            )
            _run(chance, spans, key, site, began)
        systems.append(
            (key, f"系统{number}", department, facts["life_state"], facts["is_classified"],
             facts["has_decision"], facts["mlps_level"], False, False, facts["hosting"], "none",
             facts["is_centrally_built"], facts["stage"], "{}", "register")
        )  # fmt: skip
    return systems, versions, spans, projects


def _first_facts(chance: random.Random, level: str) -> dict[str, Any]:
    is_classified = chance.random() < 0.03
    return {
        "level": level if chance.random() < 0.95 else "national",
        "life_state": "in_use" if chance.random() < 0.9 else "building",
        "is_classified": is_classified,
        "has_decision": is_classified and chance.random() < 0.8,
        "mlps_level": chance.choice((2, 2, 2, 3)),
        "dr_tier": chance.choice((None, 0, 1, 2)),
        "hosting": "own_room",
        "ipv6_state": "none",
        "is_centrally_built": chance.random() < 0.02,
        "commissioned_on": (BEGINNING + timedelta(days=chance.randrange(3650))).date(),
        "stage": "registered",
        "agreement": None,
        "exempt_until": None,
        "old_host_off_on": None,
    }


def _step(chance: random.Random, facts: dict[str, Any], at: datetime) -> None:
    """What becomes of a system with one change: mostly a stage further, sometimes exempt or retired."""
    draw = chance.random()
    if draw < 0.02:
        facts["life_state"] = chance.choice(("retired", "suspended", "in_use"))
    elif draw < 0.05:
        facts["stage"], facts["exempt_until"] = "exempt", (at + timedelta(days=365)).date()
    elif facts["stage"] in _STAGES:
        place = min(len(_STAGES) - 1, _STAGES.index(facts["stage"]) + chance.randint(0, 2))
        facts["stage"] = _STAGES[place]
        facts["agreement"] = facts["agreement"] or ("partial" if chance.random() < 0.1 else "full")
        if place >= _STAGES.index("trial"):
            facts["hosting"] = "gov_cloud"
        if place == len(_STAGES) - 1 and chance.random() < 0.7:
            facts["old_host_off_on"] = at.date()


def _run(chance: random.Random, spans: list[Any], key: str, site: str, began: datetime) -> None:
    if chance.random() < 0.2:  # a break on the way
        end = began + (NOW - began) * chance.random()
        spans.append((len(spans) + 1, key, site, began, end, 900, end))
        began = end + timedelta(days=1)
    if began < NOW and chance.random() < 0.95:
        spans.append((len(spans) + 1, key, site, began, NOW, 1800, None))


def _looks(sites: Sequence[str]) -> Rows:
    for days in range(365 * YEARS + 1):
        at = NOW - timedelta(days=days)
        for site in sites:
            yield site, at.date(), at - timedelta(hours=8), at


def _frozen(drawn: Drawn) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """120 months of figures of every scope; their lists are left empty."""
    rule = (1, "bench", 1, json.dumps(as_document(DEFAULT)), sha256(DEFAULT), False, NOW, "bench")
    names = ("id", "name", "version", "document", "sha256", "is_current", "created_at", "created_by")
    yield "statistical_rule", names, iter([rule])
    months = [date(2016 + (10 + n) // 12, (10 + n) % 12 + 1, 1) for n in range(MONTHS)]
    snapshots = (
        (n, f"{day:%Y-%m}", 1, datetime(day.year, day.month, 28, tzinfo=UTC), 1, "bench", b"", f"h{n}",
         f"h{n - 1}", "", NOW, "bench")
        for n, day in enumerate(months, 1)
    )  # fmt: skip
    yield (
        "rate_snapshot",
        (
            "id", "month", "revision", "cut_off_at", "rule_id", "rule_name", "systems", "sha256",
            "previous_sha256", "reason", "made_at", "made_by",
        ),
        snapshots,
    )  # fmt: skip
    scopes = [f"division:{code}" for code, _, _ in drawn.divisions]
    scopes += [f"own:{code}" for code, _, _ in drawn.divisions]
    scopes += [f"department:{key}" for key, _, _ in drawn.departments]
    columns = (
        "id", "snapshot_id", "scope", "group", "registered", "denominator", "numerator_hundredths",
        "verified_hundredths", "unknown", "idle", "excluded",
    )  # fmt: skip
    figures = (
        (number * len(scopes) + place, number + 1, scope, "all", 50, 40, number * 30, number * 20, 0, 0, "{}")
        for number in range(MONTHS)
        for place, scope in enumerate(scopes, 1)
    )
    yield "rate_figure", columns, figures


def _into_sqlite(path: str, tables: Sequence[tuple[str, tuple[str, ...], Rows]]) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for table, columns, rows in tables:
            names, marks = ", ".join(f'"{one}"' for one in columns), ", ".join("?" for _ in columns)
            values = (tuple(map(_as_sqlite, row)) for row in rows)
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    connection.close()


def _as_sqlite(value: Any) -> Any:
    """As SQLAlchemy keeps it there: times in UTC without a zone, days as text."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value


def _into_postgres(url: str, tables: Sequence[tuple[str, tuple[str, ...], Rows]]) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table, columns, rows in tables:
            names = ", ".join(f'"{one}"' for one in columns)
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # what autovacuum does within a minute
