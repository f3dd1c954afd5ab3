"""What a snapshot holds and how it is hashed: the list of systems, the figures, the chain. Pure.

A snapshot's hash covers its rule, its list, its figures and the hash of the snapshot before it, whatever
month that was of: a changed row, a swapped figure and a missing snapshot all break the chain.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.errors import Fault
from tenants.migration import scopes
from tenants.migration.rates import Facts, Tally, Verdict, evidence, total
from tenants.migration.rule import Rule

GENESIS = "0" * 64
Json = dict[str, Any]
Figures = dict[tuple[str, str], Tally]  # (scope, group) -> tally


@dataclass(frozen=True)
class Judged:
    """One system of the list, with what it counted as."""

    system: str
    department: str
    division: str
    stage: str
    facts: Facts
    verdict: Verdict


@dataclass(frozen=True)
class Frozen:
    """What the hash of a snapshot covers."""

    month: str
    revision: int
    cut_off_at: datetime
    rule: str  # gx-2026@1
    rule_sha256: str
    systems: bytes  # zlib of the lines
    figures: Figures
    reason: str
    made_at: datetime
    made_by: str
    previous_sha256: str


def pack(systems: Iterable[Judged], rule: Rule) -> bytes:
    """One line of JSON for each system, compressed."""
    return zlib.compress("".join(f"{_canonical(_line(one, rule))}\n" for one in systems).encode())


def unpack(packed: bytes) -> Iterator[Json]:
    """The lines again."""
    for line in zlib.decompress(packed).decode().splitlines():
        yield json.loads(line)


def figures(
    by_place: Mapping[str, Mapping[tuple[str, str], Tally]], parents: Mapping[str, str | None]
) -> Figures:
    """The figures of every scope, from tallies by (division, department) in each group.

    Scopes without any system have none.
    """
    found: Figures = {}
    for group, tallies in by_place.items():
        own = _summed((division, tally) for (division, _), tally in tallies.items())
        departments = _summed((department, tally) for (_, department), tally in tallies.items())
        for kind, sums in (
            ("division", scopes.pooled(own, parents)),
            ("own", own),
            ("department", departments),
        ):
            found.update({(f"{kind}:{key}", group): tally for key, tally in sums.items()})
    return found


def sha256(one: Frozen) -> str:
    """The hash of a snapshot. ValueError when its list cannot be read any more."""
    try:
        lines = zlib.decompress(one.systems)
    except zlib.error as error:
        raise ValueError("the list cannot be read") from error
    content = {
        "month": one.month,
        "revision": one.revision,
        "cut_off_at": one.cut_off_at.isoformat(),
        "rule": one.rule,
        "rule_sha256": one.rule_sha256,
        "systems": hashlib.sha256(lines).hexdigest(),
        "figures": [[*key, *_numbers(tally)] for key, tally in sorted(one.figures.items())],
        "reason": one.reason,
        "made_at": one.made_at.isoformat(),
        "made_by": one.made_by,
        "previous": one.previous_sha256,
    }
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def faults(one: Frozen, stored: str, expected_previous: str, witnessed: str | None) -> Iterator[Fault]:
    """What is wrong with a snapshot: `stored` is its hash, `witnessed` what the audit chain says it was."""
    place = f"{one.month} r{one.revision} {one.rule}"
    if one.previous_sha256 != expected_previous:
        yield Fault(place, "broken_link", "does not follow from the snapshot before")
    try:
        actual = sha256(one)
    except ValueError:
        yield Fault(place, "unreadable", "its list of systems cannot be read")
    else:
        if actual != stored:
            yield Fault(place, "changed", "was changed after it was written")
    if witnessed is None:
        yield Fault(place, "unwitnessed", "the audit chain knows nothing of it")
    elif witnessed != stored:
        yield Fault(place, "rewritten", "differs from what the audit chain says")


def differences(before: Iterable[Json], now: Iterable[Json]) -> Iterator[Json]:
    """What differs between two lists of systems: those that came, went, or count differently."""
    first, second = ({line["id"]: line for line in lines} for lines in (before, now))
    for key in sorted(first.keys() | second.keys()):
        one, other = first.get(key), second.get(key)
        if one != other:
            names = sorted({*(one or {}), *(other or {})} - {"id"})
            changed = [name for name in names if (one or {}).get(name) != (other or {}).get(name)]
            yield {
                "id": key,
                "department": (other or one or {})["department"],
                "what": "gone" if other is None else "new" if one is None else "changed",
                "before": {name: one.get(name) for name in changed} if one else None,
                "now": {name: other.get(name) for name in changed} if other else None,
            }


def _line(one: Judged, rule: Rule) -> Json:
    line: Json = {
        "id": one.system,
        "department": one.department,
        "division": one.division,
        "stage": one.stage,
        "level": one.facts.level,
        "mlps_level": one.facts.mlps_level,
        "new": one.facts.is_new,
        "reason": one.verdict.reason,
        "weight_hundredths": one.verdict.weight_hundredths,
    }
    if one.verdict.weight_hundredths:
        line["verified"] = one.verdict.verified
        line["idle"] = one.verdict.is_idle
        line["evidence"] = dict(evidence(one.facts, rule))
    return line


def _summed(tallies: Iterable[tuple[str, Tally]]) -> dict[str, Tally]:
    parts: dict[str, list[Tally]] = {}
    for key, tally in tallies:
        parts.setdefault(key, []).append(tally)
    return {key: total(each) for key, each in parts.items()}


def _numbers(tally: Tally) -> Sequence[Any]:
    return (
        tally.registered,
        tally.denominator,
        tally.numerator_hundredths,
        tally.verified_hundredths,
        tally.unknown,
        tally.idle,
        dict(sorted(tally.excluded.items())),
    )


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
