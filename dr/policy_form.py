"""From what people write to a policy that can be kept, or to all its faults at once. Pure.

Only name, tier and the sites of the vaults have to be said: the rest is what the tier says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from cloudctl.errors import Fault
from dr.isolated import checks
from dr.isolated.checks import Check
from dr.levels import DAY_S, LEVELS
from dr.schedule import Window
from dr.tiers import OF_POLICIES, TIERS, Tier

SYSTEM, VOLUME, BUCKET = "system", "volume", "bucket"
KINDS = (SYSTEM, VOLUME, BUCKET)
MOST_NAME, MOST_MEMBERS, MOST_KEPT, MOST_FULL_EVERY = 100, 2000, 1000, 1000
MOST_S = 10 * 366 * DAY_S
MOST_MBIT = 1_000_000
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_UNITS_S = {"m": 60, "h": 3600, "d": DAY_S, "w": 7 * DAY_S}
_KEYS = (
    "name", "tier", "every", "full_every", "window", "line_mbit", "retention", "lock", "vaults", "level",
    "prove_every", "members",
)  # fmt: skip
_RETENTION = ("last", "daily", "weekly", "monthly", "yearly")
_MEMBER = ("kind", "system", "site", "name")
_LEVELS = LEVELS[1:]


@dataclass(frozen=True)
class MemberForm:
    """Something to be backed up: a system with all its volumes at a site, one volume of it, or a bucket."""

    system: str
    site: str
    kind: str = SYSTEM
    name: str = ""  # the resource of a volume, the bucket; empty for a system
    checks: tuple[Check, ...] | None = field(default=None, compare=False)  # None: as they are


@dataclass(frozen=True)
class PolicyForm:
    """A policy as asked for; members of None stay what they are."""

    name: str
    tier: Tier
    every_s: int
    full_every: int
    window: Mapping[str, str]
    line_mbit: int | None
    retention: Mapping[str, int]
    lock_s: int
    vaults: tuple[str, ...]
    level: str
    prove_every_s: int
    members: tuple[MemberForm, ...] | None = None


def read(given: Mapping[str, Any], place: str = "") -> tuple[PolicyForm | None, list[Fault]]:
    """The policy, or everything that is wrong with it by itself; places begin with `place`."""
    reader = _Reader({str(key): value for key, value in given.items() if value is not None})
    form = reader.policy()
    faults = [replace(one, place=f"{place}{one.place}") for one in reader.faults]
    return (None if faults else form), faults


def is_bucket_name(text: str) -> bool:
    """Whether S3 takes it as the name of a bucket."""
    return _BUCKET_NAME.fullmatch(text) is not None and ".." not in text


def duration_s(text: object) -> int | None:
    """`90m`, `4h`, `7d`, `2w` or a number of seconds; None for what is no time."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    found = re.fullmatch(r"\s*(\d{1,9})\s*([mhdw]?)\s*", str(text))
    return int(found[1]) * _UNITS_S.get(found[2], 1) if found else None


def duration_text(seconds: int) -> str:
    """Seconds as people write them: 86400 is `1d`."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS_S[unit] == 0:
            return f"{seconds // _UNITS_S[unit]}{unit}"
    return str(seconds)


class _Reader:
    """One document, and the faults found in it so far."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.faults: list[Fault] = []

    def policy(self) -> PolicyForm | None:
        self._refuse_unknown("", self.given, _KEYS)
        name, tier = self._name(), self._word("tier", OF_POLICIES)
        of_tier = TIERS[tier or "T1"]
        form = PolicyForm(
            name=name,
            tier=of_tier,
            every_s=self._duration("every", of_tier.every_s),
            full_every=self._number(
                "full_every", self.given.get("full_every", of_tier.full_every), 1, MOST_FULL_EVERY
            ),
            window=self._window(),
            line_mbit=(
                self._number("line_mbit", self.given["line_mbit"], 1, MOST_MBIT)
                if "line_mbit" in self.given
                else None
            ),
            retention=self._retention(of_tier),
            lock_s=self._duration("lock", of_tier.lock_s, least=0),
            vaults=self._vaults(),
            level=self._word("level", _LEVELS, of_tier.level) or of_tier.level,
            prove_every_s=self._duration("prove_every", of_tier.prove_every_s),
            members=self._members(),
        )
        return None if self.faults else form

    def _fault(self, place: str, code: str, template: str, hint: str | None = None, **params: object) -> None:
        self.faults.append(Fault(place, code, template, params, hint))

    def _refuse_unknown(self, place: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in given:
            if key not in known:
                near = next(iter(get_close_matches(str(key), known, 1)), None)
                hint = "did you mean {near}?" if near else None
                self._fault(f"{place}{key}", "unknown_key", "is no field of a policy", hint, near=near)

    def _name(self) -> str:
        name = str(self.given.get("name", "")).strip()
        if not name:
            self._fault("name", "missing", "is missing")
        elif len(name) > MOST_NAME or not name.isprintable():
            template = "must be one line of at most {most} characters"
            self._fault("name", "bad_text", template, most=MOST_NAME)
        return name

    def _word(self, key: str, known: Sequence[str], default: str | None = None) -> str | None:
        value = self.given.get(key, default)
        if value is None:
            self._fault(key, "missing", "is missing", "one of {known}", known=", ".join(known))
            return None
        if value not in known:
            params = {"given": str(value)[:60], "choices": ", ".join(known)}
            self._fault(key, "unknown_word", "'{given}' is none of: {choices}", **params)
            return None
        return str(value)

    def _number(self, place: str, value: object, least: int, most: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self._fault(place, "out_of_range", "must be a number from {least} to {most}", least=least, most=most)
        return least

    def _duration(self, key: str, default: int, least: int = 60) -> int:
        if key not in self.given:
            return default
        seconds = duration_s(self.given[key])
        if seconds is None or not least <= seconds <= MOST_S:
            self._fault(key, "bad_duration", "is no length of time", "write 4h, 1d or 2w")
            return default
        return seconds

    def _window(self) -> Mapping[str, str]:
        value = self.given.get("window", {})
        try:
            window = {key: str(value[key]) for key in ("from", "until")} if value else {}
            Window.read(window)
        except (TypeError, KeyError, ValueError):
            hint = 'write {{"from": "22:00", "until": "06:00"}}'
            self._fault("window", "bad_window", "is no part of a day", hint)
            return {}
        return window

    def _retention(self, tier: Tier) -> Mapping[str, int]:
        value = self.given.get("retention", dict(tier.retention))
        if not isinstance(value, Mapping):
            self._fault("retention", "bad_shape", "must be a mapping of {known}", known=", ".join(_RETENTION))
            return tier.retention
        self._refuse_unknown("retention.", value, _RETENTION)
        kept = {
            key: self._number(f"retention.{key}", value[key], 0, MOST_KEPT)
            for key in _RETENTION
            if key in value
        }
        if not any(kept.values()):
            self._fault("retention", "keeps_nothing", "keeps nothing")
        return {key: count for key, count in kept.items() if count}

    def _vaults(self) -> tuple[str, ...]:
        value = self.given.get("vaults", ())
        sites = [value] if isinstance(value, str) else value
        if not isinstance(sites, list | tuple) or not all(isinstance(one, str) and one for one in sites):
            self._fault("vaults", "bad_shape", "must be a list of sites")
            return ()
        if not sites:
            self._fault("vaults", "missing", "is missing", "the sites whose vaults keep the points")
        return tuple(dict.fromkeys(sites))

    def _members(self) -> tuple[MemberForm, ...] | None:
        if "members" not in self.given:
            return None
        value = self.given["members"]
        if not isinstance(value, list | tuple) or len(value) > MOST_MEMBERS:
            template = "must be a list of at most {most} members"
            self._fault("members", "bad_shape", template, most=MOST_MEMBERS)
            return ()
        found = [self._member(f"members[{index}]", one) for index, one in enumerate(value)]
        members = [one for one in found if one is not None]
        for index, one in enumerate(members):
            if one in members[:index]:
                self._fault(f"members[{index}]", "twice", "is named twice")
        return tuple(members)

    def _member(self, place: str, given: object) -> MemberForm | None:
        if not isinstance(given, Mapping):
            self._fault(place, "bad_shape", "must name a system and a site")
            return None
        self._refuse_unknown(f"{place}.", given, (*_MEMBER, "checks"))
        told = {key: str(given[key]).strip() for key in _MEMBER if given.get(key)}
        for key in ("system", "site"):
            if key not in told:
                self._fault(f"{place}.{key}", "missing", "is missing")
        kind = told.get("kind", VOLUME if "name" in told else SYSTEM)
        if kind not in KINDS:
            params = {"given": kind[:60], "choices": ", ".join(KINDS)}
            self._fault(f"{place}.kind", "unknown_word", "'{given}' is none of: {choices}", **params)
        elif kind == VOLUME and "name" not in told:
            self._fault(f"{place}.name", "missing", "is missing", "the volume")
        elif kind == BUCKET and not is_bucket_name(told.get("name", "")):
            hint = "3 to 63 small letters, digits, dots and dashes"
            self._fault(f"{place}.name", "bad_bucket", "is no name of a bucket", hint)
        elif kind == SYSTEM and "name" in told:
            self._fault(f"{place}.name", "contradiction", "a whole system has all its volumes")
        asked = self._checks(f"{place}.checks", given.get("checks"), kind)
        return MemberForm(told.get("system", ""), told.get("site", ""), kind, told.get("name", ""), asked)

    def _checks(self, place: str, given: object, kind: str) -> tuple[Check, ...] | None:
        if given is None:
            return None
        if kind != SYSTEM:
            self._fault(place, "contradiction", "only a whole system has an application that answers")
        found, faults = checks.read(given, place)
        self.faults += faults
        return found
