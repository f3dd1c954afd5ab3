"""The shares of a name as its master has them, and the change of them: read, compared, put, read again."""

from cloudctl.errors import Conflict
from cloudctl.ports import Dns
from dr.traffic.shares import AAAA, TXT, A, Named, Standing, Weights, marker_of, record_sets, standing


def read(dns: Dns, named: Named) -> Standing:
    """What the master has now. Two reads that meet a change in the middle give what is `strange`."""
    return standing(
        named,
        {
            TXT: dns.read(marker_of(named.name), TXT),
            A: dns.read(named.name, A),
            AAAA: dns.read(named.name, AAAA),
        },
    )


def put(dns: Dns, named: Named, found: Standing, weights: Weights, by: str) -> str:
    """Put the shares in the place of what was found; empty, or what somebody else did meanwhile.

    Where they are there by the same operation already, they are only compared: a script cannot be read. No
    weights at all: the name goes.
    """
    wanted = record_sets(named, weights, by) if weights else ()
    is_there = found.weights == weights and found.by == by and {*found.sets} == {*wanted}
    try:
        dns.replace(wanted if is_there else found.sets, wanted)
    except Conflict as conflict:
        again = read(dns, named)
        if again.strange:
            return again.strange
        if again == found:
            return "its scripts are not those of its shares"
        raise conflict  # it changed while we looked: the next look sees what it is now
    return ""
