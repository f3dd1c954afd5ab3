"""What to delete next, from what must go and one look at the cloud. Pure.

Servers first, because a volume or port in use cannot go; then their volumes and ports. A volume that must
go while its server stays is detached first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudctl.ports import Port, Server, Volume
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.reconcile import Seen, Thing

_DELETABLE = frozenset({"available", "error", "error_deleting", "error_restoring", "error_extending"})
REPEAT_S = 10.0  # a delete that shows no effect is asked for again after that


@dataclass(frozen=True)
class Drop:
    """One call of a deletion; with `server_id` a volume is detached from it instead."""

    kind: str
    external_id: str
    server_id: str = ""

    @property
    def key(self) -> str:
        return f"{self.server_id}/{self.external_id}" if self.server_id else self.external_id


@dataclass(frozen=True)
class Drops:
    """One pass of deleting."""

    now: tuple[Drop, ...]
    left: Mapping[str, int]  # how many of a kind are still there

    @property
    def is_gone(self) -> bool:
        return not any(self.left.values())

    @property
    def why(self) -> str:
        return ", ".join(f"{n} {kind}{'s' if n > 1 else ''} to go" for kind, n in self.left.items() if n)


def decide(doomed: Mapping[str, Iterable[Thing]]) -> Drops:
    """What of the doomed things, by kind, can be deleted now."""
    servers = [thing for thing in doomed.get(SERVER, ()) if isinstance(thing, Server)]
    volumes = [thing for thing in doomed.get(VOLUME, ()) if isinstance(thing, Volume)]
    ports = [thing for thing in doomed.get(PORT, ()) if isinstance(thing, Port)]
    going = {server.id for server in servers}
    busy = {volume_id for server in servers for volume_id in server.volume_ids}
    now = [Drop(SERVER, server.id) for server in servers]
    for volume in volumes:
        if volume.status in _DELETABLE and volume.id not in busy:
            now.append(Drop(VOLUME, volume.id))
        elif volume.status == "in-use":
            now += [Drop(VOLUME, volume.id, one) for one in volume.server_ids if one not in going]
    now += [Drop(PORT, port.id) for port in ports if port.device_id not in going]
    return Drops(tuple(now), {SERVER: len(servers), VOLUME: len(volumes), PORT: len(ports)})


def doomed(seen: Seen, is_doomed: Mapping[str, frozenset[str]]) -> dict[str, list[Thing]]:
    """The things of a look whose external ids are named, by kind."""
    return {
        kind: [thing for thing in things if thing.id in is_doomed.get(kind, frozenset())]
        for kind, things in seen.by_kind.items()
    }
