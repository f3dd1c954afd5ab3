"""Rows of the offsite backup that tests start from: vaults, a policy with its member, points, proofs."""

from datetime import datetime, timedelta
from typing import Any

from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.lifecycle import ResourceState
from cloudctl.models import (
    BackupPolicy,
    PointCopy,
    PointProof,
    PointVolume,
    PolicyMember,
    Project,
    RecoveryPoint,
    Resource,
    Vault,
)
from cloudctl.queries import scopes
from dr import policies
from tests.builders import an_actor

BUDGET, ASSETS, ENROLL, SECRET = (
    "gx-finance-budget", "gx-finance-assets", "nn-qingxiu-edu-enroll", "gx-finance-secret",
)  # fmt: skip
KEY = "ab" * 32
GIB = 1 << 30


def a_vault(core: Core, site: str = "city-1", **columns: Any) -> None:
    given = {"bucket": f"vault-{site}", "lock_mode": "compliance", "escrow_key": KEY}
    with core.store.write() as uow:
        uow.add(Vault(site_id=site, probed_at=core.clock.now(), **{**given, **columns}))


def a_volume(core: Core, system: str = BUDGET, site: str = "province", size_gib: int = 100) -> str:
    """A volume of the system at the site, in its project there; the id of its row."""
    key = scopes.project_id(system, "prod", site)
    with core.store.write() as uow:
        owner = "nn-qingxiu-edu" if system == ENROLL else "gx-finance"
        if uow.get(Project, key) is None:
            uow.add(
                Project(
                    id=key, name=f"{system}-prod", system_id=system, department_id=owner, site_id=site,
                    external_id=f"x-{key}", state="active", created_at=core.clock.now(),
                )
            )  # fmt: skip
        row = Resource(
            id=new_id(), kind="volume", name=f"{system}-data", state=ResourceState.ACTIVE, site_id=site,
            project_id=key,
            system_id=system, department_id=owner, external_id=new_id(), created_at=core.clock.now(),
            spec={"size_gib": size_gib, "type": "standard"}, amounts={},
        )  # fmt: skip
        return uow.add(row).id


def a_document(**changes: Any) -> dict[str, Any]:
    """A policy that nothing is wrong with: the province's budget system, copied to the city each night."""
    document: dict[str, Any] = {
        "name": "省本级关键数据", "tier": "T2", "vaults": ["city-1"],
        "window": {"from": "22:00", "until": "06:00"},
        "members": [{"system": BUDGET, "site": "province"}],
    }  # fmt: skip
    return {key: value for key, value in {**document, **changes}.items() if value is not None}


def a_policy(core: Core, **changes: Any) -> int:
    """The id of a policy that was applied."""
    [row] = policies.apply(core, an_actor(core, "dave"), [a_document(**changes)])
    return int(row["id"])


def a_point(core: Core, taken_at: datetime, system: str = BUDGET, **columns: Any) -> str:
    """The id of a point of the system's member: protected, proved to L1, with a sealed copy in each vault."""
    with core.store.write() as uow:
        member = uow.first(PolicyMember, PolicyMember.system_id == system)
        assert member is not None
        policy = uow.need(BackupPolicy, member.policy_id)
        number = uow.count(RecoveryPoint, RecoveryPoint.member_id == member.id) + 1
        given: dict[str, Any] = {
            "id": new_id(), "sequence": number, "kind": "full", "state": "protected", "level": "L1",
            "taken_at": taken_at, "stored_at": taken_at + timedelta(minutes=20), "verified_at": taken_at,
            "created_at": taken_at, "bytes": 100 * GIB, "stored_bytes": 40 * GIB, "consistency": "quiesced",
        }  # fmt: skip
        point = uow.add(
            RecoveryPoint(
                member_id=member.id, policy_id=policy.id, system_id=system, site_id=member.site_id,
                **{**given, **columns},
            )
        )  # fmt: skip
        uow.add(
            PointVolume(
                point_id=point.id, position=0, name="data", volume_id="v1", size_gib=100, state="released",
                volume_type="standard", root_sha256="0" * 64,
            )
        )  # fmt: skip
        for site in policy.vault_sites:
            uow.add(
                PointCopy(
                    point_id=point.id, site_id=site, state="sealed", lock_mode="compliance", level="L1",
                    bytes_total=40 * GIB, bytes_done=40 * GIB, objects_total=800, objects_done=800,
                )
            )  # fmt: skip
        return point.id


def a_proof(core: Core, point: str, at: datetime, **columns: Any) -> None:
    """A proof of the point, passed to L2 from the city's vault, and the point's level with it."""
    given = {"site_id": "city-1", "level": "L2", "reached": "L2", "state": "passed", "by": "system"}
    told = {**given, **columns}
    with core.store.write() as uow:
        uow.add(PointProof(point_id=point, started_at=at, ended_at=at, **told))
        if told["state"] == "passed":
            row = uow.need(RecoveryPoint, point)
            row.level, row.verified_at = told["reached"], at
