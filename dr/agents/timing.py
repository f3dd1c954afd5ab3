"""The times of an agent, all parts of its lease, and what they have to satisfy. Pure.

    question        soft          hard    lease over           a controller at the other site
       |--------------|-------------|---------|  ....  |------> takes it to be over
       writers run    asked to stop killed    none runs        wait_s() of dr/failover/timing.py

The lease counts from the question that the register answered. So whatever becomes of the answer, the writers
stand still `lease_s` after a moment at which the register was still open for them.
"""

from dataclasses import dataclass

#: No process is woken that exactly where a second matters.
LEAST_LEASE_S = 5.0


@dataclass(frozen=True)
class Timing:
    """Seconds by a clock that nobody sets and that goes on while the machine sleeps."""

    lease_s: float
    renew_s: float  # from one question to the next
    ask_s: float  # patience with one member of the witness
    soft_s: float  # before the end, when the writers are asked to stop
    hard_s: float  # before the end, when they are killed
    silence_s: float  # without a sign of the keeper, after which the agent does its work
    tick_s: float  # how often the keeper looks at its clock and gives a sign


def timing(lease_s: float) -> Timing:
    """How a lease is divided. ValueError for one that is shorter than LEAST_LEASE_S."""
    if lease_s < LEAST_LEASE_S:
        raise ValueError(f"a lease of {lease_s} s is shorter than {LEAST_LEASE_S} s")
    return Timing(
        lease_s=lease_s,
        renew_s=lease_s / 10,
        ask_s=lease_s / 15,
        soft_s=lease_s / 3,
        hard_s=lease_s / 6,
        silence_s=lease_s / 12,
        tick_s=lease_s / 120,
    )


def misses(times: Timing, members: int = 3) -> float:
    """How many questions in a row may fail, each at every member, before the writers are asked to stop."""
    left_s = times.lease_s - times.soft_s - members * times.ask_s
    return left_s // (times.renew_s + (members - 1) * times.ask_s)


def writes_s(times: Timing, drift: float, kill_s: float) -> float:
    """The longest that writers run after a question, by a true clock: the agent's may be slow.

    `kill_s`: from the order until they are gone. Whether the keeper kills in time, or the agent does because
    the keeper gives no sign, it begins before the end of the lease.
    """
    latest_s = times.lease_s - times.hard_s + max(times.tick_s, times.silence_s + times.tick_s)
    return (latest_s + kill_s) / (1 - drift)


def is_over(waited_s: float, longest_s: float, drift: float) -> bool:
    """Whether who waited so long by a clock that may be fast has seen the end: the model's WAIT and TTL."""
    return waited_s / (1 + drift) > longest_s
