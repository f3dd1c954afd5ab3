"""What a shift of a name keeps to and how it is seen that its sites answer: a document, checked. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cloudctl.errors import Fault
from cloudctl.ports.outside import HTTP, HTTPS, TCP, Question
from dr.traffic.rules import Limits
from dr.traffic.steps import RAMP

KINDS = (TCP, HTTP, HTTPS)
PORT_OF = {HTTP: 80, HTTPS: 443}
SOAK_S = 60
_NUMBERS = {  # least, most
    "headroom": (1.0, 10.0),
    "lag_s": (0.0, 86400.0),
    "flap_s": (0, 7 * 86400),
    "errors_percent": (0.0, 100.0),
    "soak_s": (1, 86400),
}
_BY_SITE = ("load_per_s", "room_per_s")
_KEYS = (*_NUMBERS, *_BY_SITE, "watch", "ramp")
_WATCH = ("kind", "port", "path", "status", "contains")
_MOST_TEXT, _MOST_STEPS = 500, 20


@dataclass(frozen=True)
class Watch:
    """The question that every address of a site has to answer while people are moved."""

    kind: str
    port: int
    path: str = "/"
    status: int = 200
    contains: str = ""

    def question(self, address: str, name: str) -> Question:
        """As it is put to one address."""
        host = "" if self.kind == TCP else name
        return Question(self.kind, address, self.port, host, self.path, self.status, self.contains)


def read(
    given: object, sites: Mapping[str, Any], place: str = "limits"
) -> tuple[dict[str, Any], list[Fault]]:
    """The limits as they are kept, and everything that is wrong with them."""
    if not isinstance(given, Mapping):
        return {}, [
            Fault(place, "not_a_mapping", "write keys", {"known": ", ".join(_KEYS)}, "known: {known}")
        ]
    return {str(key): value for key, value in given.items()}, list(_faults(given, sites, place))


def limits_of(kept: Mapping[str, Any]) -> Limits:
    """The rules' limits, of what `read` let pass."""
    known = {key: kept[key] for key in (*_NUMBERS, *_BY_SITE) if key in kept and key != "soak_s"}
    return Limits(**known)


def ramp_of(kept: Mapping[str, Any]) -> tuple[int, ...]:
    """The parts of the way at which a shift stops to look."""
    return tuple(kept.get("ramp") or RAMP)


def read_watch(kept: Mapping[str, Any]) -> Watch | None:
    """What is asked from outside, of what `read` let pass; None when nothing is."""
    row = kept.get("watch")
    if not row:
        return None
    values = {key: row[key] for key in _WATCH if row.get(key) is not None}
    return Watch(**{"port": PORT_OF.get(row["kind"]), **values})


def _faults(given: Mapping[Any, Any], sites: Mapping[str, Any], place: str) -> Iterator[Fault]:
    yield from _unknown(given, _KEYS, place)
    for key, (least, most) in _NUMBERS.items():
        if given.get(key) is not None and not _is_number(given[key], least, most):
            template = "must be a number from {least} to {most}"
            yield Fault(f"{place}.{key}", "out_of_range", template, {"least": least, "most": most})
    for key in _BY_SITE:
        rows = given.get(key) or {}
        if not isinstance(rows, Mapping):
            yield Fault(f"{place}.{key}", "not_a_mapping", "write keys",
                        {"known": ", ".join(sorted(sites))}, "known: {known}")  # fmt: skip
            continue
        yield from _unknown(rows, tuple(sorted(sites)), f"{place}.{key}")
        for site, value in rows.items():
            if not _is_number(value, 0, 1e9):
                template = "must be a number from {least} to {most}"
                yield Fault(f"{place}.{key}.{site}", "out_of_range", template, {"least": 0, "most": 10**9})
    ramp = given.get("ramp")
    if ramp is not None and not _is_ramp(ramp):
        template = "must be whole numbers from 1 to 100 that grow, with 100 at the end"
        yield Fault(f"{place}.ramp", "bad_shape", template)
    if given.get("watch") is not None:
        yield from _watch_faults(given["watch"], f"{place}.watch")


def _watch_faults(row: Any, place: str) -> Iterator[Fault]:
    if not isinstance(row, Mapping):
        yield Fault(place, "not_a_mapping", "write keys", {"known": ", ".join(_WATCH)}, "known: {known}")
        return
    yield from _unknown(row, _WATCH, place)
    kind = row.get("kind")
    if kind not in KINDS:
        params = {"given": str(kind)[:60], "choices": ", ".join(KINDS)}
        yield Fault(f"{place}.kind", "unknown_word", "'{given}' is none of: {choices}", params)
    elif row.get("port") is None and kind not in PORT_OF:
        yield Fault(f"{place}.port", "missing", "is missing")
    for key, least, most in (("port", 1, 65535), ("status", 100, 599)):
        if row.get(key) is not None and (type(row[key]) is not int or not least <= row[key] <= most):
            template = "must be a number from {least} to {most}"
            yield Fault(f"{place}.{key}", "out_of_range", template, {"least": least, "most": most})
    for key in ("path", "contains"):
        text = row.get(key) or ""
        if not isinstance(text, str) or len(text) > _MOST_TEXT or not text.isprintable():
            template = "must be one line of at most {most} characters"
            yield Fault(f"{place}.{key}", "bad_text", template, {"most": _MOST_TEXT})
        elif key == "path" and text and (text[0] != "/" or not text.isascii() or " " in text):
            template = "must begin with / and have neither spaces nor Chinese in it"
            yield Fault(f"{place}.path", "bad_path", template)


def _unknown(row: Mapping[Any, Any], known: tuple[str, ...], place: str) -> Iterator[Fault]:
    for key in row:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            params = {"known": ", ".join(known), "near": near[0] if near else ""}
            hint = "did you mean {near}?" if near else "known: {known}"
            yield Fault(f"{place}.{str(key)[:60]}", "unknown_key", "is not known here", params, hint)


def _is_number(value: object, least: float, most: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and least <= value <= most  # type: ignore[arg-type,operator]


def _is_ramp(value: object) -> bool:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST_STEPS:
        return False
    return (
        all(type(one) is int for one in value)
        and [*value] == sorted({*value})
        and (value[0] >= 1 and value[-1] == 100)
    )
