"""When the next sentinel of a plan is due. Pure.

Its own pace at rest; once a second at least while the system is rehearsed or moved. What was missed is not
made up for: a burst after a silence would hide how long it was.
"""

from dr.plans.document import Sentinels

FAST_S = 0.75  # and a tick of the worker on top is no more than a second


def every_s(wanted: Sentinels, is_moving: bool) -> float:
    """Seconds from one sentinel to the next."""
    return min(wanted.every_s, FAST_S) if is_moving else wanted.every_s


def is_due(last_s: float | None, now_s: float, wanted: Sentinels, is_moving: bool) -> bool:
    """Whether one is to be written at `now_s`, when the last was begun at `last_s`; one monotonic clock."""
    return last_s is None or now_s - last_s >= every_s(wanted, is_moving)
