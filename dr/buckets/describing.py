"""What a stranger needs to know of a bucket to build it again, for the sealed manifest. Only reads."""

from collections.abc import Mapping
from typing import Any

from cloudctl.models import InformationSystem, PolicyMember
from cloudctl.store import UnitOfWork


def describe_bucket(uow: UnitOfWork, member: PolicyMember, totals: Mapping[str, int]) -> dict[str, Any]:
    """System, site and bucket of the member, with how many versions and bytes it had."""
    system = uow.need(InformationSystem, member.system_id)
    return {
        "system": {
            "id": system.id,
            "name": system.name,
            "department": system.department_id,
            "mlps_level": system.mlps_level,
        },
        "site": member.site_id,
        "bucket": {"name": member.name, **totals},
    }
