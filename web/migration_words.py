"""What figures of the migration say in words, in the reader's language: whys, flags, reasons."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from web.saying import say
from web.visitor import language, words
from web.wording import moment


def said(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The row with its template said under `key`; template and params themselves are not for readers."""
    rest = {name: value for name, value in row.items() if name not in ("template", "params")}
    return {**rest, key: say(row["template"], _readable(row["params"])) if row["template"] else None}


def day(value: date | str | None) -> str:
    """2026年11月21日."""
    if value is None or value == "":
        return "—"
    one = date.fromisoformat(value) if isinstance(value, str) else value
    return one.isoformat() if language() == "en" else f"{one.year}年{one.month}月{one.day}日"


def group_name(group: str) -> str:
    """`mlps:3` as an office would say it."""
    kind, _, value = group.partition(":")
    name = words()("figure group", kind)
    if kind == "level":
        return f"{name} {words()('system level', value)}"
    return f"{name} {value}".strip()


def permille(percentage: str) -> int:
    """`94.99` as 949: how wide a bar is out of 1000."""
    whole, _, decimals = percentage.partition(".")
    return int(whole) * 10 + int(decimals[:1] or "0")


def _readable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Times in Beijing time, days as offices write them."""
    return {name: _text(value) for name, value in params.items()}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    return day(value) if isinstance(value, date) else value
