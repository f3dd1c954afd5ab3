"""How long a move waits until a lease that nobody gave back is over. Pure.

The inequality of docs/model/failover.pml: WAIT > 2 x TTL there, with one clock as slow and one as fast as
allowed. An agent counts its lease from the question it asked, which was before the register was closed; so
from then on it may write for `lease_s` by its own clock, and its watchdog needs `stop_s` to kill what
writes.
"""

DRIFT = 0.01  # the most by which a clock may run wrong, as a share; far more than any crystal
STOP_S = 5.0  # from the end of a lease until the watchdog has stopped the writers


def wait_s(lease_s: float, drift: float = DRIFT, stop_s: float = STOP_S) -> float:
    """Seconds by our own monotonic clock, which may be fast, from a moment after the register was closed."""
    return (lease_s + stop_s) * (1 + drift) / (1 - drift)
