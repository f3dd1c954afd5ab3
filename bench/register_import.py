"""Importing a sheet of systems into the register, beside python-calamine's bare read of the same file.

    python -m bench.register_import [--rows 10000] [--rounds 5]

One process, an installation of its own in a temporary directory, SQLite. Bare and import take turns, each
first in every other round, and the medians are compared. Three imports are measured: of a register that is
empty, of one that has all rows already, and of one where a tenth of the rows has changed.
"""

import argparse
import gc
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from python_calamine import CalamineWorkbook

from cloudctl.actors import INSTALLATION, Actor, Grant, Role
from cloudctl.audit import Audit
from cloudctl.bootstrap import SilentBell
from cloudctl.clock import SystemClock
from cloudctl.config import Settings
from cloudctl.core import Core
from cloudctl.models import Department, Division
from cloudctl.secrets import Signer
from cloudctl.store import Store
from tenants.migration.stages import ORDER, SHOWS
from tenants.register.fields import BY_NAME, FieldKind, Value
from tenants.register.importing import import_systems
from tenants.register.records import BLANK
from tenants.register.workbook import export_xlsx

BAR = 3.0
IMPORTS = ("empty register", "nothing changed", "a tenth changed")
DEPARTMENTS = 806
ADMIN = Actor("bench", "bench", None, frozenset({Grant(Role.PROVINCE_ADMIN, INSTALLATION)}))
_FIRST_DAY = date(2021, 1, 4)


@dataclass
class Measured:
    """Seconds of each round, by what was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def take(self, name: str, act: Callable[[], object]) -> None:
        gc.collect()
        begun = time.perf_counter()
        act()
        self.seconds.setdefault(name, []).append(time.perf_counter() - begun)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])


def records(count: int, changed_every: int = 0) -> Iterator[dict[str, Value]]:
    """Rows of a register that is kept well: four of five have come all the way, one in fifty is classified.

    With `changed_every` each such row differs from what it is without.
    """
    for number in range(count):
        record = {**BLANK, "code": f"gx-{number % DEPARTMENTS:03d}-{number:05d}"}
        record["department"] = f"d{number % DEPARTMENTS:03d}"
        stage = ORDER[number // 5 % len(ORDER)] if number % 5 == 0 else ORDER[-1]
        if number % 50 == 0:
            yield record | {"is_classified": True, "name": None} | _shown(number, 1)
            continue
        record |= _described(number) | _shown(number, ORDER.index(stage))
        record["stage"] = stage.value
        if stage in ORDER[-2:]:
            record |= {
                "hosting": "gov_cloud",
                "old_host_off_on": _day(number, 9),
                "old_host_document": f"下线〔{number}〕",
            }
        if changed_every and number % changed_every == 1:
            record |= {"person": f"新责任人{number}", "ipv6_state": "only"}
        yield record


def _described(number: int) -> dict[str, Value]:
    return {
        "name": f"广西壮族自治区第{number}号业务管理信息系统",
        "level": _one_of("province city county", number),
        "category": _one_of("业务应用 政务服务 网上办公 基础平台", number),
        "zone": _one_of("public dedicated internet", number),
        "network": _one_of("external internet", number),
        "mlps_level": 3 if number % 3 == 0 else 2,
        "mlps_filing": f"45{number:011d}",
        "mlps_next_on": date(2027, 1 + number % 12, 1),
        "is_key_application": number % 20 == 1,
        "has_key_data": number % 10 == 1,
        "dr_tier": 4 if number % 20 == 1 else 2,
        "hosting": _one_of("own_room colocation dedicated_network other_cloud industry_cloud", number),
        "ipv6_state": _one_of("none partly dual", number),
        "sso_state": _one_of("none planned joined", number),
        "is_domestic": number % 2 == 0,
        "leader": f"分管领导{number % 900}",
        "unit": f"责任单位{number % 900}",
        "person": f"责任人{number % 3000}",
        "catalogue_id": f"CAT-{number:07d}",
        "commissioned_on": _FIRST_DAY - timedelta(days=number % 3000),
        "notes": f"第{number}号系统由省级统一建设，各设区市使用同一套软件，数据每日同步。",
    }


def _one_of(words: str, number: int) -> str:
    choices = words.split()
    return choices[number % len(choices)]


def _shown(number: int, reached: int) -> dict[str, Value]:
    """The evidence of every stage up to this one."""
    shown: dict[str, Value] = {}
    for step, stage in enumerate(ORDER[: reached + 1]):
        for name in SHOWS[stage]:
            is_day = BY_NAME[name].kind is FieldKind.DATE
            shown[name] = _day(number, step) if is_day else f"{BY_NAME[name].title}〔2025〕{number}号"
    if "agreement" in shown:
        shown["agreement"] = ("full", "partial")[number % 2]
    return shown


def _day(number: int, step: int) -> date:
    return _FIRST_DAY + timedelta(days=number % 400 + 60 * step)


def bare_read(content: bytes) -> int:
    """What the library alone needs: every cell as a value of Python."""
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return len(workbook.get_sheet_by_index(0).to_python())


def an_installation(home: Path) -> Core:
    """A core on SQLite with a province and its departments."""
    settings = Settings(home=home, installation="bench")
    Signer.make_key(settings.keys / "audit.key")
    store, clock = Store(settings.database_url), SystemClock()
    store.migrate()
    with store.write() as uow:
        uow.add(Division(code="450000", name="广西壮族自治区", level="province", served_by=[]))
        for number in range(DEPARTMENTS):
            uow.add(
                Department(id=f"d{number:03d}", name=f"第{number}局", kind="政府", division_code="450000")
            )
    audit = Audit(clock, Signer(settings.keys / "audit.key"), settings.audit_heads)
    return Core(settings, store, clock, audit, SilentBell())


def measure(rows: int, rounds: int) -> Measured:
    """All rounds; each starts with a register of its own."""
    measured = Measured()
    whole, changed = export_xlsx(records(rows)), export_xlsx(records(rows, changed_every=10))
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            core = an_installation(Path(directory))
            for name, content in zip(IMPORTS, (whole, whole, changed), strict=True):
                acts: list[tuple[str, Callable[[], object]]] = [
                    ("bare read", partial(bare_read, content)),
                    (name, partial(import_systems, core, ADMIN, content, "bench.xlsx")),
                ]
                for what, act in acts if number % 2 == 0 else acts[::-1]:
                    measured.take(what, act)
            core.store.close()
    return measured


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 when an import costs more than the bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(argv)
    measured = measure(given.rows, given.rounds)
    bare = measured.median("bare read")
    print(f"{given.rows} rows, {len(BY_NAME)} columns; bare read {bare:.2f} s")
    is_within = True
    for name in IMPORTS:
        seconds = measured.median(name)
        is_within = is_within and seconds <= BAR * bare
        print(f"import, {name:16} {seconds:6.2f} s  {seconds / bare:5.2f} x bare read (bar: {BAR:.1f})")
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
