"""Which volumes belong to a member of a policy, and in which order. Pure but for one reading function."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cloudctl.errors import NotFound, Refused
from cloudctl.lifecycle import ResourceState
from cloudctl.models import PolicyMember, Project, Resource
from cloudctl.store import UnitOfWork

SYSTEM, VOLUME, BUCKET = "system", "volume", "bucket"  # kinds of members
_SERVER, _VOLUME = "server", "volume"  # kinds of resources
KEPT = "kept_by"  # in the spec of a volume that gave way to a restored one: it is in no further point


@dataclass(frozen=True)
class Holding:
    """A server or volume of a system, as its row tells."""

    id: str
    kind: str
    name: str
    external_id: str
    project: str  # external id
    boot: str = ""  # of a server: the row of the volume it boots from
    data: tuple[str, ...] = ()
    server: str = ""  # of a volume: the row of the server it is attached to
    size_gib: int = 0
    type: str = ""
    spec: dict[str, object] = field(default_factory=dict, compare=False)
    amounts: dict[str, int] = field(default_factory=dict, compare=False)  # vcpus, ram_mib of a server


def in_order(holdings: Iterable[Holding]) -> list[Holding]:
    """The volumes: server by server, what it boots from first; then those of no server, by name."""
    known = {one.id: one for one in holdings}
    servers = sorted((one for one in known.values() if one.kind == _SERVER), key=lambda one: one.name)
    volumes = {one.id: one for one in known.values() if one.kind == _VOLUME}
    order: list[Holding] = []
    for server in servers:
        attached = [one.id for one in volumes.values() if one.server == server.id]
        attached.sort(key=lambda row_id: (volumes[row_id].name, row_id))
        wanted = dict.fromkeys((server.boot, *server.data, *attached))
        order += [volumes.pop(row_id) for row_id in wanted if row_id in volumes]
    return order + sorted(volumes.values(), key=lambda one: (one.name, one.id))


def holdings_of(uow: UnitOfWork, member: PolicyMember) -> list[Holding]:
    """Everything of the member's system that stands at its site now, of all its projects there."""
    projects = {row.id: row.external_id for row in uow.all(Project, Project.site_id == member.site_id)}
    rows = uow.all(
        Resource,
        Resource.system_id == member.system_id,
        Resource.site_id == member.site_id,
        Resource.kind.in_((_SERVER, _VOLUME)),
        Resource.state == ResourceState.ACTIVE,
        Resource.external_id.is_not(None),
    )
    used = [row for row in rows if not (row.spec or {}).get(KEPT)]
    return [_holding(row, projects.get(row.project_id or "") or "") for row in used]


def volumes_of(member: PolicyMember, holdings: Sequence[Holding]) -> list[Holding]:
    """The volumes that a point of the member has. NotFound when there are none; Refused for a bucket."""
    if member.kind == BUCKET:
        raise Refused("buckets have no volumes: they are replicated, not read by a backup service")
    volumes = in_order(holdings)
    if member.kind == VOLUME:
        volumes = [one for one in volumes if member.name in (one.id, one.name, one.external_id)]
    if not volumes:
        raise NotFound("{system} has no volume at {site}", system=member.system_id, site=member.site_id)
    return volumes


def servers_of(volumes: Sequence[Holding], holdings: Iterable[Holding]) -> list[str]:
    """The external ids of the servers that write to the volumes."""
    ids = {one.id for one in volumes}
    named = {one.server for one in volumes}
    writing = [
        one for one in holdings if one.kind == _SERVER and (one.id in named or ids & {one.boot, *one.data})
    ]
    return [one.external_id for one in sorted(writing, key=lambda one: one.name)]


def _holding(row: Resource, project: str) -> Holding:
    spec = row.spec or {}
    return Holding(
        id=row.id,
        kind=row.kind,
        name=row.name,
        external_id=row.external_id or "",
        project=project,
        boot=spec.get("boot") or "",
        data=tuple(spec.get("data") or ()),
        server=spec.get("server") or spec.get("attach_to") or "",
        size_gib=int(spec.get("size_gib") or 0),
        type=spec.get("type") or "",
        spec=dict(spec),
        amounts=dict(row.amounts or {}),
    )
