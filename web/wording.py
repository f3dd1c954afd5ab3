"""Words for pages: times, amounts and notices as offices write them."""

from collections.abc import Mapping
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


def notice_text(row: Mapping[str, Any]) -> str:
    """A notice in the reader's words; a parameter that went missing never breaks the page."""
    template = translate()(str(row["template"]))
    try:
        return template.format(**row["params"])
    except (KeyError, IndexError, ValueError):
        return template


def _plain(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
