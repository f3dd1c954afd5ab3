"""What pages say of backups: sizes, spans of time, warnings, in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.errors import Fault
from dr.levels import LEVELS
from dr.tiers import TIERS
from web.saying import fault_hint, fault_message, say
from web.visitor import translate

_KIB = 1024
# What each level of proof says of a point, in the order of the levels.
_PLAIN = (
    "a copy exists",
    "read back and right",
    "restored elsewhere and equal byte by byte",
    "boots by itself",
    "its application answers",
)


def tier_name(tier: str) -> str:
    """T2 数据异地备份."""
    return f"{tier} {translate()(TIERS[tier].title)}"


def level_name(level: str | None) -> str:
    """What it means that a point is proved to the level."""
    return translate()(_PLAIN[LEVELS.index(level)]) if level else "—"


def size(count: int | None) -> str:
    """Bytes as people read them: 1.5 GiB."""
    if count is None:
        return "—"
    number, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if number < _KIB:
            break
        number, unit = number / _KIB, larger
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"


def span(seconds: int | None) -> str:
    """A length of time in its two largest units: 1 天 3 小时."""
    if seconds is None:
        return "—"
    to = translate()
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    counted = ((days, "{count} d"), (hours, "{count} h"), (rest // 60, "{count} min"))
    found = [to(template).format(count=count) for count, template in counted if count]
    first = next((index for index, (count, _) in enumerate(counted) if count), 0)
    shown = [to(template).format(count=count) for count, template in counted[first : first + 2] if count]
    return " ".join(shown) if found else to("{count} s").format(count=int(seconds))


def with_faults(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its faults and notes said in the reader's language."""

    def told(faults: Sequence[Fault]) -> list[dict[str, Any]]:
        return [
            {"place": one.place, "code": one.code, "message": fault_message(one), "hint": fault_hint(one)}
            for one in faults
        ]

    return {**row, "faults": told(row["faults"]), "notes": told(row["notes"])}


def with_warnings(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its warnings said; templates and params themselves are not for readers."""
    told = [
        {"place": one["place"], "code": one["code"], "message": say(one["template"], one["params"])}
        for one in row["warnings"]
    ]
    return {**row, "warnings": told}
