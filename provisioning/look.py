"""One look at a project: the listings that are needed, side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from cloudctl.models import Site
from cloudctl.ports import CloudInProject, Port
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.lanes import Lanes
from provisioning.reconcile import Seen, Thing

ALL_KINDS = frozenset({PORT, VOLUME, SERVER})


def look(
    lanes: Lanes, site: Site, inside: CloudInProject, kinds: Iterable[str], known: Seen | None = None
) -> Seen:
    """List these kinds; what `known` has already is not asked for again."""
    asks: Mapping[str, Callable[[], Sequence[Thing]]] = {
        VOLUME: inside.list_volumes,
        SERVER: inside.list_servers,
        PORT: inside.list_ports,
    }
    had = dict(known.by_kind) if known else {}
    missing = sorted(set(kinds) - set(had))
    listings = lanes.must(site.id, site.slots, [asks[kind] for kind in missing])
    return Seen({**had, **dict(zip(missing, listings, strict=True))})


def addresses(port: Port) -> dict[str, list[str]]:
    """The port's addresses by family, as they are shown and stored."""
    return {
        "ipv4": [one for one in port.addresses if ":" not in one],
        "ipv6": [one for one in port.addresses if ":" in one],
    }
