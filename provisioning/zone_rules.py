"""What may reach a server, by network zone and MLPS level: data, and one function that reads it. Pure.

What no row allows is denied on the way in; everything is allowed on the way out. IPv6 does not work
without ICMPv6, so that is always allowed in.
"""

from dataclasses import dataclass

from cloudctl.ports import Rule

MANAGEMENT = ("10.0.0.0/8", "fd00::/8")  # the ranges of the province's own networks
ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Opening:
    """One way in: for which zones and levels, what, and from where (nowhere named: from the group itself)."""

    zones: frozenset[str]
    levels: range
    protocol: str | None
    port: int | None
    remotes: tuple[str, ...]


_ALL = frozenset({"public", "dedicated", "internet"})
_EVERY_LEVEL = range(1, 6)

OPENINGS: tuple[Opening, ...] = (
    Opening(_ALL, _EVERY_LEVEL, "tcp", 22, MANAGEMENT),
    Opening(_ALL, _EVERY_LEVEL, "icmp", None, MANAGEMENT[:1]),
    Opening(_ALL, _EVERY_LEVEL, "ipv6-icmp", None, ANYWHERE[1:]),
    Opening(frozenset({"public"}), _EVERY_LEVEL, "tcp", 443, MANAGEMENT),
    Opening(frozenset({"public"}), range(1, 3), "tcp", 80, MANAGEMENT),
    Opening(frozenset({"internet"}), _EVERY_LEVEL, "tcp", 443, ANYWHERE),
    Opening(frozenset({"internet"}), range(1, 3), "tcp", 80, ANYWHERE),
    # servers of one system talk to each other, except where the internet reaches a level 3 system
    Opening(frozenset({"public", "dedicated"}), _EVERY_LEVEL, None, None, ()),
    Opening(frozenset({"internet"}), range(1, 3), None, None, ()),
)


def rules(zone: str, mlps_level: int) -> tuple[Rule, ...]:
    """The rules of the zone's security group for a system of that level, IPv4 and IPv6."""
    made = [Rule("egress", _family(remote), None, remote=remote) for remote in ANYWHERE]
    for opening in OPENINGS:
        if zone in opening.zones and mlps_level in opening.levels:
            made += _opened(opening)
    return tuple(made)


def _opened(opening: Opening) -> list[Rule]:
    if not opening.remotes:
        return [Rule("ingress", family, opening.protocol) for family in ("IPv4", "IPv6")]
    return [
        Rule("ingress", _family(remote), opening.protocol, opening.port, opening.port, remote)
        for remote in opening.remotes
    ]


def _family(cidr: str) -> str:
    return "IPv6" if ":" in cidr else "IPv4"
