"""Rates and rankings of any past day, beside a bare SQL aggregate over the same tables in the same run.

    python -m bench.register_scale [--sizes 1000,10000,100000] [--rounds 5] [--engines sqlite,postgresql]

Each size is a register of its own with ten years of history. Bare and product take turns; medians are shown,
and what a system costs, which must not grow with the size. The bar holds for the greatest size: below some
thousand systems both take a few milliseconds, most of them for the answer itself.
"""

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, text

from bench.register_draw import NOW, Drawn, write
from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.audit import Audit
from cloudctl.bootstrap import SilentBell
from cloudctl.clock import FrozenClock
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.models import UtcDateTime
from cloudctl.secrets import Signer
from cloudctl.store import Store
from tenants.migration import figures, outlook
from tenants.migration.counting import day_of, moment
from tenants.migration.rule import DEFAULT
from tests.services import a_postgres_cluster

BAR = 3.0
DAYS = (None, date(2026, 6, 30), date(2023, 12, 31), date(2020, 6, 30), date(2018, 1, 31))
ADMIN = Actor("bench", "bench", None, frozenset({Grant(Role.PROVINCE_ADMIN, INSTALLATION)}))

# What somebody would write by hand: the same tables, the same joins, N, D and what is verified, by division.
BARE = """
SELECT {key}, count(*) AS registered,
    sum(CASE WHEN {counts} THEN 1 ELSE 0 END) AS denominator,
    sum(CASE WHEN {counts} AND {moved} THEN 1 ELSE 0 END) AS numerator,
    sum(CASE WHEN {counts} AND {moved} AND r.is_live = 1 AND v.old_host_off_on <= :day THEN 1 ELSE 0 END)
        AS verified,
    sum(CASE WHEN {counts} AND {moved} AND r.is_live IS NULL AND u.system_id IS NULL THEN 1 ELSE 0 END)
        AS idle
FROM system_version v
LEFT JOIN (
    SELECT s.system_id, max(CASE WHEN (s.until IS NULL OR s.until > :at) AND s.since <= :live
        AND s.last_seen_at >= :fresh AND s.longest_gap_s <= :gap THEN 1 ELSE 0 END) AS is_live
    FROM running_span s JOIN site ON site.id = s.site_id
    WHERE site.retired_at IS NULL AND s.since <= :at AND (s.until IS NULL OR s.until > :idle)
    GROUP BY s.system_id
) r ON r.system_id = v.system_id
LEFT JOIN (
    SELECT DISTINCT p.system_id FROM project p JOIN site ON site.id = p.site_id
    WHERE site.retired_at IS NULL AND p.external_id IS NOT NULL AND p.created_at <= :at
        AND p.site_id NOT IN (SELECT site_id FROM site_look WHERE first_at <= :at AND last_at >= :fresh)
) u ON u.system_id = v.system_id
WHERE v.valid_from <= :at AND v.valid_to > :at
GROUP BY {key}
"""
_COUNTS = """v.life_state = 'in_use' AND v.level IN ('province', 'city')
    AND NOT (v.is_classified AND v.has_decision) AND NOT v.is_centrally_built
    AND NOT (v.stage = 'exempt' AND v.exempt_until >= :day)"""
_MOVED = (
    "v.stage IN ('accepted', 'done') AND v.hosting = 'gov_cloud' AND coalesce(v.agreement, '') <> 'partial'"
)


@dataclass
class Scale:
    """Medians in milliseconds by engine, size and what was asked."""

    rounds: int
    took: dict[tuple[str, int, str], list[float]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def take(self, key: tuple[str, int, str], act: Callable[[], object]) -> None:
        gc.collect()
        begun = time.perf_counter()
        act()
        self.took.setdefault(key, []).append((time.perf_counter() - begun) * 1000)

    def median(self, engine: str, size: int, what: str) -> float:
        return statistics.median(self.took[engine, size, what])


def measure(scale: Scale, engine: str, size: int, core: Core) -> None:
    """Take turns for every question and day."""
    for what, bare, ask in _questions(core):
        bare(), ask()  # whatever is read from disk for the first time
        for _ in range(scale.rounds):
            scale.take((engine, size, f"{what}, bare"), bare)
            scale.take((engine, size, what), ask)
        print(_line(scale, engine, size, what), flush=True)


def _questions(core: Core) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    for on in DAYS:
        day = on.isoformat() if on else "now"
        by_division = _bare(core, "v.division_code", on)
        yield f"rate, {day}", by_division, partial(figures.rate, core, ADMIN, on=on)
        yield f"ranking of cities, {day}", by_division, partial(figures.ranking, core, ADMIN, on=on)
    for on in (None, DAYS[2]):
        day = on.isoformat() if on else "now"
        by_department = _bare(core, "v.department_id", on)
        yield (
            f"ranking of departments, {day}",
            by_department,
            partial(figures.ranking, core, ADMIN, "departments", on=on),
        )
    yield (
        "forecast",
        _bare(core, "v.division_code", None),
        lambda: outlook.predict(core, ADMIN, target=9500, deadline=date(2026, 12, 31), rule="bench@1"),
    )


def _bare(core: Core, key: str, on: date | None) -> Callable[[], object]:
    statement = text(BARE.format(key=key, counts=_COUNTS, moved=_MOVED))
    times = [bindparam(name, type_=UtcDateTime()) for name in ("at", "live", "fresh", "idle")]
    asked = moment(DEFAULT, day_of(NOW, on))
    values = {
        "at": asked.at, "live": asked.live_since, "fresh": asked.fresh_since, "idle": asked.idle_since,
        "gap": asked.max_gap_s, "day": asked.day if core.settings.database else asked.day.isoformat(),
    }  # fmt: skip

    def run() -> list[Any]:
        with core.store.read() as uow:
            return list(uow.session.execute(statement.bindparams(*times), values))

    return run


def _line(scale: Scale, engine: str, size: int, what: str) -> str:
    bare, ours = scale.median(engine, size, f"{what}, bare"), scale.median(engine, size, what)
    return (
        f"| {engine} | {size} | {what} | {bare:.1f} | {ours:.1f} | {ours / bare:.2f} "
        f"| {ours * 1000 / size:.2f} |"
    )


def agreement(core: Core) -> bool:
    """Whether the hand-written aggregate and the product count the same: else they are not comparable."""
    for on in DAYS:
        found = figures.rate(core, ADMIN, on=on)[0]
        rows: Any = _bare(core, "v.division_code", on)()
        sums = [sum(row[n] for row in rows) for n in (1, 2, 3)]
        if sums != [found["registered"], found["denominator"], found["numerator"]]:
            print(f"not the same on {on}: {sums} and {found}", file=sys.stderr)
            return False
    return True


@contextmanager
def an_installation(home: Path, database: str) -> Iterator[Core]:
    """A core over an empty database of the newest schema."""
    home.mkdir(parents=True)
    settings = Settings(home=home, installation="bench", database=database)
    Signer.make_key(settings.keys / "audit.key")
    store = Store(settings.database_url)
    store.migrate()
    clock = FrozenClock(NOW)
    audit = Audit(clock, Signer(settings.keys / "audit.key"), settings.audit_heads)
    try:
        yield Core(settings, store, clock, audit, SilentBell())
    finally:
        store.close()


@contextmanager
def _databases(engines: Sequence[str]) -> Iterator[dict[str, Callable[[], str]]]:
    """For each engine, what makes the URL of a new database; empty for SQLite in the home."""
    if "postgresql" not in engines:
        yield {"sqlite": str}
        return
    with a_postgres_cluster() as cluster:
        made: dict[str, Callable[[], str]] = {"sqlite": str, "postgresql": cluster.new_database}
        yield {engine: made[engine] for engine in engines}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", default="sqlite,postgresql")
    given = parser.parse_args()
    sizes, engines = [int(size) for size in given.sizes.split(",")], given.engines.split(",")
    scale, is_same = Scale(given.rounds), True
    print("| engine | systems | asked | bare, ms | cloudctl, ms | ratio | µs a system |")
    print("|---|---:|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as directory, _databases(engines) as databases:
        for engine, new_database in databases.items():
            for size in sizes:
                with an_installation(Path(directory) / f"{engine}-{size}", new_database()) as core:
                    begun = time.perf_counter()
                    write(core.settings.database_url, Drawn(size))
                    took = time.perf_counter() - begun
                    print(f"{engine} {size}: written in {took:.0f} s", file=sys.stderr, flush=True)
                    is_same &= agreement(core)
                    measure(scale, engine, size, core)
    asked = [key for key in scale.took if key[1] == max(sizes) and not key[2].endswith("bare")]
    slow = [
        (engine, size, what)
        for engine, size, what in asked
        if scale.median(engine, size, what) > BAR * scale.median(engine, size, f"{what}, bare")
    ]
    for engine, size, what in slow:
        print(f"over {BAR} times: {engine} {size} {what}", file=sys.stderr)
    return 1 if slow or not is_same else 0


if __name__ == "__main__":
    sys.exit(main())
