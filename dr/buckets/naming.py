"""What a bucket is called, for members that a rebuild found by the id they have in vaults."""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudctl.models import PolicyMember, RecoveryPoint
from cloudctl.store import UnitOfWork
from dr.drafting import member_id
from dr.members import BUCKET


def name_members(uow: UnitOfWork, topologies: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Give members of buckets the name that the manifests of their points tell, where it is theirs.

    `topologies`: point and topology. A name from which the id does not follow is not believed.
    """
    for point_id, topology in topologies:
        name = str((topology.get("bucket") or {}).get("name") or "")
        point = uow.get(RecoveryPoint, point_id) if name else None
        member = uow.get(PolicyMember, point.member_id) if point else None
        if member is None or member.kind != BUCKET or member.name == name:
            continue
        told = PolicyMember(kind=BUCKET, system_id=member.system_id, site_id=member.site_id, name=name)
        if member_id(told) == member.name:
            member.name = name
            uow.flush()
