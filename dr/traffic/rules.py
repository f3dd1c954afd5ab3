"""The rules of a shift, all looked at in one decision on the state after it. Pure.

Some can be set aside by naming them with a reason; those that keep the data right, and a freeze, cannot.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cloudctl.errors import Fault
from dr.traffic.shares import WHOLE, Weights, is_even


class Rule(StrEnum):
    """By these names a rule is set aside, and by these a fault says which it was."""

    SUM = "sum"
    ONE_SITE = "one_site"
    ONE_WRITER = "one_writer"
    SHARES = "shares"
    FROZEN = "frozen"
    HEADROOM = "headroom"
    LAG = "lag"
    TTL = "ttl"
    FLAP = "flap"
    WATCH = "watch"


NEVER_SET_ASIDE = frozenset({Rule.SUM, Rule.ONE_SITE, Rule.ONE_WRITER, Rule.SHARES, Rule.FROZEN})


@dataclass(frozen=True)
class Limits:
    """What a shift of a name has to keep to."""

    headroom: float = 1.2  # times the load that a site gets, of the highest in 24 h
    load_per_s: Mapping[str, float] = field(default_factory=dict)  # the highest of the last 24 h, by site
    room_per_s: Mapping[str, float] = field(default_factory=dict)  # what each site can answer
    lag_s: float | None = None  # the oldest that the data of a site without the writer may be
    flap_s: int = 600  # from the end of one shift to the next
    errors_percent: float = 2.0  # of the answers from outside


@dataclass(frozen=True)
class Situation:
    """A shift as asked for, and what is known while it is decided."""

    sites: Collection[str]  # those with addresses
    before: Weights
    after: Weights
    steps: Sequence[Weights]
    ttl_s: int
    soak_s: int
    writer: str | None = None  # where the data is written; None: at any site
    is_one_site: bool = False  # a part of the system answers only where the writer is
    gives_shares: bool = True
    is_frozen: bool = False
    is_watched: bool = True
    since_s: float | None = None  # since the last shift ended
    behind_s: Mapping[str, float | None] = field(default_factory=dict)  # how old the data is, by site
    limits: Limits = Limits()


def breaches(now: Situation) -> list[Fault]:
    """Every rule that the shift breaks, whether it can be set aside or not; `code` is the rule's name."""
    if wrong := list(_no_weights(now)):
        return wrong
    return [*_no_way(now), *_too_much(now), *_too_old(now), *_too_hasty(now)]


def standing_in_the_way(faults: Sequence[Fault], set_aside: Collection[str]) -> list[Fault]:
    """What is left when the rules named are set aside."""
    return [one for one in faults if one.code in NEVER_SET_ASIDE or one.code not in set_aside]


def wrong_names(set_aside: Sequence[str], reason: str) -> list[Fault]:
    """What is wrong with setting these rules aside."""
    choices = ", ".join(rule for rule in Rule if rule not in NEVER_SET_ASIDE)
    faults = []
    for index, name in enumerate(set_aside):
        if name in NEVER_SET_ASIDE:
            template = "the rule '{rule}' is never set aside"
            faults.append(Fault(f"set_aside[{index}]", "never", template, {"rule": str(name)}))
        elif name not in set(Rule):
            params = {"given": name[:60], "choices": choices}
            faults.append(
                Fault(f"set_aside[{index}]", "unknown_word", "'{given}' is none of: {choices}", params)
            )
    if set_aside and not reason.strip():
        faults.append(Fault("reason", "missing", "is missing"))
    return faults


def _no_weights(now: Situation) -> Iterator[Fault]:
    for site, weight in now.after.items():
        if site not in now.sites:
            params = {"site": site[:60], "choices": ", ".join(sorted(now.sites))}
            template = "the name has no address at {site}; it has at: {choices}"
            yield Fault(f"weights.{site}", Rule.SUM, template, params)
        elif not 0 <= weight <= WHOLE:
            bounds = {"least": 0, "most": WHOLE}
            yield Fault(f"weights.{site}", Rule.SUM, "must be a number from {least} to {most}", bounds)
    total = sum(now.after.values())
    if total != WHOLE:
        yield Fault("weights", Rule.SUM, "the shares make {total}, not 100", {"total": total})
    if not any(now.after.values()):
        yield Fault("weights", Rule.ONE_SITE, "no site would serve")


def _no_way(now: Situation) -> Iterator[Fault]:
    if now.is_frozen:
        yield Fault("", Rule.FROZEN, "it is frozen: people stay where they are",
                    hint="whoever approves moves ends a freeze: cloudctl dr shift thaw")  # fmt: skip
    others = sorted(site for site, weight in now.after.items() if weight and site != now.writer)
    if now.is_one_site and now.writer is not None and others:
        params = {"writer": now.writer, "others": ", ".join(others)}
        template = (
            "a part of the system answers only at {writer}, where its data is written; not at: {others}"
        )
        yield Fault("weights", Rule.ONE_WRITER, template, params,
                    hint="the writer moves by: cloudctl dr failover start")  # fmt: skip
    if not now.gives_shares and any(not is_even(step) for step in now.steps):
        template = "the name server gives no shares: one site has all, or those that serve count the same"
        yield Fault("weights", Rule.SHARES, template)


def _too_much(now: Situation) -> Iterator[Fault]:
    """The load that each site would get, with what has to be left, against what it can answer."""
    limits, total = now.limits, sum(now.limits.load_per_s.values())
    for site in sorted(now.after):
        room = limits.room_per_s.get(site)
        if room is None or now.after[site] <= now.before.get(site, 0):
            continue
        wanted = total * now.after[site] / WHOLE * limits.headroom
        if wanted > room:
            params = {"site": site, "wanted": f"{wanted:.0f}", "room": f"{room:.0f}"}
            template = "{site} would need room for {wanted} requests a second, and has {room}"
            yield Fault(f"weights.{site}", Rule.HEADROOM, template, params)


def _too_old(now: Situation) -> Iterator[Fault]:
    """Who reads at a site where the data is old reads what is true no more."""
    most = now.limits.lag_s
    if most is None or now.writer is None:
        return
    for site in sorted(site for site, weight in now.after.items() if weight and site != now.writer):
        if now.after[site] <= now.before.get(site, 0):
            continue
        behind = now.behind_s.get(site)
        if behind is None:
            yield Fault(
                f"weights.{site}", Rule.LAG, "how old the data at {site} is is not known", {"site": site}
            )
        elif behind > most:
            params = {"site": site, "behind_s": round(behind), "most_s": round(most)}
            template = "the data at {site} is {behind_s} s old; at most {most_s} s"
            yield Fault(f"weights.{site}", Rule.LAG, template, params)


def _too_hasty(now: Situation) -> Iterator[Fault]:
    if len(now.steps) > 1 and now.soak_s < now.ttl_s:
        params = {"soak_s": now.soak_s, "ttl_s": now.ttl_s}
        template = "{soak_s} s between steps are shorter than the time to live of {ttl_s} s"
        yield Fault("soak_s", Rule.TTL, template, params)
    if now.since_s is not None and now.since_s < now.limits.flap_s:
        params = {"since_s": int(now.since_s), "flap_s": now.limits.flap_s}
        template = "the last shift ended {since_s} s ago; {flap_s} s have to pass"
        yield Fault("", Rule.FLAP, template, params)
    if len(now.steps) > 1 and not now.is_watched:
        yield Fault("watch", Rule.WATCH, "nothing says how it is seen from outside that the sites answer")
