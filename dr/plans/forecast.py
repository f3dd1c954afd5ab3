"""What would be lost if it happened now, and how long it would take, from what drills have measured. Pure.

A part counts from the start of its servers until it answers; the parts of the longest chain are added up,
since those beside it take no time of their own. What was never measured is named, and makes the sum a
lower bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dr import graph
from dr.plans.document import Document, Way
from dr.plans.health import Health
from dr.plans.known import Known
from dr.reports.statistics import quantile

DATA = "data"  # until the first server may start: restoring, cloning or promoting
NOT_IN_A_DRILL = ("detect", "decide", "fence", "traffic")
MOST_SAMPLES = 20  # the newest


@dataclass(frozen=True)
class Sample:
    """What one drill or move took, in seconds: its data, and each part that answered."""

    data_s: float | None
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Duration:
    """How long one piece takes: median and 90th percentile of `n` measurements; None: never measured."""

    name: str
    n: int
    median_s: float | None
    p90_s: float | None

    def as_json(self) -> dict[str, Any]:
        """As API and page show it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Forecast:
    """`time_s` and `time_p90_s` are sums of what was measured; whatever is in `not_measured` comes on top."""

    loss_s: float | None
    loss_worst_s: float | None
    time_s: float | None
    time_p90_s: float | None
    objective_s: int
    pieces: tuple[Duration, ...]
    chain: tuple[str, ...]  # the parts that the time hangs on, in their order
    not_measured: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As API and page show it."""
        return {
            **vars(self),
            "pieces": [one.as_json() for one in self.pieces],
            "chain": list(self.chain),
            "not_measured": list(self.not_measured),
        }


def sample_of(seen: Mapping[str, Any]) -> Sample | None:
    """What a drill has kept (`Drill.seen`), as a sample; None where it measured nothing."""
    stands = seen.get("parts") or {}
    begun = [one["begun_s"] for one in stands.values() if one.get("begun_s") is not None]
    parts = {
        name: round(one["answered_s"] - one["begun_s"], 3)
        for name, one in stands.items()
        if one.get("begun_s") is not None and one.get("answered_s") is not None
    }
    if not begun:
        return None
    return Sample(round(max(0.0, min(begun) - _probe_s(seen)), 3), parts)


def _probe_s(seen: Mapping[str, Any]) -> float:
    """How long the drill waited for its probe once the data was there, as no move does."""
    times = seen.get("times") or {}
    if "cloned" not in times or "starting" not in times:
        return 0.0
    return float(times["starting"]) - float(times["cloned"])


def forecast(document: Document, known: Known, state_of_data: Health, samples: Sequence[Sample]) -> Forecast:
    """From the newest samples first; nothing is guessed where nothing was measured."""
    newest = samples[:MOST_SAMPLES]
    has_data = any(part.way is not Way.NONE for part in document.parts)
    data = [one.data_s for one in newest if one.data_s is not None] if has_data else [0.0]
    pieces = [_duration(DATA, data)]
    pieces += [
        _duration(part.name, [one.parts[part.name] for one in newest if part.name in one.parts])
        for part in document.parts
    ]
    missing = [one.name for one in pieces if one.n == 0]
    needs = {part.name: part.needs for part in document.parts}
    typical = {one.name: one.median_s or 0.0 for one in pieces[1:]}
    slow = {one.name: one.p90_s or 0.0 for one in pieces[1:]}
    is_measured = any(one.n for one in pieces[1:])
    at_hand = pieces[0].median_s or 0.0, pieces[0].p90_s or 0.0
    return Forecast(
        state_of_data.behind_s,
        state_of_data.worst_s,
        round(at_hand[0] + graph.critical_path(needs, typical), 1) if is_measured else None,
        round(at_hand[1] + graph.critical_path(needs, slow), 1) if is_measured else None,
        document.rto_s,
        tuple(pieces),
        tuple(graph.longest_chain(needs, typical)) if is_measured else (),
        (*missing, *NOT_IN_A_DRILL),
    )


def _duration(name: str, measured: Sequence[float]) -> Duration:
    ordered = sorted(measured)
    return Duration(name, len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.9))
