"""Words for pages: times, amounts, addresses and requests as offices write them."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from cloudctl.amounts import Kind
from cloudctl.texts import Words
from web.visitor import language, translate, words

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
_GIB_PER_TIB = 1024


def moment(at: datetime | str | None, is_short: bool = False) -> str:
    """2026年11月21日 16:05, in Beijing time."""
    if at is None or at == "":
        return "—"
    when = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(BEIJING)
    if language() == "en":
        return f"{when:%d %b %H:%M}" if is_short else f"{when:%Y-%m-%d %H:%M}"
    day = f"{when.month}月{when.day}日 {when:%H:%M}"
    return day if is_short else f"{when.year}年{day}"


def amount(kind: str, number: int | None) -> str:
    """A number with its unit: 12 核, 16 GiB, 1 TiB, 3 台."""
    if number is None:
        return translate()("no limit")
    if kind == Kind.RAM_MIB:
        return f"{_plain(number / 1024)} GiB"
    if kind == Kind.VOLUME_GIB:
        whole = number >= _GIB_PER_TIB and number % (_GIB_PER_TIB // 4) == 0
        return f"{_plain(number / _GIB_PER_TIB)} TiB" if whole else f"{number} GiB"
    unit = words()("unit", kind) if language() == "zh" else ""
    return f"{number} {unit}".strip()


def amounts(by_kind: Mapping[str, int] | None) -> str:
    """All amounts in one line, each with its name."""
    name: Words = words()
    gap = " " if language() == "en" else ""
    parts = [f"{name('kind', kind)}{gap or ' '}{amount(kind, n)}" for kind, n in (by_kind or {}).items() if n]
    return (", " if language() == "en" else "，").join(parts) or "—"


def addresses(by_family: Mapping[str, Any] | None) -> str:
    """All addresses in one line."""
    found = [
        one for each in (by_family or {}).values() for one in (each if isinstance(each, list) else [each])
    ]
    return ", ".join(str(one) for one in found) or "—"


def request_title(row: Mapping[str, Any]) -> str:
    """A request in a few words, kind first."""
    return spoken_title(str(row["name"]))


def spoken_title(title: str) -> str:
    """`3 x gov.medium` as an office would say it."""
    to = translate()
    if found := re.fullmatch(r"(\d+) x volume, (\d+) GiB", title):
        return to("{count} volumes, {size} GiB").format(count=found[1], size=found[2])
    if found := re.fullmatch(r"(\d+) x (.+)", title):
        return to("{count} virtual machines {flavor}").format(count=found[1], flavor=found[2])
    if found := re.fullmatch(r"release (\d+)", title):
        return to("release of {count} resources").format(count=found[1])
    if found := re.fullmatch(r"backup (T\d)", title):
        return to("backup of tier {tier}").format(tier=found[1])
    return to("new project") if title == "project" else title


def flavors(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The sizes on offer, as the options of a list."""
    return [
        (row["id"], f"{row['id']}：{amount('vcpus', row['vcpus'])} {amount('ram_mib', row['ram_mib'])}")
        for row in rows
    ]


def _plain(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
