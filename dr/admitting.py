"""The first stage of a backup of volumes: what belongs to the point, and whether the vaults can take it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudctl.config import Settings
from cloudctl.errors import NotFound
from cloudctl.models import PointVolume, RecoveryPoint
from cloudctl.operations import Run
from cloudctl.ports import Clouds, Stores
from cloudctl.ports import Volume as CloudVolume
from cloudctl.store import UnitOfWork
from dr.describing import describe
from dr.forecast import GIB, RESERVE_PER_CENT
from dr.keyring import Keyring
from dr.members import Holding, holdings_of, servers_of, volumes_of
from dr.point_job import PointJob
from dr.starting import FULL
from dr.vault_admission import VaultAdmission
from provisioning.lanes import Lanes


class Admission:
    """Plans the rows of a point. Changes nothing at a cloud but cloudctl's own access to its projects."""

    def __init__(
        self, clouds: Clouds, stores: Stores, keyring: Keyring, settings: Settings, lanes: Lanes
    ) -> None:
        self._clouds = clouds
        self._vaults = VaultAdmission(stores, keyring)
        self._settings = settings
        self._lanes = lanes

    def admit(self, run: Run, job: PointJob) -> None:
        """Write the volumes of the point, what each vault said, and the key. Again changes nothing."""
        with run.store.read() as uow:
            holdings = holdings_of(uow, job.member)
            volumes = volumes_of(job.member, holdings)
        there = self._there(job, volumes)
        left_out = [one.name for one in volumes if one.external_id not in there]
        volumes = [one for one in volumes if one.external_id in there]
        if not volumes:
            raise NotFound("{system} has no volume at {site}", system=job.point.system_id, site=job.site.id)
        probes = self._vaults.probe(job)
        total = sum(there[one.external_id].size_gib for one in volumes) * GIB
        with run.write() as (uow, operation):
            uow.insert_missing(
                PointVolume,
                [_row(job, at, one, there[one.external_id]) for at, one in enumerate(volumes)],
            )
            needed = _needed_bytes(uow, job, total)
            self._vaults.judge(uow, run, job, probes, needed)
            point = uow.need(RecoveryPoint, job.point.id)
            point.bytes = total
            point.topology = describe(uow, job.member, volumes, holdings)
            operation.scratch = {
                **operation.scratch,
                **self._vaults.key(uow, job, point),
                "servers": servers_of(volumes, holdings),
            }
            operation.step = "freeze"
            operation.progress_total = 2 * len(volumes) + 100 * len(job.copies)
            note = f"left out, for they are not at the cloud: {', '.join(left_out)}" if left_out else ""
            run.journal(uow, "admit", "done", note or f"{len(volumes)} volumes")

    # -- the site

    def _there(self, job: PointJob, volumes: Sequence[Holding]) -> Mapping[str, CloudVolume]:
        """The volumes as the cloud has them now, with access to every project they are in."""
        cloud = self._clouds.at(job.site.id)
        projects = sorted({one.project for one in volumes})
        for project in projects:
            cloud.ensure_own_access(project)
        calls = [cloud.in_project(project).list_volumes for project in projects]
        listings = self._lanes.must(job.site.id, job.site.slots, calls)
        return {one.id: one for listing in listings for one in listing}


def _needed_bytes(uow: UnitOfWork, job: PointJob, total: int) -> int:
    """How much room a vault must have: what the last point of the kind took and a fifth, else everything."""
    same = (
        RecoveryPoint.member_id == job.member.id,
        RecoveryPoint.kind == job.point.kind,
        RecoveryPoint.stored_bytes > 0,
    )
    last = uow.first(RecoveryPoint, *same, order_by=[RecoveryPoint.sequence.desc()])
    if last is not None:
        return last.stored_bytes * RESERVE_PER_CENT // 100
    return total if job.point.kind == FULL else 0


def _row(job: PointJob, position: int, one: Holding, there: CloudVolume) -> dict[str, Any]:
    return {
        "point_id": job.point.id,
        "position": position,
        "name": one.name,
        "volume_id": one.external_id,
        "size_gib": there.size_gib,
        "volume_type": there.type,
        "is_incremental": False,
        "state": "intended",
        "record": {},
        "root_sha256": "",
        "spec": {"project": one.project},
    }
