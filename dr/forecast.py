"""How many bytes the points of a policy will take in one vault once it has been in force for long. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dr.retention import Retention

GIB = 1 << 30
CHANGED_PER_MILLE = 50  # of a volume from one point to the next, until increments have been measured
RESERVE_PER_CENT = 120  # a vault must have room for the forecast and a fifth more


@dataclass(frozen=True)
class Forecast:
    """What one point of the data takes, full or incremental, and all that is kept at once."""

    full_bytes: int
    increment_bytes: int
    kept_bytes: int

    @property
    def demanded_bytes(self) -> int:
        """The room a vault has to have for it."""
        return self.kept_bytes * RESERVE_PER_CENT // 100


def forecast(
    volume_bytes: int,
    retention: Retention,
    every_s: int,
    full_every: int,
    increments: Sequence[tuple[int, int]] = (),
) -> Forecast:
    """What the data of so many bytes takes; `increments` are (stored, of the volumes) of those there were.

    Nothing is counted on compression: it is not known before. Weekly, monthly and yearly points keep the
    chain they rest on, so each counts with the whole of its chain.
    """
    increment = volume_bytes if full_every == 1 else volume_bytes * _changed_per_mille(increments) // 1000
    kept = retention.count(every_s)
    far = min(kept, retention.weekly + retention.monthly + retention.yearly)
    near = kept - far
    fulls = -(-near // full_every) + (1 if near and full_every > 1 else 0) + far
    others = near - -(-near // full_every) + far * (full_every - 1)
    return Forecast(volume_bytes, increment, fulls * volume_bytes + max(0, others) * increment)


def _changed_per_mille(increments: Sequence[tuple[int, int]]) -> int:
    measured, whole = sum(stored for stored, _ in increments), sum(of for _, of in increments)
    return min(1000, -(-measured * 1000 // whole)) if whole else CHANGED_PER_MILLE
